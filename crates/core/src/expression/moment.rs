//! Moments in expressions: epoch milliseconds, ISO-8601, or the date and time form of the documentation read as UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::ast::Literal;
use crate::time::Timestamp;

/// What a message says when a moment was wanted.
pub(super) const EXPECTED: &str =
    "a moment (epoch milliseconds, not seconds, 'YYYY-MM-DDTHH:MM:SSZ' or 'YYYY-MM-DD HH:MM:SS[.SSS]' in UTC)";

/// The moment a value names, cut to milliseconds; `None` if it names none.
pub(super) fn read(value: &Literal) -> Option<Timestamp> {
    match value {
        Literal::Int(ms) => Timestamp::given(*ms),
        Literal::Text(text) => read_text(text.trim()),
        Literal::Float(_) | Literal::Bool(_) | Literal::Null => None,
    }
}

fn read_text(text: &str) -> Option<Timestamp> {
    if let Ok(ms) = text.parse::<i64>() {
        return Timestamp::given(ms);
    }
    let moment = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment,
        Err(_) => TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    Some(Timestamp(moment.as_millisecond()))
}
