//! What git meant: known sentences of git, curl and ssh, each with what a person can do about it. A hint for people; the one
//! thing that is decided by it is whether to try again.

use contract::register::GitFault;
use contract::{Project, Scheme};

/// Why a fetch failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) problem: &'static str,
    pub(super) advice: &'static str,
    pub(super) nature: Nature,
}

/// What trying again is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Somebody has to change something first.
    Lasting,
    /// Nobody was reached: it may be gone in a moment, or what the register says of the host is wrong.
    Unreached,
    /// The server was there, and did not do what it should: it may be gone in a moment.
    Passing,
}
use Nature::{Lasting, Passing, Unreached};

impl Nature {
    pub(super) fn may_pass(self) -> bool {
        self != Lasting
    }
}

/// Sentences (any of them, in git's own spelling) and what they mean. The first match wins.
type Known = (&'static [&'static str], Explanation);

const fn known(nature: Nature, problem: &'static str, advice: &'static str) -> Explanation {
    Explanation { problem, advice, nature }
}

const MISSING_BRANCH: Explanation =
    known(Lasting, "the branch does not exist there", "push the branch, or correct the branch in the trigger");

/// What it means that the server has no such branch.
pub(super) const fn missing_branch() -> &'static Explanation {
    &MISSING_BRANCH
}

/// The server answered, and has no such branch; with the sentence for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoSuchBranch(String);

impl Explanation {
    pub(super) fn to_error(&'static self, sentence: String) -> anyhow::Error {
        if self == missing_branch() { NoSuchBranch(sentence).into() } else { anyhow::Error::msg(sentence) }
    }
}

const NOT_A_GIT_SERVER: Explanation = known(
    Lasting,
    "what answers there is not a Git server: it sends a page, as a sign-in page or a proxy does",
    "correct gitUrl (GitLab's ends in .git); if a sign-in page or a proxy stands in front of the Git server, let the build \
     through to it",
);

const NOT_BY_ID: Explanation = known(
    Lasting,
    "the server does not hand out the commit by its id",
    "see whether the Git host still has the commit; with git itself, set uploadpack.allowReachableSHA1InWant there",
);

/// What it means that a server hands out its branches, and commits only so.
pub(super) const fn not_by_id() -> &'static Explanation {
    &NOT_BY_ID
}

const KNOWN: &[Known] = &[
    (&["unadvertised object", "not our ref"], NOT_BY_ID),
    (&["couldn't find remote ref"], MISSING_BRANCH),
    (
        &["error: 301", "error: 302", "error: 303", "error: 307", "error: 308"],
        known(
            Lasting,
            "the server redirects to another URL, and redirects are not followed, because the credential would go along",
            "a renamed repository, or a GitLab URL without .git: put the final URL into gitUrl",
        ),
    ),
    (
        &["certificate subject name", "no alternative certificate subject", "does not match target host name"],
        known(
            Lasting,
            "the server's TLS certificate is for another host name",
            "use the host name of the certificate in gitUrl",
        ),
    ),
    (
        &["server certificate verification failed", "SSL certificate problem", "certificate verify failed"],
        known(
            Lasting,
            "the server's TLS certificate is not signed by an authority that is trusted",
            "for a Git host behind a private CA, set caBundle of the project to the CA's certificates; if it is set, it \
             must hold those of this host, and no others are trusted beside it",
        ),
    ),
    (
        &["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED"],
        known(
            Lasting,
            "the server's SSH host key is not one of knownHosts: a new key, or somebody in between",
            "compare the key with what the Git host publishes; only if it is theirs, put it into knownHosts of the \
             credentials",
        ),
    ),
    (
        &["no matching host key type found"],
        known(
            Lasting,
            "the SSH server has only host keys of SHA-1 (ssh-rsa, ssh-dss), which ssh no longer takes",
            "have the server show a host key of another kind (ssh-ed25519, ecdsa, rsa-sha2: any SSH server of the last ten \
             years can), and put that one into knownHosts; or use its HTTPS URL",
        ),
    ),
    (
        &["no matching key exchange method", "no matching cipher", "no matching MAC"],
        known(
            Lasting,
            "the SSH server offers only ways to encrypt that ssh no longer takes",
            "have the SSH server brought up to date, or use its HTTPS URL",
        ),
    ),
    (
        &["error in libcrypto", "invalid format", "incorrect passphrase"],
        known(
            Lasting,
            "the SSH private key cannot be read",
            "store sshPrivateKey as ssh-keygen wrote it, without passphrase",
        ),
    ),
    (
        &["Permission denied (publickey"],
        known(
            Lasting,
            "the server does not accept the SSH key",
            "add the public key to the repository as a deploy key (reading is enough), or store the right private key",
        ),
    ),
    (&["info/refs not valid"], NOT_A_GIT_SERVER),
    (
        &["dumb http transport"],
        known(
            Lasting,
            "the server does not speak git's own protocol: it only hands out files, which git does not check on arrival",
            "have the repository served by git http-backend, a Git host or SSH",
        ),
    ),
    (
        &["does not support shallow"],
        known(
            Lasting,
            "the server cannot be told a depth, by which git makes sure that it speaks git's own protocol",
            "have the repository served by git itself, a Git host or SSH",
        ),
    ),
    (
        &["No space left on device"],
        known(
            Lasting,
            "the build's disk is full",
            "give the project a larger compute_type, or keep large files out of the repository",
        ),
    ),
    (
        &["died of signal 25", "File too large"],
        known(Lasting, "the branch is too big: its history is over 4 GiB", "keep large files out of the repository"),
    ),
    (
        &["fsck error", "error: object "],
        known(
            Lasting,
            "the repository holds objects that git's own check refuses",
            "run git fsck on the repository and rewrite what it complains of",
        ),
    ),
    (
        &["mismatched algorithms"],
        known(
            Lasting,
            "the repository uses SHA-256 object ids, which are not supported yet",
            "use a repository with SHA-1 object ids",
        ),
    ),
    (
        &["returned error: 429", "HTTP 429"],
        known(
            Passing,
            "the Git host refuses to be asked so often (status 429)",
            "see what else uses these credentials or this network's address, then trigger again",
        ),
    ),
    (
        &["Operation too slow"],
        known(
            Passing,
            "the Git host sends too slowly: less than 1 kB a second for a minute",
            "see whether the host or the way to it is overloaded, then trigger again",
        ),
    ),
    (
        &["Could not resolve host"],
        known(
            Unreached,
            "the host name of gitUrl cannot be resolved",
            "correct gitUrl; for a private host, the build needs a network that resolves it",
        ),
    ),
    (
        &[
            "Failed to connect",
            "Could not connect",
            "Couldn't connect",
            "Connection refused",
            "Connection timed out",
            "Network is unreachable",
            "No route to host",
        ],
        known(
            Unreached,
            "the Git host cannot be reached",
            "see whether it is up and whether the build's network may reach it, then trigger again",
        ),
    ),
    (
        &[
            // curl, of HTTP: every number from 500 to 599, and that the server waited too long.
            "returned error: 5",
            "HTTP 5",
            "returned error: 408",
            // curl, of what is below HTTP. 28 is also for a server that fell silent.
            "timed out",
            "Empty reply from server",
            "Recv failure",
            "Send failure",
            "transfer closed with",
            "was not closed cleanly",
            "was reset",
            "HTTP/2 framing layer",
            "GnuTLS recv error",
            "GnuTLS send error",
            "non-properly terminated",
            "Error in the pull function",
            "SSL_ERROR_SYSCALL",
            "SSL_read",
            "unexpected eof while reading",
            // ssh.
            "Connection reset",
            "Connection closed",
            "closed by remote host",
            "Broken pipe",
            // git, of a connection that ended before the pack or in it.
            "early EOF",
            "unexpected disconnect",
            "hung up",
            "unexpected flush packet",
            "expected 'packfile'",
            "expected 'acknowledgments'",
            "expected flush after ref listing",
            "expected response end packet",
            "got a flush packet",
            "error reading section header",
            "invalid index-pack output",
            "RPC failed",
        ],
        known(
            Passing,
            "the Git host did not answer as it should",
            "see whether it has a disturbance, then trigger again",
        ),
    ),
];

/// What git's check of objects says where it names only faults that can be accepted.
const HARMLESS_FAULT: Explanation = known(
    Lasting,
    "the repository holds an old fault, named in the lines above, which git's own check refuses, though it does no harm",
    "list the fault's name in acceptedGitFaults of the project, or rewrite what has it",
);

const NEEDS_CREDENTIALS: &[&str] = &[
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "unable to get password",
    "error: 401",
    "error: 403",
];
const CREDENTIALS_REFUSED: Explanation = known(
    Lasting,
    "authentication failed: the server refused the project's credentials",
    "see whether the token or password has expired and may read this repository, then store a new one; some hosts want a \
     certain basicUsername or authScheme",
);
const CREDENTIALS_MISSING: Explanation = known(
    Lasting,
    "authentication failed: the server asks for credentials, and the project has none",
    "store an authToken, or basicUsername and basicPassword, in the project's credentials parameter",
);

/// Looked for last: ssh and curl say more, if they say anything.
const NO_REPOSITORY: &Known = &(
    &["fatal: repository '", "Repository not found", "does not appear to be a git repository"],
    known(
        Lasting,
        "there is no such repository, or the credentials may not see it",
        "correct gitUrl, or give the credentials the right to read the repository",
    ),
);
const NO_REPOSITORY_OVER_SSH: Explanation = known(
    Lasting,
    "there is no such repository, or the key may not see it",
    "correct gitUrl, or give the key the right to read the repository; user@host:path is taken for /path on the server, so \
     where a path is relative to the user's home, write ssh://user@host/~/path",
);
/// Looked for after all others: ssh says why, if it knows.
const CLOSED: &Known = &(
    &["Could not read from remote repository"],
    known(
        Unreached,
        "the server closed the connection without a word of why",
        "see whether the key may read the repository and whether the host has a disturbance, then trigger again",
    ),
);
const UNKNOWN: Explanation = known(Lasting, "git failed", "git's own words are in the lines above");

/// Explains the standard error of a failed fetch.
pub(super) fn explain(lines: &[String], project: &Project) -> &'static Explanation {
    // `remote:` lines are the server's words; it shall not choose the explanation.
    let says = |sentences: &[&str]| {
        lines
            .iter()
            .filter(|line| !line.starts_with("remote:"))
            .any(|line| sentences.iter().any(|sentence| line.contains(sentence)))
    };
    if says(NEEDS_CREDENTIALS) {
        return if project.credentials.is_some() { &CREDENTIALS_REFUSED } else { &CREDENTIALS_MISSING };
    }
    if says(&["fsck error"]) && is_harmless(lines) {
        return &HARMLESS_FAULT;
    }
    match KNOWN.iter().chain([NO_REPOSITORY, CLOSED]).find(|(sentences, _)| says(sentences)) {
        None => &UNKNOWN,
        Some(known) if std::ptr::eq(known, NO_REPOSITORY) && project.git_url.scheme() == Scheme::Ssh => {
            &NO_REPOSITORY_OVER_SSH
        }
        Some((_, explanation)) => explanation,
    }
}

/// The same where the last answer was a page: git does not see that, and has no words for it.
pub(super) fn explain_page(lines: &[String], explanation: &'static Explanation) -> &'static Explanation {
    let is_unread = lines.iter().any(|line| line.contains("bad line length character"));
    if is_unread || [&MISSING_BRANCH, &UNKNOWN].contains(&explanation) { &NOT_A_GIT_SERVER } else { explanation }
}

/// `error: object 0a1b…: badTimezone: invalid author/committer line`: whether every such line names a fault of the list.
fn is_harmless(lines: &[String]) -> bool {
    let mut faults = lines.iter().filter_map(|line| line.strip_prefix("error: object ")?.split(": ").nth(1)).peekable();
    faults.peek().is_some() && faults.all(|name| GitFault::ALL.iter().any(|fault| fault.as_str() == name))
}

#[cfg(test)]
mod tests {
    use contract::register::{Document, Storage};

    use super::*;

    fn project(more: &str) -> Project {
        let text = format!(r#"{{"gitUrl":"https://git.example/demo.git","command":"deploy.sh"{more}}}"#);
        Project::read(Document { text: &text, storage: Storage::Encrypted }, None).unwrap()
    }

    fn problem(line: &str) -> &'static str {
        explain(&[line.to_owned()], &project(r#","authToken":"t""#)).problem
    }

    /// Each line as git 2.47 with GnuTLS, git 2.39 with OpenSSL, or OpenSSH 9 wrote it.
    #[test]
    fn what_git_said_is_explained() {
        for (line, start) in [
            ("fatal: couldn't find remote ref refs/heads/nope", "the branch does not exist"),
            (
                "fatal: Authentication failed for 'https://localhost:18443/app.git/'",
                "authentication failed: the server refused",
            ),
            (
                "fatal: unable to access 'https://h/moved/app.git/': The requested URL returned error: 301",
                "the server redirects",
            ),
            ("fatal: repository 'https://localhost:18443/nope.git/' not found", "there is no such repository"),
            (
                "fatal: unable to access 'https://h/app.git/': server certificate verification failed. CAfile: none CRLfile: none",
                "the server's TLS certificate is not signed",
            ),
            (
                "fatal: unable to access 'https://h/app.git/': SSL certificate problem: unable to get local issuer certificate",
                "the server's TLS certificate is not signed",
            ),
            (
                "fatal: unable to access 'https://h/': SSL: certificate subject name (localhost) does not match target host name 'h'",
                "the server's TLS certificate is for another host",
            ),
            (
                "fatal: unable to access 'https://h.invalid/app.git/': Could not resolve host: h.invalid",
                "the host name",
            ),
            (
                "fatal: unable to access 'https://h:1/': Failed to connect to h port 1 after 0 ms: Couldn't connect to server",
                "the Git host cannot be reached",
            ),
            (
                "fatal: dumb http transport does not support shallow capabilities",
                "the server does not speak git's own protocol",
            ),
            ("fatal: Server does not support shallow clients", "the server cannot be told a depth"),
            ("ssh: connect to host h port 22: Connection refused", "the Git host cannot be reached"),
            ("Host key verification failed.", "the server's SSH host key"),
            ("git@h: Permission denied (publickey).", "the server does not accept the SSH key"),
            ("Load key \"/dev/shm/x/key\": error in libcrypto", "the SSH private key cannot be read"),
            ("error: index-pack died of signal 25", "the branch is too big"),
            (
                "error: Server does not allow request for unadvertised object b9d8f17ff7d51a857072f6192c16b6c40aafeccd",
                "the server does not hand out the commit",
            ),
            (
                "fatal: remote error: upload-pack: not our ref b9d8f17ff7d51a857072f6192c16b6c40aafeccd",
                "the server does not hand out the commit",
            ),
            (
                "Unable to negotiate with 127.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss",
                "the SSH server has only host keys of SHA-1",
            ),
            (
                "fatal: https://h/app.git/info/refs not valid: is this a git repository?",
                "what answers there is not a Git server",
            ),
            (
                "fatal: https://h/app.git/info/refs not valid: could not determine hash algorithm; is this a git repository?",
                "what answers there is not a Git server",
            ),
            (
                "fatal: unable to access 'https://h/app.git/': The requested URL returned error: 503",
                "the Git host did not answer as it should",
            ),
            ("something new", "git failed"),
        ] {
            assert!(problem(line).starts_with(start), "{line}: {}", problem(line));
        }
    }

    #[test]
    fn a_project_without_credentials_is_told_to_store_some() {
        let lines = ["fatal: could not read Username for 'https://h': terminal prompts disabled".to_owned()];
        let explanation = explain(&lines, &project(""));
        assert!(explanation.problem.contains("the project has none") && explanation.advice.contains("authToken"));
    }

    #[test]
    fn what_nobody_has_mended_is_not_tried_again() {
        for line in ["fatal: Authentication failed for 'https://h/'", "something new", "Host key verification failed."]
        {
            assert_eq!(explain(&[line.to_owned()], &project("")).nature, Lasting, "{line}");
        }
        for line in [
            "ssh: Could not resolve hostname h: Name or service not known",
            "fatal: unable to access 'https://h:1/': Failed to connect to h port 1 after 0 ms: Couldn't connect to server",
            "ssh: connect to host h port 22: Connection timed out",
            "fatal: Could not read from remote repository.",
        ] {
            assert_eq!(explain(&[line.to_owned()], &project("")).nature, Unreached, "{line}");
        }
    }

    /// As git with GnuTLS and with OpenSSL, curl and OpenSSH say it.
    #[test]
    fn what_passes_by_itself_is_taken_as_passing() {
        for line in [
            "fatal: early EOF",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 408",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 429",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 500",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 507",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 520",
            "fatal: unable to access 'https://h/r/': The requested URL returned error: 599",
            "error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
            "error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429",
            "error: RPC failed; curl 56 GnuTLS recv error (-110): The TLS connection was non-properly terminated.",
            "fatal: unable to access 'https://h/r/': GnuTLS recv error (-54): Error in the pull function.",
            "error: RPC failed; curl 56 OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading",
            "fatal: unable to access 'https://h/r/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:443",
            "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)",
            "error: RPC failed; curl 18 transfer closed with outstanding read data remaining",
            "fatal: unable to access 'https://h/r/': Empty reply from server",
            "fatal: unable to access 'https://h/r/': Recv failure: Connection reset by peer",
            "fatal: unable to access 'https://h/r/': Operation timed out after 60001 milliseconds with 0 bytes received",
            "fatal: unable to access 'https://h/r/': Operation too slow. Less than 1000 bytes/sec transferred the last 60 seconds",
            "fatal: expected 'packfile'",
            "fatal: expected flush after ref listing",
            "fatal: the remote end hung up unexpectedly",
            "fatal: the remote end hung up upon initial contact",
            "fatal: fetch-pack: unexpected disconnect while reading sideband packet",
            "fatal: fetch-pack: invalid index-pack output",
            "kex_exchange_identification: Connection closed by remote host",
            "kex_exchange_identification: read: Connection reset by peer",
            "client_loop: send disconnect: Broken pipe",
        ] {
            assert_eq!(explain(&[line.to_owned()], &project("")).nature, Passing, "{line}");
        }
        assert!(problem("fatal: Operation too slow. Less than").contains("sends too slowly"));
        assert!(problem("error: RPC failed; HTTP 429 curl 22 The requested").contains("so often"));
    }

    #[test]
    fn a_harmless_fault_comes_with_the_key_that_accepts_it() {
        let explained = |fault: &str| {
            let object = format!("error: object b9d8f17ff7d51a857072f6192c16b6c40aafeccd: {fault}");
            let lines =
                [object, "fatal: fsck error in packed object".to_owned(), "fatal: index-pack failed".to_owned()];
            explain(&lines, &project("")).advice.contains("acceptedGitFaults")
        };
        assert!(explained("badTimezone: invalid author/committer line - bad time zone"));
        assert!(!explained("hasDotgit: contains '.git'"));
        assert!(!explained("treeNotSorted: badTimezone: not properly sorted"));
    }

    #[test]
    fn a_path_that_is_relative_to_a_home_is_hinted_at_where_ssh_finds_no_repository() {
        let text = r#"{"gitUrl":"git@git.example:demo.git","command":"deploy.sh"}"#;
        let over_ssh = Project::read(Document { text, storage: Storage::Plain }, None).unwrap();
        let lines = ["fatal: 'demo.git' does not appear to be a git repository".to_owned()];
        assert!(explain(&lines, &over_ssh).advice.contains("ssh://user@host/~/path"));
        assert!(!explain(&lines, &project("")).advice.contains("ssh://"));
    }

    #[test]
    fn a_page_is_the_cause_only_where_git_has_no_better_one() {
        let of_a_page = |line: &str| {
            let lines = [line.to_owned()];
            explain_page(&lines, explain(&lines, &project(""))).problem
        };
        for line in
            ["fatal: couldn't find remote ref refs/heads/main", "fatal: remote-curl: bad line length character: <htm"]
        {
            assert!(of_a_page(line).starts_with("what answers there is not a Git server"), "{line}");
        }
        assert!(of_a_page("fatal: early EOF").starts_with("the Git host did not answer"));
    }

    #[test]
    fn the_server_does_not_choose_the_explanation() {
        assert_eq!(problem("remote: Host key verification failed."), "git failed");
    }
}
