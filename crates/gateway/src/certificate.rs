//! What a client's certificate says about it (docs/device-protocol.md, "TLS").

use std::sync::Arc;

use rustls::ServerConnection;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, X509Certificate, X509Name};

use super::tls::{Number, Tls};

/// Whom the subject of a certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// A device: the organizational unit is its product's key, the common name its own.
    Device { product: String, device: String },
    /// It lacks either: the certificate protects the connection and proves nothing about a device.
    Unnamed,
    /// It names several, or in a way that cannot be read: this is why nothing can be concluded from it.
    Unclear(String),
}

impl Subject {
    fn read(subject: &X509Name<'_>) -> Self {
        let product = lone(subject.iter_organizational_unit(), "organizational units (OU)");
        let device = lone(subject.iter_common_name(), "common names (CN)");
        match (product, device) {
            (Ok(Some(product)), Ok(Some(device))) => Self::Device { product, device },
            (Ok(_), Ok(_)) => Self::Unnamed,
            (Err(why), _) | (_, Err(why)) => Self::Unclear(why),
        }
    }
}

/// The only value of an attribute that a subject may repeat. Taking one of several would let the certificate of one
/// device pass as another's.
fn lone<'a>(
    mut values: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>,
    plural: &str,
) -> Result<Option<String>, String> {
    let Some(first) = values.next() else { return Ok(None) };
    let others = values.count();
    if others > 0 {
        let count = others + 1;
        return Err(format!("the certificate's subject has {count} {plural}, expected one"));
    }
    match first.as_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => Err(format!(
            "the {plural} of the certificate's subject cannot be read: {error}"
        )),
    }
}

/// A certificate that a client has shown and that an authority vouches for.
pub(super) struct Shown {
    subject: Subject,
    /// The numbers of the certificate and of all that stand between it and the authority.
    chain: Box<[Number]>,
    tls: Arc<Tls>,
}

impl Shown {
    /// What was shown in a handshake; `None` if nothing was.
    pub(super) fn during(handshake: &ServerConnection, tls: Arc<Tls>) -> Option<Self> {
        let shown = handshake.peer_certificates()?;
        let first = shown.first()?;
        let subject = match X509Certificate::from_der(first) {
            Ok((_, certificate)) => Subject::read(certificate.subject()),
            Err(error) => Subject::Unclear(format!("the certificate cannot be read: {error}")),
        };
        Some(Self {
            subject,
            chain: tls.chain(shown),
            tls,
        })
    }

    /// Whether it proves that its client is this device; `Ok(false)` if it proves nothing about any.
    ///
    /// # Errors
    /// Why a client with this certificate is not let in as that device.
    pub(super) fn proves(&self, product: &str, device: &str) -> Result<bool, String> {
        match &self.subject {
            Subject::Device {
                product: of,
                device: is,
            } if of == product && is == device => Ok(true),
            Subject::Device { .. } => Err("the certificate is another device's".to_owned()),
            Subject::Unnamed => Ok(false),
            Subject::Unclear(why) => Err(why.clone()),
        }
    }

    /// Whether it, or an authority between it and the root, has been revoked, as far as the lists say that were read
    /// last.
    pub(super) fn is_revoked(&self) -> bool {
        self.tls.is_revoked(&self.chain)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn subject(values: &[(DnType, rcgen::DnValue)]) -> Subject {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in values {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, certificate) = X509Certificate::from_der(made.der()).unwrap();
        Subject::read(certificate.subject())
    }

    fn unit(text: &str) -> (DnType, rcgen::DnValue) {
        (DnType::OrganizationalUnitName, text.into())
    }

    fn name(text: &str) -> (DnType, rcgen::DnValue) {
        (DnType::CommonName, text.into())
    }

    #[test]
    fn unit_and_common_name_are_the_device() {
        let device = Subject::Device {
            product: "pump".to_owned(),
            device: "d1".to_owned(),
        };
        assert_eq!(subject(&[unit("pump"), name("d1")]), device);
        assert_eq!(subject(&[name("d1"), unit("pump")]), device);
    }

    #[test]
    fn a_subject_that_lacks_either_is_no_device() {
        assert_eq!(subject(&[name("d1")]), Subject::Unnamed);
        assert_eq!(subject(&[unit("pump")]), Subject::Unnamed);
        assert_eq!(subject(&[]), Subject::Unnamed);
    }

    #[test]
    fn a_subject_that_names_several_is_unclear() {
        let again = |number: u64, text: &str| (DnType::CustomDnType(vec![2, 5, 4, number]), text.into());
        for values in [
            [unit("pump"), name("d1"), again(3, "d2")],
            [unit("pump"), again(11, "other"), name("d1")],
            [unit("pump"), again(11, "pump"), name("d1")],
        ] {
            assert!(matches!(subject(&values), Subject::Unclear(why) if why.contains("has 2")));
        }
    }

    #[test]
    fn a_name_that_cannot_be_read_is_no_name() {
        let wide = rcgen::DnValue::BmpString("d1".try_into().unwrap());
        assert!(matches!(
            subject(&[unit("pump"), (DnType::CommonName, wide)]),
            Subject::Unclear(_)
        ));
    }
}
