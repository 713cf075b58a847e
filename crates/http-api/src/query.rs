//! The query of a URL, read tolerantly: what cannot be decoded stands for itself.

/// Decoded parameters in the order they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    /// There was nothing between two `&`, or before the first, or after the last.
    gap: bool,
}

impl Query {
    /// Reads what follows the `?`.
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self {
            pairs: pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(k, v)| (unescape(k), unescape(v)))
                .collect(),
            gap: !text.is_empty() && text.split('&').any(str::is_empty),
        }
    }

    /// All parameters, as they were sent.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a parameter has no name or no value, or there is nothing where one could be.
    pub(super) fn has_empty_part(&self) -> bool {
        self.gap || self.pairs().any(|(name, value)| name.is_empty() || value.is_empty())
    }

    /// The first value of a parameter; one without a value counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The first value of a parameter, be it empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str())
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_as_far_as_they_can_be() {
        let query =
            Query::read("action=get&&orgId=o%201&plus=a+b&name=%E9%A3%8E&bad=%zz%4&empty=&bare&action=second&=x");
        let expected = [
            ("action", Some("get")),
            ("orgId", Some("o 1")),
            ("plus", Some("a b")),
            ("name", Some("风")),
            ("bad", Some("%zz%4")),
            ("empty", None),
            ("bare", None),
            ("missing", None),
            ("", Some("x")),
        ];
        for (name, value) in expected {
            assert_eq!(query.get(name), value, "{name}");
        }
        assert_eq!(Query::read("k=%ff").get("k"), Some("\u{fffd}"));
        assert_eq!(Query::read(""), Query::default());
        for (text, empty) in [
            ("", false),
            ("a=1&b=2", false),
            ("a=1&&b=2", true),
            ("&a=1", true),
            ("a=1&", true),
            ("a=", true),
            ("a", true),
            ("=1", true),
        ] {
            assert_eq!(Query::read(text).has_empty_part(), empty, "{text}");
        }
    }
}
