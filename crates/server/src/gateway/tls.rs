//! The server's certificate, and whose certificates are trusted; both are read again when the operator says so.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::certificate::{Certificate, Number};

/// Where the certificates are, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's, its own first, and those that lead to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose clients' certificates are trusted; absent: no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Certificates that those authorities have revoked.
    pub client_crl: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or not what it should be.
    #[error("{path}: {what}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// They do not fit together.
    #[error("the certificates do not fit together: {0}")]
    Unfit(String),
}

/// What the TLS listener shows and trusts.
pub struct Tls {
    files: TlsFiles,
    loaded: RwLock<Arc<Loaded>>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    revoked: HashSet<Number>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let loaded = RwLock::new(Arc::new(Loaded::read(&files)?));
        Ok(Self { files, loaded })
    }

    /// Reads the files again, for the connections to come; if they cannot be used, everything stays as it was.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = Arc::new(Loaded::read(&self.files)?);
        *self.loaded.write() = loaded;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.loaded.read().config).into()
    }

    /// Whether its authority has revoked this certificate.
    pub(super) fn is_revoked(&self, certificate: &Certificate) -> bool {
        self.loaded.read().revoked.contains(certificate.number())
    }
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let chain: Vec<CertificateDer<'static>> = pem(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error))?;
        let lists: Vec<CertificateRevocationListDer<'static>> = match &files.client_crl {
            Some(path) => pem(path)?,
            None => Vec::new(),
        };
        let revoked = revoked(files.client_crl.as_deref(), &lists)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = match &files.client_ca {
            Some(path) => builder.with_client_cert_verifier(verifier(provider, path, lists)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
        // Devices stay connected: what is kept for a resumption would be memory for nothing, and a resumed session would not
        // show a certificate that has been revoked since.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            revoked,
        })
    }
}

/// A certificate is asked for, and checked if there is one; whether there must be one is decided by the product.
fn verifier(
    provider: Arc<rustls::crypto::CryptoProvider>,
    path: &Path,
    lists: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in pem::<CertificateDer<'static>>(path)? {
        roots.add(root).map_err(|error| wrong(path, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .allow_unauthenticated()
        .build()
        .map_err(unfit)
}

/// The numbers on the lists.
fn revoked(path: Option<&Path>, lists: &[CertificateRevocationListDer<'static>]) -> Result<HashSet<Number>, TlsError> {
    let Some(path) = path else {
        return Ok(HashSet::new());
    };
    let mut revoked = HashSet::new();
    for der in lists {
        let (_, list) = CertificateRevocationList::from_der(der).map_err(|error| wrong(path, error))?;
        revoked.extend(list.iter_revoked_certificates().map(|entry| Number {
            issuer: list.issuer().as_raw().to_vec(),
            serial: entry.raw_serial().to_vec(),
        }));
    }
    Ok(revoked)
}

/// Everything of one kind in a file; at least one.
fn pem<T: rustls::pki_types::pem::PemObject>(path: &Path) -> Result<Vec<T>, TlsError> {
    let all = T::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let all = all.map_err(|error| wrong(path, error))?;
    if all.is_empty() {
        return Err(wrong(path, "nothing of the kind that is expected"));
    }
    Ok(all)
}

fn wrong(path: &Path, what: impl ToString) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        what: what.to_string(),
    }
}

fn unfit(error: impl ToString) -> TlsError {
    TlsError::Unfit(error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
        KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;

    /// The number of every certificate here.
    const SERIAL: u64 = 1;

    fn authority(name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        Issuer::new(params, KeyPair::generate().unwrap())
    }

    fn certificate(by: &Issuer<'_, KeyPair>) -> Certificate {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(SERIAL));
        params.distinguished_name.push(DnType::OrganizationalUnitName, "pump");
        params.distinguished_name.push(DnType::CommonName, "d1");
        let made = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
        Certificate::read(made.der()).unwrap()
    }

    #[test]
    fn a_number_that_one_authority_has_revoked_is_still_good_of_another() {
        let (first, second) = (authority("first"), authority("second"));
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(SERIAL),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&first).unwrap().der().clone();
        let revoked = revoked(Some(Path::new("list")), &[list]).unwrap();
        assert!(revoked.contains(certificate(&first).number()));
        assert!(!revoked.contains(certificate(&second).number()));
    }
}
