//! Moments on the command line.

use aldis_core::time::Timestamp as Instant;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A moment as given: fixed, or counted from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Epoch milliseconds.
    At(i64),
    /// Milliseconds from now.
    In(i64),
}

impl Moment {
    /// Epoch milliseconds.
    pub(crate) fn resolve(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::In(ms) => now_ms.saturating_add(ms),
        }
    }
}

/// The present in epoch milliseconds.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Reads `+90s`, `+10m`, `+2h`, `+1d`, epoch milliseconds, `2030-01-31T12:00:00Z` or `2030-01-31 12:00:00` in UTC.
pub(crate) fn parse(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Some(span) = text.strip_prefix('+') {
        return from_now(span).ok_or_else(|| "expected a span such as +90s, +10m, +2h or +1d".to_owned());
    }
    if let Ok(ms) = text.parse() {
        let given =
            Instant::given(ms).ok_or_else(|| format!("expected epoch milliseconds, found {ms}, which are seconds"))?;
        return Ok(Moment::At(given.0));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Moment::At(moment.as_millisecond()));
    }
    let local: Option<DateTime> = text.parse().ok();
    local
        .and_then(|local| TimeZone::UTC.to_timestamp(local).ok())
        .map(|moment| Moment::At(moment.as_millisecond()))
        .ok_or_else(|| {
            "expected +10m, 2030-01-31T12:00:00Z, '2030-01-31 12:00:00' (UTC) or epoch milliseconds".to_owned()
        })
}

fn from_now(span: &str) -> Option<Moment> {
    let unit = span.chars().next_back()?;
    let ms_per_unit: i64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let count: i64 = span.strip_suffix(unit)?.parse().ok()?;
    Some(Moment::In(count.checked_mul(ms_per_unit)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_spelling() {
        let noon = Moment::At(1_893_456_000_000);
        assert_eq!(parse("1893456000000"), Ok(noon));
        assert_eq!(parse("2030-01-01T00:00:00Z"), Ok(noon));
        assert_eq!(parse("2030-01-01T08:00:00+08:00"), Ok(noon));
        assert_eq!(parse("2030-01-01 00:00:00"), Ok(noon));
        assert_eq!(parse("+90s"), Ok(Moment::In(90_000)));
        assert_eq!(parse("+1d").unwrap().resolve(5), 86_400_005);
        assert!(parse("1893456000").unwrap_err().contains("milliseconds"));
        for wrong in ["tomorrow", "+5", "+x", "+5w", "+99999999999999d", ""] {
            parse(wrong).unwrap_err();
        }
    }
}
