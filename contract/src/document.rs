//! A strict reader of the flat JSON objects of the contract: objects only, no repeated and no unknown key.
//!
//! serde's derive takes an array for a struct, `serde_json::Value` keeps the last of repeated keys, and the error texts of both
//! repeat input; hence this reader, whose errors hold a key and a rule and nothing else of the input.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

use crate::printable;

/// Longest part of an unknown or repeated key that an error repeats, in characters.
const MAX_KEY_CHARS: usize = 40;

/// Why a JSON document of the contract was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    #[error("is not a JSON object")]
    NotAnObject,
    #[error("is not valid JSON (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
    #[error("has the key \"{0}\" twice")]
    RepeatedKey(String),
    #[error("has the unknown key \"{key}\"; known are {known}")]
    UnknownKey { key: String, known: String },
    #[error("lacks the key \"{0}\"")]
    MissingKey(&'static str),
    #[error("\"{key}\" {rule}")]
    Invalid { key: &'static str, rule: &'static str },
}

/// The keys and values of one document, taken out one by one.
#[derive(Default)]
pub(crate) struct Object(BTreeMap<String, Value>);

impl Object {
    /// Reads `text`, whose first byte must be `{`, allowing only the `known` keys.
    pub(crate) fn read(text: &str, known: &[&'static str]) -> Result<Self, DocumentError> {
        if !text.starts_with('{') {
            return Err(DocumentError::NotAnObject);
        }
        let Pairs(pairs) = serde_json::from_str(text)
            .map_err(|error| DocumentError::Malformed { line: error.line(), column: error.column() })?;
        let mut object = BTreeMap::new();
        for (key, value) in pairs {
            if !known.contains(&key.as_str()) {
                return Err(DocumentError::UnknownKey { key: printable(&key, MAX_KEY_CHARS), known: known.join(", ") });
            }
            if object.contains_key(&key) {
                return Err(DocumentError::RepeatedKey(key));
            }
            object.insert(key, value);
        }
        Ok(Self(object))
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

/// An object as the pairs it was written as, so that a repeated key is seen.
struct Pairs(Vec<(String, Value)>);

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
        for text in ["", "[]", "[\"a\"]", "\"a\"", "null", "1", " {\"a\":1}", "\u{feff}{}"] {
            assert_eq!(error(text), DocumentError::NotAnObject, "{text:?}");
        }
    }

    #[test]
    fn a_repeated_key_is_refused_though_serde_json_would_keep_the_last() {
        assert_eq!(error(r#"{"a":"1","a":"2"}"#), DocumentError::RepeatedKey("a".into()));
        assert_eq!(error(r#"{"a":"1","\u0061":"2"}"#), DocumentError::RepeatedKey("a".into()));
    }

    #[test]
    fn an_unknown_key_is_named_escaped_and_cut() {
        let text = format!("{{\"\\u001b[31m{}\":1}}", "x".repeat(100));
        let message = error(&text).to_string();
        assert!(!message.contains('\x1b'), "{message:?}");
        assert!(message.len() < 120, "{message}");
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
