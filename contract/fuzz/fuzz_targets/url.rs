//! Any text as a Git URL: never a panic, and what is accepted is https or ssh to a name, and its own normal form.
#![no_main]

use contract::GitUrl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(url) = GitUrl::parse(text) else { return };
    assert_eq!(GitUrl::parse(url.as_str()).as_ref(), Ok(&url));
    let https = url.as_str().starts_with("https://") && !url.as_str().contains('@');
    let ssh = url.as_str().starts_with("ssh://") && url.as_str().matches('@').count() == 1;
    assert!(https || ssh, "{}", url.as_str());
    assert!(url.host().parse::<std::net::IpAddr>().is_err() && !url.host().starts_with('-'));
    assert!(url.as_str().bytes().all(|b| b.is_ascii_graphic()));
});
