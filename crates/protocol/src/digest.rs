//! Plain digests as hexadecimal text, and their comparison in constant time.

use sha2::Digest;
use subtle::ConstantTimeEq;

/// The digest of `parts`, one after another, as lower-case hexadecimal text.
pub(crate) fn hex_digest<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

/// Compares hexadecimal text without regard to case, in a time that depends on the lengths alone.
pub(crate) fn same_hex(expected: &str, given: &[u8]) -> bool {
    let given = given.to_ascii_lowercase();
    expected.as_bytes().ct_eq(&given).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lower_case_hexadecimal_text() {
        let whole = hex_digest::<sha2::Sha256>(&[b"abc"]);
        assert_eq!(
            whole,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex_digest::<sha2::Sha256>(&[b"a", b"", b"bc"]), whole);
    }

    #[test]
    fn case_does_not_matter_and_length_does() {
        assert!(same_hex("00ff", b"00Ff"));
        assert!(!same_hex("00ff", b"00fe"));
        assert!(!same_hex("00ff", b"00f"));
        assert!(!same_hex("00ff", b""));
    }
}
