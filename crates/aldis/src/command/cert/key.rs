//! Private keys: made once, of the kind that clients can use.

use anyhow::Context as _;
use getrandom::SysRng;
use rcgen::KeyPair;
use rsa::pkcs8::EncodePrivateKey as _;

/// A certificate of a server lives for about a year, and each connection costs a signature: what is recommended until
/// 2030.
const SERVER_RSA_BITS: usize = 2048;
/// An authority outlives 2030.
const AUTHORITY_RSA_BITS: usize = 3072;

/// Which kind of key a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// ECDSA over P-256: small, and quick for servers and devices.
    Elliptic,
    /// RSA, for clients that have nothing else.
    Rsa,
}

impl KeyKind {
    pub(super) fn chosen(rsa: bool) -> Self {
        if rsa { Self::Rsa } else { Self::Elliptic }
    }

    /// A new key for a server or a device.
    pub(super) fn generate(self) -> anyhow::Result<KeyPair> {
        self.generate_of(SERVER_RSA_BITS)
    }

    /// A new key for an authority.
    pub(super) fn generate_for_authority(self) -> anyhow::Result<KeyPair> {
        self.generate_of(AUTHORITY_RSA_BITS)
    }

    /// rcgen draws RSA keys only with a library that needs more than a C compiler; the keys of another serve it as
    /// well.
    fn generate_of(self, rsa_bits: usize) -> anyhow::Result<KeyPair> {
        match self {
            Self::Elliptic => Ok(KeyPair::generate()?),
            Self::Rsa => {
                let drawn = rsa::PrivateKey::new(&mut SysRng, rsa_bits).context("cannot draw an RSA key")?;
                let encoded = drawn.to_pkcs8_der().context("cannot encode an RSA key")?;
                Ok(KeyPair::try_from(encoded.as_bytes())?)
            }
        }
    }
}
