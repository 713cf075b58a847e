//! The members of `schedulePolicy` beside the trigger: as they are written in a request, and after all checks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calendar::{Blackout, Calendar, WindowSpec};
use super::cron::Cron;
use super::recurrence::{GRACE_DEFAULT_S, GRACE_MAX_S, Overlap, RUNS_MAX, Recurrence};
use crate::range::whole_if_given;
use crate::time::Timestamp;
use crate::violation::Violation;

/// A job ends at the earliest this long after its trigger: less leaves no time to send anything.
pub const END_AFTER_MIN_MS: i64 = 1_000;
/// A job ends at most this long after its trigger: 366 days.
pub const END_AFTER_MAX_MS: i64 = 366 * 24 * 3_600_000;
/// Shortest life of a run, in seconds.
pub const RUN_END_MIN_S: i64 = 60;
/// Longest life of a run, in seconds: 31 days.
pub const RUN_END_MAX_S: i64 = 2_678_400;
const ZONE_DEFAULT: &str = "UTC";

/// `schedulePolicy` beside the trigger, as it is written in a request and stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the members are documented in docs/api.md and checked by `ScheduleSpec::check`"
)]
pub struct ScheduleSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blackouts: Vec<Blackout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring_schedule_policy: Option<RecurringSpec>,
}

/// `recurringSchedulePolicy` as it is written in a request and stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the members are documented in docs/api.md and checked by `ScheduleSpec::check`"
)]
pub struct RecurringSpec {
    pub cron: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_in_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_end_in_seconds: Option<i64>,
}

/// A schedule that has passed all checks.
#[derive(Debug, Clone, PartialEq)]
pub struct SchedulePolicy {
    /// Nothing leaves at or after this moment. The end of the planning, if the job recurs.
    pub end: Option<Timestamp>,
    /// When the job is open.
    pub calendar: Calendar,
    /// When it runs again; `None`: it runs once.
    pub recurring: Option<Recurring>,
}

/// How a job recurs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurring {
    /// Its moments.
    pub recurrence: Recurrence,
    /// How long after its moment each run ends, in milliseconds.
    pub run_end_ms: Option<i64>,
}

impl ScheduleSpec {
    /// Checks all members and fills in defaults. `begin` is the later of the trigger and now.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn check(&self, begin: Timestamp) -> Result<SchedulePolicy, Violation> {
        let zone = self.timezone.as_deref().unwrap_or(ZONE_DEFAULT);
        let calendar = Calendar::check(zone, &self.windows, &self.blackouts)?;
        let end = self.end_ts.map(|end| checked_end(end, begin)).transpose()?;
        let recurring = self.recurring_schedule_policy.as_ref();
        let recurring = recurring.map(|spec| spec.check(zone, end)).transpose();
        let recurring = recurring.map_err(|violation| violation.within("recurringSchedulePolicy"))?;
        self.check_that_windows_end(end, recurring.as_ref())?;
        Ok(SchedulePolicy {
            end,
            calendar,
            recurring,
        })
    }

    /// With windows, a task may wait from opening to opening: without an end it could wait for ever.
    fn check_that_windows_end(&self, end: Option<Timestamp>, recurring: Option<&Recurring>) -> Result<(), Violation> {
        let (ends, expected, path) = match recurring {
            None => (end.is_some(), "moment, because there are windows", "endTs"),
            Some(recurring) => (
                recurring.run_end_ms.is_some(),
                "number of seconds, because there are windows",
                "recurringSchedulePolicy.runEndInSeconds",
            ),
        };
        if self.windows.is_empty() || ends {
            return Ok(());
        }
        Err(Violation::of(&Value::Null, expected).within(path))
    }
}

fn checked_end(end: i64, begin: Timestamp) -> Result<Timestamp, Violation> {
    let (after, last) = (begin.plus_ms(END_AFTER_MIN_MS), begin.plus_ms(END_AFTER_MAX_MS));
    let in_range = Timestamp::given(end).filter(|end| *end > after && *end <= last);
    in_range.ok_or_else(|| {
        let expected = format!("moment in milliseconds after {} and not after {}", after.0, last.0);
        Violation::of(&Value::from(end), expected).within("endTs")
    })
}

impl RecurringSpec {
    fn check(&self, zone: &str, end: Option<Timestamp>) -> Result<Recurring, Violation> {
        let grace_s = whole_if_given("graceInSeconds", self.grace_in_seconds, 0, GRACE_MAX_S)?;
        let run_end_s = whole_if_given("runEndInSeconds", self.run_end_in_seconds, RUN_END_MIN_S, RUN_END_MAX_S)?;
        let ms = |seconds: u64| i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Ok(Recurring {
            recurrence: Recurrence {
                cron: Cron::read(&self.cron, zone)?,
                overlap: self.overlap()?,
                grace_ms: grace_s.map_or(GRACE_DEFAULT_S * 1_000, ms),
                runs_max: whole_if_given("maxRuns", self.max_runs, 1, RUNS_MAX)?,
                end,
            },
            run_end_ms: run_end_s.map(ms),
        })
    }

    fn overlap(&self) -> Result<Overlap, Violation> {
        match self.overlap.as_deref() {
            None | Some("SKIP") => Ok(Overlap::Skip),
            Some("ALLOW") => Ok(Overlap::Allow),
            Some("CANCEL_PREVIOUS") => Ok(Overlap::CancelPrevious),
            Some(other) => Err(Violation::of_text(other, "SKIP, ALLOW or CANCEL_PREVIOUS").within("overlap")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEGIN: Timestamp = Timestamp(1_800_000_000_000);

    fn check(spec: Value) -> Result<SchedulePolicy, String> {
        let spec: ScheduleSpec = serde_json::from_value(spec).unwrap();
        spec.check(BEGIN).map_err(|violation| violation.to_string())
    }

    #[test]
    fn schedule_without_members_is_always_open_and_has_no_end() {
        let schedule = check(json!({})).unwrap();
        assert_eq!((schedule.end, schedule.recurring.is_some()), (None, false));
        assert!(schedule.calendar.is_open(BEGIN) && schedule.calendar.next_change(BEGIN).is_none());
    }

    #[test]
    fn schedule_end_lies_between_a_second_and_366_days_after_the_begin() {
        for (after, fits) in [
            (END_AFTER_MIN_MS, false),
            (END_AFTER_MIN_MS + 1, true),
            (END_AFTER_MAX_MS, true),
            (END_AFTER_MAX_MS + 1, false),
        ] {
            assert_eq!(check(json!({"endTs": BEGIN.0 + after})).is_ok(), fits, "{after}");
        }
        let error = check(json!({"endTs": 1_800_000_999})).unwrap_err();
        assert!(error.starts_with("endTs: expected moment in milliseconds"), "{error}");
    }

    #[test]
    fn schedule_recurs_with_defaults() {
        let schedule = check(json!({"recurringSchedulePolicy": {"cron": "0 2 * * *"}})).unwrap();
        let Recurring { recurrence, run_end_ms } = schedule.recurring.unwrap();
        assert_eq!((recurrence.overlap, recurrence.grace_ms), (Overlap::Skip, 300_000));
        assert_eq!((recurrence.runs_max, recurrence.end, run_end_ms), (None, None, None));
    }

    #[test]
    fn schedule_that_breaks_a_rule_names_the_member() {
        let windows = json!([{"from": "22:00", "to": "05:00"}]);
        let recurring = |member: &str, value: Value| {
            let mut policy = json!({"cron": "0 2 * * *"});
            policy[member] = value;
            json!({ "recurringSchedulePolicy": policy })
        };
        let with_windows = json!({"windows": windows, "recurringSchedulePolicy": {"cron": "0 2 * * *"}});
        for (spec, path) in [
            (json!({ "windows": windows }), "endTs"),
            (with_windows, "recurringSchedulePolicy.runEndInSeconds"),
            (json!({"timezone": "Mars"}), "timezone"),
            (recurring("cron", json!("* *")), "recurringSchedulePolicy.cron"),
            (recurring("overlap", json!("BOTH")), "recurringSchedulePolicy.overlap"),
            (
                recurring("graceInSeconds", json!(86_401)),
                "recurringSchedulePolicy.graceInSeconds",
            ),
            (recurring("maxRuns", json!(0)), "recurringSchedulePolicy.maxRuns"),
            (
                recurring("runEndInSeconds", json!(59)),
                "recurringSchedulePolicy.runEndInSeconds",
            ),
        ] {
            let error = check(spec.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{path}: expected ")), "{spec}: {error}");
        }
        assert!(check(json!({ "windows": windows, "endTs": BEGIN.0 + 86_400_000 })).is_ok());
    }
}
