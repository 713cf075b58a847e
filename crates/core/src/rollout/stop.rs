//! `stopPolicy`: rules that pause or cancel a job by themselves.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::percent::Percent;
use crate::outcome_class::Classes;
use crate::range::{whole, whole_if_given};
use crate::violation::Violation;

/// Most rules of a job: their evidence has to fit into the job's stored row.
pub const RULES_MAX: usize = 4;
/// Largest `count` and `within`.
pub const WITHIN_MAX: i64 = 100_000;
/// The smallest percentage of a rule: 0.1 %.
const RULE_PERCENT_MIN: f64 = 0.1;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pauses the job.
    Pause,
    /// Cancels the whole job.
    Cancel,
}

/// A rule that has passed all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRule {
    /// What it counts.
    pub of: Classes,
    /// It acts when this many are there.
    pub count: u64,
    /// Among this many of the last outcomes; `None`: among all since the trigger or the last resume.
    pub within: Option<u64>,
    /// What it does.
    pub action: Action,
}

/// `stopPolicy` as it is written in a request and stored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StopSpec {
    /// The rules.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
}

/// One rule as it is written in a request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the members are documented in docs/api.md and checked by `StopSpec::check`"
)]
pub struct RuleSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl StopSpec {
    /// Checks all rules and fills in defaults.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn check(&self) -> Result<Vec<StopRule>, Violation> {
        if self.rules.len() > RULES_MAX {
            let found = Value::from(format!("{} rules", self.rules.len()));
            return Err(Violation::of(&found, format!("at most {RULES_MAX} rules")).within("rules"));
        }
        let check = |(index, rule): (usize, &RuleSpec)| {
            rule.check()
                .map_err(|violation| violation.within(&format!("rules[{index}]")))
        };
        self.rules.iter().enumerate().map(check).collect()
    }
}

impl RuleSpec {
    fn check(&self) -> Result<StopRule, Violation> {
        let of = self.of.as_ref().map(|names| Classes::read("of", names)).transpose()?;
        let within = whole_if_given("within", self.within, 1, WITHIN_MAX)?;
        Ok(StopRule {
            of: of.unwrap_or(Classes::SENT),
            count: self.count(within)?,
            within,
            action: self.action()?,
        })
    }

    fn count(&self, within: Option<u64>) -> Result<u64, Violation> {
        let refuse = |found: Value, expected: &str, path| Err(Violation::of(&found, expected).within(path));
        match (self.count, self.percent, within) {
            (Some(count), None, _) => {
                let max = within
                    .and_then(|within| i64::try_from(within).ok())
                    .unwrap_or(WITHIN_MAX);
                whole("count", count, 1, max)
            }
            (None, Some(percent), Some(within)) if percent >= RULE_PERCENT_MIN => {
                Ok(Percent::read("percent", percent, Percent::SMALLEST)?.of(within))
            }
            (None, Some(percent), Some(_)) => refuse(Value::from(percent), "number from 0.1 to 100", "percent"),
            (None, Some(percent), None) => refuse(Value::from(percent), "percent only with within", "percent"),
            (Some(_), Some(percent), _) => refuse(Value::from(percent), "only one of count and percent", "percent"),
            (None, None, _) => refuse(Value::Null, "one of count and percent", "count"),
        }
    }

    fn action(&self) -> Result<Action, Violation> {
        match self.action.as_deref() {
            None | Some("PAUSE") => Ok(Action::Pause),
            Some("CANCEL") => Ok(Action::Cancel),
            Some(other) => Err(Violation::of_text(other, "PAUSE or CANCEL").within("action")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(rules: Value) -> Result<Vec<StopRule>, String> {
        let spec: StopSpec = serde_json::from_value(json!({ "rules": rules })).unwrap();
        spec.check().map_err(|violation| violation.to_string())
    }

    #[test]
    fn stop_rule_percent_becomes_a_count_within() {
        let rule = check(json!([{"percent": 5, "within": 200}])).unwrap()[0];
        assert_eq!(
            rule,
            StopRule {
                of: Classes::SENT,
                count: 10,
                within: Some(200),
                action: Action::Pause
            }
        );
        assert_eq!(check(json!([{"percent": 0.1, "within": 7}])).unwrap()[0].count, 1);
        let rule = check(json!([{"of": ["NOT_SENT"], "count": 9, "action": "CANCEL"}])).unwrap()[0];
        assert_eq!((rule.count, rule.within, rule.action), (9, None, Action::Cancel));
    }

    #[test]
    fn stop_policy_that_breaks_a_rule_names_the_member() {
        for (rules, path) in [
            (json!([{}, {}, {}, {}, {}]), "rules"),
            (json!([{}]), "rules[0].count"),
            (json!([{"count": 1}, {"count": 0}]), "rules[1].count"),
            (json!([{"count": 6, "within": 5}]), "rules[0].count"),
            (json!([{"count": 1, "percent": 5, "within": 5}]), "rules[0].percent"),
            (json!([{"percent": 5}]), "rules[0].percent"),
            (json!([{"percent": 0.05, "within": 5}]), "rules[0].percent"),
            (json!([{"count": 1, "within": 100_001}]), "rules[0].within"),
            (json!([{"count": 1, "of": []}]), "rules[0].of"),
            (json!([{"count": 1, "action": "STOP"}]), "rules[0].action"),
        ] {
            let error = check(rules.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{path}: expected ")), "{rules}: {error}");
        }
    }
}
