//! One of the five fields of a cron expression, as a set of numbers.

/// What a field may say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) min: u8,
    pub(super) max: u8,
    /// Names of the numbers from `first_named` on.
    pub(super) names: &'static [&'static str],
    pub(super) first_named: u8,
}

/// A field: the numbers that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    bits: u64,
    /// It is `*` or `*/n`.
    pub(super) is_wildcard: bool,
}

impl Field {
    /// Reads a list of `*`, numbers, names and ranges, each with an optional step. `None` if it is not one.
    pub(super) fn read(text: &str, kind: Kind) -> Option<Self> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= part_bits(part, kind)?;
        }
        let is_wildcard = text == "*" || (text.starts_with("*/") && !text.contains(','));
        Some(Self { bits, is_wildcard })
    }

    pub(super) const fn has(&self, number: u8) -> bool {
        self.bits >> number & 1 == 1
    }

    /// The matching numbers, smallest first.
    pub(super) fn numbers(&self) -> impl Iterator<Item = i8> + use<> {
        let bits = self.bits;
        (0..i8::MAX)
            .take_while(move |number| *number < 64)
            .filter(move |number| bits >> *number & 1 == 1)
    }

    /// The same set with `from` counted as `to`.
    pub(super) const fn renamed(mut self, from: u8, to: u8) -> Self {
        if self.has(from) {
            self.bits = self.bits & !(1 << from) | 1 << to;
        }
        self
    }
}

fn part_bits(part: &str, kind: Kind) -> Option<u64> {
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, Some(number(step)?)),
        None => (part, None),
    };
    let (first, last) = match span.split_once('-') {
        _ if span == "*" => (kind.min, kind.max),
        Some((first, last)) => (kind.number(first)?, kind.number(last)?),
        // A step needs a range: `5/10` has no agreed meaning.
        None if step.is_some() => return None,
        None => (kind.number(span)?, kind.number(span)?),
    };
    let step = step.unwrap_or(1);
    if step == 0 || step > kind.max || first > last {
        return None;
    }
    Some(
        (first..=last)
            .step_by(usize::from(step))
            .fold(0, |bits, number| bits | 1 << number),
    )
}

impl Kind {
    fn number(self, text: &str) -> Option<u8> {
        let named = || {
            let index = self.names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
            u8::try_from(index).ok()?.checked_add(self.first_named)
        };
        number(text)
            .or_else(named)
            .filter(|number| (self.min..=self.max).contains(number))
    }
}

/// At most two digits and nothing else.
fn number(text: &str) -> Option<u8> {
    let is_plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Kind = Kind {
        min: 1,
        max: 12,
        names: &["JAN", "FEB", "MAR"],
        first_named: 1,
    };

    #[test]
    fn cron_field_reads_lists_ranges_steps_and_names() {
        for (text, numbers) in [
            ("*", (1..=12).collect::<Vec<i8>>()),
            ("*/5", vec![1, 6, 11]),
            ("2,4-6", vec![2, 4, 5, 6]),
            ("1-9/4", vec![1, 5, 9]),
            ("jan,MAR", vec![1, 3]),
            ("feb-4", vec![2, 3, 4]),
            ("07", vec![7]),
        ] {
            let field = Field::read(text, MONTH).unwrap();
            assert_eq!(field.numbers().collect::<Vec<_>>(), numbers, "{text}");
            assert_eq!(field.is_wildcard, text.starts_with('*'), "{text}");
        }
        for bad in [
            "", "0", "13", "5-2", "*/0", "*/13", "5/2", "1,", "-1", "+1", "a", "1-2-3", "1/2/3", "001", "**",
        ] {
            assert_eq!(Field::read(bad, MONTH), None, "{bad}");
        }
    }
}
