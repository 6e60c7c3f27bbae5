//! A local stack that `make up` has left running: where it is, and the keys of its operator. It is looked for in the folder where
//! one stands and in those above, as git looks for a repository, so that it is found from within a checkout and nowhere else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::exit::{Exit, Failure};

/// Written by local/iwomp_local/standing.py.
const FILE: &str = ".local/default/iwomp.json";
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// How to talk to it.
#[derive(Clone, Deserialize)]
pub struct Local {
    /// Of this machine, whatever the file may say beside it: a folder is not always one's own.
    port: u16,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
}

impl Local {
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The stack that is up, if there is one.
    ///
    /// # Errors
    /// If there should be one but it does not answer. An account is then not what was meant.
    pub async fn find(start: &Path) -> Result<Option<Self>, Failure> {
        let Some((file, text)) = start.ancestors().find_map(|folder| {
            let file = folder.join(FILE);
            std::fs::read_to_string(&file).ok().map(|text| (file, text))
        }) else {
            return Ok(None);
        };
        let broken = |error| {
            Failure::new(Exit::Failed, format!("{} does not say where the local stack is: {error}", file.display()))
                .advise("make down, or name the pipeline that you mean with --region")
        };
        let local: Self = serde_json::from_str(&text).map_err(broken)?;
        match timeout(LOOK_TIMEOUT, TcpStream::connect(local.address())).await {
            Ok(Ok(_)) => Ok(Some(local)),
            _ => Err(Failure::new(
                Exit::Unknown,
                format!("the local stack of {} does not answer at {}", file.display(), local.endpoint()),
            )
            .advise("make up starts it again; make down forgets it; --region names a pipeline in an account")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn written(port: u16) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!(r#"{{"port":{port},"region":"eu-central-1","access_key":"a","secret_key":"s"}}"#);
        std::fs::write(file, text).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_stack_that_is_up_is_found_from_below_its_checkout() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let folder = written(port);
        let below = folder.path().join("terraform/modules");
        std::fs::create_dir_all(&below).unwrap();
        let local = Local::find(&below).await.unwrap().unwrap();
        assert_eq!(local.endpoint(), format!("http://127.0.0.1:{port}"));
    }

    #[tokio::test]
    async fn elsewhere_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Local::find(folder.path()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_stack_that_is_gone_is_no_reason_to_talk_to_an_account() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let folder = written(server.local_addr().unwrap().port());
        drop(server);
        let failure = Local::find(folder.path()).await.map(|_| ()).unwrap_err();
        assert!(failure.what.contains("does not answer") && failure.advice.unwrap().contains("make down"));
        std::fs::write(folder.path().join(FILE), "garbage").unwrap();
        assert_eq!(Local::find(folder.path()).await.map(|_| ()).unwrap_err().exit, Exit::Failed);
    }
}
