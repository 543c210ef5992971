//! TLS as the endpoint serves it: rustls, with a certificate that may be renewed while we run.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::config::Config;
use super::watched::{FileError, Watched};

/// How connections begin; `None` when they are plain.
pub(super) type Tls = Option<TlsAcceptor>;

/// As configured.
pub(super) fn open(config: &Config) -> Result<Watched<Tls>, FileError> {
    if config.tls_certificate_file.is_empty() {
        return Ok(Watched::fixed(None));
    }
    let paths = [&config.tls_certificate_file, &config.tls_key_file].map(Into::into);
    Watched::open(paths.into(), |contents| acceptor(contents).map(Some))
}

/// Of a certificate chain and its key.
fn acceptor(contents: &[Vec<u8>]) -> Result<TlsAcceptor, String> {
    let [chain, key] = contents else {
        return Err("a certificate and a key are needed".to_owned());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| format!("no certificate in PEM: {error}"))?;
    if chain.is_empty() {
        return Err("it has no certificate in PEM".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key);
    let key = key.map_err(|error| format!("its key file has no private key in PEM: {error}"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| format!("it cannot be served: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_no_key_is_told_and_no_key_is_shown() {
        let problem = |chain: &[u8], key: &[u8]| match acceptor(&[chain.to_vec(), key.to_vec()]) {
            Ok(_) => panic!("it is accepted"),
            Err(problem) => problem,
        };
        assert_eq!(problem(b"", b"secret"), "it has no certificate in PEM");
        let chain = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = problem(chain, b"secret");
        assert!(text.starts_with("its key file has no private key in PEM"), "{text}");
        assert!(!text.contains("secret"));
    }
}
