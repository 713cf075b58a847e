//! The server's certificate, and whose certificates are trusted; both are read again when the operator says so.

mod identity;
#[cfg(test)]
mod tests;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use aldis_core::time::{Clock, Timestamp};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;
use x509_parser::time::ASN1Time;

use crate::pem::PemError;
use identity::Identity;
pub(super) use trust::Number;
use trust::Trust;

/// Where the certificates are, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// What the server shows.
    pub server: CertificateFiles,
    /// What it shows to clients that cannot use the former: a certificate with an RSA key, beside one with an elliptic
    /// key.
    pub server_rsa: Option<CertificateFiles>,
    /// The authorities whose clients' certificates are trusted; absent: no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Certificates that those authorities have revoked.
    pub client_crl: Option<PathBuf>,
}

/// A certificate of the server and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's own first, then those that lead to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or not what it should be.
    #[error(transparent)]
    File(#[from] PemError),
    /// A certificate that would replace another is out of date.
    #[error("{0}")]
    Expired(String),
    /// They do not fit together.
    #[error("the certificates do not fit together: {0}")]
    Unfit(String),
}

/// What could not be read again, and stays as it was.
#[derive(Debug, Default)]
pub struct NotReloaded {
    /// The server's certificates and keys.
    pub identity: Option<TlsError>,
    /// The authorities for devices, and what they have revoked.
    pub trust: Option<TlsError>,
}

/// What the TLS listener shows and trusts.
pub struct Tls {
    files: TlsFiles,
    clock: Arc<dyn Clock>,
    loaded: RwLock<Arc<Loaded>>,
}

struct Loaded {
    identity: Arc<Identity>,
    trust: Arc<Trust>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files. What the operator should know about them is logged: a server whose certificate has expired
    /// still serves those that do not look.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let identity = Identity::read(&files, &provider, clock.now())?;
        let trust = Trust::read(&files, &provider, clock.now())?;
        for expired in &identity.expired {
            tracing::error!("{expired}: clients that look at dates refuse the connection");
        }
        warn(&identity.notices);
        warn(&trust.notices);
        let loaded = Loaded::new(Arc::new(identity), Arc::new(trust))?;
        Ok(Self {
            files,
            clock,
            loaded: RwLock::new(Arc::new(loaded)),
        })
    }

    /// Reads the files again, for the connections to come. The server's certificates and the authorities for devices
    /// are replaced each by itself, so that a certificate that is wrong keeps no revocation from taking effect.
    pub fn reload(&self) -> NotReloaded {
        let provider = Arc::new(ring::default_provider());
        let now = self.clock.now();
        let identity = Identity::read(&self.files, &provider, now).and_then(Identity::in_date);
        let trust = Trust::read(&self.files, &provider, now);
        let before = Arc::clone(&self.loaded.read());
        let mut failed = NotReloaded::default();
        let identity = identity.map(Arc::new).unwrap_or_else(|error| {
            failed.identity = Some(error);
            Arc::clone(&before.identity)
        });
        let trust = trust.map(Arc::new).unwrap_or_else(|error| {
            failed.trust = Some(error);
            Arc::clone(&before.trust)
        });
        if failed.identity.is_none() {
            warn(&identity.notices);
        }
        if failed.trust.is_none() {
            warn(&trust.notices);
        }
        match Loaded::new(identity, trust) {
            Ok(loaded) => *self.loaded.write() = Arc::new(loaded),
            Err(error) => failed.identity = Some(error),
        }
        failed
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.loaded.read().config).into()
    }

    /// The numbers of the certificates that a client has shown, and of the authorities above them.
    pub(super) fn chain(&self, shown: &[CertificateDer<'_>]) -> Box<[Number]> {
        self.loaded.read().trust.chain(shown)
    }

    /// Whether any certificate of a chain has been revoked.
    pub(super) fn is_revoked(&self, chain: &[Number]) -> bool {
        self.loaded.read().trust.is_revoked(chain)
    }
}

impl Loaded {
    fn new(identity: Arc<Identity>, trust: Arc<Trust>) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?;
        let builder = match &trust.verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&identity.resolver) as _);
        // Devices stay connected: what is kept for a resumption would be memory for nothing, and a resumed session
        // would not show a certificate that has been revoked since.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            identity,
            trust,
            config: Arc::new(config),
        })
    }
}

fn warn(notices: &[String]) {
    for notice in notices {
        tracing::warn!("{notice}");
    }
}

fn unfit(error: impl ToString) -> TlsError {
    TlsError::Unfit(error.to_string())
}

fn has_passed(moment: ASN1Time, now: Timestamp) -> bool {
    moment.timestamp().saturating_mul(1000) <= now.0
}

/// A moment of a certificate as operators write it: `2026-12-31T23:59:59Z`.
fn readable(moment: ASN1Time) -> String {
    let moment = jiff::Timestamp::from_second(moment.timestamp());
    moment.map_or_else(
        |_beyond| "a year that cannot be written".to_owned(),
        |moment| moment.to_string(),
    )
}
