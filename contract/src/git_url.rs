//! The URL of a registered repository. It is an attack surface of its own: `file://`, `ext::`, `fd::`, addresses of the
//! metadata service, user information, and hosts that begin with `-` all mean something to git or to ssh.

use url::Url;

use crate::DocumentError;

const KEY: &str = "gitUrl";
pub(crate) const MAX_URL_BYTES: usize = 1024;
/// Hosts sign what they hand out, in the query.
const MAX_HREF_BYTES: usize = 8192;

/// How a repository is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Https,
    Ssh,
}

/// Why a URL that somebody else wrote is none of the repository's own origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOwn {
    #[error("it is no URL of a host")]
    NoUrl,
    /// Scheme, host and port that it leads to.
    #[error("it is at {0}")]
    At(String),
}

/// An `https://` or `ssh://` URL with a DNS name as its host and a plain path. Holds no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    text: String,
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    /// Of the path, with which the text ends.
    path_bytes: usize,
}

impl GitUrl {
    /// Accepts `https://host[:port]/path`, `ssh://[user@]host[:port]/path` and the scp form `user@host:path`, which is
    /// rewritten to the second. An SSH URL without a user gets `git`.
    ///
    /// # Errors
    /// Names the rule; the URL itself is not repeated, since somebody may have put a password into it.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        Self::parse_or_rule(text).map_err(|rule| DocumentError::Invalid { key: KEY, rule })
    }

    fn parse_or_rule(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_URL_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("must be at most 1024 printable ASCII characters without spaces");
        }
        let text = scp_form_as_url(text).unwrap_or_else(|| text.to_owned());
        if has_colon_for_slash(&text) {
            return Err(
                "must have / and not : between host and path: a colon is for a port, or for user@host:path without ssh://",
            );
        }
        let url = Url::parse(&text).map_err(|_| "must be an https:// or ssh:// URL")?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "ssh" => Scheme::Ssh,
            _ => return Err("must be an https:// or ssh:// URL"),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must have no query and no fragment");
        }
        if url.password().is_some() || (scheme == Scheme::Https && !url.username().is_empty()) {
            return Err("must hold no user information; credentials have a parameter of their own");
        }
        let host = url.host_str().unwrap_or_default();
        if !is_dns_name(host) {
            return Err("must name its host by a DNS name, not by an address");
        }
        if !url.as_str().eq_ignore_ascii_case(&text) {
            return Err("must be in normal form: no default port, no . or .. segment");
        }
        check_path(url.path())?;
        let user = match (scheme, url.username()) {
            (Scheme::Https, _) => String::new(),
            (Scheme::Ssh, "") => "git@".to_owned(),
            (Scheme::Ssh, user) if is_user_name(user) => format!("{user}@"),
            (Scheme::Ssh, _) => {
                return Err("must have a user name of a-z A-Z 0-9 . _ - before its @");
            }
        };
        let host = host.to_ascii_lowercase();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            text: format!("{}://{user}{host}{port}{}", url.scheme(), url.path()),
            scheme,
            host,
            port: url.port(),
            path_bytes: url.path().len(),
        })
    }

    /// The URL that `text` means in a `.gitmodules` of the repository at this URL: `./` and `../` at its beginning are steps in
    /// this URL's path, which do not leave it; anything else is a URL of its own.
    ///
    /// # Errors
    /// Like [`Self::parse`].
    pub fn resolve(&self, text: &str) -> Result<Self, DocumentError> {
        let invalid = DocumentError::Invalid { key: KEY, rule: "must not lead out of the host by ../" };
        let (mut rest, mut base) = (text, self.text.trim_end_matches('/'));
        let host_end = self.text.len() - self.path_bytes;
        loop {
            if let Some(further) = rest.strip_prefix("./") {
                rest = further;
            } else if let Some(further) = rest.strip_prefix("../") {
                let slash = base.rfind('/').filter(|&slash| slash >= host_end).ok_or_else(|| invalid.clone())?;
                (rest, base) = (further, &base[..slash]);
            } else if rest.len() == text.len() {
                return Self::parse(text);
            } else {
                return Self::parse(&format!("{base}/{rest}"));
            }
        }
    }

    /// The URL `text` in its normal form, if it is of this URL's origin: scheme, host and port are the same, and nothing stands
    /// before the host. Path and query may be any.
    ///
    /// # Errors
    /// Where it leads to instead.
    pub fn own(&self, text: &str) -> Result<String, NotOwn> {
        if text.len() > MAX_HREF_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(NotOwn::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| NotOwn::NoUrl)?;
        // What is looked at is what is returned, so that nobody can read it otherwise afterwards.
        if url.as_str().starts_with(&format!("{}/", self.origin())) {
            return Ok(url.into());
        }
        match url.origin() {
            origin @ url::Origin::Tuple(..) if url.username().is_empty() && url.password().is_none() => {
                Err(NotOwn::At(origin.ascii_serialization()))
            }
            _ => Err(NotOwn::NoUrl),
        }
    }

    /// Where the host of an HTTPS URL is asked for files of Git LFS.
    /// <https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md>
    #[must_use]
    pub fn lfs_batch(&self) -> String {
        let text = self.text.trim_end_matches('/');
        format!("{}.git/info/lfs/objects/batch", text.strip_suffix(".git").unwrap_or(text))
    }

    /// The URL as git gets it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, lower case, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it is not the scheme's own.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The repository's path without what may stand around it: `owner/name`, on most hosts.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.text[self.text.len() - self.path_bytes..].trim_matches('/').trim_end_matches(".git")
    }

    /// Scheme, host and port: what a credential is bound to.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Ssh => "ssh",
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}", self.host)
    }
}

/// `user@host:path` as `ssh://user@host/path`; `None` for anything else.
fn scp_form_as_url(text: &str) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let (login, path) = text.split_once(':')?;
    let (user, host) = login.split_once('@')?;
    (!user.is_empty() && !host.is_empty() && !path.starts_with(':'))
        .then(|| format!("ssh://{user}@{host}/{}", path.trim_start_matches('/')))
}

/// `ssh://git@host:org/repo`: the scp form with a scheme in front, as people write it who know both.
fn has_colon_for_slash(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    host.split_once(':')
        .is_some_and(|(_, path)| path.starts_with(|c: char| c.is_ascii_alphabetic() || "_~.".contains(c)))
}

/// Labels of letters, digits and inner `-`. The last one starts with a letter: `127.1`, `2130706433` and `0x7f.1` are
/// addresses to a resolver.
fn is_dns_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253
        && host.split('.').all(label)
        && host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn is_user_name(user: &str) -> bool {
    user.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.trim_matches('/').is_empty() {
        return Err("must have a path to a repository");
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._~+%-".contains(&b);
    if !path.bytes().all(plain) {
        return Err("must have a path of A-Z a-z 0-9 / . _ ~ + - and %20");
    }
    // Decoded by git, any other escape could smuggle a control character or a slash past this check.
    if path.replace("%20", "").contains('%') {
        return Err("must have no percent escape in its path but %20");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_ssh_urls_are_taken() {
        for (text, normal, origin) in [
            ("https://github.com/org/repo.git", "https://github.com/org/repo.git", "https://github.com"),
            ("https://GitHub.com/Org/repo", "https://github.com/Org/repo", "https://github.com"),
            (
                "https://git.example.org:8443/a/b/~c",
                "https://git.example.org:8443/a/b/~c",
                "https://git.example.org:8443",
            ),
            (
                "https://dev.azure.com/o/My%20Project/_git/r",
                "https://dev.azure.com/o/My%20Project/_git/r",
                "https://dev.azure.com",
            ),
            ("https://localhost:4430/demo.git", "https://localhost:4430/demo.git", "https://localhost:4430"),
            ("ssh://git@github.com/org/repo.git", "ssh://git@github.com/org/repo.git", "ssh://github.com"),
            ("ssh://github.com:2222/repo", "ssh://git@github.com:2222/repo", "ssh://github.com:2222"),
            ("git@github.com:org/repo.git", "ssh://git@github.com/org/repo.git", "ssh://github.com"),
            ("git@host.example:/srv/repo.git", "ssh://git@host.example/srv/repo.git", "ssh://host.example"),
        ] {
            let url = GitUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.as_str(), url.origin().as_str()), (normal, origin), "{text}");
        }
    }

    #[test]
    fn only_urls_of_the_same_scheme_host_and_port_are_a_repositorys_own() {
        let repository = GitUrl::parse("https://git.example:8443/org/demo.git").unwrap();
        for (text, normal) in [
            ("https://git.example:8443/", "https://git.example:8443/"),
            ("https://GIT.example:8443/x?signature=a%2Fb&c", "https://git.example:8443/x?signature=a%2Fb&c"),
            ("HTTPS:\\\\git.example:8443/x", "https://git.example:8443/x"),
            ("https://git.example:8443/a/../b", "https://git.example:8443/b"),
            ("https://git.example:8443/https://evil.example/", "https://git.example:8443/https://evil.example/"),
        ] {
            assert_eq!(repository.own(text).as_deref(), Ok(normal), "{text}");
        }
        for (text, origin) in [
            ("https://git.example/x", "https://git.example"),
            ("https://git.example:443/x", "https://git.example"),
            ("https://git.example:8444/x", "https://git.example:8444"),
            ("http://git.example:8443/x", "http://git.example:8443"),
            ("https://sub.git.example:8443/x", "https://sub.git.example:8443"),
            ("https://git.example.evil.example:8443/x", "https://git.example.evil.example:8443"),
            ("https://evil.example?git.example:8443/", "https://evil.example"),
            ("https://evil.example\\git.example:8443/", "https://evil.example"),
            ("https://169.254.170.2/x", "https://169.254.170.2"),
        ] {
            assert_eq!(repository.own(text), Err(NotOwn::At(origin.to_owned())), "{text}");
        }
        for text in [
            "https://git.example:8443@evil.example/x",
            "https://a:b@git.example:8443/x",
            "https://a@git.example:8443/x",
            "//git.example:8443/x",
            "/x",
            "",
            "file:///etc/passwd",
            "data:,x",
            "https:",
            "https://git.example:8443/a b",
            "https://git.example:8443/\n",
            &format!("https://git.example:8443/{}", "x".repeat(8192)),
        ] {
            assert_eq!(repository.own(text), Err(NotOwn::NoUrl), "{text}");
        }
        let ordinary = GitUrl::parse("https://git.example/demo").unwrap();
        assert_eq!(ordinary.own("https://git.example:443/x").as_deref(), Ok("https://git.example/x"));
    }

    #[test]
    fn files_of_lfs_are_asked_for_below_the_repository() {
        for text in ["https://git.example/o/r", "https://git.example/o/r.git", "https://git.example/o/r/"] {
            let batch = "https://git.example/o/r.git/info/lfs/objects/batch";
            assert_eq!(GitUrl::parse(text).unwrap().lfs_batch(), batch, "{text}");
        }
    }

    #[test]
    fn a_repository_is_the_path_without_what_may_stand_around_it() {
        for text in [
            "https://git.example/o/r",
            "https://git.example//o/r.git",
            "git@git.example:o/r.git",
            "https://git.example/o/r/",
        ] {
            assert_eq!(GitUrl::parse(text).unwrap().repository(), "o/r", "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "repo",
            "/srv/repo.git",
            "./repo",
            "file:///etc",
            "http://github.com/o/r",
            "git://github.com/o/r",
            "ext::sh -c id",
            "ext::sh",
            "fd::3",
            "ftp://x.example/y",
            "https://",
            "https://github.com",
            "https://github.com/",
            "http://169.254.170.2/v2/credentials",
            "https://169.254.169.254/r",
            "https://127.1/r",
            "https://2130706433/r",
            "https://0x7f.1/r",
            "https://[::1]/r",
            "ssh://127.0.0.1/r",
            "ssh://[::1]/r",
            "git@127.0.0.1:r",
            "https://token@github.com/o/r",
            "https://user:pw@github.com/o/r",
            "https://@github.com/o/r",
            "ssh://git:pw@github.com/o/r",
            "https://github.com/o/r?x=1",
            "https://github.com/o/r#main",
            "https://github.com/o/../r",
            "https://github.com/o/%2e%2e/r",
            "https://github.com/o/r%0a",
            "https://github.com/o/r%00",
            "https://github.com/o%2fr",
            "https://github.com:443/o/r",
            "ssh://-oProxyCommand=id/r",
            "ssh://-x@host/r",
            "-x@host:r",
            "ssh://git@-host/r",
            "ssh://git@-oProxyCommand.example/r",
            "https://github.com/o/r;id",
            "https://github.com/$(id)",
            "https://github.com/o/r\n",
            "https://github.com/o r",
            "https://git\u{fc}.example/r",
            "https:/github.com/o/r",
            "https:github.com/o/r",
            "https:\\\\github.com\\o",
            "git@host::r",
            "https://a..b/r",
            "https://a.b./r",
        ] {
            assert!(GitUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_colon_in_the_place_of_a_slash_is_told() {
        for text in ["ssh://git@github.com:org/repo.git", "https://github.com:org/repo", "ssh://github.com:~me/repo"] {
            let message = GitUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains("must have / and not : between host and path"), "{message}");
        }
        assert!(!GitUrl::parse("https://me:s3cret@github.com/o/r").unwrap_err().to_string().contains("and not :"));
    }

    #[test]
    fn an_error_does_not_repeat_a_password() {
        let message = GitUrl::parse("https://me:s3cret@github.com/o/r").unwrap_err().to_string();
        assert!(message.contains("gitUrl") && !message.contains("s3cret"), "{message}");
    }
}
