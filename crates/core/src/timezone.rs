//! Time zones of devices (docs/api.md, "Devices"): a fixed offset or a name of the IANA database, which is built in.

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::time::Timestamp;
use crate::violation::Violation;

/// The farthest zone from Greenwich is +14:00.
const OFFSET_MINUTES_MAX: i32 = 14 * 60;

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

/// What the clock on the wall shows in a time zone: `2026-01-31 08:00:00`. A text that is no time zone counts as UTC.
#[must_use]
pub fn local(at: Timestamp, zone: &str) -> String {
    let shown = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    let shown = shown.to_zoned(of(zone).unwrap_or(TimeZone::UTC));
    shown.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The rules of a time zone; `None` for a text that is no time zone.
pub(crate) fn of(zone: &str) -> Option<TimeZone> {
    let offset = |minutes: i32| Offset::from_seconds(minutes * 60).ok().map(TimeZone::fixed);
    offset_minutes(zone).map_or_else(|| TimeZoneDatabase::bundled().get(zone).ok(), offset)
}

fn is_offset(text: &str) -> bool {
    offset_minutes(text).is_some()
}

fn offset_minutes(text: &str) -> Option<i32> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = text.as_bytes() else {
        return None;
    };
    let two_digits = |tens: &u8, ones: &u8| {
        let digit = |byte: &u8| char::from(*byte).to_digit(10);
        Some(digit(tens)? * 10 + digit(ones)?)
    };
    let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
    let all = i32::try_from(hours * 60 + minutes).ok()?;
    let fits = minutes < 60 && all <= OFFSET_MINUTES_MAX;
    fits.then_some(if *sign == b'-' { -all } else { all })
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
            r#"expected offset such as +08:00 or time zone name such as Asia/Shanghai, found "Mars""#
        );
    }

    #[test]
    fn the_clock_on_the_wall_is_the_time_zones() {
        let at = Timestamp(1_718_952_446_317);
        for (zone, shown) in [
            ("+00:00", "2024-06-21 06:47:26"),
            ("+08:00", "2024-06-21 14:47:26"),
            ("-03:30", "2024-06-21 03:17:26"),
            ("Europe/Berlin", "2024-06-21 08:47:26"),
            ("no zone", "2024-06-21 06:47:26"),
        ] {
            assert_eq!(local(at, zone), shown, "{zone}");
        }
        assert_eq!(local(Timestamp(i64::MAX), "UTC"), "1970-01-01 00:00:00");
    }
}
