//! The certificates that the server shows, with their keys.

use std::path::Path;
use std::sync::Arc;

use aldis_core::time::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{CertificateFiles, TlsError, TlsFiles, has_passed, readable};
use crate::pem::{self, Block, PemError};

/// What the server shows: one certificate, or one with an elliptic key and one with an RSA key.
pub(super) struct Identity {
    pub(super) resolver: Arc<Resolver>,
    /// A sentence about each certificate that is out of date.
    pub(super) expired: Vec<String>,
    /// What else the operator should know about the files.
    pub(super) notices: Vec<String>,
}

/// Chooses the certificate that a client can use.
#[derive(Debug)]
pub(super) struct Resolver {
    /// In the order of preference.
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Those that fit the client's cipher suites, too: rustls has left out the others.
        let offered = client.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(offered).is_some();
        self.keys.iter().find(fits).cloned()
    }
}

impl Identity {
    /// Reads certificates and keys.
    pub(super) fn read(files: &TlsFiles, provider: &CryptoProvider, now: Timestamp) -> Result<Self, TlsError> {
        let mut identity = Self {
            resolver: Arc::new(Resolver { keys: Vec::new() }),
            expired: Vec::new(),
            notices: Vec::new(),
        };
        let mut keys = vec![identity.pair(&files.server, files.client_ca.as_deref(), provider, now)?];
        if let Some(pair) = &files.server_rsa {
            keys.push(identity.pair(pair, files.client_ca.as_deref(), provider, now)?);
            let [first, second] = [&keys[0], &keys[1]].map(|key| key.key.algorithm() == SignatureAlgorithm::RSA);
            let expected = |path: &Path, what: &str| TlsError::from(PemError::new(path, what));
            if !second {
                return Err(expected(&pair.key, "expected an RSA key (tls_rsa_key_file)"));
            }
            if first {
                let what = "expected a key that is no RSA key, as tls_rsa_key_file has one";
                return Err(expected(&files.server.key, what));
            }
        }
        identity.resolver = Arc::new(Resolver { keys });
        Ok(identity)
    }

    /// Itself, if no certificate of it is out of date.
    pub(super) fn in_date(self) -> Result<Self, TlsError> {
        match self.expired.first() {
            Some(expired) => Err(TlsError::Expired(expired.clone())),
            None => Ok(self),
        }
    }

    fn pair(
        &mut self,
        files: &CertificateFiles,
        client_ca: Option<&Path>,
        provider: &CryptoProvider,
        now: Timestamp,
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let chain = pem::read(&files.certificate, &[pem::CERTIFICATE])?;
        let (key, skipped) = pem::read_one(&files.key, &pem::PRIVATE_KEYS)?;
        if files.certificate != files.key {
            self.notices.extend(chain.skipped);
            self.notices.extend(skipped);
        }
        let chain: Vec<_> = chain
            .wanted
            .into_iter()
            .map(|block| CertificateDer::from(block.der))
            .collect();
        let parsed = chain
            .iter()
            .map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate));
        let parsed: Vec<_> = parsed
            .collect::<Result<_, _>>()
            .map_err(|error| PemError::new(&files.certificate, format!("a certificate cannot be read: {error}")))?;
        let [own, ..] = parsed.as_slice() else {
            return Err(PemError::new(&files.certificate, "expected a certificate").into());
        };
        let name = files.certificate.display();
        self.expired
            .extend(expiry(own, now).map(|what| format!("{name}: {what}")));
        let authorities = match client_ca {
            Some(path) => pem::read(path, &[pem::CERTIFICATE]).unwrap_or_default().wanted,
            None => Vec::new(),
        };
        let notices = [too_early(own, now), purpose(own), gap(&parsed, &authorities)];
        self.notices
            .extend(notices.into_iter().flatten().map(|what| format!("{name}: {what}")));
        certified(files, chain.clone(), key, &parsed, provider)
    }
}

/// A certificate with its key, if they belong together.
fn certified(
    files: &CertificateFiles,
    chain: Vec<CertificateDer<'static>>,
    key: Block,
    parsed: &[X509Certificate<'_>],
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let key = provider
        .key_provider
        .load_private_key(private_key(key))
        .map_err(|error| {
            let what =
                "expected a key of a kind that is served (ECDSA P-256 or P-384, Ed25519, RSA with 2048 to 4096 bits)";
            PemError::new(&files.key, format!("{what}: {error}"))
        })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let own = certified.key.public_key();
            let own = own.as_ref().map(AsRef::<[u8]>::as_ref);
            let at = parsed
                .iter()
                .position(|certificate| Some(certificate.public_key().raw) == own);
            let certificate = files.certificate.display();
            Err(PemError::new(
                &files.key,
                match at {
                    Some(at) => format!(
                        "the key belongs to certificate {} of {certificate}; the server's own must be the first",
                        at + 1
                    ),
                    None => format!("the key does not belong to the certificate in {certificate}"),
                },
            )
            .into())
        }
        Err(error) => Err(PemError::new(&files.certificate, error).into()),
    }
}

fn private_key(block: Block) -> PrivateKeyDer<'static> {
    match block.label.as_str() {
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(block.der).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(block.der).into(),
        _ => PrivatePkcs8KeyDer::from(block.der).into(),
    }
}

fn expiry(own: &X509Certificate<'_>, now: Timestamp) -> Option<String> {
    let until = own.validity().not_after;
    has_passed(until, now).then(|| format!("the certificate has expired, at {}", readable(until)))
}

fn too_early(own: &X509Certificate<'_>, now: Timestamp) -> Option<String> {
    let from = own.validity().not_before;
    let what = || {
        format!(
            "the certificate is not valid before {}, or this machine's clock is slow",
            readable(from)
        )
    };
    (!has_passed(from, now)).then(what)
}

/// Clients check that a certificate is meant for servers, if it says what it is meant for.
fn purpose(own: &X509Certificate<'_>) -> Option<String> {
    let usage = own.extended_key_usage().ok().flatten()?;
    let what = "the certificate is not meant for servers (its extended key usage lacks serverAuth): clients refuse it";
    (!usage.value.server_auth && !usage.value.any).then(|| what.to_owned())
}

/// What is missing between the server's certificate and its root. Roots are known to clients, all others have to be
/// shown.
fn gap(chain: &[X509Certificate<'_>], authorities: &[Block]) -> Option<String> {
    for (index, (below, above)) in chain.iter().zip(chain.iter().skip(1)).enumerate() {
        if below.issuer() != above.subject() {
            let (at, issuer) = (index + 1, below.issuer());
            let place = chain.iter().position(|other| other.subject() == below.issuer());
            return Some(match place {
                Some(place) => format!(
                    "the order is wrong: certificate {} has issued certificate {at} and belongs right behind it",
                    place + 1
                ),
                None => format!(
                    "the certificate of {issuer}, which has issued certificate {at}, is missing behind it: most clients \
                     refuse the connection"
                ),
            });
        }
    }
    let last = chain.last()?;
    if last.issuer() == last.subject() || authorities.iter().any(|block| is_root(block, last)) {
        return None;
    }
    let issuer = last.issuer();
    Some(format!(
        "the chain ends with a certificate that {issuer} has issued, whose own certificate is not in the file; if that is an \
         intermediate authority, append its certificate: most clients refuse the connection without it"
    ))
}

/// Whether an authority is a root that has issued a certificate.
fn is_root(authority: &Block, issued: &X509Certificate<'_>) -> bool {
    let root = X509Certificate::from_der(&authority.der);
    root.is_ok_and(|(_, root)| root.subject() == issued.issuer() && root.issuer() == root.subject())
}
