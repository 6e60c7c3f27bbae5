//! Certificates that a register entry brings, for the HTTPS client.

use anyhow::{Result, bail};
use aws_smithy_http_client::tls::TrustStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The certificates of `bundle` and no others. git has taken the bundle by now, and its TLS takes more than ours does: what is
/// left over is left out, for the client panics over it.
///
/// # Errors
/// If nothing is left.
pub fn trust_only(bundle: &str) -> Result<TrustStore> {
    let blocks = bundle.split_inclusive("-----END CERTIFICATE-----");
    let usable: Vec<_> = blocks
        .filter(|block| {
            CertificateDer::from_pem_slice(block.as_bytes())
                .is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok())
        })
        .collect();
    if usable.is_empty() {
        bail!("caBundle has no certificate that can be trusted");
    }
    Ok(usable.into_iter().fold(TrustStore::empty(), |store, block| store.with_pem_certificate(block)))
}
