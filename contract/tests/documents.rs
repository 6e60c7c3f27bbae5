//! The edges of what an entry of the register, credentials and the names in AWS may be: the last value that is taken and the
//! first that is not.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use contract::register::{AuthScheme, Command, Document, Project, Storage, Unchanged};
use contract::{Branch, CommitId, ConfigPath, Credentials, Deployed, DocumentError, GitUrl, Outcome, ProjectName};
use contract::{credentials, parameter, printable};
use serde_json::{Value, json};

/// An entry that has nothing but what it must, and `key`.
fn entry_with(key: &str, value: impl Into<Value>) -> Result<Project, DocumentError> {
    let mut entry = json!({"gitUrl": "https://git.example/demo", "command": "deploy"});
    entry[key] = value.into();
    Project::read(Document { text: &entry.to_string(), storage: Storage::Encrypted }, None)
}

/// What an error says, without the key it begins with.
fn refusal(document: &Value) -> String {
    Credentials::parse(&document.to_string()).unwrap_err().to_string()
}

/// Launcher and `iwomp register lint` are held to the same table, and the schema as far as it can say.
#[test]
fn an_entry_is_taken_or_refused_with_its_first_fault() {
    let entries: Vec<Value> = serde_json::from_str(include_str!("entries.json")).unwrap();
    for case in &entries {
        let text = case["entry"].to_string();
        let read = Project::read(Document { text: &text, storage: Storage::Plain }, None);
        let said = read.err().map(|error| error.to_string());
        let (said, fault) = (said.unwrap_or_default(), case["fault"].as_str().unwrap_or_default());
        assert!(said.starts_with(fault) && said.is_empty() == fault.is_empty(), "{case}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn a_deploy_role_is_an_arn_to_the_last_character() {
    let longest = format!("arn:aws:iam::123456789012:role/{}", "x".repeat(512));
    for arn in [
        "arn:aws:iam::123456789012:role/deploy",
        "arn:aws-cn:iam::123456789012:role/a/b/deploy",
        "arn:aws-us-gov:iam::000000000000:role/+=,.@_-",
        &longest,
    ] {
        assert_eq!(entry_with("deployRoleArn", arn).unwrap().deploy_role.unwrap().as_str(), arn);
    }
    for arn in [
        "",
        "role/deploy",
        "urn:aws:iam::123456789012:role/deploy",
        " arn:aws:iam::123456789012:role/deploy",
        "arn:aws:iam::123456789012:role/deploy\n",
        "arn:AWS:iam::123456789012:role/deploy",
        "arn:aws2:iam::123456789012:role/deploy",
        "arn:gcp:iam::123456789012:role/deploy",
        "arn::iam::123456789012:role/deploy",
        "arn:aws:sts::123456789012:role/deploy",
        "arn:aws:iam:eu-central-1:123456789012:role/deploy",
        "arn:aws:iam::12345678901:role/deploy",
        "arn:aws:iam::1234567890123:role/deploy",
        "arn:aws:iam::12345678901a:role/deploy",
        "arn:aws:iam::123456789012:user/deploy",
        "arn:aws:iam::123456789012:role",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/team/",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:role/a:b",
        "arn:aws:iam::123456789012:role/ä",
        &format!("{longest}x"),
    ] {
        assert!(entry_with("deployRoleArn", arn).is_err(), "{arn:?}");
    }
}

/// A public key of Ed25519, of zeros.
macro_rules! key {
    () => {
        "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    };
}

#[test]
fn signers_are_keys_and_no_authorities() {
    for signers in [
        concat!("ada@example.org ssh-ed25519 ", key!()),
        concat!("\n# who may sign\nada,bob namespaces=\"git\" ssh-ed25519 ", key!(), "\n\neve ssh-ed25519 ", key!()),
        "  -----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA",
    ] {
        assert!(entry_with("allowedSigners", signers).unwrap().allowed_signers.is_some(), "{signers}");
    }
    for signers in [
        "",
        " \n\t\n",
        "# ada ssh-ed25519 AAAA",
        "ssh-ed25519",
        "ada rsa AAAA",
        "ada ssh-ed25519",
        "ada ssh-ed25519 junk",
        "ada ssh-ed25519 AAAA",
        concat!("ada ssh-ed25519 ", key!(), "\nbob"),
        concat!("ada cert-authority ssh-ed25519 ", key!()),
        concat!("ada CERT-authority ssh-ed25519 ", key!()),
        concat!("ada ssh-ed25519 ", key!(), "\n* namespaces=\"git\",cert-authority ssh-ed25519 ", key!()),
        "x -----BEGIN PGP PUBLIC KEY BLOCK-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    ] {
        assert!(entry_with("allowedSigners", signers).is_err(), "{signers:?}");
    }
}

#[test]
fn a_ca_bundle_is_whole_certificates_and_nothing_else() {
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bundle in [PEM.to_owned(), format!("# our CA\r\n{PEM}\n{PEM}"), PEM.replace('\n', "\r\n")] {
        assert_eq!(entry_with("caBundle", bundle.as_str()).unwrap().ca_bundle, Some(bundle));
    }
    let refused = |bundle: &str| entry_with("caBundle", bundle).unwrap_err().to_string();
    for (bundle, says) in [
        (String::new(), "must be certificates in PEM form"),
        ("x".to_owned(), "must be certificates in PEM form"),
        (PEM.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "must be certificates in PEM form"),
        (format!("{PEM}-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), "holds a private key"),
        (PEM.replace('\n', "\\n"), "has \\n as two characters"),
        (PEM[..40].to_owned(), "has a certificate that is cut off"),
        (PEM.replace('\n', " "), "has a certificate that is cut off"),
    ] {
        assert!(refused(&bundle).starts_with(&format!("\"caBundle\" {says}")), "{bundle}: {}", refused(&bundle));
    }
}

#[test]
fn a_token_is_sent_as_the_entry_or_the_host_wants_it() {
    assert_eq!(entry_with("authScheme", "basic").unwrap().auth_scheme, AuthScheme::Basic);
    assert_eq!(entry_with("authScheme", "bearer").unwrap().auth_scheme, AuthScheme::Bearer);
    assert_eq!(entry_with("command", "x").unwrap().auth_scheme, AuthScheme::Basic);
    for scheme in ["", "Basic", "bearer ", "negotiate"] {
        assert!(entry_with("authScheme", scheme).is_err(), "{scheme:?}");
    }
    for (host, username) in [
        ("github.com", "x-access-token"),
        ("gitlab.com", "oauth2"),
        ("bitbucket.org", "x-token-auth"),
        ("gitlab.com.evil.example", "x-access-token"),
    ] {
        assert_eq!(credentials::token_username(host), username, "{host}");
    }
}

#[test]
fn an_unchanged_commit_runs_again_unless_the_entry_says_skip() {
    assert_eq!(entry_with("command", "x").unwrap().unchanged, Unchanged::Run);
    assert_eq!(entry_with("unchanged", "run").unwrap().unchanged, Unchanged::Run);
    assert_eq!(entry_with("unchanged", "skip").unwrap().unchanged, Unchanged::Skip);
    for word in ["", "Skip", "skip ", "never"] {
        assert!(entry_with("unchanged", word).is_err(), "{word:?}");
    }
}

#[test]
fn variables_for_the_command_stand_in_an_object_of_texts() {
    let project = entry_with("environment", json!({"STAGE": "prod", "TF_VAR_region": "eu-west-1"})).unwrap();
    let pairs: Vec<_> = project.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("STAGE", "prod"), ("TF_VAR_region", "eu-west-1")]);
    assert!(entry_with("command", "x").unwrap().environment.is_empty());
    let text = r#"{"gitUrl":"https://git.example/demo","command":"x","environment":{"A":"1","A":"2"}}"#;
    let entry = Document { text, storage: Storage::Plain };
    assert!(Project::read(entry, None).unwrap_err().to_string().contains("a key twice"), "of two, one would win");
}

#[test]
fn a_commit_is_required_only_where_the_entry_says_so() {
    let commit = CommitId::parse(&"a".repeat(40)).unwrap();
    let accepted = |required: bool| {
        let project = entry_with("requireCommit", required).unwrap();
        [project.accepts(None), project.accepts(Some(&commit))]
    };
    assert_eq!(accepted(true), [false, true]);
    assert_eq!(accepted(false), [true, true]);
}

#[test]
fn a_command_is_what_was_written_and_nothing_more() {
    let command = |value: Value| entry_with("command", value).map(|project| project.command);
    assert_eq!(command("./bin/deploy.sh".into()), Ok(Command::Executable("./bin/deploy.sh".to_owned())));
    assert_eq!(command(json!(["./my deploy.sh"])), Ok(Command::Vector(vec!["./my deploy.sh".to_owned()])));
    for line in [
        "./deploy.sh prod",
        "npm run deploy",
        "a\tb",
        "deploy.sh ",
        "a&&b",
        "a;b",
        "a|b",
        "a>b",
        "$HOME/a",
        "`a`",
        "'a'",
        "\"a\"",
    ] {
        let said = command(line.into()).unwrap_err().to_string();
        assert!(said.starts_with("\"command\" is one executable and not a command line"), "{line}: {said}");
    }
    assert_eq!(command(json!(["make", ""])), Ok(Command::Vector(vec!["make".to_owned(), String::new()])));
    for value in [json!(""), json!([]), json!(["", "x"]), json!("a\0b"), json!(["a", "b\0"]), json!([["a"]]), json!({})]
    {
        assert!(command(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn a_url_is_refused_one_byte_past_each_bound() {
    let path = |bytes: usize| format!("https://git.example/{}", "x".repeat(bytes - "https://git.example/".len()));
    assert!(GitUrl::parse(&path(1024)).is_ok() && GitUrl::parse(&path(1025)).is_err());
    let label = |bytes: usize| format!("https://{}.example/r", "x".repeat(bytes));
    assert!(GitUrl::parse(&label(63)).is_ok() && GitUrl::parse(&label(64)).is_err());
    let host = |bytes: usize| {
        format!("ssh://git@{}{}/r", "a.".repeat((bytes - 2) / 2), "x".repeat(bytes - (bytes - 2) / 2 * 2))
    };
    assert!(GitUrl::parse(&host(253)).is_ok() && GitUrl::parse(&host(254)).is_err());
    let url = GitUrl::parse("https://Git.Example:8443/r").unwrap();
    assert_eq!((url.host(), url.origin().as_str()), ("git.example", "https://git.example:8443"));
    for text in
        ["https://git.example//", "ssh://.git@git.example/r", "ssh://gi!t@git.example/r", "git@:r", "@git.example:r"]
    {
        assert!(GitUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn credentials_that_do_not_belong_together_say_which() {
    for (document, says) in [
        (json!({}), "lacks the key \"authToken\""),
        (json!({"sshPrivateKey": "k"}), "lacks the key \"knownHosts\""),
        (json!({"knownHosts": "h"}), "lacks the key \"sshPrivateKey\""),
        (json!({"basicUsername": "u"}), "lacks the key \"basicPassword\""),
        (json!({"basicPassword": "p"}), "lacks the key \"basicUsername\""),
        (json!({"authToken": "t", "basicPassword": "p"}), "\"authToken\" and basicPassword exclude each other"),
        (
            json!({"authToken": "t", "knownHosts": "h"}),
            "\"sshPrivateKey\" and authToken or basicUsername exclude each other",
        ),
        (
            json!({"basicUsername": "u", "basicPassword": "p", "sshPrivateKey": "k", "knownHosts": "h"}),
            "\"sshPrivateKey\" and authToken or basicUsername exclude each other",
        ),
        (json!({"authToken": ""}), "\"authToken\" must not be empty"),
        (json!({"sshPrivateKey": "", "knownHosts": "h"}), "\"sshPrivateKey\" must not be empty"),
        (json!({"basicUsername": "", "basicPassword": "p"}), "\"basicUsername\" must be one non-empty line"),
        (json!({"authToken": "a\nb"}), "\"authToken\" must be one non-empty line"),
        (json!({"authToken": "a\rb"}), "\"authToken\" must be one non-empty line"),
        (json!({"authToken": "a\0b"}), "\"authToken\" must be one non-empty line"),
        (json!({"authToken": true}), "\"authToken\" must be a string"),
    ] {
        assert_eq!(refusal(&document), says, "{document}");
    }
}

#[test]
fn what_is_live_is_read_strictly() {
    let commit = "a".repeat(40);
    let read = |build: Value| {
        Deployed::parse(&json!({"commit": commit, "time": "t", "build": build, "trigger": null}).to_string())
    };
    assert_eq!(read(Value::Null).unwrap().build, None);
    assert_eq!(read("b".into()).unwrap().build.as_deref(), Some("b"));
    for build in [json!(1), json!(false), json!(["b"])] {
        assert!(read(build.clone()).is_err(), "{build}");
    }
}

#[test]
fn the_names_in_aws_are_these() {
    let (path, project) = (ConfigPath::parse("iwomp-in-aws").unwrap(), ProjectName::parse("demo").unwrap());
    assert_eq!(parameter::register(&path, &project), "/iwomp-in-aws/demo");
    assert_eq!(parameter::default(&path), "/iwomp-in-aws/_default");
    assert_eq!(parameter::credentials(&path, &project), "/iwomp-in-aws-credentials/demo");
    let branch = Branch::parse("release/1").unwrap();
    assert_eq!(parameter::deployed(&path, &project, &branch), "/iwomp-in-aws-deployed/demo/release/1");
    assert_eq!(parameter::build_project(&path, &project), "iwomp-in-aws--demo");
    assert!(ConfigPath::parse(&"x".repeat(32)).is_ok() && ConfigPath::parse(&"x".repeat(33)).is_err());
}

#[test]
fn two_pipelines_have_no_name_in_common_whatever_they_are_called() {
    let paths = ["a", "a-b", "a_b", "a-b-c", "a-b_c", "a-launcher", "a-reports", "b", "ab"];
    let projects = ["b", "c", "b-c", "b--c", "b-", "-b", "b--", "B", "launcher", "b-c--", "c--b-"];
    let paths = paths.map(|path| ConfigPath::parse(path).unwrap());
    for (one, other) in paths.iter().flat_map(|one| paths.iter().map(move |other| (one, other))) {
        for project in projects.into_iter().filter_map(|project| ProjectName::parse(project).ok()) {
            let name = parameter::build_project(one, &project);
            let expected = (one == other).then(|| project.clone());
            assert_eq!(parameter::project_of_build(other, &name), expected, "{name} as one of {other}'s");
            // What a policy of the other pipeline reaches, and what its shared topic is called.
            assert_eq!(name.starts_with(&format!("{other}{}", parameter::SEPARATOR)), one == other, "{name} {other}");
            assert_ne!(name, other.as_str());
        }
    }
}

#[test]
fn a_config_path_cannot_hold_the_end_of_one() {
    for bad in ["a--b", "a-", "a--", "-a", "a-_b", "a_", "A", "a-B"] {
        assert!(ConfigPath::parse(bad).is_err(), "{bad}");
    }
}

/// Terraform makes the names, the programs go by them.
#[test]
fn terraform_ends_the_config_path_as_the_programs_do() {
    let terraform = include_str!("../../terraform/names.tf");
    let line = format!("prefix = \"${{var.config_path}}{}\"", parameter::SEPARATOR);
    assert!(terraform.lines().any(|text| text.trim() == line), "names.tf has no line {line}");
    let variables = include_str!("../../terraform/variables.tf");
    assert!(variables.contains("^[a-z0-9]+([_-][a-z0-9]+)*$"), "the grammar of config_path in variables.tf is another");
}

/// One map of Terraform's has all names of parameters; nothing else there spells one out.
#[test]
fn terraform_calls_the_parameters_as_the_programs_do() {
    let (config_path, project) = (ConfigPath::parse("x").unwrap(), ProjectName::parse("p").unwrap());
    let tree = |name: String| name.strip_suffix("/p").unwrap().to_owned();
    let names = BTreeMap::from([
        ("register", tree(parameter::register(&config_path, &project))),
        ("credentials", tree(parameter::credentials(&config_path, &project))),
        ("deployed", tree(parameter::seen(&config_path, &project))),
        ("notify", parameter::notify(&config_path, &project, "t").strip_suffix("/p/t").unwrap().to_owned()),
        ("paused", tree(parameter::paused(&config_path, &project))),
        ("reported", tree(parameter::reported(&config_path, &project))),
        ("default", parameter::default(&config_path)),
        ("description", parameter::description(&config_path)),
    ]);
    let terraform = include_str!("../../terraform/names.tf");
    let (_, map) = terraform.split_once("parameters = {").unwrap();
    let (map, _) = map.split_once("\n    }").unwrap();
    let name = |text: &str| text.trim().trim_matches('"').replace("${var.config_path}", "x");
    let found: BTreeMap<_, _> =
        map.lines().filter_map(|line| line.split_once('=')).map(|(key, text)| (key.trim(), name(text))).collect();
    assert_eq!(found, names);

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
    let folders = fs::read_dir(root.join("modules")).unwrap().map(|entry| entry.unwrap().path()).chain([root]);
    for file in folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|kind| kind != "tf") || file.ends_with("terraform/names.tf") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for end in parameter::TREES.map(|tree| format!("-{tree}/")).into_iter().chain(["/_".to_owned()]) {
            assert!(!text.contains(&end), "{} spells out the name of a parameter: ...{end}", file.display());
        }
    }
    let reserved = format!("-({})$", parameter::TREES.join("|"));
    assert!(
        include_str!("../../terraform/variables.tf").contains(&reserved),
        "variables.tf does not refuse {reserved}"
    );
    let proof = format!("TREES = {:?}", parameter::TREES).replace('[', "(").replace(']', ")");
    assert!(include_str!("../../boundary/iwomp_boundary/pipeline.py").contains(&proof), "pipeline.py has no {proof}");
}

#[test]
fn terraform_describes_the_pipeline_with_the_version_of_the_programs() {
    let line = format!("iwomp_version = \"{}\"", env!("CARGO_PKG_VERSION"));
    let terraform = include_str!("../../terraform/description.tf");
    assert!(terraform.lines().any(|text| text.trim() == line), "description.tf has no line {line}");
}

#[test]
fn each_outcome_has_its_word() {
    use Outcome::{Busy, Covered, Deployed, Failed, Refused, Started, Superseded};
    let words = [Started, Busy, Covered, Refused, Deployed, Superseded, Failed].map(|outcome| outcome.to_string());
    assert_eq!(words, ["started", "busy", "covered", "refused", "deployed", "superseded", "failed"]);
}

#[test]
fn foreign_text_is_cut_where_it_is_too_long_and_only_there() {
    assert_eq!(printable("abc", 3), "abc");
    assert_eq!(printable("abcd", 3), "abc…");
    assert_eq!(printable("\n\n", 1), "\\n…");
    assert_eq!(printable("", 0), "");
}
