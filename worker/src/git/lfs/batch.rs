//! The batch API of Git LFS: where the host has which object. Of an answer, what leads away from the repository's own origin is
//! refused, and no header is taken that changes what a request is.
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>

use std::collections::BTreeMap;

use contract::GitUrl;
use serde::Deserialize;
use serde_json::json;

use super::pointer::Object;

pub(super) const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";
/// For one object. Hosts send one to three.
const MAX_HEADERS: usize = 16;
const MAX_HEADERS_BYTES: usize = 8192;
/// Whom a request is for, how long it is, who sends it: not for an answer to say.
const KEPT_HEADERS: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "expect",
    "te",
    "trailer",
    "cookie",
    "proxy-authorization",
    "accept-encoding",
];

/// How to get one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Download {
    /// Of the repository's own origin.
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    /// Whether the project's credential goes with it, as with the question: the answer brings none of its own.
    pub(super) wants_credential: bool,
}

/// Why an answer is of no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error("the answer is none of Git LFS: {0}")]
    NotUnderstood(String),
    #[error("the host wants to send it by {0:?}, and only \"basic\" is known")]
    Transfer(String),
    #[error("the host has it not: {code} {message:?}")]
    Missing { code: u16, message: String },
    #[error("the host says nothing of it, or of another size than the pointer")]
    NotAnswered,
    #[error("{0}, and the repository is at {1}")]
    Elsewhere(contract::NotOwn, String),
    #[error("the host asks for a header that is not sent, for more than {MAX_HEADERS} headers, or for long ones")]
    Headers,
}

#[derive(Deserialize)]
struct Answer {
    transfer: Option<String>,
    hash_algo: Option<String>,
    objects: Vec<Answered>,
}

#[derive(Deserialize)]
struct Answered {
    oid: String,
    size: u64,
    #[serde(default)]
    authenticated: bool,
    actions: Option<Actions>,
    error: Option<Refused>,
}

#[derive(Deserialize)]
struct Actions {
    download: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Refused {
    code: u16,
    message: String,
}

/// The question for `objects`.
pub(super) fn question(objects: &[&Object]) -> String {
    let objects: Vec<_> = objects.iter().map(|object| json!({"oid": object.hash, "size": object.size})).collect();
    json!({"operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"}).to_string()
}

/// The answer of the host of `repository`.
pub(super) struct Batch(Answer);

impl Batch {
    pub(super) fn parse(answer: &[u8]) -> Result<Self, BatchError> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|error| {
            // serde's own words would repeat what the host sent.
            BatchError::NotUnderstood(format!("line {}, column {}", error.line(), error.column()))
        })?;
        if let Some(hash) = answer.hash_algo.as_deref().filter(|&hash| hash != "sha256") {
            return Err(BatchError::NotUnderstood(format!("its hashes are {hash:?}")));
        }
        match answer.transfer.as_deref() {
            None | Some("basic") => Ok(Self(answer)),
            Some(other) => Err(BatchError::Transfer(other.to_owned())),
        }
    }

    /// How to get `object` of `repository`.
    pub(super) fn download(&self, object: &Object, repository: &GitUrl) -> Result<Download, BatchError> {
        let mut answers = self.0.objects.iter();
        let answer = answers
            .find(|answer| answer.oid == object.hash && (answer.size == object.size || answer.error.is_some()))
            .ok_or(BatchError::NotAnswered)?;
        if let Some(Refused { code, message }) = &answer.error {
            return Err(BatchError::Missing { code: *code, message: message.clone() });
        }
        let action = answer.actions.as_ref().and_then(|actions| actions.download.as_ref());
        let action = action.ok_or(BatchError::NotAnswered)?;
        let url =
            repository.own(&action.href).map_err(|not_own| BatchError::Elsewhere(not_own, repository.origin()))?;
        let brings_credential = action.header.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        Ok(Download {
            url,
            headers: headers(&action.header)?,
            wants_credential: !brings_credential && !answer.authenticated,
        })
    }
}

fn headers(wanted: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, BatchError> {
    let bytes: usize = wanted.iter().map(|(name, value)| name.len() + value.len()).sum();
    let is_allowed = |(name, value): (&String, &String)| {
        let name = name.to_ascii_lowercase();
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !KEPT_HEADERS.contains(&name.as_str())
            && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    if wanted.len() > MAX_HEADERS || bytes > MAX_HEADERS_BYTES || !wanted.iter().all(is_allowed) {
        return Err(BatchError::Headers);
    }
    Ok(wanted.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn object() -> Object {
        Object { hash: "4d7a".repeat(16), size: 3 }
    }

    fn repository() -> GitUrl {
        GitUrl::parse("https://git.example:8443/demo.git").unwrap()
    }

    fn answer(object: Value) -> Result<Download, BatchError> {
        let answer = json!({"transfer": "basic", "objects": [object]}).to_string();
        Batch::parse(answer.as_bytes())?.download(&self::object(), &repository())
    }

    fn action(href: &str, header: Value) -> Result<Download, BatchError> {
        let action = json!({"href": href, "header": header, "expires_in": 60});
        answer(json!({"oid": object().hash, "size": 3, "actions": {"download": action}}))
    }

    #[test]
    fn the_question_names_what_is_wanted_and_one_way_to_send_it() {
        let asked: Value = serde_json::from_str(&question(&[&object()])).unwrap();
        assert_eq!(asked["operation"], "download");
        assert_eq!(asked["transfers"], json!(["basic"]));
        assert_eq!(asked["objects"], json!([{"oid": object().hash, "size": 3}]));
    }

    #[test]
    fn an_object_is_got_from_the_own_origin_with_the_headers_of_the_answer() {
        let download = action("https://git.example:8443/x?y=z", json!({"X-Some": "a b"})).unwrap();
        let headers = vec![("x-some".to_owned(), "a b".to_owned())];
        let url = "https://git.example:8443/x?y=z".to_owned();
        assert_eq!(download, Download { url, headers, wants_credential: true });
    }

    #[test]
    fn our_credential_goes_along_unless_the_answer_brings_one() {
        let own = "https://git.example:8443/x";
        assert!(action(own, json!({})).unwrap().wants_credential);
        assert!(!action(own, json!({"authorization": "RemoteAuth t"})).unwrap().wants_credential);
        let download = json!({"href": own});
        let signed = json!({"oid": object().hash, "size": 3, "authenticated": true, "actions": {"download": download}});
        assert!(!answer(signed).unwrap().wants_credential);
    }

    #[test]
    fn an_object_of_another_origin_is_refused_by_its_name() {
        for (href, says) in [
            (
                "https://evil.example/x",
                "it is at https://evil.example, and the repository is at https://git.example:8443",
            ),
            ("https://git.example/x", "it is at https://git.example, and"),
            ("http://git.example:8443/x", "it is at http://git.example:8443, and"),
            ("https://git.example:8443@evil.example/", "it is no URL of a host"),
            ("https://u:p@git.example:8443/", "it is no URL of a host"),
            ("file:///etc/passwd", "it is no URL of a host"),
            ("/x", "it is no URL of a host"),
        ] {
            let said = action(href, json!({})).unwrap_err().to_string();
            assert!(said.starts_with(says), "{href}: {said}");
        }
    }

    #[test]
    fn headers_that_change_what_a_request_is_are_refused_and_so_are_many_and_long_ones() {
        let many: BTreeMap<_, _> = (0..17).map(|number| (format!("x-{number}"), "v")).collect();
        for header in [
            json!({"Host": "evil.example"}),
            json!({"content-length": "0"}),
            json!({"Transfer-Encoding": "chunked"}),
            json!({"Cookie": "a=b"}),
            json!({"x": "a\r\nHost: evil.example"}),
            json!({"x\r\nHost": "evil.example"}),
            json!({"x y": "v"}),
            json!({"": "v"}),
            json!({"x": "\u{e9}"}),
            json!({"x": "v".repeat(9000)}),
            json!(many),
        ] {
            assert_eq!(action("https://git.example:8443/x", header.clone()), Err(BatchError::Headers), "{header}");
        }
    }

    #[test]
    fn an_answer_for_something_else_is_none() {
        let own = json!({"download": {"href": "https://git.example:8443/x"}});
        for object in [
            json!({"oid": "0".repeat(64), "size": 3, "actions": own}),
            json!({"oid": object().hash, "size": 4, "actions": own}),
            json!({"oid": object().hash, "size": 3}),
            json!({"oid": object().hash, "size": 3, "actions": {}}),
        ] {
            assert_eq!(answer(object.clone()), Err(BatchError::NotAnswered), "{object}");
        }
        let missing = answer(json!({"oid": object().hash, "size": 0, "error": {"code": 404, "message": "x\u{1b}[2J"}}));
        assert_eq!(missing.unwrap_err().to_string(), "the host has it not: 404 \"x\\u{1b}[2J\"");
    }

    #[test]
    fn what_is_no_answer_is_told_without_repeating_it() {
        for answer in
            ["", "<html>canary-7", r#"{"objects":"canary-7"}"#, r#"{"objects":[{"oid":1,"size":"canary-7"}]}"#]
        {
            let said = Batch::parse(answer.as_bytes()).err().unwrap().to_string();
            assert!(said.starts_with("the answer is none of Git LFS") && !said.contains("canary"), "{said}");
        }
        let transfer = Batch::parse(br#"{"transfer":"tus","objects":[]}"#).err();
        assert_eq!(transfer, Some(BatchError::Transfer("tus".to_owned())));
        assert!(Batch::parse(br#"{"hash_algo":"md5","objects":[]}"#).is_err());
    }
}
