//! An entry as people write it: each key with its shape, and what it means in the words of the manual. docs/schemas/register.json
//! and the table of docs/register.md are made from this. What an entry may say is for [`super::Project::read`] alone, which takes
//! nothing that the schema refuses.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::checkout::GitFault;
use super::notify::{MAX_ENVIRONMENT_BYTES, MAX_NAME_BYTES, MAX_TARGETS, State, TargetKind};
use crate::environment::{MAX_NAME_BYTES as MAX_VARIABLE_NAME_BYTES, MAX_VARIABLES};
use crate::git_url::MAX_URL_BYTES;

/// Of an entry by itself. Where `_default` has one of them, the entry may lack it.
const REQUIRED: [&str; 2] = ["gitUrl", "command"];

/// The keys of a register entry, and of `_default`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is looked at, and never made")]
pub struct Entry {
    /// Required. `https://host[:port]/path` or `ssh://[user@]host[:port]/path`; the scp form `git@host:path` is rewritten to the
    /// latter. A DNS name as the host; no user information in HTTPS URLs, no query, no fragment, no address. Redirects are not
    /// followed: write the final URL, for GitLab with `.git`
    #[schemars(
        length(max = MAX_URL_BYTES),
        regex(pattern = r"^(([Hh][Tt][Tt][Pp][Ss]|[Ss][Ss][Hh])://[!-~]+|[!-~]+@[!-~]+:[!-~]+)$")
    )]
    git_url: String,
    /// Required. A string is one executable of `deployDir` (or, without a slash, of the `PATH`), started with the branch as its
    /// only argument; a command line is refused. An array is an exact argument vector to which nothing is added. No shell is
    /// involved: for one, write `["sh", "-c", "…"]`
    command: Command,
    /// The directory of the checkout to run in. Default: the root. It must not lead out of the checkout, by symbolic links either
    #[schemars(regex(pattern = r"^(?!\.\./)[^/]"))]
    deploy_dir: String,
    /// The branches that may be deployed: exact names, or a prefix that ends in `/*`. Default: `["main", "master"]`
    #[schemars(length(min = 1), inner(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._#+@(),/-]*(/\*)?$")))]
    branches: Vec<String>,
    /// `true`: a trigger without commit is refused, so that exactly what CI tested is deployed. Default: `false`
    require_commit: bool,
    /// `false`: a pinned commit may be any ancestor of the branch's head. Default `true`: it must be on the first-parent line of
    /// the head as fetched, see [below](#which-commits-may-be-pinned)
    first_parent: bool,
    /// Which commit a trigger may name. `branch` (default): any that `firstParent` lets pass. `head`: only the head of the branch
    /// when the build fetches it; an older one is `superseded`
    pinned: Pinned,
    /// What to do where the tree below `deployDir` has submodules: `refuse` (default), `ignore` (their directories are empty) or
    /// `fetch`, see [below](#what-a-commit-only-points-to)
    submodules: PointedTo,
    /// The same for files of Git LFS: `refuse` (default), `ignore` (pointers stand in their place) or `fetch`, which needs an
    /// `https://` URL, see [below](#what-a-commit-only-points-to)
    lfs: PointedTo,
    /// `true`: of the commit's files only those below `deployDir` are fetched, and those that stand in a directory above it, see
    /// [below](#a-part-of-a-large-repository). Needs a `deployDir` below the root; cannot stand beside `tags` or
    /// `acceptedGitFaults`. Default: `false`
    sparse: bool,
    /// `true`: the files of all commits, and the tags that point into the branch's history, for `git describe`, `git diff` and the
    /// like. Tags are the Git host's word: no rule looks at them. Default: `false`: the command finds all commits (`git log`), and
    /// the files of its own only
    tags: bool,
    /// Faults of old commits that are no reason to refuse the repository, by the names that git gives them: WORDS. They change
    /// what is shown of who wrote a commit and when, or write a file's mode with a zero before it; no other fault can be
    /// accepted. Default: none
    accepted_git_faults: Vec<GitFault>,
    /// `true`: the command gets the project's Git credential, for the origin of `gitUrl`, see
    /// [below](#the-git-credential-for-the-command). Default: `false`
    git_access: bool,
    /// `true`: the Git credential is a token of the pipeline's GitHub App, made for each build, see [below](#the-github-app). Needs
    /// an `https://` URL of the App's GitHub, and a String as parameter. Default: `false`
    github_app: bool,
    /// Who is told how a trigger or its build stands, see [notifications](notifications.md): objects with `to` (WORDS) and, where
    /// wanted, `name`, `on`, `environment` and `private`. Default: nobody
    #[schemars(length(max = MAX_TARGETS))]
    notify: Vec<Target>,
    /// SSH keys as lines of an [allowed_signers](https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS) file, or one armoured GPG
    /// public key block: the commit must be signed by one of them. To revoke a key, remove its line: `valid-before` is compared
    /// with the date that the commit itself names
    #[schemars(length(min = 1))]
    allowed_signers: String,
    /// The command gets a session of this role, in whichever account, instead of the build's own credentials, which it then
    /// cannot find anywhere in the build; for one hour at most, which is AWS's limit for a role taken by a role
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$"))]
    deploy_role_arn: String,
    /// What to do where the commit to deploy is the one that is live. `run` (default): run the command again, so that a repeated
    /// trigger or a schedule puts right what was changed by hand. `skip`: end there
    unchanged: Unchanged,
    /// Variables for the command: an object of names and texts, at most 50, of 2048 bytes in all. No secret: names that speak of
    /// one (`NPM_TOKEN`, `DB_PASSWORD`, `API_KEY`) are refused, as are those that are somebody else's (`PATH`, `HOME`, `IWOMP_*`,
    /// `AWS_*`, `GIT_*`, `LD_*` and their kin). Those of an entry take the place of all of `_default`'s
    #[schemars(extend(
        "maxProperties" = MAX_VARIABLES,
        "propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": MAX_VARIABLE_NAME_BYTES}
    ))]
    environment: BTreeMap<String, String>,
    /// How a token is sent: `basic` (default; as the password, with a user name by host: `oauth2` for gitlab.com, `x-token-auth`
    /// for bitbucket.org, else `x-access-token`) or `bearer`
    auth_scheme: AuthScheme,
    /// PEM certificates to trust for `gitUrl`, and no others: for self-hosted Git behind a private CA. Whole certificates; a
    /// private key is refused
    #[schemars(regex(pattern = "-----BEGIN CERTIFICATE-----"))]
    ca_bundle: String,
    /// The user name to send with the token, where the host wants a certain one; or that of `basicPassword`
    #[schemars(length(min = 1))]
    basic_username: String,
    /// A token in the entry itself. Accepted only if the parameter is a SecureString
    #[schemars(length(min = 1))]
    auth_token: String,
    /// A password in the entry itself. Accepted only if the parameter is a SecureString
    #[schemars(length(min = 1))]
    basic_password: String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "as above")]
enum Command {
    Executable(#[schemars(regex(pattern = "^[^ \\t\\r\\n\\u0000\"'`$;&|<>]+$"))] String),
    Vector(
        #[schemars(length(min = 1), extend("prefixItems" = [{"minLength": 1}]), inner(regex(pattern = "^[^\\u0000]*$")))]
         Vec<String>,
    ),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
enum Pinned {
    Branch,
    Head,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
enum PointedTo {
    Refuse,
    Ignore,
    Fetch,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
enum Unchanged {
    Run,
    Skip,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
enum AuthScheme {
    Basic,
    Bearer,
}

/// Somebody who is told.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
struct Target {
    /// The kind.
    to: TargetKind,
    /// The last part of the name of its secret. Default: the kind.
    #[schemars(default, length(max = MAX_NAME_BYTES), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9-]*$"))]
    name: String,
    /// Of which states it is told.
    #[schemars(default, length(min = 1))]
    on: Vec<State>,
    /// Of `github` only: its deployments are told as well, of this environment.
    #[schemars(default, length(min = 1, max = MAX_ENVIRONMENT_BYTES), regex(pattern = "^[A-Za-z0-9 ._/-]+$"))]
    environment: String,
    /// `true`: its host may have an address of a private network.
    #[schemars(default)]
    private: bool,
}

/// Words as an enumeration.
macro_rules! words {
    ($type:ty, $name:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let words: Vec<_> = <$type>::ALL.iter().map(|word| word.as_str()).collect();
                json_schema!({"enum": words})
            }
        }
    };
}

words!(TargetKind, "TargetKind");
words!(State, "State");
words!(GitFault, "GitFault");

/// The schema of an entry; `#/$defs/Part` is that of `_default`, and of an entry over one that has what it lacks.
fn schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Entry>().to_value();
    let object = schema.as_object_mut().unwrap();
    let mut definitions = object.remove("$defs").unwrap();
    let mut part = json!({});
    for key in ["description", "type", "properties", "additionalProperties"] {
        part[key] = object.remove(key).unwrap();
    }
    for (key, property) in part["properties"].as_object_mut().unwrap() {
        property["description"] = json!(meaning(key, property["description"].as_str().unwrap()));
    }
    // An absent name is the kind's, and no empty text.
    for target in definitions["Target"]["properties"].as_object_mut().unwrap().values_mut() {
        target.as_object_mut().unwrap().remove("default");
    }
    definitions["Part"] = part;
    json!({
        "$schema": object["$schema"],
        "title": "An entry of the register of iwomp: the value of the parameter /<config path>/<project>",
        "$ref": "#/$defs/Part",
        "required": REQUIRED,
        "$defs": definitions,
    })
}

/// The doc comment of a key in one line, with the words that stand in another list.
fn meaning(key: &str, text: &str) -> String {
    let words: Vec<_> = match key {
        "notify" => TargetKind::ALL.iter().map(|kind| kind.as_str()).collect(),
        "acceptedGitFaults" => GitFault::ALL.iter().map(|fault| fault.as_str()).collect(),
        _ => Vec::new(),
    };
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    text.replace('\n', " ").replace("WORDS", &words.join(", "))
}

mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use super::super::{KEYS, terraform_name};
    use super::*;

    const BEGIN: &str = "| key | Terraform | meaning |\n|---|---|---|\n";

    fn file(path: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
    }

    /// That a file is as it is made. `IWOMP_WRITE_SCHEMAS=1` writes it.
    fn holds(path: &str, made: &str) {
        if std::env::var_os("IWOMP_WRITE_SCHEMAS").is_some() {
            fs::write(file(path), made).unwrap();
        }
        let written = fs::read_to_string(file(path)).unwrap_or_default();
        assert!(written == made, "{path} is another: IWOMP_WRITE_SCHEMAS=1 cargo test --workspace schemas");
    }

    fn of_terraform(key: &str) -> String {
        match terraform_name(key) {
            Some(name) if name == "command" => "`command`, `command_vector`".to_owned(),
            name => name.map_or("–".to_owned(), |name| format!("`{name}`")),
        }
    }

    #[test]
    fn the_schemas_and_the_manuals_table_are_made_of_the_keys() {
        let schema = schema();
        let properties = schema["$defs"]["Part"]["properties"].as_object().unwrap();
        let described: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        assert_eq!(described, BTreeSet::from(KEYS));
        holds("docs/schemas/register.json", &format!("{schema:#}\n"));

        let rows: String = KEYS
            .iter()
            .map(|key| {
                format!("| `{key}` | {} | {} |\n", of_terraform(key), properties[*key]["description"].as_str().unwrap())
            })
            .collect();
        let manual = fs::read_to_string(file("docs/register.md")).unwrap();
        let (before, table) = manual.split_once(BEGIN).unwrap();
        let after = table.split_once("\n\n").unwrap().1;
        holds("docs/register.md", &format!("{before}{BEGIN}{rows}\n{after}"));
    }
}
