//! The bytes of a payload as text, in whichever encoding a device's program wrote them (docs/device-protocol.md,
//! "Replies").
//!
//! Every mark of JSON is ASCII, so a text in an encoding that cannot be told (Latin-1, GBK) keeps its structure: only
//! its other characters are replaced. The work and the memory are bounded by the payload's length.

use std::borrow::Cow;

use serde::de::IgnoredAny;

const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

/// The text of a payload, without byte order mark, NULs and blanks at either end.
pub(crate) fn read(payload: &[u8]) -> Cow<'_, str> {
    match wide(payload) {
        Some(text) => Cow::Owned(trimmed(&text).to_owned()),
        None => match std::str::from_utf8(payload) {
            Ok(text) => Cow::Borrowed(trimmed(text)),
            Err(_) => Cow::Owned(trimmed(&of_unknown_encoding(payload)).to_owned()),
        },
    }
}

/// Whether it is JSON that any reader takes.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}

/// UTF-16 or UTF-32, told by its mark, or by the zeros beside the first two ASCII characters.
fn wide(payload: &[u8]) -> Option<String> {
    match payload {
        [0xff, 0xfe, 0, 0, ..] => Some(utf32(payload, u32::from_le_bytes)),
        [0, 0, 0xfe, 0xff, ..] => Some(utf32(payload, u32::from_be_bytes)),
        [0xff, 0xfe, ..] => Some(utf16(payload, u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Some(utf16(payload, u16::from_be_bytes)),
        [1..=0x7f, 0, 0, 0, 1..=0x7f, 0, 0, 0, ..] => Some(utf32(payload, u32::from_le_bytes)),
        [0, 0, 0, 1..=0x7f, 0, 0, 0, 1..=0x7f, ..] => Some(utf32(payload, u32::from_be_bytes)),
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => Some(utf16(payload, u16::from_le_bytes)),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => Some(utf16(payload, u16::from_be_bytes)),
        _ => None,
    }
}

fn utf16(payload: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, _odd) = payload.as_chunks();
    let units = units.iter().map(|bytes| unit(*bytes));
    char::decode_utf16(units).map(|c| c.unwrap_or(UNKNOWN)).collect()
}

fn utf32(payload: &[u8], unit: fn([u8; 4]) -> u32) -> String {
    let (units, _odd) = payload.as_chunks();
    let units = units.iter().map(|bytes| unit(*bytes));
    units.map(|unit| char::from_u32(unit).unwrap_or(UNKNOWN)).collect()
}

/// Every character beyond ASCII is replaced. The second byte of a character in GBK, Big5 or Shift-JIS may look like a
/// mark of JSON, the byte behind a Latin-1 character is one: whichever reading makes JSON is taken, bytes by themselves
/// if neither does.
fn of_unknown_encoding(payload: &[u8]) -> String {
    let single = String::from_utf8_lossy(payload).into_owned();
    if is_json(trimmed(&single)) {
        return single;
    }
    let double = in_pairs(payload);
    if is_json(trimmed(&double)) { double } else { single }
}

fn in_pairs(payload: &[u8]) -> String {
    let mut text = String::with_capacity(payload.len());
    let mut bytes = payload.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii() {
            text.push(char::from(byte));
            continue;
        }
        bytes.next_if(|trail| (0x40..=0xfe).contains(trail) && *trail != 0x7f);
        text.push(UNKNOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"id":"7"}"#;

    #[test]
    fn text_in_every_unicode_encoding_with_and_without_mark_is_the_same() {
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}{JSON}");
            let wide = text.encode_utf16().collect::<Vec<_>>();
            let full = text.chars().map(u32::from).collect::<Vec<_>>();
            let le16 = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let be16 = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            let le32 = full.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let be32 = full.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            for payload in [text.clone().into_bytes(), le16, be16, le32, be32] {
                assert_eq!(read(&payload), JSON, "{payload:?}");
                let ended = [payload, vec![0; 4]].concat();
                assert_eq!(read(&ended), JSON, "{ended:?}");
            }
        }
    }

    #[test]
    fn text_with_nuls_and_blanks_at_its_ends_loses_them() {
        for payload in [
            "{\"id\":\"7\"}\0",
            "\0\0{\"id\":\"7\"}\0\0\r\n",
            "\u{feff}\u{feff} {\"id\":\"7\"}\n\0",
        ] {
            assert_eq!(read(payload.as_bytes()), JSON);
        }
        assert_eq!(read(b"\0"), "");
    }

    #[test]
    fn text_in_an_encoding_that_cannot_be_told_keeps_its_structure() {
        for payload in [
            &b"{\"m\":\"caf\xe9\"}"[..],
            b"{\"m\":\"\xe9\\\"\"}",
            b"{\"m\":\"\xb5\x5c\"}",
            b"{\"m\":\"\xd6\x7b\x81\x5d\"}",
            b"{\"m\":\"\xed\xa0\x80\"}",
        ] {
            let text = read(payload);
            assert!(is_json(&text) && text.starts_with("{\"m\":\""), "{text}");
        }
    }
}
