//! `rolloutPolicy`: as it is written in a request, and as it is after all checks, with its defaults.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gate::Gate;
use super::order::Order;
use super::percent::Percent;
use super::permits::Rate;
use crate::range::{whole, whole_if_given};
use crate::violation::Violation;

/// Most stages: the stage table of a job stays readable, and the counters of all stages stay few.
pub const STAGES_MAX: usize = 20;
/// Most fields in `spreadBy`.
pub const SPREAD_FIELDS_MAX: usize = 3;
/// Seeds are JSON numbers that every reader keeps exactly.
pub const SEED_MAX: i64 = 1 << 53;
/// Longest soak: a week, in seconds.
pub const SOAK_MAX_S: i64 = 604_800;
/// Highest rate and highest number of attempts in flight.
pub const RATE_MAX: i64 = 1_000_000;
/// Most attempts in flight for one value of a field.
pub const IN_FLIGHT_PER_MAX: i64 = 1_000;
/// The largest count that a stage bound may name.
const UP_TO_COUNT_MAX: i64 = 1 << 53;
const REACHED_DEFAULT: Percent = Percent::whole(80);
const SUCCESS_DEFAULT: Percent = Percent::whole(90);

/// `rolloutPolicy` as it is written in a request and stored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the members are documented in docs/api.md and checked by `RolloutSpec::check`"
)]
pub struct RolloutSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread_by: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageSpec>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight_per: Option<InFlightPerSpec>,
}

/// One stage as it is written in a request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the members are documented in docs/api.md and checked by `RolloutSpec::check`"
)]
pub struct StageSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soak_in_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<i64>,
}

/// `maxInFlightPer` as it is written in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlightPerSpec {
    /// The field.
    pub by: String,
    /// Attempts in flight per value of the field.
    pub count: i64,
}

/// A field of a device by which a rollout groups devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupField {
    /// The product.
    ProductKey,
    /// The thing model.
    ModelId,
    /// The gateway through which a sub-device is connected.
    GatewayAssetId,
    /// The time zone.
    Timezone,
    /// The tag with this key.
    Tag(String),
    /// The attribute with this name.
    Attribute(String),
}

/// Where a stage ends in the order of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageBound {
    /// After this many devices.
    Count(u64),
    /// After this share of the devices.
    Percent(Percent),
    /// With the last device.
    All,
}

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Where it ends.
    pub bound: StageBound,
    /// What must be reached before the next stage opens.
    pub gate: Gate,
    /// How long the job watches after the gate first holds, in milliseconds.
    pub soak_ms: i64,
    /// After the soak the stage waits for an operator.
    pub approval: bool,
    /// Replaces the rate of the job.
    pub rate: Option<Rate>,
}

/// A limit of attempts in flight for each value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlightPer {
    /// The field.
    pub by: GroupField,
    /// Attempts in flight per value.
    pub count: u64,
}

/// A rollout policy that has passed all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// In which order the devices are released.
    pub order: Order,
    /// The seed of a random order; `None`: to be derived from the request.
    pub seed: Option<u64>,
    /// Fields whose values every prefix of the order represents; mostly none.
    pub spread_by: Vec<GroupField>,
    /// The stages; at least one, and the last takes all.
    pub stages: Vec<Stage>,
    /// How fast commands leave; `None`: as fast as possible.
    pub rate: Option<Rate>,
    /// Attempts in flight at any moment.
    pub max_in_flight: Option<u64>,
    /// The same per value of a field.
    pub max_in_flight_per: Option<InFlightPer>,
}

impl RolloutPolicy {
    /// The positions of each stage in the order of `total` devices. Stages in between may be empty: they are passed
    /// when they are reached.
    #[must_use]
    pub fn positions(&self, total: u64) -> Vec<Range<u64>> {
        let mut from = 0;
        let stages = self.stages.iter().map(|stage| {
            let to = match stage.bound {
                StageBound::Count(count) => count.min(total),
                StageBound::Percent(percent) => percent.of(total),
                StageBound::All => total,
            };
            let range = from..to.max(from);
            from = range.end;
            range
        });
        stages.collect()
    }

    /// The rate that holds in a stage, numbered from 1.
    #[must_use]
    pub fn rate_in(&self, stage: usize) -> Option<Rate> {
        let own = stage.checked_sub(1).and_then(|index| self.stages.get(index)?.rate);
        own.or(self.rate)
    }
}

impl RolloutSpec {
    /// Checks all members and fills in defaults.
    ///
    /// # Errors
    /// The first member that breaks a rule.
    pub fn check(&self) -> Result<RolloutPolicy, Violation> {
        let spread_by = self.spread_fields()?;
        let order = self.checked_order(spread_by.is_empty())?;
        if self.seed.is_some() && order == Order::AsListed {
            let expected = "seed only with order RANDOM or spreadBy";
            return Err(Violation::of(&Value::from(self.seed), expected).within("seed"));
        }
        let per = self.max_in_flight_per.as_ref();
        Ok(RolloutPolicy {
            order,
            seed: whole_if_given("seed", self.seed, 0, SEED_MAX)?,
            spread_by,
            stages: self.checked_stages()?,
            rate: rate(self.rate_per_second, self.rate_per_minute)?,
            max_in_flight: whole_if_given("maxInFlight", self.max_in_flight, 1, RATE_MAX)?,
            max_in_flight_per: per.map(InFlightPerSpec::check).transpose()?,
        })
    }

    fn spread_fields(&self) -> Result<Vec<GroupField>, Violation> {
        let Some(fields) = &self.spread_by else {
            return Ok(Vec::new());
        };
        if !(1..=SPREAD_FIELDS_MAX).contains(&fields.len()) {
            let expected = format!("1 to {SPREAD_FIELDS_MAX} fields");
            return Err(Violation::of(&Value::from(fields.clone()), expected).within("spreadBy"));
        }
        let read = |(index, field): (usize, &String)| GroupField::read(&format!("spreadBy[{index}]"), field);
        fields.iter().enumerate().map(read).collect()
    }

    /// `spreadBy` implies a random order.
    fn checked_order(&self, is_plain: bool) -> Result<Order, Violation> {
        let default = if is_plain { Order::AsListed } else { Order::Random };
        let order = match self.order.as_deref() {
            None => default,
            Some("RANDOM") => Order::Random,
            Some("AS_LISTED") if is_plain => Order::AsListed,
            Some("AS_LISTED") => return Err(Violation::of_text("AS_LISTED", "RANDOM with spreadBy").within("order")),
            Some(other) => return Err(Violation::of_text(other, "AS_LISTED or RANDOM").within("order")),
        };
        Ok(order)
    }

    fn checked_stages(&self) -> Result<Vec<Stage>, Violation> {
        let one = vec![StageSpec::default()];
        let specs = self.stages.as_ref().unwrap_or(&one);
        if !(1..=STAGES_MAX).contains(&specs.len()) {
            let found = Value::from(format!("{} stages", specs.len()));
            return Err(Violation::of(&found, format!("1 to {STAGES_MAX} stages")).within("stages"));
        }
        let mut stages: Vec<Stage> = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let path = format!("stages[{index}]");
            let stage = spec.check().map_err(|violation| violation.within(&path))?;
            let is_last = index + 1 == specs.len();
            check_growth(&stages, stage.bound, is_last).map_err(|violation| violation.within(&path))?;
            stages.push(stage);
        }
        Ok(stages)
    }
}

/// Bounds of one kind grow from stage to stage. A count and a percentage can be compared only once the total is known:
/// a stage that turns out empty is passed.
fn check_growth(earlier: &[Stage], bound: StageBound, is_last: bool) -> Result<(), Violation> {
    let takes_all = matches!(bound, StageBound::All | StageBound::Percent(Percent::ALL));
    if takes_all != is_last {
        let expected = if is_last {
            "all devices in the last stage"
        } else {
            "less than all devices before the last stage"
        };
        return Err(Violation::of_text(&format!("{bound:?}"), expected));
    }
    let grows = earlier.iter().all(|stage| match (stage.bound, bound) {
        (StageBound::Count(before), StageBound::Count(count)) => before < count,
        (StageBound::Percent(before), StageBound::Percent(percent)) => before < percent,
        _ => true,
    });
    if grows {
        return Ok(());
    }
    Err(Violation::of_text(
        &format!("{bound:?}"),
        "a bound above those of the earlier stages",
    ))
}

impl StageSpec {
    fn check(&self) -> Result<Stage, Violation> {
        let soak_s = whole_if_given("soakInSeconds", self.soak_in_seconds, 0, SOAK_MAX_S)?.unwrap_or(0);
        Ok(Stage {
            bound: self.bound()?,
            gate: self.gate()?,
            soak_ms: i64::try_from(soak_s).unwrap_or(SOAK_MAX_S) * 1_000,
            approval: self.approval.unwrap_or(false),
            rate: rate(self.rate_per_second, self.rate_per_minute)?,
        })
    }

    fn bound(&self) -> Result<StageBound, Violation> {
        match (self.up_to_count, self.up_to_percent) {
            (None, None) => Ok(StageBound::All),
            (Some(count), None) => whole("upToCount", count, 1, UP_TO_COUNT_MAX).map(StageBound::Count),
            (None, Some(percent)) => Percent::read("upToPercent", percent, Percent::SMALLEST).map(StageBound::Percent),
            (Some(_), Some(percent)) => {
                Err(Violation::of(&Value::from(percent), "only one of upToCount and upToPercent").within("upToPercent"))
            }
        }
    }

    fn gate(&self) -> Result<Gate, Violation> {
        let read = |path, percent: Option<f64>, default| match percent {
            Some(percent) => Percent::read(path, percent, Percent::NONE),
            None => Ok(default),
        };
        let reached = read("reachedPercent", self.reached_percent, REACHED_DEFAULT)?;
        let success = read("successPercent", self.success_percent, SUCCESS_DEFAULT)?;
        match (reached.is_none(), self.success_percent) {
            (false, _) => Ok(Gate::Reached { reached, success }),
            (true, None) => Ok(Gate::Released),
            (true, Some(percent)) => {
                let expected = "successPercent only with reachedPercent above 0";
                Err(Violation::of(&Value::from(percent), expected).within("successPercent"))
            }
        }
    }
}

impl InFlightPerSpec {
    fn check(&self) -> Result<InFlightPer, Violation> {
        Ok(InFlightPer {
            by: GroupField::read("maxInFlightPer.by", &self.by)?,
            count: whole("maxInFlightPer.count", self.count, 1, IN_FLIGHT_PER_MAX)?,
        })
    }
}

impl GroupField {
    fn read(path: &str, text: &str) -> Result<Self, Violation> {
        let named = |prefix: &str| {
            text.strip_prefix(prefix)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
        };
        match text {
            "productKey" => return Ok(Self::ProductKey),
            "modelId" => return Ok(Self::ModelId),
            "gatewayAssetId" => return Ok(Self::GatewayAssetId),
            "timezone" => return Ok(Self::Timezone),
            _ => {}
        }
        let tag = named("deviceTags.").map(Self::Tag);
        tag.or_else(|| named("deviceAttributes.").map(Self::Attribute))
            .ok_or_else(|| {
                let expected =
                    "productKey, modelId, gatewayAssetId, timezone, deviceTags.NAME or deviceAttributes.NAME";
                Violation::of_text(text, expected).within(path)
            })
    }
}

fn rate(per_second: Option<i64>, per_minute: Option<i64>) -> Result<Option<Rate>, Violation> {
    if let (Some(_), Some(per_minute)) = (per_second, per_minute) {
        let expected = "only one of ratePerSecond and ratePerMinute";
        return Err(Violation::of(&Value::from(per_minute), expected).within("ratePerMinute"));
    }
    let second = whole_if_given("ratePerSecond", per_second, 1, RATE_MAX)?.map(Rate::per_second);
    let minute = whole_if_given("ratePerMinute", per_minute, 1, RATE_MAX)?.map(Rate::per_minute);
    Ok(second.or(minute))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(spec: Value) -> Result<RolloutPolicy, String> {
        let spec: RolloutSpec = serde_json::from_value(spec).unwrap();
        spec.check().map_err(|violation| violation.to_string())
    }

    #[test]
    fn rollout_policy_without_members_is_one_stage_with_all_defaults() {
        let policy = check(json!({})).unwrap();
        assert_eq!(policy, check(json!({"stages": [{}]})).unwrap());
        assert_eq!(
            (policy.order, policy.rate, policy.max_in_flight),
            (Order::AsListed, None, None)
        );
        let gate = Gate::Reached {
            reached: Percent::whole(80),
            success: Percent::whole(90),
        };
        assert_eq!((policy.stages.len(), policy.stages[0].gate), (1, gate));
        assert_eq!(policy.positions(7).first(), Some(&(0..7)));
    }

    #[test]
    fn stage_bounds_are_cumulative_and_round_up() {
        let stages = json!([{"upToCount": 10}, {"upToPercent": 0.5}, {"upToPercent": 50}, {}]);
        let policy = check(json!({ "stages": stages })).unwrap();
        assert_eq!(policy.positions(2001), [0..10, 10..11, 11..1001, 1001..2001]);
        assert_eq!(
            policy.positions(100),
            [0..10, 10..10, 10..50, 50..100],
            "stage 2 is empty"
        );
        assert_eq!(policy.positions(3), [0..3, 3..3, 3..3, 3..3]);
        assert_eq!(policy.positions(0), [0..0, 0..0, 0..0, 0..0]);
    }

    #[test]
    fn spread_by_implies_a_random_order() {
        let policy = check(json!({"spreadBy": ["productKey", "deviceTags.site"], "seed": 7})).unwrap();
        assert_eq!((policy.order, policy.seed), (Order::Random, Some(7)));
        assert_eq!(
            policy.spread_by,
            [GroupField::ProductKey, GroupField::Tag("site".into())]
        );
    }

    #[test]
    fn rate_of_a_stage_replaces_the_rate_of_the_job() {
        let stages = json!([{"upToCount": 1, "ratePerMinute": 5}, {}]);
        let policy = check(json!({"ratePerSecond": 9, "stages": stages})).unwrap();
        assert_eq!(policy.rate_in(1), Some(Rate::per_minute(5)));
        assert_eq!(policy.rate_in(2), Some(Rate::per_second(9)));
    }

    #[test]
    fn rollout_policy_that_breaks_a_rule_names_the_member() {
        for (spec, path) in [
            (json!({"order": "SORTED"}), "order"),
            (json!({"order": "AS_LISTED", "spreadBy": ["modelId"]}), "order"),
            (json!({"seed": 1}), "seed"),
            (json!({"order": "RANDOM", "seed": -1}), "seed"),
            (json!({"spreadBy": []}), "spreadBy"),
            (json!({"spreadBy": ["deviceTags."]}), "spreadBy[0]"),
            (json!({"ratePerSecond": 0}), "ratePerSecond"),
            (json!({"ratePerSecond": 1, "ratePerMinute": 1}), "ratePerMinute"),
            (json!({"maxInFlight": 1_000_001}), "maxInFlight"),
            (json!({"maxInFlightPer": {"by": "x", "count": 1}}), "maxInFlightPer.by"),
            (
                json!({"maxInFlightPer": {"by": "modelId", "count": 0}}),
                "maxInFlightPer.count",
            ),
            (json!({"stages": []}), "stages"),
            (json!({"stages": vec![json!({}); 21]}), "stages"),
            (json!({"stages": [{"upToCount": 5}]}), "stages[0]"),
            (json!({"stages": [{}, {}]}), "stages[0]"),
            (json!({"stages": [{"upToCount": 5}, {"upToCount": 5}, {}]}), "stages[1]"),
            (
                json!({"stages": [{"upToPercent": 5}, {"upToCount": 900}, {"upToPercent": 5}, {}]}),
                "stages[2]",
            ),
            (
                json!({"stages": [{"upToCount": 5, "upToPercent": 5}, {}]}),
                "stages[0].upToPercent",
            ),
            (json!({"stages": [{"upToPercent": 0}]}), "stages[0].upToPercent"),
            (
                json!({"stages": [{"reachedPercent": 0, "successPercent": 90}]}),
                "stages[0].successPercent",
            ),
            (
                json!({"stages": [{"successPercent": 33.333}]}),
                "stages[0].successPercent",
            ),
            (
                json!({"stages": [{"soakInSeconds": 604_801}]}),
                "stages[0].soakInSeconds",
            ),
        ] {
            let error = check(spec.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{path}: expected ")), "{spec}: {error}");
        }
    }

    proptest! {
        #[test]
        fn stage_positions_cover_every_device_once_in_order(
            counts in prop::collection::btree_set(1_u64..5_000, 0..10),
            percents in prop::collection::btree_set(1_u32..99, 0..9),
            total in 0_u64..10_000,
        ) {
            let counts = counts.into_iter().map(|count| json!({"upToCount": count}));
            let percents = percents.into_iter().map(|percent| json!({"upToPercent": percent}));
            let stages: Vec<Value> = counts.chain(percents).chain([json!({})]).collect();
            let positions = check(json!({ "stages": stages })).unwrap().positions(total);
            prop_assert_eq!(positions.len(), stages.len());
            let all: Vec<u64> = positions.into_iter().flatten().collect();
            prop_assert_eq!(all, (0..total).collect::<Vec<_>>());
        }
    }
}
