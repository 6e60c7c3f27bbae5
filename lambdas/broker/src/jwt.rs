//! Who the App is, for some minutes, in the form that GitHub wants: a JSON Web Token, RS256, which KMS signs.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use aws_smithy_types::base64;
use iwomp_aws::aws_error;
use secrecy::SecretString;
use serde_json::json;

/// Against a clock that is not GitHub's.
const BACK: Duration = Duration::from_secs(60);
/// GitHub takes ten minutes; two requests need some seconds.
const AHEAD: Duration = Duration::from_secs(120);

/// A token that says that it comes from the App.
pub async fn sign(kms: &Client, key_arn: &str, app_id: &str, now: SystemTime) -> Result<SecretString> {
    let text = unsigned(app_id, now);
    let call = kms.sign().key_id(key_arn).message_type(MessageType::Raw).message(Blob::new(text.as_bytes()));
    let answer = call.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send().await;
    let answer = answer.map_err(aws_error).with_context(|| format!("signing with the App's key {key_arn}"))?;
    let signature = answer.signature.context("KMS's answer holds no signature")?;
    Ok(format!("{text}.{}", url_safe(signature.as_ref())).into())
}

fn unsigned(app_id: &str, now: SystemTime) -> String {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({"iat": seconds(now - BACK), "exp": seconds(now + AHEAD), "iss": app_id});
    let part = |json: serde_json::Value| url_safe(json.to_string().as_bytes());
    format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims))
}

/// Base64 with the letters of RFC 7515, and without what fills it up.
fn url_safe(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_and_for_how_long_in_letters_that_a_header_takes() {
        let text = unsigned("123456", UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let parts: Vec<_> = text
            .split('.')
            .map(|part| {
                assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{part}");
                let filled =
                    format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4)).replace('-', "+").replace('_', "/");
                serde_json::from_slice::<serde_json::Value>(&base64::decode(filled).unwrap()).unwrap()
            })
            .collect();
        let claims = json!({"iat": 1_799_999_940, "exp": 1_800_000_120, "iss": "123456"});
        assert_eq!(parts, [json!({"alg": "RS256", "typ": "JWT"}), claims]);
        assert_eq!(url_safe(&[0xfb, 0xff, 0xfe, 0x01]), "-__-AQ");
    }
}
