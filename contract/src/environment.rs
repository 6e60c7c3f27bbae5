//! What a register entry adds to the environment of its command. No secret: the register is open to many, and what is set here
//! is seen by whatever the command starts. So names that speak of secrets are refused, and those that are somebody else's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::DocumentError;
use crate::document::Object;

const KEY: &str = "environment";
pub(crate) const MAX_VARIABLES: usize = 50;
pub(crate) const MAX_NAME_BYTES: usize = 64;
/// Of all names and values together: what SSM keeps for nothing, with room for the rest of an entry.
const MAX_BYTES: usize = 2048;

/// Of the worker and its build, of AWS's tools, of git and ssh, of the dynamic linker, of shells' own tricks.
const RESERVED_PREFIXES: [&str; 9] =
    ["IWOMP_", "CODEBUILD_", "AWS_", "GIT_", "SSH_", "LD_", "DYLD_", "BASH_", "GLIBC_"];
/// What the worker sets by its own rules, its build's variables, and what makes a shell run something before the command.
const RESERVED: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "TMPDIR",
    "IFS",
    "ENV",
    "PS4",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "CONFIGPATH",
    "PROJECTNAME",
    "GITBRANCH",
    "GITCOMMIT",
    "TRIGGERID",
    "TIMELIMITSECONDS",
];
/// Words of a name, between its underscores, that speak of a secret; in the plural too.
const SECRET_WORDS: [&str; 15] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "KEY",
    "APIKEY",
    "PAT",
    "CREDENTIAL",
    "CRED",
    "AUTH",
    "PRIVATE",
    "BEARER",
];
/// The same where they are written together with another word, as in `dbpassword`.
const SECRET_ENDS: [&str; 7] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "CREDENTIAL"];

/// Takes the variables out of `object`, by name.
pub(crate) fn take(object: &mut Object) -> Result<BTreeMap<String, String>, DocumentError> {
    let invalid = |rule| DocumentError::Invalid { key: KEY, rule };
    let Some(value) = object.take(KEY) else { return Ok(BTreeMap::new()) };
    let Value::Object(pairs) = value else { return Err(invalid("must be an object of names and texts")) };
    let mut variables = BTreeMap::new();
    for (name, value) in pairs {
        let Value::String(value) = value else { return Err(invalid("must be an object of names and texts")) };
        check_name(&name).map_err(invalid)?;
        if value.contains('\0') {
            return Err(invalid("must have no NUL in a value"));
        }
        variables.insert(name, value);
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    match variables.len() > MAX_VARIABLES || bytes > MAX_BYTES {
        true => Err(invalid("must be at most 50 variables of 2048 bytes in all, names and values")),
        false => Ok(variables),
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !starts_well || !is_plain || name.len() > MAX_NAME_BYTES {
        return Err("must have names of A-Z a-z 0-9 _, at most 64 of them, the first no digit");
    }
    let upper = name.to_ascii_uppercase();
    if RESERVED.contains(&upper.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) {
        return Err(
            "must not set what others set: PATH, HOME, USER, SHELL, TMPDIR and their kin, and names that begin with IWOMP_, \
             CODEBUILD_, AWS_, GIT_, SSH_, LD_, DYLD_, BASH_ or GLIBC_",
        );
    }
    let is_secret = |word: &str| SECRET_WORDS.contains(&word) || SECRET_WORDS.contains(&word.trim_end_matches('S'));
    let ends_secret = |word: &str| SECRET_ENDS.iter().any(|end| word.trim_end_matches('S').ends_with(end));
    if upper.split('_').any(|word| is_secret(word) || ends_secret(word)) {
        return Err(
            "must hold no secret, and one of its names speaks of one (token, key, password, …): keep it in Secrets Manager or \
             SSM, give the project's role the right to read it, and tell the command where it is, as in DATABASE_LOGIN_REF",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_from(environment: &Value) -> Result<BTreeMap<String, String>, String> {
        let text = serde_json::json!({ "environment": environment }).to_string();
        take(&mut Object::read(&text, &[KEY]).unwrap()).map_err(|error| error.to_string())
    }

    fn with(name: &str) -> Result<BTreeMap<String, String>, String> {
        take_from(&serde_json::json!({ name: "x" }))
    }

    #[test]
    fn a_name_is_one_that_a_shell_could_set_and_that_is_nobody_elses() {
        for good in [
            "STAGE",
            "stage",
            "_x",
            "TF_VAR_region",
            "NODE_OPTIONS",
            "TZ",
            "LANG",
            "MONKEY",
            "PATHS",
            "HOMEPAGE",
            "COMPASS",
            "DOMAIN_REF",
        ] {
            assert!(with(good).is_ok(), "{good}: {:?}", with(good));
        }
        for bad in ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "BASH_FUNC_x%%", &"A".repeat(65)] {
            assert!(with(bad).unwrap_err().contains("must have names of"), "{bad:?}");
        }
        for reserved in [
            "PATH",
            "Path",
            "HOME",
            "IWOMP_COMMIT",
            "iwomp_x",
            "AWS_PROFILE",
            "AWS_REGION",
            "GIT_SSH_COMMAND",
            "LD_PRELOAD",
            "BASH_ENV",
            "ENV",
            "CONFIGPATH",
            "CODEBUILD_BUILD_ID",
            "SSH_AUTH_SOCK",
        ] {
            assert!(with(reserved).unwrap_err().contains("must not set what others set"), "{reserved}");
        }
    }

    #[test]
    fn a_name_that_speaks_of_a_secret_is_refused() {
        for secret in [
            "TOKEN",
            "NPM_TOKEN",
            "npm_token",
            "DB_PASSWORD",
            "DBPASSWORD",
            "db_passwd",
            "API_KEY",
            "APIKEY",
            "API_KEYS",
            "CLIENT_SECRET",
            "clientsecret",
            "SECRETS",
            "PRIVATE_KEY_FILE",
            "GH_PAT",
            "CREDENTIALS",
            "BASIC_AUTH",
        ] {
            assert!(with(secret).unwrap_err().contains("must hold no secret"), "{secret}");
        }
    }

    #[test]
    fn there_are_at_most_so_many_and_values_are_texts() {
        let many = |count: usize| {
            take_from(
                &(0..count).map(|n| (format!("V{n}"), Value::from("x"))).collect::<serde_json::Map<_, _>>().into(),
            )
        };
        assert!(many(50).is_ok() && many(51).unwrap_err().contains("at most 50"));
        let long = |bytes: usize| take_from(&serde_json::json!({ "A": "x".repeat(bytes - 1) }));
        assert!(long(2048).is_ok() && long(2049).unwrap_err().contains("2048 bytes"));
        for value in [Value::Null, 1.into(), true.into(), serde_json::json!([]), serde_json::json!({})] {
            assert!(take_from(&serde_json::json!({ "A": value })).unwrap_err().contains("names and texts"), "{value}");
        }
        assert!(take_from(&"A=b".into()).is_err() && take_from(&serde_json::json!({ "A": "\0" })).is_err());
        assert!(take_from(&serde_json::json!({ "A": "two\nlines" })).is_ok());
    }
}
