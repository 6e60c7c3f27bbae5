//! `iwomp github-app import-key`: puts the private key of a GitHub App into KMS, where it signs for the pipeline's broker and for
//! nobody else, and from where nobody can take it. It passes through no state of Terraform's.

use std::fs;

use aes_kw::cipher::Key;
use aes_kw::{IV_LEN, KeyInit, KwpAes256};
use anyhow::{Context, Result, bail};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{AlgorithmSpec, ExpirationModelType, KeySpec, KeyUsageType, OriginType, WrappingKeySpec};
use contract::ConfigPath;
use iwomp_aws::aws_error;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use rsa::{Generate, PrivateKey, PublicKey};
use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};

use crate::arguments::{ImportKeyArguments, Place};
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline;
use crate::terminal::Terminal;

/// GitHub makes no other, and KMS wants to know before.
const KEY_BYTES: usize = 256;
/// What an administrator of the account may do with the key. Not `Sign`, and not `CreateGrant`, which could give it away; whoever
/// may call `PutKeyPolicy` can change that, in plain sight of CloudTrail.
const ADMINISTER: [&str; 19] = [
    "kms:CancelKeyDeletion",
    "kms:DeleteImportedKeyMaterial",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetParametersForImport",
    "kms:GetPublicKey",
    "kms:ImportKeyMaterial",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
];

/// Whom [`policy`] takes for a build.
const LIKE_A_BUILD: &str = "the key's policy keeps off whoever is called like a pipeline's role, and so probably you \
    (aws sts get-caller-identity): a role with a region between double hyphens in its name, as x--eu-central-1--y, a role or user \
    with a path such as /x/eu-central-1/y/, or a federated user. Import it as another principal";

#[tokio::main(flavor = "current_thread")]
pub async fn import_key(
    place: &Place,
    arguments: &ImportKeyArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let ImportKeyArguments { file, change } = arguments;
    let reading = || format!("reading the App's private key from {}", file.display());
    let text = fs::read_to_string(file).map(Zeroizing::new).with_context(reading);
    let key = text.and_then(|text| parse(&text).with_context(reading));
    let key = key.map_err(|error| {
        Failure::new(Exit::Refused, format!("{error:#}"))
            .advise("hand over the .pem file that GitHub gives under \"Private keys\" of the App's settings")
    })?;
    let config_path = pipeline::config_path(place)?;
    let aws = pipeline::config(place, terminal).await?;
    let region = aws.region().context("no region is set: --region, AWS_REGION, or a --profile with one")?.clone();
    let caller = aws_sdk_sts::Client::new(&aws).get_caller_identity().send().await;
    let caller = caller.map_err(aws_error).context("asking STS whose account this is")?;
    let account = caller.account.context("STS did not say whose account this is")?;
    let partition = caller.arn.as_deref().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    let question = format!("Import the App's key into KMS in {account}, {region}, for the pipeline {config_path}?");
    if !is_wanted(&question, "make a key in KMS, and import this one", change, terminal)? {
        return Ok(Exit::Done);
    }
    let policy = policy((&partition, &account), region.as_ref(), &config_path);
    let arn = import(&Client::new(&aws), &key, &config_path, &policy).await?;
    terminal.line([format!("imported as {arn}").into()]);
    terminal
        .note("Only the pipeline's broker can sign with it. What stands in terraform.tfvars, with the App's own id:");
    terminal.line([format!(r#"github_app = {{ app_id = "...", key = "{arn}" }}"#).into()]);
    terminal.note(&format!("Now delete {}: GitHub makes another where one is needed", file.display()));
    Ok(Exit::Done)
}

/// As GitHub writes it (PKCS#1), or as OpenSSL does (PKCS#8). Errors show nothing of it.
fn parse(text: &str) -> Result<PrivateKey> {
    let parsed = PrivateKey::from_pkcs1_pem(text).ok().or_else(|| PrivateKey::from_pkcs8_pem(text).ok());
    let key = parsed.context("it is no RSA private key in PEM form without a passphrase")?;
    if key.size() != KEY_BYTES {
        bail!("it has {} bits, and a key of a GitHub App 2048", 8 * key.size());
    }
    Ok(key)
}

/// The key's policy: what no policy of IAM can widen. Of the roles of builds, and of what those make, it keeps off every pipeline's
/// in every region, by the shape of their names: no fence knows of a key that stands in no `github_app`.
fn policy((partition, account): (&str, &str), region: &str, config_path: &ConfigPath) -> Value {
    let iam = format!("arn:{partition}:iam::{account}");
    // A user, too, can be of a build's making, and a session that it opens is called neither after it nor after its path.
    let sessions = format!("arn:{partition}:sts::{account}:federated-user/*");
    let account = json!({"AWS": format!("{iam}:root")});
    // By names: the broker's role may not be there yet.
    let broker = format!("{iam}:role/{config_path}--{region}--broker");
    let builds = [format!("{iam}:role/*--*-*-?--*"), format!("{iam}:*/*/*-*-?/*/*"), sessions];
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Administer", "Effect": "Allow", "Principal": account, "Action": ADMINISTER, "Resource": "*"},
            {
                "Sid": "SignForTheApp", "Effect": "Allow", "Principal": account, "Action": "kms:Sign", "Resource": "*",
                "Condition": {
                    "StringEquals": {"kms:SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256", "kms:MessageType": "RAW"},
                    "ArnEquals": {"aws:PrincipalArn": broker},
                },
            },
            {
                "Sid": "NothingElseForBuilds", "Effect": "Deny", "Principal": "*", "NotAction": "kms:Sign", "Resource": "*",
                "Condition": {"ArnLike": {"aws:PrincipalArn": builds}},
            },
        ],
    })
}

/// The ARN of a key in KMS that is `key`.
async fn import(kms: &Client, key: &PrivateKey, config_path: &ConfigPath, policy: &Value) -> Result<String, Failure> {
    let arn = make(kms, config_path, policy).await?;
    fill(kms, &arn, key).await.with_context(|| {
        format!(
            "importing into {arn}, which is there and empty (aws kms schedule-key-deletion --pending-window-in-days 7 --key-id {arn} \
             takes it away)"
        )
    })?;
    Ok(arn)
}

/// The ARN of a key that is empty yet.
async fn make(kms: &Client, config_path: &ConfigPath, policy: &Value) -> Result<String, Failure> {
    let call = kms.create_key().origin(OriginType::External).key_spec(KeySpec::Rsa2048);
    let call = call.key_usage(KeyUsageType::SignVerify).policy(policy.to_string());
    let made = call.description(format!("Private key of the GitHub App of the pipeline {config_path}")).send().await;
    let made = made.map_err(|error| {
        // KMS makes no key whose policy its maker could not change afterwards; the policy itself is ours, and well formed.
        let is_denied = error.as_service_error().is_some_and(|error| error.is_malformed_policy_document_exception());
        let failure = Failure::from(aws_error(error).context("making a key in KMS"));
        if is_denied { failure.advise(LIKE_A_BUILD) } else { failure }
    })?;
    Ok(made.key_metadata.and_then(|made| made.arn).context("KMS did not say which key it made")?)
}

async fn fill(kms: &Client, arn: &str, key: &PrivateKey) -> Result<()> {
    let call = kms.get_parameters_for_import().key_id(arn).wrapping_key_spec(WrappingKeySpec::Rsa4096);
    let parameters = call.wrapping_algorithm(AlgorithmSpec::RsaAesKeyWrapSha256).send().await;
    let parameters = parameters.map_err(aws_error).context("asking KMS with what to wrap the key")?;
    let (wrapping, token) = (parameters.public_key, parameters.import_token);
    let (wrapping, token) = wrapping.zip(token).context("KMS did not say with what to wrap the key")?;
    let call = kms.import_key_material().key_id(arn).import_token(token);
    let call = call.encrypted_key_material(Blob::new(wrap(key, wrapping.as_ref())?));
    let imported = call.expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire).send().await;
    imported.map_err(aws_error).context("handing the wrapped key over")?;
    let public =
        kms.get_public_key().key_id(arn).send().await.map_err(aws_error).context("looking what KMS has now")?;
    let own = key.to_public_key().to_public_key_der()?;
    if public.public_key.is_none_or(|public| public.as_ref() != own.as_bytes()) {
        bail!("what KMS has now is another key");
    }
    Ok(())
}

/// `RSA_AES_KEY_WRAP_SHA_256`: a new AES key, which RSA hides, and the private key in PKCS#8, which the AES key hides.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html>
fn wrap(key: &PrivateKey, wrapping: &[u8]) -> Result<Vec<u8>> {
    let wrapping = PublicKey::from_public_key_der(wrapping).context("reading the key that KMS wraps with")?;
    let plain = key.to_pkcs8_der()?;
    let between = Zeroizing::new(<[u8; 32]>::from(Key::<KwpAes256>::try_generate().context("making a key")?));
    let mut wrapped = wrapping.oaep_encrypt::<Sha256>(between.as_slice()).context("wrapping the key")?;
    let mut hidden = vec![0; plain.as_bytes().len().next_multiple_of(IV_LEN) + IV_LEN];
    let cipher = KwpAes256::new(between.as_slice().try_into().context("wrapping the key")?);
    cipher.wrap_key(plain.as_bytes(), &mut hidden).context("wrapping the key")?;
    wrapped.append(&mut hidden);
    Ok(wrapped)
}

#[cfg(test)]
mod tests {
    use aes_kw::cipher::common::getrandom::SysRng;
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use rsa::pkcs8::LineEnding;

    use super::*;
    use crate::fixtures::answers;

    #[test]
    fn a_key_is_taken_as_github_writes_it_and_as_openssl_does_and_kms_gets_it_whole() {
        let key = PrivateKey::new(&mut SysRng, 8 * KEY_BYTES).unwrap();
        let pem = [key.to_pkcs1_pem(LineEnding::LF).unwrap(), key.to_pkcs8_pem(LineEnding::CRLF).unwrap()];
        for text in pem {
            let parsed = parse(&text).unwrap();
            let wrapped = wrap(&parsed, key.to_public_key().to_public_key_der().unwrap().as_bytes()).unwrap();
            let (between, hidden) = wrapped.split_at(KEY_BYTES);
            let between = key.oaep_decrypt::<Sha256>(between).unwrap();
            let cipher = KwpAes256::new(between.as_slice().try_into().unwrap());
            let mut plain = vec![0; hidden.len() - IV_LEN];
            let plain = cipher.unwrap_key(hidden, &mut plain).unwrap();
            assert_eq!(PrivateKey::from_pkcs8_der(plain).unwrap(), key);
        }
        for wrong in ["", "canary", "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n"] {
            let error = format!("{:#}", parse(wrong).unwrap_err());
            assert!(error.contains("no RSA private key") && !error.contains("canary"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_is_called_like_a_build_is_told_to_be_somebody_else() {
        const LOCKED_OUT: &str = "The new key policy will not allow you to update the key policy in the future.";
        for (code, is_told) in [("MalformedPolicyDocumentException", true), ("LimitExceededException", false)] {
            let body = json!({"__type": code, "message": LOCKED_OUT}).to_string();
            let kms = Client::new(&answers(400, body));
            let config_path = ConfigPath::parse("iwomp-in-aws").unwrap();
            let failure = make(&kms, &config_path, &json!({})).await.unwrap_err();
            assert!(failure.what.contains(code) && failure.what.contains(LOCKED_OUT), "{failure}");
            let advice = failure.advice.unwrap_or_default();
            assert_eq!(advice.contains("Import it as another principal"), is_told, "{advice}");
        }
    }

    #[test]
    fn only_the_broker_signs_and_only_as_github_wants_it() {
        let policy = policy(("aws", "123456789012"), "eu-central-1", &ConfigPath::parse("iwomp-in-aws").unwrap());
        let [administer, sign, deny] = policy["Statement"].as_array().unwrap().as_slice() else { panic!("{policy}") };
        let broker = "arn:aws:iam::123456789012:role/iwomp-in-aws--eu-central-1--broker";
        assert_eq!(
            (&sign["Action"], &sign["Condition"]["ArnEquals"]),
            (&json!("kms:Sign"), &json!({"aws:PrincipalArn": broker}))
        );
        let actions = administer["Action"].to_string();
        assert!(!actions.contains("Sign") && !actions.contains("CreateGrant") && !actions.contains('*'), "{actions}");
        assert_eq!(
            (&deny["Effect"], &deny["NotAction"], &deny["Condition"]["ArnLike"]["aws:PrincipalArn"]),
            (
                &json!("Deny"),
                &json!("kms:Sign"),
                &json!([
                    "arn:aws:iam::123456789012:role/*--*-*-?--*",
                    "arn:aws:iam::123456789012:*/*/*-*-?/*/*",
                    "arn:aws:sts::123456789012:federated-user/*"
                ])
            )
        );
    }
}
