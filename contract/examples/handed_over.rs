//! Reads what somebody hands over as a project's Git credentials from standard input and prints the document to store. Applies the
//! rules of the worker; those that need the repository's URL, if it is given as the only argument.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use contract::GitUrl;
use contract::credentials::{MAX_DOCUMENT_BYTES, handed_over};
use secrecy::ExposeSecret;

fn main() -> ExitCode {
    match document() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn document() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).map(|text| GitUrl::parse(&text)).transpose()?;
    let mut bytes = Vec::new();
    // Twice as many, for UTF-16 shall be told what it is; no more, whatever comes.
    io::stdin().take(2 * MAX_DOCUMENT_BYTES as u64 + 2).read_to_end(&mut bytes)?;
    let document = handed_over(&bytes, url.as_ref())?;
    io::stdout().write_all(document.expose_secret().as_bytes())?;
    Ok(())
}
