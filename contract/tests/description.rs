//! The description of a pipeline, held to the example that Terraform is held to.

#![allow(clippy::unwrap_used)]

use contract::description::{Description, DescriptionError};
use contract::{ConfigPath, ProjectName};

/// What Terraform writes: terraform/tests/description.tftest.hcl compares the two.
const WRITTEN: &str = include_str!("description.json");

fn parse(text: &str) -> Result<Description, DescriptionError> {
    Description::parse(text, &ConfigPath::parse("iwomp-in-aws").unwrap())
}

#[test]
fn what_terraform_writes_is_read() {
    let description = parse(WRITTEN).unwrap();
    assert_eq!(description.launcher.name, "iwomp-in-aws--launcher");
    let shared = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";
    assert_eq!(description.shared_topic_arn(), Some(shared));
    assert_eq!(description.own_topic_arn(&ProjectName::parse("demo").unwrap()), format!("{shared}--demo"));
}

#[test]
fn a_key_that_is_new_is_no_error_and_one_that_is_gone_is() {
    assert!(parse(&WRITTEN.replace("\"version\"", "\"new\": {\"a\": [1]}, \"version\"")).is_ok());
    let error = parse(&WRITTEN.replace("\"queue_url\"", "\"other\"")).unwrap_err().to_string();
    assert!(error.starts_with("is no description of a pipeline: missing field `queue_url`"), "{error}");
}

#[test]
fn a_newer_version_says_what_to_do() {
    let error = parse(&WRITTEN.replace("\"version\": 1", "\"version\": 2")).unwrap_err().to_string();
    assert_eq!(error, "is of version 2, and this program knows 1: install a newer one");
}

#[test]
fn anything_else_is_an_error() {
    for text in ["", "garbage", "[]", "{}", r#"{"version":"1"}"#, r#"{"version":1}"#] {
        assert!(matches!(parse(text), Err(DescriptionError::Malformed(_))), "{text}");
    }
    let another = WRITTEN.replace("\"config_path\": \"iwomp-in-aws\"", "\"config_path\": \"other\"");
    assert!(matches!(parse(&another), Err(DescriptionError::OfAnother)));
}
