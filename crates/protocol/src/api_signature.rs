//! How API callers prove that they know their application secret: when they ask for a token, and in every call.
//!
//! Both are plain SHA-256 digests over text that ends with the secret. Whether the timestamp is recent, and whether the
//! token is known, is decided elsewhere: there is no clock here (docs/api.md, "Access").

use sha2::Sha256;

use crate::digest::{hex_digest, same_hex};

/// What a call's signature covers.
#[derive(Clone, Copy)]
pub struct SignedCall<'a> {
    /// The access token, as in the header.
    pub token: &'a str,
    /// The query as it stands in the URL, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The body, byte for byte; empty if there is none.
    pub body: &'a [u8],
    /// The timestamp, as in the header.
    pub timestamp: &'a str,
}

/// The `encryption` field of a request for a token, or for its refresh; `timestamp` in decimal milliseconds.
#[must_use]
pub fn encrypt_token_request(app_key: &str, timestamp: &str, app_secret: &str) -> String {
    hex_digest::<Sha256>(&[app_key.as_bytes(), timestamp.as_bytes(), app_secret.as_bytes()])
}

/// Whether the `encryption` of a request for a token was made with this secret. Compares in constant time.
#[must_use]
pub fn verify_token_request(app_key: &str, timestamp: &str, app_secret: &str, encryption: &str) -> bool {
    same_hex(
        &encrypt_token_request(app_key, timestamp, app_secret),
        encryption.as_bytes(),
    )
}

/// How a caller may have read its own query before signing it.
#[derive(Clone, Copy)]
struct Reading {
    decoded: bool,
    /// What stands for a value that is not there.
    missing: &'static [u8],
}

const AS_DOCUMENTED: Reading = Reading {
    decoded: true,
    missing: b"",
};

/// The documented reading first, then what callers in the field do: sign values as they stand in the URL, or append the
/// word `null` for a value that is missing, as the vendor's reference code does by accident.
const READINGS: [Reading; 4] = [
    AS_DOCUMENTED,
    Reading {
        decoded: false,
        missing: b"",
    },
    Reading {
        decoded: true,
        missing: b"null",
    },
    Reading {
        decoded: false,
        missing: b"null",
    },
];

impl SignedCall<'_> {
    /// The call's signature, in lower-case hexadecimal.
    #[must_use]
    pub fn sign(&self, app_secret: &str) -> String {
        self.sign_parameters(&parameters(self.query, AS_DOCUMENTED), app_secret)
    }

    /// Whether the signature was made with this secret, in any reading of the query. Each comparison takes constant
    /// time; a reading that yields the same text as an earlier one is not tried again, since bodies can be large.
    #[must_use]
    pub fn verify(&self, app_secret: &str, signature: &str) -> bool {
        let mut tried: Vec<Vec<u8>> = Vec::with_capacity(READINGS.len());
        for reading in READINGS {
            let text = parameters(self.query, reading);
            if tried.contains(&text) {
                continue;
            }
            if same_hex(&self.sign_parameters(&text, app_secret), signature.as_bytes()) {
                return true;
            }
            tried.push(text);
        }
        false
    }

    fn sign_parameters(&self, parameters: &[u8], app_secret: &str) -> String {
        hex_digest::<Sha256>(&[
            self.token.as_bytes(),
            parameters,
            self.body,
            self.timestamp.as_bytes(),
            app_secret.as_bytes(),
        ])
    }
}

/// Names and values, sorted by the bytes of the names and joined without separators; of a repeated name only the first.
fn parameters(query: &str, reading: Reading) -> Vec<u8> {
    let read = |text: &str| {
        if reading.decoded {
            percent_decoded(text)
        } else {
            text.as_bytes().to_vec()
        }
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = pairs
        .map(|pair| match pair.split_once('=') {
            None | Some((_, "")) => (read(pair.trim_end_matches('=')), reading.missing.to_vec()),
            Some((name, value)) => (read(name), read(value)),
        })
        .collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.dedup_by(|(later, _), (first, _)| later == first);
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .flatten()
        .collect()
}

/// What stands for what in a URL's query. An escape that is none stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = if byte == b'%' {
            bytes.get(at + 1..at + 3).and_then(hex_byte)
        } else {
            None
        };
        decoded.push(match (escape, byte) {
            (Some(value), _) => value,
            (None, b'+') => b' ',
            (None, other) => other,
        });
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINESE_BODY: &str = "{\n  \"count\": 20,\n  \"page\": 1,\n  \"desc\": \"描述\"\n}";
    const CHINESE_HASH: &str = "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981";
    const ENGLISH_HASH: &str = "ad6dc6fc97f4290f3724e94eab38168d8613c41c3a4569b4b8b0efbce96a816c";

    #[test]
    fn the_worked_signatures_of_the_documents_are_right() {
        let guide = include_str!("../../../docs/getting-started.md");
        let call = SignedCall {
            token: "example-token",
            query: "action=createJob&orgId=default",
            body: br#"{"a":1}"#,
            timestamp: "1700000000000",
        };
        let token_request = encrypt_token_request("example-key", call.timestamp, "example-secret");
        for digest in [call.sign("example-secret"), token_request] {
            assert!(
                guide.contains(&format!("sha256sum\n```\n\n```\n{digest}\n")),
                "{digest}"
            );
        }
    }

    fn documented(body: &str) -> String {
        let call = SignedCall {
            token: "xxxxaaaxxxx",
            query: "k3=v3&k1=v1&k2=v2",
            body: body.as_bytes(),
            timestamp: "1572574909697",
        };
        call.sign("xxxappSecretxxx")
    }

    fn demo<'a>(query: &'a str, body: &'a [u8]) -> SignedCall<'a> {
        SignedCall {
            token: "demo-token",
            query,
            body,
            timestamp: "1700000000000",
        }
    }

    /// The signature of a caller that signs exactly this text for its parameters.
    fn signed_as(parameters: &str) -> String {
        demo("", b"").sign_parameters(parameters.as_bytes(), "s")
    }

    #[test]
    fn the_documented_example_has_the_documented_signature() {
        assert_eq!(documented(CHINESE_BODY), CHINESE_HASH);
    }

    #[test]
    fn the_english_page_prints_the_signature_of_the_chinese_body() {
        let signature = documented(&CHINESE_BODY.replace("描述", "description"));
        assert_eq!(signature, ENGLISH_HASH);
        assert_ne!(signature, CHINESE_HASH);
    }

    #[test]
    fn a_token_is_asked_for_with_a_digest_over_key_time_and_secret() {
        let hash = "aa3dbd256274525928efdc00818d2254c70e20945bd4b5d93dce11c31aecf403";
        assert_eq!(
            encrypt_token_request("demo-app-key", "1700000000000", "demo-app-secret"),
            hash
        );
        assert!(verify_token_request(
            "demo-app-key",
            "1700000000000",
            "demo-app-secret",
            hash
        ));
        assert!(!verify_token_request(
            "demo-app-key",
            "1700000000001",
            "demo-app-secret",
            hash
        ));
        assert!(!verify_token_request(
            "demo-app-key",
            "1700000000000",
            "demo-app-secret",
            ""
        ));
    }

    #[test]
    fn calls_are_signed_with_and_without_a_body() {
        let get = demo("action=getJob&orgId=o1&jobId=j1", b"");
        let hash = "b191bbae18f75ea2cceabce5391ff5a233b1c6ee3daa59a55197dba8dbae993d";
        assert_eq!(get.sign("demo-app-secret"), hash);
        assert!(get.verify("demo-app-secret", hash));
        let post = demo("action=cancelTask&orgId=o1&jobId=j1", br#"{"taskIds":["t1"]}"#);
        let hash = "ed232a823ea060fefc7891edb1d6f345df822a7406282832a1ba471f896244bd";
        assert_eq!(post.sign("demo-app-secret"), hash);
        assert!(post.verify("demo-app-secret", &hash.to_uppercase()));
        assert!(!post.verify("other-secret", hash));
        assert!(!get.verify("demo-app-secret", hash));
    }

    #[test]
    fn parameters_are_sorted_by_bytes_and_of_a_repeated_name_the_first_counts() {
        assert_eq!(demo("b=2&a=1&B=3&b=1", b"").sign("s"), signed_as("B3a1b2"));
        assert_eq!(demo("a=1&&ab=2&", b"").sign("s"), signed_as("a1ab2"));
    }

    #[test]
    fn values_are_signed_decoded_and_accepted_as_they_stand() {
        let call = demo("q=a%20b+c%26%E6%B3%B5&x=1", b"");
        assert_eq!(call.sign("s"), signed_as("qa b c&泵x1"));
        assert!(call.verify("s", &signed_as("qa b c&泵x1")));
        assert!(call.verify("s", &signed_as("qa%20b+c%26%E6%B3%B5x1")));
        assert!(!call.verify("s", &signed_as("qa bx1")));
    }

    #[test]
    fn a_missing_value_counts_as_nothing_or_as_the_word_null() {
        for query in ["b=1&a", "b=1&a="] {
            let call = demo(query, b"");
            assert_eq!(call.sign("s"), signed_as("ab1"), "{query}");
            assert!(call.verify("s", &signed_as("ab1")), "{query}");
            assert!(call.verify("s", &signed_as("anullb1")), "{query}");
        }
        assert!(demo("a&b=%41", b"").verify("s", &signed_as("anullb%41")));
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for (text, decoded) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%zz1", "%zz1"),
            ("%+1", "% 1"),
            ("%%41", "%A"),
            ("%e6", "\u{fffd}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&percent_decoded(text)), decoded, "{text}");
        }
    }
}
