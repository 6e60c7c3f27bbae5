//! The register entry: what is deployed, with which command, from which branches. Who writes it owns the deploy role.

mod checkout;
#[cfg(test)]
mod entry;
mod notify;

use std::collections::BTreeMap;
use std::path::Path;

use crate::document::{Faults, Object, strings};
use crate::{Branch, CommitId, Credentials, DocumentError, GitUrl, NameError, Scheme};
use crate::{credentials, environment, ssh_key};

pub use checkout::{Checkout, Extent, GitFault, LargeFiles, Submodules, Tags};
pub use notify::{State, Target, TargetKind, is_target_name};

/// The keys of an entry. tests/register_keys.rs holds every other list to this one, and entry.rs says what each means.
pub const KEYS: [&str; 24] = [
    "gitUrl",
    "command",
    "deployDir",
    "branches",
    "requireCommit",
    "firstParent",
    "pinned",
    "allowedSigners",
    "deployRoleArn",
    "unchanged",
    "environment",
    "authToken",
    "basicUsername",
    "basicPassword",
    "authScheme",
    "caBundle",
    "submodules",
    "lfs",
    "sparse",
    "tags",
    "acceptedGitFaults",
    "gitAccess",
    "githubApp",
    "notify",
];
/// What an entry may hold only if the parameter is encrypted. An SSH key never stands here: it has no place in the article.
const SECRET_KEYS: [&str; 2] = ["authToken", "basicPassword"];

/// Whether what stands under a key of an entry is a secret, wherever it stands.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    SECRET_KEYS.contains(&key)
}

/// What Terraform calls a key: `deploy_dir` for `deployDir`. None: it is written by hand, for Terraform's state would hold it.
#[must_use]
pub fn terraform_name(key: &str) -> Option<String> {
    let letters = |name: String, c: char| match c.is_ascii_uppercase() {
        true => name + "_" + c.to_ascii_lowercase().encode_utf8(&mut [0]),
        false => name + c.encode_utf8(&mut [0; 4]),
    };
    (!["authToken", "basicUsername", "basicPassword"].contains(&key)).then(|| key.chars().fold(String::new(), letters))
}

/// What is wrong with what is laid under every entry, as far as that can be seen by itself.
#[must_use]
pub fn faults_of_default(default: Document<'_>) -> Vec<DocumentError> {
    let mut faults = Faults::default();
    if let Some(object) = read_default(default, &mut faults) {
        Project::take(object, &mut faults);
    }
    // An entry may have what it lacks.
    faults.into_all().into_iter().filter(|fault| !matches!(fault, DocumentError::MissingKey(_))).collect()
}

/// How a parameter is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// SSM `String`: every reader of parameters, plans and consoles sees it, so no secret may stand in it.
    Plain,
    /// SSM `SecureString`, decrypted.
    Encrypted,
}

/// The text of a register parameter.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    pub text: &'a str,
    pub storage: Storage,
}

/// A register entry with `_default` laid under it.
#[derive(Debug, Clone)]
pub struct Project {
    pub git_url: GitUrl,
    pub command: Command,
    pub deploy_dir: DeployDir,
    pub branches: Branches,
    /// Whether a trigger must name its commit, so that exactly what CI tested is deployed.
    pub commit_rule: CommitRule,
    /// Which commits of the branch may be pinned.
    pub lineage: Lineage,
    /// Whether a pinned commit may be older than the head.
    pub pinned: Pinned,
    /// Public keys of which one must have signed the commit. Absent: signatures are not looked at.
    pub allowed_signers: Option<AllowedSigners>,
    /// The role whose session the command gets, instead of the build's own credentials.
    pub deploy_role: Option<RoleArn>,
    /// Whether a commit that is live already is deployed again.
    pub unchanged: Unchanged,
    /// What is added to the command's environment, by name. No secret.
    pub environment: BTreeMap<String, String>,
    /// What comes into the checkout beside the commit's own files.
    pub checkout: Checkout,
    /// Whether the command gets at its own Git host.
    pub git_access: GitAccess,
    pub credential_source: CredentialSource,
    pub auth_scheme: AuthScheme,
    /// PEM certificates to trust for `gitUrl`, and no others.
    pub ca_bundle: Option<String>,
    /// The user name to send with the token of the credentials parameter, where the host wants a certain one.
    pub token_username: Option<String>,
    /// Who is told how a trigger or its build ended.
    pub notify: Vec<Target>,
    /// Credentials in the entry itself, as the original article had them; a credentials parameter goes before them.
    pub credentials: Option<Credentials>,
}

/// What is run in the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// One executable, started with the branch as its only argument.
    Executable(String),
    /// An exact argument vector, not empty; nothing is appended.
    Vector(Vec<String>),
}

/// Whether a trigger may leave the commit out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRule {
    /// The head of the branch is deployed if the trigger names no commit.
    HeadByDefault,
    /// A trigger without commit is refused.
    CommitRequired,
}

/// Which commits count as being on a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// Its head as fetched, that one's first parent, and so on. Where merges go into the branch, as merge requests do, those
    /// are the commits that were its head, and a commit of a merged side branch, which CI has tested as something else, is
    /// not among them. Where somebody merges the branch into their own and pushes that, it is the other way round; git keeps
    /// no record of what a branch pointed to.
    FirstParent,
    /// Every ancestor of its head.
    AnyAncestor,
}

/// Which pinned commits may be deployed, of those that count as being on the branch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pinned {
    /// Each of them.
    #[default]
    OnBranch,
    /// The head as the worker fetches it. An older one is superseded.
    Head,
}

/// What to do where the commit to deploy is the one that is live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unchanged {
    /// Run the command again: so a repeated trigger, or a schedule, puts right what was changed by hand since.
    #[default]
    Run,
    /// End early: for schedules that shall only bring what a lost trigger did not.
    Skip,
}

/// What the command has of the project's Git credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GitAccess {
    /// Nothing: the credential is gone before the command starts.
    #[default]
    Kept,
    /// It is handed over, for the origin of `gitUrl`: the command, and whatever it runs, can read it.
    Lent,
}

/// Where the project's Git credential comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CredentialSource {
    /// Somebody has stored it, or there is none.
    #[default]
    Stored,
    /// The pipeline's GitHub App: for each run a token of its own, see [`crate::broker`].
    GitHubApp,
}

/// How a token is sent over HTTPS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthScheme {
    /// As the password of HTTP basic authentication; what the large hosts want.
    #[default]
    Basic,
    /// As `Authorization: Bearer`.
    Bearer,
}

impl Project {
    /// Reads a register entry and what lies under it.
    ///
    /// # Errors
    /// Names the key and the rule, never a value. A rule that is absent or malformed is an error, never "all".
    pub fn read(entry: Document<'_>, default: Option<Document<'_>>) -> Result<Self, DocumentError> {
        // What cannot be read has a fault.
        Self::read_whole(entry, default)
            .map_err(|faults| faults.into_iter().next().unwrap_or(DocumentError::NotAnObject))
    }

    /// The same, with the first fault of every key that is wrong, and not of the first one alone.
    ///
    /// # Errors
    /// As [`Project::read`].
    pub fn read_whole(entry: Document<'_>, default: Option<Document<'_>>) -> Result<Self, Vec<DocumentError>> {
        let mut faults = Faults::default();
        let read = Self::lay_over(entry, default, &mut faults).and_then(|object| Self::take(object, &mut faults));
        let faults = faults.into_all();
        read.filter(|_| faults.is_empty()).ok_or(faults)
    }

    fn lay_over(entry: Document<'_>, default: Option<Document<'_>>, faults: &mut Faults) -> Option<Object> {
        let mut object = read_document(entry, faults)?;
        if let Some(default) = default {
            let mut default = read_default(default, faults)?;
            if object.says(CredentialSource::KEY) {
                // How everybody else's credential is sent.
                CredentialSource::OF_OTHERS.into_iter().for_each(|key| drop(default.take(key)));
            }
            object.lay_under(default);
        }
        Some(object)
    }

    /// None: something is wrong, and noted.
    fn take(mut object: Object, faults: &mut Faults) -> Option<Self> {
        let object = &mut object;
        let holds_secret = SECRET_KEYS.into_iter().any(|key| object.has(key));
        let git_url = faults.keep(take_git_url(object));
        let command = faults.keep(Command::take(object));
        let deploy_dir = faults.keep(DeployDir::take(object));
        let branches = faults.keep(Branches::take(object));
        let requires_commit = faults.keep(object.take_bool("requireCommit"));
        let first_parent = faults.keep(object.take_bool("firstParent"));
        let pinned = faults.keep(Pinned::take(object));
        let allowed_signers = faults.keep(AllowedSigners::take(object));
        let deploy_role = faults.keep(RoleArn::take(object));
        let unchanged = faults.keep(Unchanged::take(object));
        let environment = faults.keep(environment::take(object));
        let checkout = Checkout::take(object, git_url.as_ref(), deploy_dir.as_ref(), faults);
        let git_access = faults.keep(object.take_bool("gitAccess"));
        let credential_source = faults.keep(CredentialSource::take(object, git_url.as_ref()));
        let auth_scheme = faults.keep(AuthScheme::take(object));
        let ca_bundle = faults.keep(take_ca_bundle(object));
        let token_username = if holds_secret { Some(None) } else { faults.keep(credentials::take_username(object)) };
        let notify = faults.keep(notify::take(object));
        let credentials = faults.keep(Credentials::take(object));
        Some(Self {
            git_url: git_url?,
            command: command?,
            deploy_dir: deploy_dir?,
            branches: branches?,
            commit_rule: match requires_commit? {
                Some(true) => CommitRule::CommitRequired,
                Some(false) | None => CommitRule::HeadByDefault,
            },
            lineage: match first_parent? {
                Some(true) | None => Lineage::FirstParent,
                Some(false) => Lineage::AnyAncestor,
            },
            pinned: pinned?,
            allowed_signers: allowed_signers?,
            deploy_role: deploy_role?,
            unchanged: unchanged?,
            environment: environment?,
            checkout: checkout?,
            git_access: match git_access? {
                Some(true) => GitAccess::Lent,
                Some(false) | None => GitAccess::Kept,
            },
            credential_source: credential_source?,
            auth_scheme: auth_scheme?,
            ca_bundle: ca_bundle?,
            token_username: token_username?,
            notify: notify?,
            credentials: credentials?,
        })
    }
}

impl Project {
    /// Whether a trigger with this commit, or without one, may be answered.
    #[must_use]
    pub fn accepts(&self, commit: Option<&CommitId>) -> bool {
        commit.is_some() || self.commit_rule == CommitRule::HeadByDefault
    }

    /// The branches that the entry, or what lies under it, names itself. None: neither names any, and [`Branches::DEFAULT`]
    /// holds, which is nobody's decision.
    ///
    /// # Errors
    /// As [`Project::read`]: of an entry that is wrong anywhere, nothing is taken.
    pub fn named_branches(
        entry: Document<'_>,
        default: Option<Document<'_>>,
    ) -> Result<Option<Branches>, DocumentError> {
        let project = Self::read(entry, default)?;
        let mut documents = [Some(entry), default].into_iter().flatten();
        let names =
            |document| read_document(document, &mut Faults::default()).is_some_and(|object| object.has(Branches::KEY));
        let are_named = documents.any(names);
        Ok(are_named.then_some(project.branches))
    }
}

fn read_document(document: Document<'_>, faults: &mut Faults) -> Option<Object> {
    let object = Object::read_noting(document.text, &KEYS, faults)?;
    if document.storage == Storage::Plain {
        note_secrets(
            &object,
            "is a secret in a String parameter, which many can read: withdraw it, and keep the new one in the credentials parameter",
            faults,
        );
    }
    Some(object)
}

/// What lies under every entry may hold no secret, encrypted or not: each project would send it to its own host, and each
/// project's role would have to be able to decrypt it.
fn read_default(default: Document<'_>, faults: &mut Faults) -> Option<Object> {
    let object = read_document(default, faults)?;
    if default.storage == Storage::Encrypted {
        note_secrets(
            &object,
            "must not stand in _default, from where every project would send it to its own Git host: store it in the \
             credentials parameter of each project",
            faults,
        );
    }
    if object.has(CredentialSource::KEY) {
        let rule =
            "must not stand in _default: Terraform gives the right to a token to each project that says it for itself";
        faults.note(DocumentError::Invalid { key: CredentialSource::KEY, rule });
    }
    Some(object)
}

fn note_secrets(object: &Object, rule: &'static str, faults: &mut Faults) {
    for key in SECRET_KEYS.into_iter().filter(|key| object.has(key)) {
        faults.note(DocumentError::Invalid { key, rule });
    }
}

fn take_git_url(object: &mut Object) -> Result<GitUrl, DocumentError> {
    GitUrl::parse(&object.require_string("gitUrl")?)
}

impl Command {
    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        const KEY: &str = "command";
        let command = match object.take(KEY).ok_or(DocumentError::MissingKey(KEY))? {
            serde_json::Value::String(executable) => Self::Executable(executable),
            value => Self::Vector(strings(KEY, value)?),
        };
        let words = match &command {
            Self::Executable(executable) => std::slice::from_ref(executable),
            Self::Vector(words) => words.as_slice(),
        };
        if let Self::Executable(executable) = &command
            && executable.contains(is_of_a_command_line)
        {
            return Err(DocumentError::Invalid {
                key: KEY,
                rule: "is one executable and not a command line, for no shell reads it: give the words as an array, as in \
                    [\"./deploy.sh\", \"prod\"]",
            });
        }
        if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
            return Err(DocumentError::Invalid { key: KEY, rule: "must name an executable and hold no NUL" });
        }
        Ok(command)
    }
}

/// What no name of an executable has, unless somebody took it for a line that a shell reads.
fn is_of_a_command_line(c: char) -> bool {
    c.is_whitespace() || "\"'`$;&|<>".contains(c)
}

impl CredentialSource {
    const KEY: &str = "githubApp";
    /// As [`Credentials`] has them, and how they would be sent.
    const OF_OTHERS: [&str; 4] = ["authToken", "basicUsername", "basicPassword", "authScheme"];

    fn take(object: &mut Object, git_url: Option<&GitUrl>) -> Result<Self, DocumentError> {
        let invalid = |rule| Err(DocumentError::Invalid { key: CredentialSource::KEY, rule });
        match object.take_bool(Self::KEY)? {
            Some(false) | None => Ok(Self::Stored),
            Some(true) if Self::OF_OTHERS.into_iter().any(|key| object.has(key)) => {
                invalid("gives the credential, and how it is sent: leave out authToken, basic... and authScheme")
            }
            Some(true) if git_url.is_some_and(|url| url.scheme() == Scheme::Ssh) => {
                invalid("gives a token, which is of no use for an SSH URL: use the HTTPS URL")
            }
            Some(true) => Ok(Self::GitHubApp),
        }
    }
}

impl AuthScheme {
    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        const KEY: &str = "authScheme";
        match object.take_string(KEY)?.as_deref() {
            None => Ok(Self::default()),
            Some("basic") => Ok(Self::Basic),
            Some("bearer") => Ok(Self::Bearer),
            Some(_) => Err(DocumentError::Invalid { key: KEY, rule: "must be basic or bearer" }),
        }
    }
}

impl Pinned {
    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        const KEY: &str = "pinned";
        match object.take_string(KEY)?.as_deref() {
            None => Ok(Self::default()),
            Some("branch") => Ok(Self::OnBranch),
            Some("head") => Ok(Self::Head),
            Some(_) => Err(DocumentError::Invalid { key: KEY, rule: "must be branch or head" }),
        }
    }
}

impl Unchanged {
    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        const KEY: &str = "unchanged";
        match object.take_string(KEY)?.as_deref() {
            None => Ok(Self::default()),
            Some("run") => Ok(Self::Run),
            Some("skip") => Ok(Self::Skip),
            Some(_) => Err(DocumentError::Invalid { key: KEY, rule: "must be run or skip" }),
        }
    }
}

fn take_ca_bundle(object: &mut Object) -> Result<Option<String>, DocumentError> {
    const KEY: &str = "caBundle";
    let Some(bundle) = object.take_string(KEY)? else { return Ok(None) };
    match check_certificates(&bundle) {
        Ok(()) => Ok(Some(bundle)),
        Err(rule) => Err(DocumentError::Invalid { key: KEY, rule }),
    }
}

/// That `bundle` has certificates and nothing else between the armour of PEM. Text around the blocks, as some bundles have it,
/// is nobody's concern.
fn check_certificates(bundle: &str) -> Result<(), &'static str> {
    const CERTIFICATE: &str = "CERTIFICATE";
    let kinds = || bundle.split("-----BEGIN ").skip(1).map(|block| block.split("-----").next().unwrap_or_default());
    if kinds().any(|kind| kind.ends_with("PRIVATE KEY")) {
        return Err("holds a private key, which many can read now: make a new one, and put only certificates here");
    }
    if bundle.contains("\\n") {
        return Err("has \\n as two characters where its lines end: write real line ends, in JSON one backslash and n");
    }
    if kinds().next().is_none() || kinds().any(|kind| kind != CERTIFICATE) {
        return Err("must be certificates in PEM form, and nothing else");
    }
    let is_whole = |block: &str| block.contains("\n-----END CERTIFICATE-----");
    match bundle.split("-----BEGIN ").skip(1).all(is_whole) {
        true => Ok(()),
        false => Err("has a certificate that is cut off, or not in lines: it goes from -----BEGIN to -----END"),
    }
}

/// A directory of the checkout, relative to its root. That no symbolic link leads out of it is for the worker to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployDir(String);

impl DeployDir {
    const KEY: &str = "deployDir";

    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        Self::parse(object.take_string(Self::KEY)?.as_deref().unwrap_or("."))
    }

    fn parse(text: &str) -> Result<Self, DocumentError> {
        let leaves = text.starts_with('/') || text.split('/').any(|segment| segment == "..");
        if text.is_empty() || leaves || text.contains('\0') {
            return Err(DocumentError::Invalid {
                key: Self::KEY,
                rule: "must be a directory inside the checkout: relative, not empty, no ..",
            });
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_root(&self) -> bool {
        self.0.split('/').all(|segment| ["", "."].contains(&segment))
    }
}

/// The branches that may be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches(Vec<BranchPattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum BranchPattern {
    Exact(Branch),
    /// Everything below a prefix, which is kept with its final `/`.
    Below(String),
}

/// How the register speaks of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// By its name.
    Named,
    /// Only as one of those below a prefix.
    Below,
    /// Not at all: it cannot be deployed.
    NotAllowed,
}

impl Branches {
    const KEY: &str = "branches";
    /// Absent, the register allows these two, as the original article's examples do.
    const DEFAULT: [&str; 2] = ["main", "master"];

    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        const KEY: &str = Branches::KEY;
        let patterns = match object.take(KEY) {
            None => Self::DEFAULT.map(str::to_owned).to_vec(),
            Some(value) => strings(KEY, value)?,
        };
        if patterns.is_empty() {
            return Err(DocumentError::Invalid { key: KEY, rule: "must name at least one branch" });
        }
        let patterns: Result<_, _> = patterns.iter().map(|text| BranchPattern::parse(text)).collect();
        patterns.map(Self).map_err(|error| DocumentError::Name { key: KEY, error })
    }

    /// The first that it names whole.
    #[must_use]
    pub fn named(&self) -> Option<&Branch> {
        self.0.iter().find_map(|pattern| match pattern {
            BranchPattern::Exact(branch) => Some(branch),
            BranchPattern::Below(_) => None,
        })
    }

    #[must_use]
    pub fn allow(&self, branch: &Branch) -> bool {
        self.standing(branch) != Standing::NotAllowed
    }

    #[must_use]
    pub fn standing(&self, branch: &Branch) -> Standing {
        let is_named = |pattern: &BranchPattern| matches!(pattern, BranchPattern::Exact(name) if name == branch);
        let is_below = |pattern: &BranchPattern| match pattern {
            BranchPattern::Exact(_) => false,
            BranchPattern::Below(prefix) => branch.as_str().starts_with(prefix),
        };
        match &self.0 {
            patterns if patterns.iter().any(is_named) => Standing::Named,
            patterns if patterns.iter().any(is_below) => Standing::Below,
            _ => Standing::NotAllowed,
        }
    }
}

impl BranchPattern {
    /// An exact branch, or a prefix that ends in `/*`.
    fn parse(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix("/*") {
            Some(prefix) => Branch::parse(prefix).map(|prefix| Self::Below(format!("{prefix}/"))),
            None => Branch::parse(text).map(Self::Exact),
        }
    }
}

/// Public keys that may sign commits: SSH keys as lines of an `allowed_signers` file (principal, options, key), or GPG keys
/// in ASCII armour. One kind a project.
/// <https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedSigners {
    Ssh(String),
    Gpg(String),
}

impl AllowedSigners {
    fn take(object: &mut Object) -> Result<Option<Self>, DocumentError> {
        const KEY: &str = "allowedSigners";
        const ARMOUR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        let Some(text) = object.take_string(KEY)? else { return Ok(None) };
        if text.trim_start().starts_with(ARMOUR) {
            return Ok(Some(Self::Gpg(text)));
        }
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // `cert-authority` would let whoever holds that authority add signers without the register knowing. ssh-keygen takes
        // it in upper case too.
        let names_authority = |line: &str| line.to_ascii_lowercase().contains("cert-authority");
        if lines().next().is_none() || !lines().all(ssh_key::is_signer) || lines().any(names_authority) {
            return Err(DocumentError::Invalid {
                key: KEY,
                rule: "must be lines of an allowed_signers file (principal and whole SSH key, no cert-authority) or an armoured \
                    GPG key",
            });
        }
        Ok(Some(Self::Ssh(text)))
    }
}

/// The ARN of an IAM role: `arn:<partition>:iam::<12 digits>:role/<path and name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(String);

impl RoleArn {
    fn take(object: &mut Object) -> Result<Option<Self>, DocumentError> {
        const KEY: &str = "deployRoleArn";
        let Some(text) = object.take_string(KEY)? else { return Ok(None) };
        if !Self::is_valid(&text) {
            return Err(DocumentError::Invalid { key: KEY, rule: "must be arn:aws:iam::<account>:role/<name>" });
        }
        Ok(Some(Self(text)))
    }

    fn is_valid(text: &str) -> bool {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let [arn, partition, "iam", "", account, resource] = parts[..] else { return false };
        let Some(name) = resource.strip_prefix("role/") else { return false };
        arn == "arn"
            && partition.starts_with("aws")
            && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && (1..=512).contains(&name.len())
            && !name.ends_with('/')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&b))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"deploy.sh"}"#;

    fn plain(text: &str) -> Document<'_> {
        Document { text, storage: Storage::Plain }
    }

    fn encrypted(text: &str) -> Document<'_> {
        Document { text, storage: Storage::Encrypted }
    }

    fn read(text: &str) -> Result<Project, DocumentError> {
        Project::read(plain(text), None)
    }

    fn with(more: &str) -> Result<Project, DocumentError> {
        read(&format!("{},{more}}}", &MINIMAL[..MINIMAL.len() - 1]))
    }

    fn branch(text: &str) -> Branch {
        Branch::parse(text).unwrap()
    }

    #[test]
    fn the_articles_entry_is_read_and_allows_main_and_master() {
        let project = read(MINIMAL).unwrap();
        assert_eq!(project.git_url.as_str(), "https://git.example/demo.git");
        assert_eq!(project.command, Command::Executable("deploy.sh".into()));
        assert_eq!(project.deploy_dir.as_path(), Path::new("."));
        assert!(project.branches.allow(&branch("main")) && project.branches.allow(&branch("master")));
        assert!(!project.branches.allow(&branch("feature")));
    }

    #[test]
    fn an_article_entry_with_a_token_is_read_from_a_secure_string_only() {
        let text = format!("{},\"authToken\":\"canary-77\"}}", &MINIMAL[..MINIMAL.len() - 1]);
        assert!(matches!(Project::read(encrypted(&text), None).unwrap().credentials, Some(Credentials::Token { .. })));
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("\"authToken\" is a secret in a String parameter"), "{error}");
        assert!(!error.contains("canary-77"));
    }

    #[test]
    fn the_default_lies_under_the_entry_key_by_key() {
        let default = r#"{"command":["make","deploy"],"deployDir":"infra","branches":["prod"]}"#;
        let entry = r#"{"gitUrl":"https://git.example/demo.git","branches":["main"]}"#;
        let project = Project::read(plain(entry), Some(plain(default))).unwrap();
        assert_eq!(project.command, Command::Vector(vec!["make".into(), "deploy".into()]));
        assert_eq!(project.deploy_dir.as_path(), Path::new("infra"));
        assert!(project.branches.allow(&branch("main")) && !project.branches.allow(&branch("prod")));
    }

    #[test]
    fn the_default_holds_no_secret_for_every_host_would_get_it() {
        for secret in [r#""authToken":"canary-8""#, r#""basicUsername":"u","basicPassword":"canary-8""#] {
            let default = format!(r#"{{{secret},"branches":["main"]}}"#);
            for default in [plain(&default), encrypted(&default)] {
                let error = Project::read(plain(MINIMAL), Some(default)).unwrap_err().to_string();
                assert!(error.contains("_default") || error.contains("String parameter"), "{error}");
                assert!(!error.contains("canary-8"), "{error}");
            }
        }
    }

    #[test]
    fn every_key_that_is_wrong_has_its_fault_and_the_first_is_where_a_reader_ends() {
        let wrong = r#"{"brnches":["main"],"gitUrl":"http://git.example/r","unchanged":"never","unchanged":"run","lfs":"fetch",
            "submodules":"all","tags":"yes","basicUsername":"","environment":{"A_TOKEN":"x"},"authToken":"canary-9"}"#;
        let faults = Project::read_whole(plain(wrong), None).unwrap_err();
        let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let begins = [
            "has an unknown key that is almost \"branches\"",
            "has the key \"unchanged\" twice",
            "\"authToken\" is a secret",
            "\"gitUrl\" must be an https",
            "lacks the key \"command\"",
            "\"unchanged\" must be run or skip",
            "\"environment\" must hold no secret",
            "\"submodules\" must be",
            "\"tags\" must be true or false",
            "\"basicUsername\" must be one non-empty line",
        ];
        assert_eq!(said.len(), begins.len(), "{said:#?}");
        for (said, begin) in said.iter().zip(begins) {
            assert!(said.starts_with(begin) && !said.contains("canary-9"), "{said}");
        }
        assert_eq!(Project::read(plain(wrong), None).unwrap_err(), faults[0]);
    }

    #[test]
    fn a_default_is_judged_by_itself_but_for_what_an_entry_may_add() {
        let faults = |text| faults_of_default(plain(text)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(faults(r#"{"lfs":"fetch","unchanged":"skip"}"#), [""; 0]);
        let said = faults(r#"{"pinned":"x","authToken":"canary-9","branches":[]}"#);
        let keys: Vec<_> = said.iter().map(|said| said.split_whitespace().next().unwrap()).collect();
        assert_eq!(keys, ["\"authToken\"", "\"branches\"", "\"pinned\""]);
        assert!(faults(r#"{"githubApp":true}"#)[0].starts_with("\"githubApp\" must not stand in _default"));
        assert_eq!(faults("{"), ["is not valid JSON (line 1, column 1)"]);
    }

    #[test]
    fn a_branch_rule_is_an_exact_name_or_a_prefix() {
        let branches = with(r#""branches":["main","release/*"]"#).unwrap().branches;
        for allowed in ["main", "release/1", "release/1/2"] {
            assert!(branches.allow(&branch(allowed)), "{allowed}");
        }
        for refused in ["master", "main2", "main/x", "release", "releases/1", "Main"] {
            assert!(!branches.allow(&branch(refused)), "{refused}");
        }
    }

    #[test]
    fn a_malformed_rule_is_an_error_and_never_all() {
        for more in [
            r#""branches":[]"#,
            r#""branches":null"#,
            r#""branches":"main""#,
            r#""branches":["*"]"#,
            r#""branches":["/*"]"#,
            r#""branches":["rel*"]"#,
            r#""branches":["a/*/b"]"#,
            r#""branches":[1]"#,
            r#""branches":["main\n"]"#,
            r#""branchs":["main"]"#,
            r#""deployDir":"""#,
            r#""deployDir":"/etc""#,
            r#""deployDir":"a/../../b""#,
            r#""deployDir":1"#,
            r#""authScheme":"digest""#,
            r#""caBundle":"x""#,
            r#""gitUrl":"https://git.example/other""#,
            r#""requireCommit":"true""#,
            r#""firstParent":0"#,
            r#""gitAccess":"true""#,
            r#""githubApp":"true""#,
            r#""pinned":"newest""#,
            r#""pinned":true"#,
        ] {
            assert!(with(more).is_err(), "{more}");
        }
    }

    #[test]
    fn a_user_name_alone_is_for_the_token_of_the_credentials_parameter() {
        let project = with(r#""basicUsername":"deployer""#).unwrap();
        assert_eq!(project.token_username.as_deref(), Some("deployer"));
        assert!(project.credentials.is_none());
    }

    #[test]
    fn the_stricter_rule_holds_where_nothing_is_said_of_lineage_and_the_articles_where_nothing_is_said_of_commits() {
        let project = read(MINIMAL).unwrap();
        assert_eq!((project.lineage, project.commit_rule), (Lineage::FirstParent, CommitRule::HeadByDefault));
        assert_eq!(project.pinned, Pinned::OnBranch);
        let project = with(r#""requireCommit":true,"firstParent":false,"pinned":"head""#).unwrap();
        assert_eq!((project.lineage, project.commit_rule), (Lineage::AnyAncestor, CommitRule::CommitRequired));
        assert_eq!(project.pinned, Pinned::Head);
    }

    #[test]
    fn the_github_app_gives_the_credential_alone_and_only_over_https() {
        let with = |more: &str| Project::read(encrypted(&format!("{},{more}}}", &MINIMAL[..MINIMAL.len() - 1])), None);
        assert_eq!(read(MINIMAL).unwrap().credential_source, CredentialSource::Stored);
        assert_eq!(with(r#""githubApp":false,"authToken":"t""#).unwrap().credential_source, CredentialSource::Stored);
        assert_eq!(with(r#""githubApp":true"#).unwrap().credential_source, CredentialSource::GitHubApp);
        let ssh = r#"{"gitUrl":"git@git.example:a/b.git","command":"deploy.sh","githubApp":true}"#;
        for error in [
            read(ssh).unwrap_err(),
            with(r#""githubApp":true,"authToken":"t""#).unwrap_err(),
            with(r#""githubApp":true,"basicUsername":"u","basicPassword":"p""#).unwrap_err(),
            with(r#""githubApp":true,"authScheme":"bearer""#).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("\"githubApp\" gives "), "{error}");
        }
        let entry = format!(r#"{},"githubApp":true}}"#, &MINIMAL[..MINIMAL.len() - 1]);
        let default = r#"{"authScheme":"bearer","basicUsername":"deployer"}"#;
        let project = Project::read(plain(&entry), Some(plain(default))).unwrap();
        assert_eq!((project.credential_source, project.auth_scheme), (CredentialSource::GitHubApp, AuthScheme::Basic));
    }

    #[test]
    fn the_command_is_lent_the_git_credential_only_where_that_is_said() {
        for (more, access) in [
            (r#""tags":true"#, GitAccess::Kept),
            (r#""gitAccess":false"#, GitAccess::Kept),
            (r#""gitAccess":true"#, GitAccess::Lent),
        ] {
            assert_eq!(with(more).unwrap().git_access, access, "{more}");
        }
    }

    #[test]
    fn signers_are_ssh_keys_or_gpg_keys() {
        let ssh = r#""allowedSigners":"ada@example.org namespaces=\"git\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n# comment\n""#;
        assert!(matches!(with(ssh).unwrap().allowed_signers, Some(AllowedSigners::Ssh(_))));
        let gpg = r#""allowedSigners":"-----BEGIN PGP PUBLIC KEY BLOCK-----\n...""#;
        assert!(matches!(with(gpg).unwrap().allowed_signers, Some(AllowedSigners::Gpg(_))));
        for more in [
            r#""allowedSigners":"""#,
            r##""allowedSigners":"# nobody""##,
            r#""allowedSigners":"ada@example.org""#,
            r#""allowedSigners":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
            r#""allowedSigners":"* cert-authority ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
            r#""allowedSigners":"* Cert-AUTHORITY ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
            r#""allowedSigners":["ada ssh-ed25519 AAAA"]"#,
        ] {
            assert!(with(more).is_err(), "{more}");
        }
    }

    #[test]
    fn a_deploy_role_is_named_by_its_arn() {
        let role =
            with(r#""deployRoleArn":"arn:aws:iam::123456789012:role/team/deploy""#).unwrap().deploy_role.unwrap();
        assert_eq!(role.as_str(), "arn:aws:iam::123456789012:role/team/deploy");
        for arn in [
            "deploy",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:sts::123456789012:assumed-role/x/y",
        ] {
            assert!(with(&format!(r#""deployRoleArn":"{arn}""#)).is_err(), "{arn}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read(r#"{"command":"x"}"#).unwrap_err().to_string(), "lacks the key \"gitUrl\"");
        assert_eq!(read(r#"{"gitUrl":"https://git.example/r"}"#).unwrap_err().to_string(), "lacks the key \"command\"");
    }

    #[test]
    fn a_command_names_an_executable() {
        for command in [r#""""#, "[]", r#"[""]"#, "null", "{}", "[1]", r#""a\u0000""#, r#"["a","b\u0000"]"#] {
            let text = format!(r#"{{"gitUrl":"https://git.example/r","command":{command}}}"#);
            assert!(read(&text).is_err(), "{command}");
        }
    }
}
