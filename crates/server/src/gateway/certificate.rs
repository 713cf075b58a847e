//! What a client's certificate says about it (docs/device-protocol.md, "TLS").

use std::sync::Arc;

use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tls::Tls;

/// A certificate that was checked against the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The organizational unit of its subject.
    product: String,
    /// The common name of its subject.
    device: String,
    number: Number,
}

/// Which certificate it is: authorities number theirs each by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Number {
    /// The authority's name, as it stands in the certificate.
    pub(super) issuer: Vec<u8>,
    pub(super) serial: Vec<u8>,
}

impl Certificate {
    /// `None` if its subject names no device: then it protects the connection, and proves nothing about a device.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let product = subject.iter_organizational_unit().next()?.as_str().ok()?;
        let device = subject.iter_common_name().next()?.as_str().ok()?;
        Some(Self {
            product: product.to_owned(),
            device: device.to_owned(),
            number: Number {
                issuer: certificate.issuer().as_raw().to_vec(),
                serial: certificate.raw_serial().to_vec(),
            },
        })
    }

    /// Whether it is the certificate of this device.
    pub(super) fn is_of(&self, product: &str, device: &str) -> bool {
        self.product == product && self.device == device
    }

    /// The number that its authority has given it.
    pub(super) fn number(&self) -> &Number {
        &self.number
    }
}

/// A certificate that a client has shown, and who knows whether it still holds.
pub(super) struct Shown {
    certificate: Certificate,
    tls: Arc<Tls>,
}

impl Shown {
    /// What was shown in a handshake; `None` if nothing was, or what names no device.
    pub(super) fn during(handshake: &ServerConnection, tls: Arc<Tls>) -> Option<Self> {
        let certificate = Certificate::read(handshake.peer_certificates()?.first()?)?;
        Some(Self { certificate, tls })
    }

    /// Whether it is the certificate of this device.
    pub(super) fn is_of(&self, product: &str, device: &str) -> bool {
        self.certificate.is_of(product, device)
    }

    /// Whether it has been revoked since, as far as the server has been told.
    pub(super) fn is_revoked(&self) -> bool {
        self.tls.is_revoked(&self.certificate)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(subject: &[(DnType, &str)]) -> Option<Certificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(made.der())
    }

    #[test]
    fn unit_and_common_name_are_the_device() {
        let of = certificate(&[(DnType::OrganizationalUnitName, "pump"), (DnType::CommonName, "d1")]).unwrap();
        assert!(of.is_of("pump", "d1"));
        assert!(!of.is_of("pump", "d2") && !of.is_of("other", "d1") && !of.is_of("d1", "pump"));
        assert!(!of.number().serial.is_empty() && !of.number().issuer.is_empty());
    }

    #[test]
    fn a_subject_that_lacks_either_is_no_device() {
        assert_eq!(certificate(&[(DnType::CommonName, "d1")]), None);
        assert_eq!(certificate(&[(DnType::OrganizationalUnitName, "pump")]), None);
        assert_eq!(Certificate::read(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
