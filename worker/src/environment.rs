//! What children see of the worker's environment: two lists of names, each group with its reason. Everything else stays
//! here, whoever set it: inherited `GIT_*` variables gave code execution and turned TLS checks off when they were tried.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Variables, as a child gets them.
pub type Environment = BTreeMap<OsString, OsString>;

/// Looked up when there is no `PATH`. A child never searches the directory it runs in.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the registered command gets to see.
const FOR_COMMAND: &[&str] = &[
    // The ground every tool stands on.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TZ",
    "TMPDIR",
    "LANG",
    // To deploy: the region. Credentials are listed below.
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    // Where AWS is, if it is not where the SDKs think: a local AWS, a private endpoint, dual-stack or FIPS endpoints.
    "AWS_ENDPOINT_URL",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    // Whom to trust, in a network that inspects TLS.
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    // How to get out, in a network without a direct way.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    // Which build this is, so that a tool can say it in a tag or a message.
    "CODEBUILD_BUILD_ID",
    "CODEBUILD_BUILD_ARN",
    "CODEBUILD_BUILD_NUMBER",
    // Tells tools not to ask questions and not to draw.
    "CI",
    "NO_COLOR",
    // What an image prepares for Terraform: a provider cache and a configuration with mirrors.
    "TF_PLUGIN_CACHE_DIR",
    "TF_CLI_CONFIG_FILE",
    "TF_IN_AUTOMATION",
];

/// The project role's credentials, in the forms in which CodeBuild or a local AWS gives them. The command sees them too, but
/// where it gets a deploy role's instead.
pub const CREDENTIALS: &[&str] = &[
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// What of them is secret: the others are names and addresses.
pub const SECRETS: [&str; 3] = ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// `LC_ALL`, `LC_CTYPE` and their kin: how the command reads and writes text.
const FOR_COMMAND_PREFIX: &str = "LC_";

/// What git gets to see: where its programs are, and the way out. Trust comes from the register (`caBundle`).
const FOR_GIT: &[&str] = &["PATH", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "https_proxy", "no_proxy", "all_proxy"];

/// A log is no terminal: told so, programs leave out colours, progress bars and pagers.
const TERMINAL: (&str, &str) = ("TERM", "dumb");

/// The part of `own` that the registered command sees.
#[must_use]
pub fn for_command(own: &Environment) -> Environment {
    let mut environment = select(own, |name| {
        FOR_COMMAND.contains(&name) || CREDENTIALS.contains(&name) || name.starts_with(FOR_COMMAND_PREFIX)
    });
    environment.insert(TERMINAL.0.into(), TERMINAL.1.into());
    environment
}

/// The part of `own` that git sees.
#[must_use]
pub fn for_git(own: &Environment) -> Environment {
    select(own, |name| FOR_GIT.contains(&name))
}

fn select(own: &Environment, wanted: impl Fn(&str) -> bool) -> Environment {
    let mut selected = own.clone();
    selected.retain(|name, _| name.to_str().is_some_and(&wanted));
    selected.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH.into());
    selected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(names: &[&str]) -> Environment {
        names.iter().map(|name| (OsString::from(name), OsString::from("x"))).collect()
    }

    fn names(environment: &Environment) -> Vec<&str> {
        environment.keys().map(|name| name.to_str().unwrap()).collect()
    }

    #[test]
    fn the_command_sees_what_is_listed_and_nothing_else() {
        let own =
            own(&["PATH", "LC_CTYPE", "AWS_REGION", "LD_PRELOAD", "CONFIGPATH", "GITBRANCH", "NPM_TOKEN", "BASH_ENV"]);
        assert_eq!(names(&for_command(&own)), ["AWS_REGION", "LC_CTYPE", "PATH", "TERM"]);
    }

    #[test]
    fn the_command_is_told_that_a_log_is_no_terminal() {
        let own = [("TERM".into(), "xterm-256color".into())].into();
        assert_eq!(for_command(&own)[&OsString::from("TERM")], "dumb");
    }

    #[test]
    fn git_sees_neither_aws_credentials_nor_git_variables() {
        let own = own(&[
            "PATH",
            "https_proxy",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "GIT_CONFIG_PARAMETERS",
            "GIT_TEMPLATE_DIR",
            "GIT_SSL_NO_VERIFY",
            "GIT_TRACE_CURL",
            "SSH_AUTH_SOCK",
            "HOME",
            "XDG_CONFIG_HOME",
            "LD_PRELOAD",
        ]);
        assert_eq!(names(&for_git(&own)), ["PATH", "https_proxy"]);
    }

    #[test]
    fn there_is_always_a_path() {
        assert_eq!(for_command(&Environment::new())[&OsString::from("PATH")], DEFAULT_PATH);
    }
}
