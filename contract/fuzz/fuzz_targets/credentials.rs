//! Any text as credentials: never a panic, one line each where git's protocol wants a line, and nothing shown.
#![no_main]

use contract::Credentials;
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;

fuzz_target!(|text: &str| {
    let Ok(credentials) = Credentials::parse(text) else { return };
    let lines = match &credentials {
        Credentials::Token { token, username } => vec![token.expose_secret(), username.as_deref().unwrap_or("none")],
        Credentials::Basic { username, password } => vec![username, password.expose_secret()],
        Credentials::Ssh { .. } => Vec::new(),
    };
    assert!(lines.iter().all(|line| !line.is_empty() && !line.contains(['\n', '\r', '\0'])));
    // Short secrets stand in the names of fields by chance.
    if let Credentials::Token { token, username: None } = &credentials
        && token.expose_secret().len() > 12
    {
        assert!(!format!("{credentials:?}").contains(token.expose_secret()));
    }
});
