//! Checks of numbers against their ranges, with one wording for all of them.

use std::fmt::Display;

use serde_json::Value;

use crate::violation::Violation;

/// Checks that a whole number lies in a range.
///
/// # Errors
/// It does not.
pub(crate) fn whole(path: &str, value: i64, min: i64, max: i64) -> Result<u64, Violation> {
    let in_range = (min..=max).contains(&value);
    match u64::try_from(value) {
        Ok(number) if in_range => Ok(number),
        _ => Err(outside(path, &Value::from(value), "whole number", min, max)),
    }
}

/// As [`whole`], for a member that may be absent.
///
/// # Errors
/// It is there and outside of the range.
pub(crate) fn whole_if_given(path: &str, value: Option<i64>, min: i64, max: i64) -> Result<Option<u64>, Violation> {
    value.map(|value| whole(path, value, min, max)).transpose()
}

/// The violation of a number that is outside of its range.
pub(crate) fn outside(path: &str, found: &Value, kind: &str, min: impl Display, max: impl Display) -> Violation {
    Violation::of(found, format!("{kind} from {min} to {max}")).within(path)
}
