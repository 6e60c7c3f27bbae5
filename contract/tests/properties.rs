//! What holds for every input of the parsers, tried on inputs that nobody thought of.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::io::Write;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use contract::register::{Document, Project, Storage};
use contract::{Branch, CommitId, Credentials, Deployed, DocumentError, GitUrl, ProjectName, Scheme, Trigger};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

/// In every text of a document that an error may not repeat.
const CANARY: &str = "Zqx7";
/// In every secret of a document, which nothing at all may show.
const SECRET: &str = "Wvk3";

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Any JSON, with the canary in its strings.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(|text| Value::from(format!("{CANARY}{text}"))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An object of some of `keys`, those of an entry's place and command mostly among them, each with a value that may be good for
/// it or, now and then, with any JSON.
fn object(keys: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Map<String, Value>> {
    let pairs: Vec<_> = keys
        .into_iter()
        .map(|(key, good)| {
            let absent = if ["gitUrl", "command"].contains(&key) { 1 } else { 35 };
            let value = prop_oneof![20 => good.prop_map(Some), 1 => any_json().prop_map(Some), absent => Just(None)];
            value.prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    pairs.prop_map(|pairs| pairs.into_iter().flatten().collect())
}

fn text(pattern: &'static str) -> BoxedStrategy<Value> {
    pattern.prop_map(Value::from).boxed()
}

fn secret(pattern: &'static str) -> BoxedStrategy<Value> {
    pattern.prop_map(|text| Value::from(format!("{SECRET}{text}"))).boxed()
}

fn secret_keys() -> Vec<(&'static str, BoxedStrategy<Value>)> {
    vec![
        ("authToken", secret("[!-~]{0,20}")),
        ("basicUsername", text("[a-z]{1,9}\n?")),
        ("basicPassword", secret("[ -~]{0,20}\n?")),
    ]
}

fn entry() -> impl Strategy<Value = Map<String, Value>> {
    let mut keys = secret_keys();
    keys.extend([
        ("gitUrl", prop_oneof![5 => good_url(), 1 => url()].prop_map(Value::from).boxed()),
        ("command", text("[a-z./]{0,9}")),
        ("deployDir", text("[a-z]{1,5}(/[a-z.]{1,2})?|[a-z./]{0,9}")),
        ("branches", prop::collection::vec("main|[a-z]{1,6}(/\\*)?|[a-z*/]{1,6}", 0..3).prop_map(Value::from).boxed()),
        ("requireCommit", any::<bool>().prop_map(Value::from).boxed()),
        ("firstParent", any::<bool>().prop_map(Value::from).boxed()),
        (
            "pinned",
            prop_oneof![9 => Just("branch"), 9 => Just("head"), 1 => Just("tail")].prop_map(Value::from).boxed(),
        ),
        (
            "authScheme",
            prop_oneof![9 => Just("basic"), 9 => Just("bearer"), 1 => Just("digest")].prop_map(Value::from).boxed(),
        ),
        (
            "unchanged",
            prop_oneof![9 => Just("run"), 9 => Just("skip"), 1 => Just("never")].prop_map(Value::from).boxed(),
        ),
        (
            "submodules",
            prop_oneof![9 => Just("refuse"), 9 => Just("fetch"), 1 => Just("all")].prop_map(Value::from).boxed(),
        ),
        ("lfs", prop_oneof![9 => Just("refuse"), 9 => Just("fetch"), 1 => Just("all")].prop_map(Value::from).boxed()),
        ("sparse", prop::bool::weighted(0.1).prop_map(Value::from).boxed()),
        ("tags", any::<bool>().prop_map(Value::from).boxed()),
        ("gitAccess", any::<bool>().prop_map(Value::from).boxed()),
        ("githubApp", prop::bool::weighted(0.1).prop_map(Value::from).boxed()),
        (
            "notify",
            prop::collection::vec("github|slack|webhook", 0..2)
                .prop_map(|kinds| kinds.into_iter().map(|kind| json!({"to": kind})).collect::<Value>())
                .boxed(),
        ),
        ("acceptedGitFaults", prop::collection::vec("badTimezone|badDate", 0..2).prop_map(Value::from).boxed()),
        (
            "environment",
            prop::collection::btree_map(prop_oneof![49 => "V[A-Z]{1,5}", 1 => "[A-Z]{1,5}_KEY"], "[a-z]{0,5}", 0..3)
                .prop_map(|variables| json!(variables))
                .boxed(),
        ),
        ("deployRoleArn", text("arn:aws(-cn)?:iam::[0-9]{12}:role/[a-z/]{0,5}")),
        (
            "allowedSigners",
            text("[a-z*]{1,4} (cert-authority )?ssh-ed25519 (AAAAC3NzaC1lZDI1NTE5AAAAI[A-O]{43}|[A-Z]{4})\n?"),
        ),
        ("caBundle", text("(-----BEGIN CERTIFICATE-----\n[A-Z\n]{0,9}\n-----END CERTIFICATE-----)?[A-Z\n]{0,9}")),
    ]);
    object(keys)
}

fn credentials() -> impl Strategy<Value = Map<String, Value>> {
    let mut keys = secret_keys();
    keys.extend([
        ("sshPrivateKey", secret("[ -~\n]{0,40}")),
        ("knownHosts", text("[a-z]{1,9} ssh-ed25519 [A-Z]{4}\n")),
    ]);
    object(keys)
}

/// URLs of all pieces that ever stood in one, good and bad; a tenth or so is accepted.
fn url() -> impl Strategy<Value = String> {
    let scheme = "https://|ssh://|HTTPS://|http://|git://|file://|ext::|ssh:|git\\+ssh://||-";
    let user = "|git@|me@|@|a:b@|-x@|git%40@|o.k_1@";
    let host = "[a-z]{1,6}\\.example|localhost|GitHub\\.com|127\\.0\\.0\\.1|\\[::1\\]|0x7f\\.1|1\\.2|-h|h-|a\\.\\.b|a\\.b\\.|h_x|xn--a|";
    let port = "|:[0-9]{1,6}|:443|:22|:|:-1";
    let path = "(/|:)[a-z~+._-]{0,6}(/|//|/\\./|/\\.\\./|%20|%2e|%0a|\\?|#|@|;)?[a-zA-Z.]{0,6}(\\.git)?/?";
    prop_oneof![3 => good_url(), 3 => (scheme, user, host, port, path).prop_map(|(s, u, h, o, p)| s + &u + &h + &o + &p)]
}

/// URLs that should mostly be accepted.
fn good_url() -> impl Strategy<Value = String> {
    prop_oneof![
        "https://[a-z][a-z0-9-]{0,5}\\.[a-z]{2,5}(:[1-9][0-9]{3})?(/[A-Za-z0-9._~+-]{1,6}|/a%20b|//){1,3}",
        "ssh://([a-z_][a-z._-]{0,4}@)?[a-z]{1,5}\\.[a-z]{2,5}(:[1-9][0-9]{3})?(/[A-Za-z0-9._~+-]{1,6}|/a%20b|//){1,3}",
        "[a-z_][a-z._-]{0,4}@[a-z]{1,5}\\.[a-z]{2,5}:/?[A-Za-z0-9._~-]{1,6}(/[A-Za-z0-9._~-]{1,6}){0,2}",
    ]
}

fn shown(error: &DocumentError) -> String {
    format!("{error} {error:?}")
}

/// A property of what is accepted says nothing if nothing is.
#[test]
fn the_generators_make_enough_that_is_accepted() {
    fn accepted<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, accepts: impl Fn(T) -> bool) -> usize {
        let mut runner = TestRunner::deterministic();
        (0..1000).filter(|_| accepts(strategy.new_tree(&mut runner).unwrap().current())).count()
    }
    let entries = accepted(entry(), |entry| {
        let text = Value::from(entry).to_string();
        Project::read(Document { text: &text, storage: Storage::Encrypted }, None).is_ok()
    });
    let credentials =
        accepted(credentials(), |document| Credentials::parse(&Value::from(document).to_string()).is_ok());
    let urls = accepted(url(), |url| GitUrl::parse(&url).is_ok());
    let good_urls = accepted(good_url(), |url| GitUrl::parse(&url).is_ok());
    assert!(entries >= 50, "{entries} entries");
    assert!(credentials >= 50, "{credentials} credentials");
    assert!(urls >= 100 && good_urls >= 500, "{urls} and {good_urls} URLs");
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_text_is_too_strange_to_be_refused_in_order(text in any::<String>()) {
        let own = ProjectName::parse("own").unwrap();
        let (_, _) = (Trigger::parse(&text), Trigger::parse_for(&own, &text));
        let (_, _) = (Credentials::parse(&text), Deployed::parse(&text));
        let (_, _) = (GitUrl::parse(&text), CommitId::parse(&text));
        for storage in [Storage::Plain, Storage::Encrypted] {
            let document = Document { text: &text, storage };
            prop_assert!(Project::read(document, Some(document)).is_err());
        }
        prop_assert!(contract::printable(&text, 40).chars().all(|c| !c.is_control()));
    }

    #[test]
    fn a_message_with_one_foreign_character_is_refused_or_means_what_it_says(
        place in 0..34_usize,
        foreign in any::<char>(),
        insert in any::<bool>(),
    ) {
        let mut message = r#"{"project":"demo","branch":"main"}"#.to_owned();
        let end = if insert { place } else { place + 1 };
        message.replace_range(place..end, foreign.encode_utf8(&mut [0; 4]));
        if let Ok(trigger) = Trigger::parse(&message) {
            // What white space of other scripts and the byte order mark are to us, they are not to every reader.
            let around = |c: char| c.is_whitespace() || c == '\u{feff}';
            let value: Value = serde_json::from_str(message.trim_matches(around)).unwrap();
            prop_assert_eq!(&value["project"], trigger.project.as_str());
            prop_assert_eq!(&value["branch"], trigger.branch.as_str());
            prop_assert_eq!(trigger.commit, None);
        }
    }

    #[test]
    fn an_accepted_message_survives_being_written_again(
        project in "[A-Za-z0-9_:-]{0,65}",
        branch in "([A-Za-z0-9._-]{1,5}/){0,12}[A-Za-z0-9._-]{1,5}",
        commit in prop::option::of("[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-fA-F]{38,41}"),
    ) {
        let mut message = json!({"project": project, "branch": branch});
        if let Some(commit) = &commit {
            message["commit"] = commit.as_str().into();
        }
        if let Ok(trigger) = Trigger::parse(&message.to_string()) {
            prop_assert_eq!(trigger.project.as_str(), project);
            prop_assert_eq!(trigger.branch.as_str(), &branch);
            prop_assert_eq!(trigger.commit.as_ref().map(CommitId::as_str), commit.as_deref());
            prop_assert_eq!(Branch::parse(&branch).unwrap(), trigger.branch);
        }
    }

    #[test]
    fn no_two_branches_have_one_name_in_aws_and_each_is_read_back_from_it(
        one in "[A-Za-z0-9_]([a2._#+@(),-]|/[a2#@]){0,12}",
        other in "[A-Za-z0-9_]([a2._#+@(),-]|/[a2#@]){0,12}",
        stranger in "[A-Za-z0-9_][a-c2-4._#@/-]{0,12}",
    ) {
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        if let Ok(branch) = Branch::parse(&one) {
            let encoded = branch.encoded();
            prop_assert!(is_name(&encoded) && encoded.len() <= 200, "{}", encoded);
            prop_assert_eq!(encoded == one, is_name(&one), "only what must be is encoded: {}", encoded);
            prop_assert_eq!(encoded.split('/').count(), one.split('/').count());
            if let Ok(other) = Branch::parse(&other) {
                prop_assert_eq!(other == branch, other.encoded() == encoded);
            }
            prop_assert_eq!(Branch::decode(&encoded), Some(branch));
        }
        if let Some(branch) = Branch::decode(&stranger) {
            prop_assert_eq!(branch.encoded(), stranger);
        }
    }

    #[test]
    fn a_register_entry_shows_no_value_in_errors_and_no_secret_at_all(entry in entry(), default in entry(), plain in any::<bool>()) {
        let storage = if plain { Storage::Plain } else { Storage::Encrypted };
        let (entry_text, default_text) = (Value::from(entry.clone()).to_string(), Value::from(default).to_string());
        let default = Document { text: &default_text, storage };
        for default in [None, Some(default)] {
            match Project::read(Document { text: &entry_text, storage }, default) {
                Err(error) => {
                    let shown = shown(&error);
                    prop_assert!(!shown.contains(CANARY) && !shown.contains(SECRET), "{}", shown);
                }
                Ok(project) => {
                    prop_assert!(!format!("{project:?}").contains(SECRET), "{:?}", project);
                    prop_assert!(!plain || project.credentials.is_none(), "a secret from a plain parameter");
                    prop_assert_eq!(GitUrl::parse(project.git_url.as_str()), Ok(project.git_url.clone()));
                    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
                    prop_assert!(project.deploy_dir.as_path().components().all(inside), "{:?}", project.deploy_dir);
                    if let Some(branches) = entry.get("branches") {
                        let main = Branch::parse("main").unwrap();
                        let named = branches.as_array().unwrap().iter().any(|pattern| pattern == "main");
                        prop_assert_eq!(project.branches.allow(&main), named);
                    }
                }
            }
        }
    }

    #[test]
    fn credentials_are_kept_byte_for_byte_and_never_shown(document in credentials()) {
        let text = Value::from(document.clone()).to_string();
        let credentials = match Credentials::parse(&text) {
            Err(error) => {
                let shown = shown(&error);
                prop_assert!(!shown.contains(CANARY) && !shown.contains(SECRET), "{}", shown);
                return Ok(());
            }
            Ok(credentials) => credentials,
        };
        let shown = format!("{credentials:?}");
        prop_assert!(!shown.contains(SECRET), "{}", shown);
        let mut expected: Vec<_> =
            document.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
        expected.sort_unstable(); // whether the map is sorted depends on which other crates are built along
        let kept = match &credentials {
            Credentials::Token { token, username: None } => vec![("authToken", token.expose_secret())],
            Credentials::Token { token, username: Some(username) } => {
                vec![("authToken", token.expose_secret()), ("basicUsername", username)]
            }
            Credentials::Basic { username, password } => {
                vec![("basicPassword", password.expose_secret()), ("basicUsername", username)]
            }
            Credentials::Ssh { private_key, known_hosts } => {
                vec![("knownHosts", known_hosts.as_str()), ("sshPrivateKey", private_key.expose_secret())]
            }
        };
        prop_assert!(kept == expected, "not what was written");
        for line in kept.iter().filter(|(key, _)| key.starts_with("basic") || *key == "authToken") {
            prop_assert!(!line.1.contains(['\n', '\r', '\0']), "{} has two lines", line.0);
        }
    }

    #[test]
    fn an_accepted_url_is_https_or_ssh_to_a_dns_name_and_is_its_own_normal_form(text in url()) {
        let Ok(url) = GitUrl::parse(&text) else { return Ok(()) };
        prop_assert_eq!(GitUrl::parse(url.as_str()), Ok(url.clone()));
        let rest = url.as_str().strip_prefix(match url.scheme() {
            Scheme::Https => "https://",
            Scheme::Ssh => "ssh://",
        });
        let (login, path) = rest.unwrap().split_once('/').unwrap();
        prop_assert!(!path.trim_matches('/').is_empty(), "{}", url.as_str());
        prop_assert_eq!(login.contains('@'), url.scheme() == Scheme::Ssh, "{}", url.as_str());
        prop_assert!(!login.starts_with('-') && !url.host().starts_with('-'), "{}", url.as_str());
        prop_assert!(url.host().parse::<IpAddr>().is_err() && !url.host().starts_with('['), "{}", url.as_str());
        prop_assert!(url.host().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c)));
        prop_assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"?#;$'\"`|&<>\\".contains(&b)));
        prop_assert!(!path.split('/').any(|segment| segment == ".."), "{}", url.as_str());
    }
}

// A process or two a case, hence fewer of them.
proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn git_reads_an_accepted_url_as_we_do(text in good_url()) {
        let Ok(url) = GitUrl::parse(&text) else { return Ok(()) };
        let as_given = git(&["ls-remote", "--get-url", "--", url.as_str()], "");
        prop_assert_eq!(String::from_utf8(as_given.stdout).unwrap(), format!("{}\n", url.as_str()));

        let (_, after_scheme) = url.as_str().split_once("://").unwrap();
        let (login, path) = after_scheme.split_once('/').unwrap();
        let path = path.replace("%20", " ");
        let host_and_port = url.origin().split_once("://").unwrap().1.to_owned();
        match url.scheme() {
            // What git would hand to a credential helper: where it would send the secret.
            Scheme::Https => {
                let request = format!("url={}\nusername=u\npassword=p\n\n", url.as_str());
                let helper = "credential.helper=!show() { cat >&2; }; show";
                let output = git(&["-c", helper, "-c", "credential.useHttpPath=true", "credential", "approve"], &request);
                let path = path.trim_matches('/');
                let expected = format!("protocol=https\nhost={host_and_port}\npath={path}\nusername=u\npassword=p\n");
                prop_assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
            }
            // How git would call ssh.
            Scheme::Ssh => {
                let output = git(&["fetch-pack", "--diag-url", url.as_str()], "");
                let (user, _) = login.split_once('@').unwrap();
                let port = host_and_port.split_once(':').map_or("NONE", |(_, port)| port);
                let path = if path.starts_with('~') { path } else { format!("/{path}") };
                let expected = format!(
                    "Diag: url={}\nDiag: protocol=ssh\nDiag: userandhost={user}@{}\nDiag: port={port}\nDiag: path={path}\n",
                    url.as_str(),
                    url.host(),
                );
                prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
            }
        }
    }
}

/// Some of git's plumbing runs in a repository only; one that has nothing in it will do.
static REPOSITORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("properties.git");
    assert!(Command::new("git").args(["init", "--quiet", "--bare"]).arg(&path).status().unwrap().success());
    path
});

/// Runs git without anybody's configuration.
fn git(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(REPOSITORY.as_path())
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A git that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}
