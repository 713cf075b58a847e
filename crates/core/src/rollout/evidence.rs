//! What the rules of a job have counted since the trigger or the last resume.

use std::collections::VecDeque;

use super::stop::{Action, RULES_MAX, StopRule};
use crate::outcome_class::OutcomeClass;

/// Most buckets of a rule: a window over the last N outcomes is kept as that many sums.
pub const BUCKETS_MAX: u64 = 20;
/// The most that encoded evidence takes: it is part of a row that is written with each commit.
pub const ENCODED_MAX_BYTES: usize = 400;

/// The evidence of all rules of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    rules: Vec<(StopRule, Counted)>,
}

/// A rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Which rule, from 0.
    pub rule: usize,
    /// What it does.
    pub action: Action,
    /// What it had counted.
    pub count: u64,
    /// Among how many outcomes.
    pub seen: u64,
}

/// What one rule has counted: buckets of equal width, of which the last is being filled. The oldest falls out whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Counted {
    buckets: VecDeque<u64>,
    in_last: u64,
}

impl Counted {
    fn add(&mut self, rule: &StopRule, is_bad: bool) {
        let (width, buckets_max) = shape(rule);
        if self.buckets.is_empty() || self.in_last >= width {
            if u64::try_from(self.buckets.len()).unwrap_or(u64::MAX) >= buckets_max {
                self.buckets.pop_front();
            }
            self.buckets.push_back(0);
            self.in_last = 0;
        }
        self.in_last += 1;
        if let Some(last) = self.buckets.back_mut() {
            *last += u64::from(is_bad);
        }
    }

    fn bad(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn seen(&self, rule: &StopRule) -> u64 {
        let full = u64::try_from(self.buckets.len()).unwrap_or(u64::MAX).saturating_sub(1);
        full.saturating_mul(shape(rule).0).saturating_add(self.in_last)
    }
}

/// Width and number of the buckets. Without `within` there is one without an end.
fn shape(rule: &StopRule) -> (u64, u64) {
    rule.within.map_or((u64::MAX, 1), |within| {
        let width = within.div_ceil(BUCKETS_MAX).max(1);
        (width, within.div_ceil(width))
    })
}

impl Evidence {
    /// No evidence yet: after the trigger, and after each resume. At most [`RULES_MAX`] rules are kept.
    #[must_use]
    pub fn empty(rules: &[StopRule]) -> Self {
        Self {
            rules: rules
                .iter()
                .take(RULES_MAX)
                .map(|rule| (*rule, Counted::default()))
                .collect(),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for (_, counted) in &mut self.rules {
            *counted = Counted::default();
        }
    }

    /// Adds the outcomes of one commit of a running job, in order, and says which rule acts in this commit: CANCEL
    /// wins, otherwise the first.
    #[must_use]
    pub fn observe(&mut self, outcomes: impl IntoIterator<Item = OutcomeClass>) -> Option<Verdict> {
        let mut verdicts = [None; RULES_MAX];
        for outcome in outcomes {
            for ((index, (rule, counted)), verdict) in self.rules.iter_mut().enumerate().zip(&mut verdicts) {
                let is_bad = rule.of.has(outcome);
                if is_bad || outcome == OutcomeClass::Ok {
                    counted.add(rule, is_bad);
                    *verdict = verdict.or_else(|| judge(index, rule, counted));
                }
            }
        }
        let acting = || verdicts.iter().flatten().copied();
        acting()
            .find(|verdict| verdict.action == Action::Cancel)
            .or_else(|| acting().next())
    }

    /// (counted, among) of each rule, for people.
    #[must_use]
    pub fn state(&self) -> Vec<(u64, u64)> {
        self.rules
            .iter()
            .map(|(rule, counted)| (counted.bad(), counted.seen(rule)))
            .collect()
    }

    /// The evidence as bytes, at most [`ENCODED_MAX_BYTES`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (_, counted) in &self.rules {
            write(&mut bytes, u64::try_from(counted.buckets.len()).unwrap_or(0));
            write(&mut bytes, counted.in_last);
            for bucket in &counted.buckets {
                write(&mut bytes, *bucket);
            }
        }
        bytes
    }

    /// The evidence of these rules from its bytes; `None` if the bytes do not belong to them.
    #[must_use]
    pub fn decode(rules: &[StopRule], bytes: &[u8]) -> Option<Self> {
        let mut evidence = Self::empty(rules);
        let mut rest = bytes.iter();
        for (rule, counted) in &mut evidence.rules {
            let (width, buckets_max) = shape(rule);
            let buckets = read(&mut rest)?;
            counted.in_last = read(&mut rest)?;
            if buckets > buckets_max || counted.in_last > width {
                return None;
            }
            for _ in 0..buckets {
                let bucket = read(&mut rest)?;
                if bucket > width {
                    return None;
                }
                counted.buckets.push_back(bucket);
            }
        }
        rest.next().is_none().then_some(evidence)
    }
}

fn judge(index: usize, rule: &StopRule, counted: &Counted) -> Option<Verdict> {
    let count = counted.bad();
    let acts = count >= rule.count;
    acts.then(|| Verdict {
        rule: index,
        action: rule.action,
        count,
        seen: counted.seen(rule),
    })
}

const GROUP_BITS: u32 = 7;
const MORE_FOLLOWS: u8 = 0x80;

/// A number in groups of seven bits, the lowest first.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & !MORE_FOLLOWS;
        number >>= GROUP_BITS;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | MORE_FOLLOWS);
    }
}

fn read(rest: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = rest.next()?;
        number |= u64::from(byte & !MORE_FOLLOWS) << shift;
        if byte & MORE_FOLLOWS == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome_class::Classes;
    use OutcomeClass::{DeviceError, NoReply, NotSent, Ok as Good};

    const fn rule(count: u64, within: Option<u64>, action: Action) -> StopRule {
        StopRule {
            of: Classes::SENT,
            count,
            within,
            action,
        }
    }

    fn acts(rules: &[StopRule], outcomes: &[OutcomeClass]) -> Option<(usize, Action)> {
        Evidence::empty(rules)
            .observe(outcomes.iter().copied())
            .map(|verdict| (verdict.rule, verdict.action))
    }

    #[test]
    fn rule_of_consecutive_failures_acts_on_an_unbroken_row() {
        let five = [rule(5, Some(5), Action::Pause)];
        let bad = [DeviceError; 5];
        assert_eq!(acts(&five, &bad), Some((0, Action::Pause)));
        assert_eq!(acts(&five, &[&bad[..4], &[Good], &bad[..4]].concat()), None);
        assert_eq!(
            acts(&five, &[&bad[..4], &[NotSent], &bad[..1]].concat()),
            Some((0, Action::Pause))
        );
    }

    #[test]
    fn rule_of_five_percent_acts_before_its_window_is_full_and_is_not_diluted() {
        let five_percent = [rule(10, Some(200), Action::Pause)];
        assert_eq!(acts(&five_percent, &[NoReply; 9]), None);
        assert_eq!(acts(&five_percent, &[NoReply; 10]), Some((0, Action::Pause)));
        let long_good_past = [&[Good; 5_000][..], &[NoReply; 10]].concat();
        assert_eq!(acts(&five_percent, &long_good_past), Some((0, Action::Pause)));
    }

    #[test]
    fn rules_that_act_in_one_commit_cancel_wins_otherwise_the_first() {
        let pause = rule(1, None, Action::Pause);
        let cancel = rule(2, None, Action::Cancel);
        assert_eq!(acts(&[pause, pause], &[NoReply]), Some((0, Action::Pause)));
        assert_eq!(acts(&[pause, cancel], &[NoReply]), Some((0, Action::Pause)));
        assert_eq!(acts(&[pause, cancel], &[NoReply, NoReply]), Some((1, Action::Cancel)));
    }

    #[test]
    fn evidence_after_a_resume_is_empty() {
        let rules = [rule(2, Some(2), Action::Pause)];
        let mut evidence = Evidence::empty(&rules);
        assert!(evidence.observe([NoReply, NoReply]).is_some());
        evidence.clear();
        assert_eq!(evidence, Evidence::empty(&rules));
        assert_eq!(evidence.observe([Good]), None);
        assert_eq!(evidence.observe([NoReply]), None);
    }

    #[test]
    fn evidence_of_the_largest_rules_fits_into_its_row() {
        let rules = [rule(100_000, Some(100_000), Action::Pause); RULES_MAX];
        let mut evidence = Evidence::empty(&rules);
        assert!(evidence.observe([NoReply; 100_000]).is_some());
        assert!(evidence.encode().len() <= ENCODED_MAX_BYTES);
        assert_eq!(Evidence::decode(&rules, &evidence.encode()), Some(evidence));
    }

    #[test]
    fn evidence_bytes_of_other_rules_are_refused() {
        let mut evidence = Evidence::empty(&[rule(50, Some(100), Action::Pause)]);
        assert_eq!(evidence.observe([NoReply; 40]), None);
        let bytes = evidence.encode();
        assert_eq!(Evidence::decode(&[rule(1, Some(1), Action::Pause)], &bytes), None);
        assert_eq!(Evidence::decode(&[], &bytes), None);
        assert_eq!(
            Evidence::decode(&[rule(50, Some(100), Action::Pause)], &bytes[..1]),
            None
        );
    }

    fn outcome() -> impl Strategy<Value = OutcomeClass> {
        prop::sample::select(vec![Good, Good, DeviceError, NoReply, NotSent])
    }

    proptest! {
        /// A bucket's width is the only difference to a window that slides by single outcomes.
        #[test]
        fn rule_acts_within_one_bucket_of_the_exact_window(
            within in 1_u64..120, share in 0.01_f64..1.0, outcomes in prop::collection::vec(outcome(), 0..400),
        ) {
            let count = (1..=within).find(|count| f64::from(u32::try_from(*count).unwrap()) >= share * f64::from(u32::try_from(within).unwrap())).unwrap();
            let rule = rule(count, Some(within), Action::Pause);
            let (width, _) = shape(&rule);
            let mut evidence = Evidence::empty(&[rule]);
            let mut counted = Vec::new();
            for outcome in outcomes {
                if outcome != NotSent {
                    counted.push(outcome);
                }
                let acts = evidence.observe([outcome]).is_some();
                let bad_in = |last: u64| {
                    let last = usize::try_from(last).unwrap().min(counted.len());
                    let bad = counted[counted.len() - last..].iter().filter(|seen| **seen != Good).count();
                    u64::try_from(bad).unwrap()
                };
                if outcome != NotSent {
                    prop_assert!(acts || bad_in(within - (width - 1).min(within)) < count, "it acts too late");
                    prop_assert!(!acts || bad_in(within + width - 1) >= count, "it acts too early");
                }
            }
        }

        #[test]
        fn evidence_survives_its_encoding(
            withins in prop::collection::vec(prop::option::of(1_u64..=100_000), 0..=RULES_MAX),
            outcomes in prop::collection::vec(outcome(), 0..500),
        ) {
            let rules: Vec<_> = withins.into_iter().map(|within| rule(u64::MAX, within, Action::Pause)).collect();
            let mut evidence = Evidence::empty(&rules);
            prop_assert_eq!(evidence.observe(outcomes), None);
            let bytes = evidence.encode();
            prop_assert!(bytes.len() <= ENCODED_MAX_BYTES);
            prop_assert_eq!(Evidence::decode(&rules, &bytes), Some(evidence));
        }
    }
}
