//! What git meant: known sentences of git, curl and ssh, each with what a person can do about it. Only a hint for people:
//! nothing is decided by it.

use contract::Project;

/// Why a fetch failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) problem: &'static str,
    pub(super) advice: &'static str,
}

/// Sentences (any of them, in git's own spelling), what they mean, and what to do. The first match wins.
type Known = (&'static [&'static str], &'static str, &'static str);

const KNOWN: &[Known] = &[
    (
        &["couldn't find remote ref"],
        "the branch does not exist there",
        "push the branch, or correct the branch in the trigger",
    ),
    (
        &[
            "returned error: 301",
            "returned error: 302",
            "returned error: 303",
            "returned error: 307",
            "returned error: 308",
        ],
        "the server redirects to another URL, and redirects are not followed, because the credential would go along",
        "a renamed repository, or a GitLab URL without .git: put the final URL into gitUrl",
    ),
    (
        &["certificate subject name", "no alternative certificate subject", "does not match target host name"],
        "the server's TLS certificate is for another host name",
        "use the host name of the certificate in gitUrl",
    ),
    (
        &["server certificate verification failed", "SSL certificate problem", "certificate verify failed"],
        "the server's TLS certificate is not signed by an authority that is trusted",
        "for a Git host behind a private CA, set caBundle of the project to the CA's certificates; if it is set, it must \
         hold those of this host, and no others are trusted beside it",
    ),
    (
        &["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED"],
        "the server's SSH host key is not one of knownHosts: a new key, or somebody in between",
        "compare the key with what the Git host publishes; only if it is theirs, put it into knownHosts of the credentials",
    ),
    (
        &["error in libcrypto", "invalid format", "incorrect passphrase"],
        "the SSH private key cannot be read",
        "store sshPrivateKey as ssh-keygen wrote it, without passphrase",
    ),
    (
        &["Permission denied (publickey"],
        "the server does not accept the SSH key",
        "add the public key to the repository as a deploy key (reading is enough), or store the right private key",
    ),
    (
        &["Could not resolve host"],
        "the host name of gitUrl cannot be resolved",
        "correct gitUrl; for a private host, the build needs a network that resolves it",
    ),
    (
        &[
            "Failed to connect",
            "Connection refused",
            "Connection timed out",
            "Network is unreachable",
            "No route to host",
        ],
        "the Git host cannot be reached",
        "see whether it is up and whether the build's network may reach it, then trigger again",
    ),
    (
        &["Operation too slow"],
        "the Git host answers too slowly, or not at all",
        "see whether it is up and whether the build's network may reach it, then trigger again",
    ),
    (
        &["died of signal 25", "File too large"],
        "the branch is too big: its history is over 4 GiB",
        "keep large files out of the repository",
    ),
    (
        &["fsck error", "error: object "],
        "the repository holds objects that git's own check refuses",
        "run git fsck on the repository and rewrite what it complains of",
    ),
    (
        &["mismatched algorithms"],
        "the repository uses SHA-256 object ids, which are not supported yet",
        "use a repository with SHA-1 object ids",
    ),
];

const NEEDS_CREDENTIALS: &[&str] = &[
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "unable to get password",
    "returned error: 401",
    "returned error: 403",
];
const NO_REPOSITORY: &[&str] =
    &["fatal: repository '", "Repository not found", "does not appear to be a git repository"];

/// Explains the standard error of a failed fetch.
pub(super) fn explain(lines: &[String], project: &Project) -> Explanation {
    // `remote:` lines are the server's words; it shall not choose the explanation.
    let says = |sentences: &[&str]| {
        lines
            .iter()
            .filter(|line| !line.starts_with("remote:"))
            .any(|line| sentences.iter().any(|sentence| line.contains(sentence)))
    };
    if says(NEEDS_CREDENTIALS) {
        return match project.credentials {
            Some(_) => Explanation {
                problem: "authentication failed: the server refused the project's credentials",
                advice: "see whether the token or password has expired and may read this repository, then store a new one; \
                         some hosts want a certain basicUsername or authScheme",
            },
            None => Explanation {
                problem: "authentication failed: the server asks for credentials, and the project has none",
                advice: "store an authToken, or basicUsername and basicPassword, in the project's credentials parameter",
            },
        };
    }
    if let Some(&(_, problem, advice)) = KNOWN.iter().find(|(sentences, ..)| says(sentences)) {
        return Explanation { problem, advice };
    }
    if says(NO_REPOSITORY) {
        return Explanation {
            problem: "there is no such repository, or the credentials may not see it",
            advice: "correct gitUrl, or give the credentials the right to read the repository",
        };
    }
    Explanation { problem: "git failed", advice: "git's own words are in the lines above" }
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
            ("ssh: connect to host h port 22: Connection refused", "the Git host cannot be reached"),
            ("Host key verification failed.", "the server's SSH host key"),
            ("git@h: Permission denied (publickey).", "the server does not accept the SSH key"),
            ("Load key \"/dev/shm/x/key\": error in libcrypto", "the SSH private key cannot be read"),
            ("error: index-pack died of signal 25", "the branch is too big"),
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
    fn the_server_does_not_choose_the_explanation() {
        assert_eq!(problem("remote: Host key verification failed."), "git failed");
    }
}
