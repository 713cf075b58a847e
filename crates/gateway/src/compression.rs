//! How a client wants every payload packed, in both directions (docs/device-protocol.md, "Compression").

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use aldis_protocol::login::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// The 512 KiB that device libraries allow for a payload, unpacked too: a few packed bytes can be a gigabyte.
const DECOMPRESSED_MAX_BYTES: usize = 512 * 1024;

/// How packed bytes begin.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What is done with a payload on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PayloadEncoding {
    /// Nothing.
    #[default]
    Plain,
    /// It is one member of a GZIP file.
    Gzip,
}

/// Why a payload cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecompressError {
    /// It is not packed as announced.
    Garbage,
    /// It is larger than a payload may be.
    TooLarge,
}

impl PayloadEncoding {
    /// What a client has announced; `None` if it is not served.
    pub(super) fn announced(compression: Compression) -> Option<Self> {
        match compression {
            Compression::None => Some(Self::Plain),
            Compression::Gzip => Some(Self::Gzip),
            Compression::Lz4 | Compression::Lzo | Compression::Unknown => None,
        }
    }

    /// What is sent to the client.
    pub(super) fn compress(self, payload: &[u8]) -> std::io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Plain => Ok(payload.into()),
            Self::Gzip => {
                let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(payload)?;
                Ok(packed.finish()?.into())
            }
        }
    }

    /// What the client has sent.
    pub(super) fn decompress(self, payload: &[u8]) -> Result<Cow<'_, [u8]>, DecompressError> {
        match self {
            Self::Plain => Ok(payload.into()),
            Self::Gzip if payload.starts_with(&MAGIC) => gunzip(payload).map(Cow::from),
            // A program that packs by hand forgets to now and then. Packed bytes are never taken for JSON.
            Self::Gzip => Ok(payload.into()),
        }
    }
}

/// Of what is cut short or damaged, as much as can be unpacked: what it says is read as far as it goes, as any text
/// that is cut off. Whatever follows the packed bytes is passed over.
fn gunzip(payload: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut unpacked = Vec::new();
    let whole = GzDecoder::new(payload)
        .take(DECOMPRESSED_MAX_BYTES as u64 + 1)
        .read_to_end(&mut unpacked);
    if unpacked.len() > DECOMPRESSED_MAX_BYTES {
        return Err(DecompressError::TooLarge);
    }
    match whole {
        Err(_broken) if unpacked.is_empty() => Err(DecompressError::Garbage),
        Ok(_) | Err(_) => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_again() {
        for payload in [&b""[..], b"{}", &[0; 100_000]] {
            for encoding in [PayloadEncoding::Plain, PayloadEncoding::Gzip] {
                let packed = encoding.compress(payload).unwrap();
                assert_eq!(encoding.decompress(&packed).unwrap(), payload);
            }
            let packed = PayloadEncoding::Gzip.compress(payload).unwrap();
            assert_eq!(packed[..2], [0x1f, 0x8b]);
        }
    }

    #[test]
    fn a_payload_that_unpacks_to_too_much_is_refused_before_it_is_unpacked_whole() {
        let largest = vec![0; DECOMPRESSED_MAX_BYTES];
        let packed = PayloadEncoding::Gzip.compress(&largest).unwrap();
        assert_eq!(
            PayloadEncoding::Gzip.decompress(&packed).unwrap().len(),
            DECOMPRESSED_MAX_BYTES
        );
        let bomb = PayloadEncoding::Gzip
            .compress(&vec![0; 100 * DECOMPRESSED_MAX_BYTES])
            .unwrap()
            .into_owned();
        assert!(bomb.len() < DECOMPRESSED_MAX_BYTES);
        assert_eq!(PayloadEncoding::Gzip.decompress(&bomb), Err(DecompressError::TooLarge));
    }

    #[test]
    fn payload_that_is_not_packed_or_cut_short_is_read_as_far_as_it_goes() {
        let text = b"{\"id\":\"1\"}";
        let packed = PayloadEncoding::Gzip.compress(text).unwrap().into_owned();
        let followed = [&packed[..], b"\0"].concat();
        for payload in [&text[..], &packed[..packed.len() - 1], &packed, &followed] {
            assert_eq!(PayloadEncoding::Gzip.decompress(payload).unwrap(), text.as_slice());
        }
        assert_eq!(PayloadEncoding::Gzip.decompress(b"").unwrap(), b"".as_slice());
        assert_eq!(
            PayloadEncoding::Gzip.decompress(&packed[..5]),
            Err(DecompressError::Garbage)
        );
    }

    #[test]
    fn what_java_clients_can_announce_is_served_or_not() {
        assert_eq!(
            PayloadEncoding::announced(Compression::None),
            Some(PayloadEncoding::Plain)
        );
        assert_eq!(
            PayloadEncoding::announced(Compression::Gzip),
            Some(PayloadEncoding::Gzip)
        );
        for other in [Compression::Lz4, Compression::Lzo, Compression::Unknown] {
            assert_eq!(PayloadEncoding::announced(other), None);
        }
    }
}
