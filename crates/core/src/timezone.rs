//! Time zones of devices (docs/api.md, "Devices"): a fixed offset or a name of the IANA database, which is built in.

use jiff::tz::TimeZoneDatabase;

use crate::violation::Violation;

/// The farthest zone from Greenwich is +14:00.
const OFFSET_MINUTES_MAX: u32 = 14 * 60;

/// Checks a time zone: `+08:00`, `-03:30`, `Asia/Shanghai`. Names are read in any case.
///
/// # Errors
/// The text is neither.
pub fn validate(text: &str) -> Result<(), Violation> {
    if is_offset(text) || TimeZoneDatabase::bundled().get(text).is_ok() {
        return Ok(());
    }
    Err(Violation::of_text(
        text,
        "offset such as +08:00 or time zone name such as Asia/Shanghai",
    ))
}

fn is_offset(text: &str) -> bool {
    let [b'+' | b'-', h1, h2, b':', m1, m2] = text.as_bytes() else {
        return false;
    };
    let two_digits = |tens: &u8, ones: &u8| {
        let digit = |byte: &u8| char::from(*byte).to_digit(10);
        Some(digit(tens)? * 10 + digit(ones)?)
    };
    match (two_digits(h1, h2), two_digits(m1, m2)) {
        (Some(hours), Some(minutes)) => minutes < 60 && hours * 60 + minutes <= OFFSET_MINUTES_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_database_names_are_time_zones() {
        for good in [
            "+08:00",
            "-03:30",
            "+00:00",
            "+14:00",
            "Asia/Shanghai",
            "Europe/Berlin",
            "UTC",
            "Etc/GMT+8",
        ] {
            assert_eq!(validate(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "+8:00",
            "08:00",
            "+14:01",
            "+08:60",
            "+0a:00",
            "+08:00 ",
            "Mars/Olympus",
            "../UTC",
            "CEST",
        ] {
            assert!(validate(bad).is_err(), "{bad}");
        }
        assert_eq!(
            validate("Mars").unwrap_err().to_string(),
            r#"offset such as +08:00 or time zone name such as Asia/Shanghai expected, found "Mars""#
        );
    }
}
