//! Whole numbers in requests, read as tolerantly as the original does: 30, 30.0, 3e1, "30" and "30.0" are the same.

use std::ops::RangeInclusive;

use aldis_core::number;
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use serde_json::Value;

/// A whole number within `range`, or nothing; `field` is where it stands.
pub(super) fn whole(given: Option<&Value>, field: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Violation> {
    let Some(value) = given else { return Ok(None) };
    let read = read(value).filter(|number| range.contains(number));
    let wrong = || {
        let expected = match (*range.start(), *range.end()) {
            (i64::MIN, _) => "whole number".to_owned(),
            (min, max) => format!("whole number from {min} to {max}"),
        };
        Violation::of(value, expected).within(field)
    };
    read.map(Some).ok_or_else(wrong)
}

/// A moment in epoch milliseconds, or nothing.
pub(super) fn moment(given: Option<&Value>, field: &str) -> Result<Option<Timestamp>, Violation> {
    let Some(ms) = whole(given, field, i64::MIN..=i64::MAX)? else {
        return Ok(None);
    };
    let moment = Timestamp::given(ms).ok_or_else(|| Violation {
        path: field.to_owned(),
        expected: "epoch milliseconds".to_owned(),
        found: format!("{ms}, which are seconds"),
    })?;
    Ok(Some(moment))
}

fn read(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => number::whole_text(text),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => number::whole(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_in_seconds_is_refused_by_name() {
        let read = |value: Value| moment(Some(&value), "triggerTs").map_err(|violation| violation.to_string());
        for value in [
            json!(1_764_547_200),
            json!("1764547200"),
            json!(1_764_547_200.0),
            json!(1),
            json!(100_000_000_000_i64),
        ] {
            let refused = read(value.clone()).unwrap_err();
            assert!(
                refused.starts_with("triggerTs: expected epoch milliseconds"),
                "{value}: {refused}"
            );
            assert!(refused.ends_with("seconds"), "{value}: {refused}");
        }
        for ms in [0, -1, 100_000_000_001, 1_764_547_200_000] {
            assert_eq!(read(json!(ms)), Ok(Some(Timestamp(ms))));
        }
        assert_eq!(moment(None, "triggerTs"), Ok(None));
    }

    #[test]
    fn whole_numbers_are_read_in_three_spellings_and_have_a_range() {
        let read = |value: Value| whole(Some(&value), "f", 0..=900).map_err(|violation| violation.to_string());
        for value in [json!(30), json!(30.0), json!("30"), json!("30.0"), json!("3e1")] {
            assert_eq!(read(value.clone()), Ok(Some(30)), "{value}");
        }
        for value in [
            json!(-1),
            json!(901),
            json!(1.5),
            json!("x"),
            json!("30."),
            json!("30.5"),
            json!(".0"),
            json!(""),
            json!(true),
            json!([1]),
            json!({}),
            json!(1e300),
            json!(u64::MAX),
        ] {
            let refused = read(value.clone()).unwrap_err();
            assert_eq!(
                refused,
                format!("f: expected whole number from 0 to 900, found {value}")
            );
        }
        assert_eq!(whole(None, "f", 0..=1), Ok(None));
        let any = whole(Some(&json!("soon")), "f", i64::MIN..=i64::MAX).unwrap_err();
        assert_eq!(any.to_string(), r#"f: expected whole number, found "soon""#);
    }
}
