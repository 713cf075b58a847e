//! The one rule for whole numbers: a number is whole by its value, not by its spelling. 22, 22.0, 2.2e1 and 220e-1 are
//! the same.
//!
//! No digit is ever rounded away: what does not fit into 64 bits is no whole number.

use serde_json::Value;

/// Digits that an `i64` can have.
const DIGITS_MAX: usize = 19;

/// The whole number that a JSON value of type number is; `None` for fractions, for what is beyond `i64`, and for other
/// types.
#[must_use]
pub fn whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    // Numbers keep the text that they were written as.
    number.as_i64().or_else(|| whole_text(&number.to_string()))
}

/// The whole number that a text spells in JSON's number syntax; a leading `+` and leading zeros do no harm. Exact over
/// all of `i64`; the work is bounded by the text's length.
#[must_use]
pub fn whole_text(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = shifted(whole, fraction, exponent)?;
    let sign = if negative { "-" } else { "" };
    format!("{sign}{digits}").parse().ok()
}

/// An exponent, saturated: beyond this every number is zero, a fraction or too large.
fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or_else(|_huge| i64::from(u32::MAX));
    let size = size.min(i64::from(u32::MAX));
    Some(if text.starts_with('-') { -size } else { size })
}

/// The digits of `whole.fraction` times ten to the power of `exponent`; `None` if it is no whole number or has too
/// many.
fn shifted(whole: &str, fraction: &str, exponent: i64) -> Option<String> {
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let shift = exponent - i64::try_from(fraction.len()).ok()?;
    let core = significant.trim_end_matches('0');
    let zeros = shift + i64::try_from(significant.len() - core.len()).ok()?;
    let zeros = usize::try_from(zeros).ok()?;
    (core.len() + zeros <= DIGITS_MAX).then(|| core.to_owned() + &"0".repeat(zeros))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_text_of_whole_numbers_is_exact() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("0.0e-999999999999999999999", 0),
            ("22.0", 22),
            ("1e2", 100),
            ("1E+2", 100),
            ("220e-1", 22),
            ("2.2e1", 22),
            ("+7", 7),
            ("007", 7),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775807.000", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("1000000000000004098e0", 1_000_000_000_000_004_098),
        ] {
            assert_eq!(whole_text(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn whole_text_of_anything_else_is_none() {
        for text in [
            "",
            "-",
            "+",
            ".",
            ".5",
            "1.",
            "1.5",
            "1e",
            "1e+",
            "e5",
            "1e-1",
            "22.00000000000000000001",
            "9223372036854775808",
            "-9223372036854775809",
            "1e19",
            "1e400",
            "1e99999999999999999999",
            "0x10",
            "1_000",
            " 1",
            "1 ",
            "--1",
            "NaN",
            "Infinity",
            "\u{0661}",
        ] {
            assert_eq!(whole_text(text), None, "{text}");
        }
    }

    #[test]
    fn whole_value_is_a_number_that_stands_for_one_whole_number() {
        for value in [json!(22), json!(22.0), json!(2.2e1)] {
            assert_eq!(whole(&value), Some(22), "{value}");
        }
        let written: Value = serde_json::from_str("[9007199254740993.0, 1e400, 22.00000000000000000001]").unwrap();
        assert_eq!(whole(&written[0]), Some(9_007_199_254_740_993), "no digit is lost");
        assert_eq!((whole(&written[1]), whole(&written[2])), (None, None));
        for value in [
            json!(22.5),
            json!(9_223_372_036_854_775_808.0),
            json!(1e300),
            json!(u64::MAX),
            json!("22"),
            json!(true),
            json!(null),
            json!([22]),
        ] {
            assert_eq!(whole(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn whole_text_reads_back_every_number_whatever_its_exponent(number: i64, zeros in 0..30_usize, shift in 0..20_i64) {
            let fraction = "0".repeat(zeros);
            let (plain, point) = (format!("{number}"), format!("{number}.{fraction}0"));
            prop_assert_eq!(whole_text(&plain), Some(number));
            prop_assert_eq!(whole_text(&point), Some(number));
            let raised = "0".repeat(usize::try_from(shift).unwrap_or(0));
            let shifted = format!("{number}{raised}e-{shift}");
            prop_assert_eq!(whole_text(&shifted), Some(number));
        }

        #[test]
        fn whole_text_takes_any_text(text: String) {
            let _either = whole_text(&text);
        }
    }
}
