//! Descriptions of failures with all that differs from device to device taken out, so that equal causes are one group.

/// Longest normalised text, in characters.
pub const NORMAL_CHARS_MAX: usize = 120;
/// Hexadecimal digits from which on a run is taken for an id.
const HEX_RUN_MIN: usize = 8;
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
const NUMBER: &str = "#";
const DOUBLE_QUOTED: &str = "\"…\"";
const SINGLE_QUOTED: &str = "'…'";

/// Takes out numbers, hexadecimal runs of at least 8 digits, UUIDs and quoted text.
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut normal = Normal::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next().filter(|_| normal.has_room()) {
        let length = match piece(rest, normal.begins_word()) {
            Some((piece, length)) => {
                normal.push(piece);
                length
            }
            None => {
                normal.push_char(first);
                first.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    normal.text
}

/// What stands for the beginning of `rest`, and how much of it: quoted text, an id, or digits.
fn piece(rest: &str, begins_word: bool) -> Option<(&'static str, usize)> {
    let word = || match begins_word {
        true => single_quoted(rest).or_else(|| id(rest)),
        false => None,
    };
    double_quoted(rest).or_else(word).or_else(|| digits(rest))
}

/// The text so far, never longer than allowed.
#[derive(Default)]
struct Normal {
    text: String,
    chars: usize,
}

impl Normal {
    const fn has_room(&self) -> bool {
        self.chars < NORMAL_CHARS_MAX
    }

    /// An id is a word of its own: letters before it belong to another word.
    fn begins_word(&self) -> bool {
        !self.text.chars().next_back().is_some_and(is_of_word)
    }

    fn push(&mut self, piece: &str) {
        for char in piece.chars() {
            self.push_char(char);
        }
    }

    fn push_char(&mut self, char: char) {
        if self.has_room() {
            self.text.push(char);
            self.chars += 1;
        }
    }
}

/// Text in double quotes, as far as the closing one.
fn double_quoted(rest: &str) -> Option<(&'static str, usize)> {
    let length = rest.strip_prefix('"')?.find('"')? + 2;
    Some((DOUBLE_QUOTED, length))
}

/// Text in single quotes around whole words. An apostrophe inside a word, or at its end, quotes nothing.
fn single_quoted(rest: &str) -> Option<(&'static str, usize)> {
    let inner = rest.strip_prefix('\'')?;
    let ends_word = |end: &usize| !inner[end + 1..].chars().next().is_some_and(is_of_word);
    let end = inner.match_indices('\'').map(|(end, _)| end).find(ends_word)?;
    Some((SINGLE_QUOTED, end + 2))
}

/// A number that has been taken out still belongs to its word.
fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '#'
}

/// A UUID or a long hexadecimal run, with or without `0x`, up to the end of its word.
fn id(rest: &str) -> Option<(&'static str, usize)> {
    let prefix = if rest.starts_with("0x") || rest.starts_with("0X") {
        2
    } else {
        0
    };
    let run = rest.get(prefix..)?;
    let length = uuid(run).or_else(|| hex_run(run).filter(|length| *length >= HEX_RUN_MIN))?;
    let ends_word = !run.get(length..)?.chars().next().is_some_and(is_of_word);
    ends_word.then_some((NUMBER, prefix + length))
}

fn uuid(text: &str) -> Option<usize> {
    let mut length = 0;
    for (index, group) in UUID_GROUPS.into_iter().enumerate() {
        if index > 0 {
            text.get(length..)?.strip_prefix('-')?;
            length += 1;
        }
        let digits = text.get(length..length + group)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        length += group;
    }
    Some(length)
}

fn hex_run(text: &str) -> Option<usize> {
    let length = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    (length > 0).then_some(length)
}

fn digits(text: &str) -> Option<(&'static str, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    (length > 0).then_some((NUMBER, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failure_text_that_differs_by_device_becomes_one() {
        for (text, normal) in [
            ("", ""),
            ("flash error", "flash error"),
            ("sector 4711 of 8192 bad", "sector # of # bad"),
            ("voltage 3.28V < 3.3V", "voltage #.#V < #.#V"),
            ("checksum deadbeef does not match", "checksum # does not match"),
            ("checksum 0xDEADBEEF01", "checksum #"),
            ("session 123e4567-e89b-12d3-a456-426614174000 lost", "session # lost"),
            (r#"file "/tmp/a 1" not found"#, "file \"…\" not found"),
            ("file 'a 1' not found", "file '…' not found"),
            ("it's the device's 2nd fault", "it's the device's #nd fault"),
            (r#"an open " quote 7"#, "an open \" quote #"),
            ("the facade failed", "the facade failed"),
            ("defaced1 2", "# #"),
            ("deadbeefs", "deadbeefs"),
            ("xdeadbeef", "xdeadbeef"),
            ("Gerät 12 überhitzt", "Gerät # überhitzt"),
        ] {
            assert_eq!(normalise(text), normal, "{text}");
        }
    }

    #[test]
    fn failure_text_is_cut_to_its_length() {
        assert_eq!(normalise(&"ä".repeat(500)), "ä".repeat(NORMAL_CHARS_MAX));
        assert_eq!(
            normalise(&format!("{}\"x\"", "n".repeat(118))),
            format!("{}\"…", "n".repeat(118))
        );
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-f0-9x\" -]{0,60}", "[a-zäö0-9\"' .:-]{0,300}", any::<String>()]
    }

    proptest! {
        #[test]
        fn failure_text_normalised_twice_is_the_same(text in text()) {
            let once = normalise(&text);
            // The cut may take away what followed a quote.
            if once.chars().count() < NORMAL_CHARS_MAX {
                prop_assert_eq!(normalise(&once), once.clone());
            }
            prop_assert!(once.chars().count() <= NORMAL_CHARS_MAX);
            prop_assert!(!once.bytes().any(|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn failure_text_with_other_numbers_is_the_same(words in prop::collection::vec("[g-z]{1,6}", 1..8), seed: u32) {
            let with = |factor: u32| {
                let pieces = words.iter().zip(1_u32..);
                pieces.map(|(word, index)| format!("{word} {} ", seed.wrapping_mul(factor * index))).collect::<String>()
            };
            prop_assert_eq!(normalise(&with(3)), normalise(&with(7)));
        }
    }
}
