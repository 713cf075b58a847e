//! The secret key, and sealing with it what must be recoverable but not readable in a stolen copy of the database.
//!
//! A sealed text is a random nonce, the ciphertext and its tag. The nonces are long (XChaCha20-Poly1305), so that
//! drawing them needs no count of how many there were. Each text is bound to its row: moved to another, it does not
//! open.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aldis_store::rows::Secret;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::driver_error::{DriverError, Result};

/// Length of the key, in bytes.
pub(crate) const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// What `meta.key_check` holds, sealed.
const KNOWN: &str = "aldis";

/// Whose secret it is; part of what is authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// The check that the key is the right one.
    Check,
    AccessKey(&'a str),
    Product(&'a str),
    Device(u64),
}

impl Owner<'_> {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Check => b"check".to_vec(),
            Self::AccessKey(key) => format!("access_key:{key}").into_bytes(),
            Self::Product(key) => format!("product:{key}").into_bytes(),
            Self::Device(no) => format!("device:{no}").into_bytes(),
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Check => "meta",
            Self::AccessKey(_) => "access_key",
            Self::Product(_) => "product",
            Self::Device(_) => "device",
        }
    }
}

/// Seals and opens secrets.
pub(crate) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    pub(crate) fn seal(&self, owner: Owner<'_>, secret: &Secret) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| unavailable("drawing a nonce", error))?;
        let payload = Payload {
            msg: secret.0.as_bytes(),
            aad: &owner.bytes(),
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|error| unavailable("sealing a secret", error))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, owner: Owner<'_>, sealed: &[u8]) -> Result<Secret> {
        let unfit = |what: &str| DriverError::corrupt(owner.table(), "secret", what);
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(|| unfit("too short"))?;
        let payload = Payload {
            msg: sealed,
            aad: &owner.bytes(),
        };
        let text = self.0.decrypt(&XNonce::from(*nonce), payload);
        let text = text.map_err(|_opaque| unfit("it does not open with this key"))?;
        String::from_utf8(text)
            .map(Secret)
            .map_err(|_not_text| unfit("not text"))
    }

    pub(crate) fn key_check(&self) -> Result<Vec<u8>> {
        self.seal(Owner::Check, &Secret(KNOWN.to_owned()))
    }

    pub(crate) fn is_key_of(&self, key_check: &[u8]) -> bool {
        self.open(Owner::Check, key_check).is_ok_and(|secret| secret.0 == KNOWN)
    }
}

fn unavailable(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> DriverError {
    DriverError::Store(aldis_store::Error::Unavailable {
        what: what.to_owned(),
        source: Some(Box::new(error)),
    })
}

/// Reads a key file; `None` if there is none.
pub(crate) fn read_key(path: &Path) -> std::io::Result<Option<[u8; KEY_LEN]>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |bytes: Vec<u8>| std::io::Error::other(format!("{} bytes instead of {KEY_LEN}", bytes.len()));
    bytes.try_into().map(Some).map_err(wrong)
}

/// Draws a key and writes it durably to a file that only the owner may read. A file half written by a crash is
/// replaced, because nothing can have been sealed with it: the name appears only once the content is on the disk.
pub(crate) fn create_key(path: &Path) -> std::io::Result<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    let unfinished = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(&key)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    sync_directory_of(path)?;
    Ok(key)
}

/// Makes the names in a file's directory durable.
pub(crate) fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_own_row_and_key_only() {
        let cipher = Cipher::new(&[7; KEY_LEN]);
        let secret = Secret("s3cret".to_owned());
        let sealed = cipher.seal(Owner::Device(1), &secret).unwrap();
        assert_eq!(cipher.open(Owner::Device(1), &sealed).unwrap(), secret);
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        assert!(cipher.open(Owner::Device(2), &sealed).is_err());
        assert!(cipher.open(Owner::Product("1"), &sealed).is_err());
        assert!(Cipher::new(&[8; KEY_LEN]).open(Owner::Device(1), &sealed).is_err());
        assert!(cipher.open(Owner::Device(1), &sealed[..NONCE_LEN - 1]).is_err());
        assert_ne!(
            cipher.seal(Owner::Device(1), &secret).unwrap(),
            sealed,
            "never the same nonce twice"
        );
    }
}
