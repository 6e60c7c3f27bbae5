//! The start of a Lambda function, which somebody waits for: configuration from the variables that Lambda sets, and nothing
//! that is loaded and not used. See docs/performance.md for what each part costs.

use std::env;

use anyhow::{Context, Result};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_types::sdk_config::{Builder, SharedCredentialsProvider, SharedHttpClient};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::client::Bounds;

/// Reading the machine's 146 roots is half of a cold start. These five sign for all that a function of ours asks.
const AMAZON_ROOTS: &[u8] = include_bytes!("lambda/roots.pem");
/// Whoever sets one of these means other roots: those of a proxy, or all of the machine's again.
const OTHER_ROOTS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
/// Lambda sets it, and the credentials, which hold for as long as an instance of the function lives.
const REGION: &str = "AWS_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
const DUAL_STACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";
const LOG_LEVEL: &str = "RUST_LOG";

/// The configuration of a function's clients. Profiles, files and metadata services are not asked, for a function has none.
///
/// # Errors
/// If the variable of the region is not set.
pub fn config(bounds: &Bounds) -> Result<SdkConfig> {
    let region = env::var(REGION)
        .with_context(|| format!("reading the environment variable {REGION}, which Lambda sets for its functions"))?;
    let endpoint = env::var(ENDPOINT).ok();
    let others_are_meant = endpoint.is_some() || OTHER_ROOTS.iter().any(|name| env::var_os(name).is_some());
    let mut config = config_for(region, endpoint, others_are_meant, bounds);
    config.set_use_fips(Some(is_on(FIPS))).set_use_dual_stack(Some(is_on(DUAL_STACK)));
    Ok(config.build())
}

fn config_for(region: String, endpoint: Option<String>, others_are_meant: bool, bounds: &Bounds) -> Builder {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(https(roots(&region, others_are_meant)))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .timeout_config(bounds.timeouts())
        .retry_config(bounds.retries())
        .region(Region::new(region));
    config.set_endpoint_url(endpoint);
    config
}

fn is_on(name: &str) -> bool {
    env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Prints what is logged beside the lines of the outcomes: warnings, or what `RUST_LOG` asks for, as `debug` or
/// `aws_config=debug,warn`.
pub fn log() {
    let wanted = env::var(LOG_LEVEL).ok().and_then(|text| text.parse::<Targets>().ok());
    let targets = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::WARN));
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().json().without_time()).with(targets).init();
}

fn https(roots: TrustStore) -> SharedHttpClient {
    // ring and not aws-lc, which spends some 31 ms of CPU on its first random bytes.
    let client = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => client.tls_context(context).build_https(),
        Err(_) => client.build_https(),
    }
}

/// Amazon's for the endpoints that they are known to sign for; the machine's for all others, one that a variable names among them.
fn roots(region: &str, others_are_meant: bool) -> TrustStore {
    if others_are_meant || !is_commercial(region) {
        return TrustStore::default();
    }
    TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
}

/// China's, the government's, the isolated and the European sovereign regions are other partitions, with authorities of their
/// own. Their names have another number of parts, or begin with `cn`.
fn is_commercial(region: &str) -> bool {
    region.split('-').count() == 3 && !region.starts_with("cn-")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_ssm::config::Credentials;
    use aws_sdk_ssm::error::SdkError;

    use super::*;

    #[test]
    fn only_regions_whose_authority_is_amazons_get_amazons_roots() {
        for region in ["eu-central-1", "us-east-1", "ap-southeast-7", "mx-central-1", "il-central-1"] {
            assert!(is_commercial(region), "{region}");
        }
        for region in
            ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", ""]
        {
            assert!(!is_commercial(region), "{region}");
        }
        let native = format!("{:?}", TrustStore::default());
        assert_eq!(format!("{:?}", roots("cn-north-1", false)), native);
        assert_eq!(format!("{:?}", roots("eu-central-1", true)), native, "SSL_CERT_FILE brings the machine's back");
        assert_ne!(format!("{:?}", roots("eu-central-1", false)), native);
    }

    /// Without a clock to sleep by, the SDK waits without an end, and says so in a line that nobody reads.
    #[tokio::test]
    async fn a_call_that_nobody_answers_ends_when_its_time_is_over() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let short = Duration::from_millis(50);
        let bounds = Bounds { connect: short, attempt: short, call: short * 4, attempts: 2 };
        let config = config_for("eu-central-1".to_owned(), Some(endpoint), false, &bounds);
        let config = config.credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests())).build();
        let error = aws_sdk_ssm::Client::new(&config).get_parameter().name("x").send().await.unwrap_err();
        assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
    }

    #[test]
    fn the_client_takes_every_root_of_the_file() {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut store = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
            store.add(certificate.unwrap()).unwrap();
        }
        assert_eq!(store.len(), 5);
        https(roots("eu-central-1", false));
    }
}
