//! Whose certificates are trusted: the authorities for devices, and what they have taken back.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use aldis_core::time::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate, X509Error, X509Name};

use super::{TlsError, TlsFiles, has_passed, readable, unfit};
use crate::pem::{self, PemError};

/// Which certificate it is, among those of all authorities: they number theirs each by itself. A digest of the issuer's
/// name and the serial number, because every connection keeps those of its chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Number([u8; 32]);

impl Number {
    fn new(issuer: &X509Name<'_>, serial: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(issuer.as_raw().len().to_be_bytes());
        digest.update(issuer.as_raw());
        digest.update(serial);
        Self(digest.finalize().into())
    }

    fn of(certificate: &X509Certificate<'_>) -> Self {
        Self::new(certificate.issuer(), certificate.raw_serial())
    }
}

/// What devices' certificates are checked against.
#[derive(Default)]
pub(super) struct Trust {
    /// `None`: no client is asked for a certificate.
    pub(super) verifier: Option<Arc<dyn ClientCertVerifier>>,
    revocations: Arc<Revocations>,
    /// What the operator should know about the files.
    pub(super) notices: Vec<String>,
}

impl Trust {
    /// Reads the files with authorities and lists.
    pub(super) fn read(files: &TlsFiles, provider: &Arc<CryptoProvider>, now: Timestamp) -> Result<Self, TlsError> {
        let Some(path) = &files.client_ca else {
            return Ok(Self::default());
        };
        let authorities = pem::read(path, &[pem::CERTIFICATE])?;
        let mut notices = authorities.skipped;
        let mut roots = RootCertStore::empty();
        let mut revocations = Revocations::default();
        for (index, block) in authorities.wanted.into_iter().enumerate() {
            let der = CertificateDer::from(block.der);
            let added = roots.add(der.clone());
            added.map_err(|error| PemError::new(path, format!("certificate {}: {error}", index + 1)))?;
            revocations.authorities.push(der);
        }
        if let Some(path) = &files.client_crl {
            let lists = pem::read(path, &[pem::REVOCATION_LIST])?;
            notices.extend(lists.skipped);
            for (index, list) in lists.wanted.iter().enumerate() {
                let at = format!("list {}", index + 1);
                let notice = revocations.add_list(&list.der, now);
                let notice = notice.map_err(|what| PemError::new(path, format!("{at}: {what}")))?;
                notices.extend(notice.map(|notice| format!("{}: {at}: {notice}", path.display())));
            }
        }
        notices.extend(revocations.revoked_authorities(path));
        let revocations = Arc::new(revocations);
        // A certificate is asked for, and checked if there is one; whether there must be one is decided by the product.
        let chains = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .allow_unauthenticated()
            .build()
            .map_err(unfit)?;
        Ok(Self {
            verifier: Some(Arc::new(Verifier {
                chains,
                revocations: Arc::clone(&revocations),
            })),
            revocations,
            notices,
        })
    }

    /// The numbers of the certificates that a client has shown, and of the authorities above them.
    pub(super) fn chain(&self, shown: &[CertificateDer<'_>]) -> Box<[Number]> {
        // What cannot be read did not pass the handshake.
        self.revocations.chain(shown).unwrap_or_default()
    }

    /// Whether any certificate of a chain has been revoked.
    pub(super) fn is_revoked(&self, chain: &[Number]) -> bool {
        self.revocations.include(chain)
    }
}

/// What the lists say.
#[derive(Default)]
struct Revocations {
    /// Those of the file, not all of them roots.
    authorities: Vec<CertificateDer<'static>>,
    numbers: HashSet<Number>,
}

impl Revocations {
    /// Takes in a list; what the operator should know about it.
    fn add_list(&mut self, der: &[u8], now: Timestamp) -> Result<Option<String>, String> {
        // Refuses what cannot be honoured: lists of changes only, lists about other authorities' certificates.
        webpki::OwnedCertRevocationList::from_der(der).map_err(|error| format!("is not supported: {error}"))?;
        let (_, list) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
        self.check_signature(&list)?;
        let numbers = list.iter_revoked_certificates();
        self.numbers
            .extend(numbers.map(|entry| Number::new(list.issuer(), entry.raw_serial())));
        let next = list.next_update().filter(|next| has_passed(*next, now));
        Ok(next.map(|next| {
            let (issuer, next) = (list.issuer(), readable(next));
            format!("a newer list of {issuer} was due at {next}; until there is one, this one is used")
        }))
    }

    /// A list of one of these authorities was signed by it. Those of authorities below them cannot be checked here.
    fn check_signature(&self, list: &CertificateRevocationList<'_>) -> Result<(), String> {
        let mut signers = self
            .authorities()
            .filter(|authority| authority.subject() == list.issuer());
        let mut named = false;
        let signed = signers.any(|signer| {
            named = true;
            is_signed(list.verify_signature(signer.public_key()))
        });
        match signed || !named {
            true => Ok(()),
            false => Err(format!("was not signed by {}, which it names", list.issuer())),
        }
    }

    fn authorities(&self) -> impl Iterator<Item = X509Certificate<'_>> {
        let read = |der| X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate);
        self.authorities.iter().filter_map(move |der| read(der.as_ref()))
    }

    /// Sentences about authorities of the file that are on a list.
    fn revoked_authorities(&self, path: &Path) -> Vec<String> {
        let revoked = self
            .authorities()
            .filter(|authority| self.numbers.contains(&Number::of(authority)));
        let sentence = |authority: X509Certificate<'_>| {
            format!(
                "{}: the authority {} has been revoked: no certificate that it has issued is accepted",
                path.display(),
                authority.subject()
            )
        };
        revoked.map(sentence).collect()
    }

    /// Everything between a client's certificate and the roots: what it has shown, and the authorities of the file
    /// above that. A client need not show an authority that the file has.
    fn chain(&self, shown: &[CertificateDer<'_>]) -> Result<Box<[Number]>, X509Error> {
        let mut chain = Vec::with_capacity(shown.len());
        for der in shown {
            let (_, certificate) =
                X509Certificate::from_der(der).map_err(|_unreadable| X509Error::InvalidCertificate)?;
            chain.push(certificate);
        }
        let mut numbers: Vec<Number> = chain.iter().map(Number::of).collect();
        let mut next = 0;
        while next < chain.len() {
            for issuer in self.issuers(&chain[next]) {
                let number = Number::of(&issuer);
                if !numbers.contains(&number) {
                    numbers.push(number);
                    chain.push(issuer);
                }
            }
            next += 1;
        }
        Ok(numbers.into())
    }

    /// The authorities of the file that have issued a certificate. Of several with one name, those whose key has signed
    /// it.
    fn issuers<'s>(&'s self, certificate: &X509Certificate<'_>) -> Vec<X509Certificate<'s>> {
        let named = self
            .authorities()
            .filter(|authority| authority.subject() == certificate.issuer());
        let mut issuers: Vec<_> = named.collect();
        if issuers.len() > 1 {
            issuers.retain(|issuer| is_signed(certificate.verify_signature(Some(issuer.public_key()))));
        }
        issuers
    }

    fn include(&self, chain: &[Number]) -> bool {
        chain.iter().any(|number| self.numbers.contains(number))
    }
}

/// A signature of a kind that cannot be checked here counts as good: the handshake checks those that matter.
fn is_signed(verified: Result<(), X509Error>) -> bool {
    !matches!(verified, Err(X509Error::SignatureVerificationError))
}

/// Checks chains as rustls does, and that nothing in them has been revoked. What rustls has for the latter uses one
/// list for each authority, and looks at no authority of the file.
#[derive(Debug)]
struct Verifier {
    chains: Arc<dyn ClientCertVerifier>,
    revocations: Arc<Revocations>,
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} revoked certificates", self.numbers.len())
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.chains.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.chains.verify_client_cert(end_entity, intermediates, now)?;
        let shown: Vec<CertificateDer<'_>> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match self.revocations.chain(&shown) {
            Err(_unreadable) => Err(CertificateError::BadEncoding.into()),
            Ok(chain) if self.revocations.include(&chain) => Err(CertificateError::Revoked.into()),
            Ok(_) => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
