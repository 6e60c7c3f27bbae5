//! Where the register says `githubApp`, the credential is a token of the pipeline's GitHub App: for this run and this repository
//! alone, to read its files. The broker makes it, and it is revoked when nothing needs it any more.

use std::time::Duration;

use anyhow::Error;
use contract::broker::Purpose;
use contract::register::CredentialSource;
use contract::{ConfigPath, Credentials, Project, ProjectName};
use iwomp_aws::broker::{Broker, client};
use iwomp_aws::client::SdkConfig;
use secrecy::SecretString;
use tokio::time::{sleep, timeout};

use crate::bounds::Bounds;
use crate::failure::{Failure, Kind};
use crate::narration::{Narration, duration};

/// As GitHub's documentation names it.
const USERNAME: &str = "x-access-token";
const DOING: &str = "asking for a token of the GitHub App";
/// Before each further try, where the broker or GitHub may answer later.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];
/// A stopped build has little time left; the token ends by itself, too.
const REVOKING: Duration = Duration::from_secs(10);

/// A token to be revoked, of whichever project has one.
pub struct AppToken<'a> {
    broker: Broker<'a>,
    token: SecretString,
    expires: String,
}

impl<'a> AppToken<'a> {
    /// Gives `project` a token as its credential, if it uses the App.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn take(
        project: &mut Project,
        aws: &SdkConfig,
        (config_path, name): (&'a ConfigPath, &'a ProjectName),
        bounds: &Bounds,
        narration: &mut Narration,
    ) -> Result<Option<Self>, Failure> {
        if project.credential_source == CredentialSource::Stored {
            return Ok(None);
        }
        let broker = Broker::new(client(aws), config_path, name, Purpose::Fetch);
        let mut pauses = PAUSES.into_iter();
        let minted = loop {
            let refusal = match bounds.or_stop(DOING, async { Ok(broker.mint().await) }).await? {
                Ok(minted) => break minted,
                Err(refusal) => refusal,
            };
            let Some(pause) = pauses.next().filter(|pause| !refusal.is_lasting && *pause < bounds.remaining()) else {
                let advice = "do what the broker says (\"The GitHub App\" in docs/operations.md), then trigger again";
                return Err(Failure::new(Kind::Git, Error::new(refusal), advice));
            };
            narration.say("waiting", &format!("{refusal}; again in {}", duration(pause)));
            let waiting = async {
                sleep(pause).await;
                Ok(())
            };
            bounds.or_stop(DOING, waiting).await?;
        };
        narration.hide_secret(&minted.token);
        narration
            .say("credential", &format!("a token of the GitHub App, for this repository, until {}", minted.expires));
        project.credentials =
            Some(Credentials::Token { token: minted.token.clone(), username: Some(USERNAME.to_owned()) });
        Ok(Some(Self { broker, token: minted.token, expires: minted.expires }))
    }

    /// Whoever still has it has nothing.
    pub async fn revoke(self, narration: &Narration) {
        let left = match timeout(REVOKING, self.broker.revoke(self.token)).await {
            Ok(Ok(())) => return narration.say("credential", "the token of the GitHub App is revoked"),
            Ok(Err(refusal)) => refusal.reason,
            Err(_) => format!("no answer within {}", duration(REVOKING)),
        };
        narration.say("credential", &format!("the token is not revoked, and ends at {}: {left}", self.expires));
    }
}
