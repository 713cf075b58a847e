//! Text as it stands in files that people write: UTF-8, with or without the byte order mark that some editors put
//! first.

use thiserror::Error;

/// What some editors and spreadsheets write before the first letter.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a file's bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotText {
    /// Two bytes a character.
    #[error("the file is UTF-16: save it as UTF-8 (spreadsheets call it \"CSV UTF-8\")")]
    Utf16,
    /// One byte that UTF-8 does not have there.
    #[error(
        "line {line}: the byte 0x{byte:02X} is no UTF-8, the file seems to be Latin-1 or in another old encoding: \
         save it as UTF-8"
    )]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
}

/// The text of a file's bytes, without the byte order mark.
///
/// # Errors
/// The bytes are in another encoding than UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    if is_utf16(&bytes) {
        return Err(NotText::Utf16);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_mark(&text).map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            Err(NotText::NotUtf8 {
                line: bytes.iter().take(valid).filter(|byte| **byte == b'\n').count() + 1,
                byte: bytes.get(valid).copied().unwrap_or_default(),
            })
        }
    }
}

/// What follows the byte order mark; `None` if there is none.
fn without_mark(text: &str) -> Option<&str> {
    text.strip_prefix(BYTE_ORDER_MARK)
}

/// By its own byte order mark, or by the NUL that every second byte of western text is.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => true,
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        for (bytes, text) in [
            ("\u{feff}{\"a\":1}", "{\"a\":1}"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("重启", "重启"),
            ("\u{feff}", ""),
            ("", ""),
            ("a\u{feff}", "a\u{feff}"),
        ] {
            assert_eq!(decode(bytes.as_bytes().to_vec()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn another_encoding_is_named() {
        let wide = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<_>>();
        for text in ["\u{feff}a,b\n", "a,b\n"] {
            assert_eq!(decode(wide(text, u16::to_le_bytes)), Err(NotText::Utf16));
            assert_eq!(decode(wide(text, u16::to_be_bytes)), Err(NotText::Utf16));
        }
        assert_eq!(
            decode(b"name\nM\xFCller\n".to_vec()),
            Err(NotText::NotUtf8 { line: 2, byte: 0xFC })
        );
    }
}
