//! TLS: a certificate and its key from files, with the cryptography that the AWS SDK uses in the same program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ServerError;

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those between it and its root, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM (PKCS #8, PKCS #1 or SEC 1), without a passphrase.
    pub key: PathBuf,
}

impl Tls {
    /// Reads the files. They are not read again while the server runs.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, ServerError> {
        let certificates: Vec<_> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(&self.certificate, error))?;
        if certificates.is_empty() {
            return Err(wrong(&self.certificate, "there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| wrong(&self.key, error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(|error| wrong(&self.certificate, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn wrong(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ServerError {
    ServerError::Certificate { path: path.to_owned(), source: source.into() }
}
