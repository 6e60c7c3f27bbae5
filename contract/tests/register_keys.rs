//! A key of the register has its place in every list that goes by keys: whoever adds one is led from each to the next.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use contract::register::{KEYS, terraform_name};

/// Of use to an entry written elsewhere, too: the build's role must be allowed to take the deploy role, and to call the broker.
const WITH_EXTERNAL_REGISTER: [&str; 2] = ["deployRoleArn", "githubApp"];

fn file(path: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Lines without the blanks by which columns are aligned.
fn lines(path: &str) -> BTreeSet<String> {
    file(path).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn assert_has_all<'a>(path: &str, keys: impl IntoIterator<Item = &'a str>, form: impl Fn(&str) -> String) {
    let lines = lines(path);
    let missing: Vec<_> =
        keys.into_iter().map(form).filter(|form| !lines.iter().any(|line| line.contains(form.as_str()))).collect();
    assert!(missing.is_empty(), "{path} lacks {missing:?}");
}

fn field(key: &str) -> String {
    terraform_name(key).unwrap()
}

fn written_by_terraform() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().filter(|key| terraform_name(key).is_some())
}

#[test]
fn noise_is_made_of_each_key() {
    assert_has_all("contract/fuzz/dictionary", KEYS, |key| format!(r#""\"{key}\":""#));
    assert_has_all("contract/tests/properties.rs", KEYS, |key| format!(r#""{key}""#));
}

#[test]
fn terraform_has_a_field_for_each_key_and_writes_it() {
    assert_has_all("terraform/fields.tf", written_by_terraform(), |key| format!("{} = \"", field(key)));
    assert_has_all("terraform/projects.tf", written_by_terraform(), |key| format!("{0} = each.value.{0}", field(key)));
    assert_has_all("terraform/modules/project/variables.tf", written_by_terraform(), |key| {
        format!("variable \"{}\"", field(key))
    });
    assert_has_all("terraform/modules/project/register.tf", written_by_terraform(), |key| {
        format!("{key} = var.{}", field(key))
    });
}

#[test]
fn a_field_that_would_do_nothing_is_refused() {
    let keys = written_by_terraform().filter(|key| !WITH_EXTERNAL_REGISTER.contains(key));
    assert_has_all("terraform/modules/project/variables.tf", keys, |key| format!("var.{} == null,", field(key)));
}

#[test]
fn terraform_writes_no_key_that_nobody_reads() {
    let written = lines("terraform/modules/project/register.tf");
    let keys = written.iter().filter_map(|line| line.split_once(" = var.").map(|(key, _)| key));
    // What the module calls a thing, and not a key of the entry: lower case and underscores.
    let strangers: Vec<_> =
        keys.filter(|key| key.chars().all(char::is_alphanumeric) && !KEYS.contains(key) && *key != "count").collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}
