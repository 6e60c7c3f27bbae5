//! Asks the broker for a token of the pipeline's GitHub App, for one project's repository, and to revoke it.

use std::fmt;
use std::time::Duration;

pub use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use contract::broker::{Minted, Purpose, Question, alias, function};
use contract::{ConfigPath, ProjectName, printable};
use secrecy::SecretString;
use serde_json::Value;

use crate::error::{Effect, Kind, explain};

/// More than the broker's own, which is two requests to GitHub.
const ATTEMPT: Duration = Duration::from_secs(45);
/// Longest sentence of the broker's that is repeated, in characters.
const MAX_REASON_CHARS: usize = 500;
/// How the broker calls an error that no later try mends, and one that may pass.
pub const NEVER: &str = "never";
pub const LATER: &str = "later";

/// The broker, for one project and purpose.
pub struct Broker<'a> {
    lambda: Client,
    config_path: &'a ConfigPath,
    project: &'a ProjectName,
    purpose: Purpose,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Refusal {
    /// What was tried, what went wrong, and, if the broker said so, what to do.
    pub reason: String,
    /// Whether only a person can mend it.
    pub is_lasting: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

/// For [`Broker::new`]. It asks once: of a second try, nobody would know the first one's token, and revoke it.
#[must_use]
pub fn client(aws: &SdkConfig) -> Client {
    let config = aws_sdk_lambda::config::Builder::from(aws)
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

impl<'a> Broker<'a> {
    #[must_use]
    pub fn new(lambda: Client, config_path: &'a ConfigPath, project: &'a ProjectName, purpose: Purpose) -> Self {
        Self { lambda, config_path, project, purpose }
    }

    /// # Errors
    /// If the broker cannot be asked, or gives none.
    pub async fn mint(&self) -> Result<Minted, Refusal> {
        let answer = self.ask(&Question::Mint).await?;
        Minted::read(&answer).ok_or_else(|| Refusal {
            reason: format!("{}: its answer holds no token", self.asking()),
            is_lasting: true,
        })
    }

    /// # Errors
    /// If the broker cannot be asked, or GitHub not. Then the token ends by itself within the hour.
    pub async fn revoke(&self, token: SecretString) -> Result<(), Refusal> {
        self.ask(&Question::Revoke(token)).await.map(drop)
    }

    async fn ask(&self, question: &Question) -> Result<Vec<u8>, Refusal> {
        let call = self.lambda.invoke().function_name(function(self.config_path));
        let call = call.qualifier(alias(self.purpose, self.project));
        let answer = call.payload(Blob::new(question.to_json().to_string())).send().await.map_err(|error| {
            let error = explain(&self.asking(), Effect::None, error);
            // Right after an apply, IAM itself lags behind.
            let is_lasting = error.kind.is_lasting() && error.kind != Kind::AccessDenied;
            Refusal { is_lasting, reason: error.reason }
        })?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_none() {
            return Ok(payload);
        }
        let said: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let text = |key: &str| said[key].as_str().unwrap_or_default();
        // Lambda's own errors, as of a function that took too long, have other types.
        let is_lasting = text("errorType") == NEVER;
        let reason = printable(text("errorMessage"), MAX_REASON_CHARS);
        Err(Refusal { reason: format!("{}: {reason}", self.asking()), is_lasting })
    }

    fn asking(&self) -> String {
        format!("asking {}:{} for a token", function(self.config_path), alias(self.purpose, self.project))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_types::error::ErrorMetadata;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::fixtures::{config_path, project};

    async fn minted(rule: Rule) -> Result<Minted, Refusal> {
        let (config_path, demo) = (config_path(), project("demo"));
        let lambda = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&rule]);
        Broker::new(lambda, &config_path, &demo, Purpose::Fetch).mint().await
    }

    fn answering(error: Option<&'static str>, payload: &'static str) -> Rule {
        mock!(Client::invoke)
            .match_requests(|input| {
                let asked = (input.function_name(), input.qualifier(), input.payload().map(AsRef::as_ref));
                asked == (Some("iwomp-in-aws--broker"), Some("fetch-demo"), Some(b"{}".as_slice()))
            })
            .then_output(move || {
                let output =
                    InvokeOutput::builder().payload(Blob::new(payload)).set_function_error(error.map(str::to_owned));
                output.build()
            })
    }

    #[tokio::test]
    async fn the_brokers_own_words_are_told_and_whether_to_ask_again() {
        let answer = r#"{"token":"ghs_x","expires":"soon","api":"https://api.github.com"}"#;
        assert_eq!(minted(answering(None, answer)).await.unwrap().token.expose_secret(), "ghs_x");
        for (error, payload, is_lasting, said) in [
            (
                Some("Unhandled"),
                r#"{"errorType":"never","errorMessage":"the App is\u001b not there"}"#,
                true,
                "not there",
            ),
            (Some("Unhandled"), r#"{"errorType":"later","errorMessage":"GitHub is down"}"#, false, "GitHub is down"),
            (Some("Unhandled"), r#"{"errorType":"Sandbox.Timedout","errorMessage":"timed out"}"#, false, "timed out"),
            (None, r#"{"token":"a b"}"#, true, "holds no token"),
        ] {
            let refusal = minted(answering(error, payload)).await.unwrap_err();
            assert_eq!(refusal.is_lasting, is_lasting, "{refusal}");
            assert!(refusal.reason.starts_with("asking iwomp-in-aws--broker:fetch-demo for a token: "), "{refusal}");
            assert!(refusal.reason.contains(said) && !refusal.reason.contains('\u{1b}'), "{refusal}");
        }
    }

    #[tokio::test]
    async fn whoever_may_not_call_the_alias_is_told_so_by_aws() {
        let denied = mock!(Client::invoke).then_error(|| {
            InvokeError::generic(ErrorMetadata::builder().code("AccessDeniedException").message("no").build())
        });
        let refusal = minted(denied).await.unwrap_err();
        assert!(!refusal.is_lasting && refusal.reason.contains("AccessDeniedException: no"), "{refusal}");
    }
}
