//! A strict reader of the flat JSON objects of the contract: objects only, no repeated and no unknown key.
//!
//! serde's derive takes an array for a struct, `serde_json::Value` keeps the last of repeated keys, and the error texts of both
//! repeat input; hence this reader, whose errors hold a key and a rule and nothing else of the input.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

use crate::NameError;

/// Longest unknown key that an error repeats, in bytes. A longer one may be a secret in the wrong place.
const MAX_KEY_BYTES: usize = 24;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a JSON document of the contract was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    #[error("is not a JSON object")]
    NotAnObject,
    #[error("is in {0}, and must be in UTF-8: save it again in that encoding")]
    Encoding(&'static str),
    #[error("is not valid JSON (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
    #[error("has the key \"{0}\" twice")]
    RepeatedKey(String),
    #[error("has a key twice in an object inside it (before line {line}, column {column})")]
    RepeatedInside { line: usize, column: usize },
    #[error("has {key}; known are {known}")]
    UnknownKey { key: String, known: String },
    #[error("lacks the key \"{0}\"")]
    MissingKey(&'static str),
    #[error("\"{key}\" {rule}")]
    Invalid { key: &'static str, rule: &'static str },
    #[error("\"{key}\" holds a name that cannot be: {error}")]
    Name { key: &'static str, error: NameError },
}

/// The text of a file that a person wrote. UTF-16 and Latin-1 are what editors of Windows make of it.
///
/// # Errors
/// Names the encoding that it is in instead of UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, DocumentError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => in_utf_8(text),
        Err(_) if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => Err(UTF_16),
        Err(_) if bytes.contains(&0) => Err(UTF_16),
        Err(_) => Err(LATIN_1),
    }
}

const UTF_16: DocumentError = DocumentError::Encoding("UTF-16");
const LATIN_1: DocumentError = DocumentError::Encoding("Latin-1 or another old encoding");

/// `text`, unless it shows the traces of another encoding that somebody took for UTF-8 or Latin-1 on the way: a NUL beside each
/// letter, or the replacement character, which stands where letters were lost.
fn in_utf_8(text: &str) -> Result<&str, DocumentError> {
    let nuls = text.bytes().filter(|&byte| byte == 0).count();
    match text {
        _ if nuls > 0 && nuls * 3 >= text.chars().count() => Err(UTF_16),
        _ if text.contains(char::REPLACEMENT_CHARACTER) => Err(LATIN_1),
        _ => Ok(text),
    }
}

/// `text` without what editors and shells put around it: blanks, line ends, a byte order mark.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == BYTE_ORDER_MARK)
}

/// What is wrong with a document, in the order in which it is read.
#[derive(Default)]
pub(crate) struct Faults(Vec<DocumentError>);

impl Faults {
    /// What was read; where it is wrong, that is noted.
    pub(crate) fn keep<T>(&mut self, read: Result<T, DocumentError>) -> Option<T> {
        read.map_err(|fault| self.note(fault)).ok()
    }

    pub(crate) fn note(&mut self, fault: DocumentError) {
        self.0.push(fault);
    }

    pub(crate) fn into_all(self) -> Vec<DocumentError> {
        self.0
    }
}

fn whole((object, faults): (Object, Vec<DocumentError>)) -> Result<Object, DocumentError> {
    faults.into_iter().next().map_or(Ok(object), Err)
}

/// The keys and values of one document, taken out one by one.
#[derive(Default)]
pub(crate) struct Object(BTreeMap<String, Value>);

impl Object {
    /// Reads `text`, a JSON object with nothing but white space and a byte order mark around it, allowing only the `known` keys.
    pub(crate) fn read(text: &str, known: &[&'static str]) -> Result<Self, DocumentError> {
        Self::read_or(text, known, |key| unknown(key, known)).and_then(whole)
    }

    /// Like [`Self::read`], and what is wrong with a key costs the others nothing. None: it cannot be read at all.
    pub(crate) fn read_noting(text: &str, known: &[&'static str], faults: &mut Faults) -> Option<Self> {
        let (object, more) = faults.keep(Self::read_or(text, known, |key| unknown(key, known)))?;
        faults.0.extend(more);
        Some(object)
    }

    /// Like [`Self::read`], for a document that is made of secrets: no error shows an unknown key, however short a word it is.
    pub(crate) fn read_secret(text: &str, known: &[&'static str]) -> Result<Self, DocumentError> {
        Self::read_or(text, known, |key| almost(key, known).unwrap_or_else(|| unshown(key))).and_then(whole)
    }

    /// What stands under the known keys, and what is wrong with the others.
    fn read_or(
        text: &str,
        known: &[&'static str],
        unknown: impl Fn(&str) -> String,
    ) -> Result<(Self, Vec<DocumentError>), DocumentError> {
        let text = trimmed(in_utf_8(text)?);
        if !text.starts_with('{') {
            return Err(DocumentError::NotAnObject);
        }
        let Pairs(pairs) = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match error.classify() {
                // The only thing that our own reading objects to.
                serde_json::error::Category::Data => DocumentError::RepeatedInside { line, column },
                _ => DocumentError::Malformed { line, column },
            }
        })?;
        let (mut object, mut faults) = (BTreeMap::new(), Vec::new());
        for (key, Unrepeated(value)) in pairs {
            match object.entry(key) {
                Entry::Vacant(entry) if known.contains(&entry.key().as_str()) => {
                    entry.insert(value);
                }
                Entry::Vacant(entry) => {
                    let (key, known) = (unknown(entry.key()), known.join(", "));
                    faults.push(DocumentError::UnknownKey { key, known });
                }
                Entry::Occupied(entry) => faults.push(DocumentError::RepeatedKey(entry.key().clone())),
            }
        }
        Ok((Self(object), faults))
    }

    /// Adds every key of `other` that is not there yet.
    pub(crate) fn lay_under(&mut self, other: Object) {
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
    }

    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether `key` is there, and true.
    pub(crate) fn says(&self, key: &'static str) -> bool {
        self.0.get(key) == Some(&Value::Bool(true))
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.0.remove(key)
    }

    pub(crate) fn take_string(&mut self, key: &'static str) -> Result<Option<String>, DocumentError> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(DocumentError::Invalid { key, rule: "must be a string" }),
        }
    }

    pub(crate) fn take_bool(&mut self, key: &'static str) -> Result<Option<bool>, DocumentError> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(DocumentError::Invalid { key, rule: "must be true or false" }),
        }
    }

    /// Like [`Self::take_string`], where a program of ours wrote `null` for "none".
    pub(crate) fn take_string_or_null(&mut self, key: &'static str) -> Result<Option<String>, DocumentError> {
        if self.0.get(key).is_some_and(Value::is_null) {
            self.0.remove(key);
        }
        self.take_string(key)
    }

    pub(crate) fn require_string(&mut self, key: &'static str) -> Result<String, DocumentError> {
        self.take_string(key)?.ok_or(DocumentError::MissingKey(key))
    }
}

/// How an error speaks of a key that is not `known`. Somebody may have put a secret where the key belongs, so it is repeated
/// only if it is a short word; and what is near to a known key was meant to be that.
fn unknown(key: &str, known: &[&'static str]) -> String {
    if let Some(almost) = almost(key, known) {
        return almost;
    }
    let is_word = key.len() <= MAX_KEY_BYTES && key.bytes().all(|b| b.is_ascii_alphabetic() || b"_-".contains(&b));
    match is_word && !key.is_empty() {
        true => format!("the unknown key \"{key}\""),
        false => unshown(key),
    }
}

fn almost(key: &str, known: &[&'static str]) -> Option<String> {
    let meant = known.iter().find(|known| is_near(key, known))?;
    Some(format!("an unknown key that is almost \"{meant}\""))
}

fn unshown(key: &str) -> String {
    format!("an unknown key of {} characters, not shown because it may be a secret", key.chars().count())
}

/// Whether the two differ in case and separators only, or else by one letter: left out, put in, or another.
fn is_near(key: &str, known: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-', ' '], "").into_bytes();
    let (key, known) = (plain(key), plain(known));
    let same_start = key.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (key, known) = (&key[same_start..], &known[same_start..]);
    let same_end = key.iter().rev().zip(known.iter().rev()).take_while(|(a, b)| a == b).count();
    (key.len() - same_end).max(known.len() - same_end) <= 1
}

/// An object as the pairs it was written as, so that a repeated key is seen.
struct Pairs(Vec<(String, Unrepeated)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

/// A value in whose objects no key stands twice.
struct Unrepeated(Value);

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Unrepeated;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Unrepeated, E> {
                Ok(Unrepeated(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Unrepeated, E> {
                Ok(Unrepeated(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unrepeated, A::Error> {
                let mut values = Vec::new();
                while let Some(Unrepeated(value)) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Unrepeated(values.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unrepeated, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((key, Unrepeated(value))) = map.next_entry::<String, _>()? {
                    if object.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key is repeated"));
                    }
                }
                Ok(Unrepeated(object.into()))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Reads `value` as an array of strings.
pub(crate) fn strings(key: &'static str, value: Value) -> Result<Vec<String>, DocumentError> {
    let invalid = DocumentError::Invalid { key, rule: "must be an array of strings" };
    let Value::Array(items) = value else {
        return Err(invalid);
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Ok(text),
            _ => Err(invalid.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> DocumentError {
        Object::read(text, &["a", "b"]).err().unwrap()
    }

    #[test]
    fn only_an_object_is_read() {
        for text in ["", "[]", "[\"a\"]", "\"a\"", "null", "1", "x{\"a\":1}", "\u{feff}[]", " \n"] {
            assert_eq!(error(text), DocumentError::NotAnObject, "{text:?}");
        }
    }

    #[test]
    fn what_editors_put_around_a_document_is_taken_off() {
        for text in [" {\"a\":1}", "\u{feff}{\"a\":1}\r\n", "\r\n\t{\"a\":1}\u{a0}", "\u{feff}\n{\"a\":1}\u{feff}"] {
            assert!(Object::read(text, &["a"]).is_ok_and(|object| object.has("a")), "{text:?}");
        }
    }

    #[test]
    fn another_encoding_is_named_in_one_sentence() {
        let utf_16 = |marked: bool, order: fn(u16) -> [u8; 2]| {
            let text = if marked { "\u{feff}{\"a\":1}" } else { "{\"a\":1}" };
            text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
        };
        for bytes in [utf_16(true, u16::to_le_bytes), utf_16(true, u16::to_be_bytes), utf_16(false, u16::to_le_bytes)] {
            let sentence = "is in UTF-16, and must be in UTF-8: save it again in that encoding";
            assert_eq!(decode(&bytes).unwrap_err().to_string(), sentence);
            // As Latin-1 of it arrives in a text that a program read.
            let latin: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            assert_eq!(error(&latin).to_string(), sentence);
        }
        let latin_1 = b"{\"a\":\"Gr\xfc\xdfe\"}";
        assert!(decode(latin_1).unwrap_err().to_string().starts_with("is in Latin-1"));
        assert_eq!(error(&String::from_utf8_lossy(latin_1)), LATIN_1);
        assert_eq!(decode("{\"a\":\"Grüße\"}".as_bytes()).unwrap(), "{\"a\":\"Grüße\"}");
    }

    #[test]
    fn a_key_that_is_repeated_further_inside_is_refused_too() {
        for text in [r#"{"a":{"x":1,"x":1}}"#, r#"{"a":[{"b":{"x":1,"y":2,"\u0078":1}}]}"#] {
            assert!(matches!(error(text), DocumentError::RepeatedInside { .. }), "{text}");
        }
        let value = r#"{"a":{"x":[1,-2,3.5,true,null,"s",{}],"y":{"x":1}}}"#;
        let mut object = Object::read(value, &["a"]).unwrap();
        assert_eq!(object.take("a").unwrap().to_string(), value[5..value.len() - 1]);
    }

    #[test]
    fn a_repeated_key_is_refused_though_serde_json_would_keep_the_last() {
        assert_eq!(error(r#"{"a":"1","a":"2"}"#), DocumentError::RepeatedKey("a".into()));
        assert_eq!(error(r#"{"a":"1","\u0061":"2"}"#), DocumentError::RepeatedKey("a".into()));
    }

    #[test]
    fn an_unknown_key_is_shown_only_if_it_cannot_be_a_secret() {
        let said = |key: &str| {
            Object::read(&format!("{{{}:1}}", Value::from(key)), &["authToken", "a"]).err().unwrap().to_string()
        };
        assert!(said("image").contains("the unknown key \"image\"; known are authToken, a"), "{}", said("image"));
        for near in ["authtoken", "auth_token", "AUTH-TOKEN", "authTokn", "authTokens", "outhToken"] {
            assert!(said(near).contains("an unknown key that is almost \"authToken\""), "{}", said(near));
        }
        for secret in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "hunter2",
            "abcdefghijklmnopqrstuvwxy",
            "\u{1b}[31m",
            "pass word",
            "é",
            "xx",
        ] {
            let said = said(secret);
            assert!(secret == "xx" || !said.contains(secret), "{said}");
            assert!(secret == "xx" || said.contains(&format!("of {} characters", secret.chars().count())), "{said}");
        }
    }

    #[test]
    fn broken_json_is_located_and_not_repeated() {
        let message = error("{\"a\":\n s3cret}").to_string();
        assert_eq!(message, "is not valid JSON (line 2, column 2)");
    }

    #[test]
    fn trailing_text_is_refused() {
        assert!(matches!(error(r#"{"a":"1"}{"#), DocumentError::Malformed { .. }));
    }
}
