//! How unreliable a fleet is: probabilities of everything that goes wrong with real devices.
//!
//! Pure: a seed, a device and the number of its command determine the behaviour, whatever other devices do meanwhile.
//! The faults are drawn independently of each other and always in the same order, so that raising one probability
//! leaves the fate of all commands that it does not concern as it was.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;

use crate::behaviour::SUCCESS;
use crate::{Behaviour, Handler, LoseLink, Received, Recipient, Reply, Rng};

/// Probabilities from 0 (never) to 1 (always), and the spans that go with them. The default is a perfect device.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultModel {
    /// Reproduces the behaviour.
    pub seed: u64,
    /// How long devices take to reply, in milliseconds.
    pub latency_ms: RangeInclusive<u64>,
    /// How often the reply reports a failure.
    pub failure: f64,
    /// The codes that failures report, equally often.
    pub failure_codes: Vec<i64>,
    /// How often no reply comes.
    pub silence: f64,
    /// How often the link is lost over a command, half of the times before the PUBACK and half after it.
    pub lost_link: f64,
    /// How often the reply comes twice.
    pub doubled: f64,
    /// How often the reply is late.
    pub late: f64,
    /// How late a late reply is, in milliseconds on top of the latency.
    pub late_by_ms: RangeInclusive<u64>,
    /// How often the PUBACK is left out.
    pub no_puback: f64,
    /// How often the reply is no JSON.
    pub rubbish: f64,
}

/// What a failing device reports unless told otherwise: the first code that is free for a device's own errors.
pub const DEFAULT_FAILURE_CODE: i64 = 2000;
/// Longer than the reply timeout that most jobs choose.
const DEFAULT_LATENESS_MS: RangeInclusive<u64> = 30_000..=60_000;
/// The second copy of a reply comes soon enough to arrive while the first is being handled.
const DOUBLED_AFTER: Duration = Duration::from_millis(1);

impl Default for FaultModel {
    fn default() -> Self {
        Self {
            seed: 0,
            latency_ms: 0..=0,
            failure: 0.0,
            failure_codes: vec![DEFAULT_FAILURE_CODE],
            silence: 0.0,
            lost_link: 0.0,
            doubled: 0.0,
            late: 0.0,
            late_by_ms: DEFAULT_LATENESS_MS,
            no_puback: 0.0,
            rubbish: 0.0,
        }
    }
}

/// Why a fault model makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadFaultModel {
    /// A probability outside of 0 to 1.
    #[error("the probability of {what} is {value}; it must be from 0 to 1")]
    Probability {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: f64,
    },
    /// A span whose end is before its start.
    #[error("the range of {what} ends before it starts")]
    EmptyRange {
        /// Which one.
        what: &'static str,
    },
    /// Failures without a code to report.
    #[error("failures need at least one code")]
    NoFailureCode,
}

impl FaultModel {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first one that makes no sense.
    pub fn check(&self) -> Result<(), BadFaultModel> {
        let probabilities = [
            ("failure", self.failure),
            ("silence", self.silence),
            ("a lost link", self.lost_link),
            ("a doubled reply", self.doubled),
            ("a late reply", self.late),
            ("a missing PUBACK", self.no_puback),
            ("a rubbish reply", self.rubbish),
        ];
        if let Some((what, value)) = probabilities
            .into_iter()
            .find(|(_, value)| !(0.0..=1.0).contains(value))
        {
            return Err(BadFaultModel::Probability { what, value });
        }
        for (what, range) in [("latencies", &self.latency_ms), ("lateness", &self.late_by_ms)] {
            if range.is_empty() {
                return Err(BadFaultModel::EmptyRange { what });
            }
        }
        if self.failure > 0.0 && self.failure_codes.is_empty() {
            return Err(BadFaultModel::NoFailureCode);
        }
        Ok(())
    }

    /// What this device does with its `nth` command.
    #[must_use]
    pub fn behaviour(&self, recipient: &Recipient<'_>) -> Behaviour {
        let identity = recipient.identity;
        let keys = [identity.product_key.as_str(), identity.device_key.as_str()];
        self.decide(&mut Rng::for_case(self.seed, keys, recipient.nth))
    }

    fn decide(&self, rng: &mut Rng) -> Behaviour {
        let latency_ms = rng.within(&self.latency_ms);
        let lateness_ms = rng.within(&self.late_by_ms);
        let late = rng.happens(self.late);
        let reply = self.reply(rng);
        let doubled = rng.happens(self.doubled);
        let puback = !rng.happens(self.no_puback);
        let lose_link = self.lose_link(rng);
        let reply_after_ms = latency_ms.saturating_add(if late { lateness_ms } else { 0 });
        Behaviour {
            puback,
            reply,
            reply_after: Duration::from_millis(reply_after_ms),
            again_after: doubled.then_some(DOUBLED_AFTER),
            lose_link,
        }
    }

    fn reply(&self, rng: &mut Rng) -> Reply {
        let failure = rng.happens(self.failure);
        let code = rng.pick(&self.failure_codes).copied().unwrap_or(DEFAULT_FAILURE_CODE);
        let silent = rng.happens(self.silence);
        let rubbish = rng.happens(self.rubbish);
        if silent {
            Reply::Nothing
        } else if rubbish {
            Reply::Raw(Bytes::from_static(b"{\"id\":\xff rubbish"))
        } else {
            Reply::code(if failure { code } else { SUCCESS })
        }
    }

    fn lose_link(&self, rng: &mut Rng) -> Option<LoseLink> {
        let lost = rng.happens(self.lost_link);
        let moment = if rng.happens(0.5) {
            LoseLink::BeforePuback
        } else {
            LoseLink::AfterPuback
        };
        lost.then_some(moment)
    }
}

impl Handler for FaultModel {
    fn handle(&mut self, recipient: &Recipient<'_>, _command: &Received) -> Behaviour {
        self.behaviour(recipient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceIdentity;

    fn behaviours(model: &FaultModel) -> Vec<Behaviour> {
        let identity = DeviceIdentity::new("pk", "dk", "secret");
        let nth = |nth| Recipient {
            identity: &identity,
            index: 0,
            nth,
        };
        (0..2_000).map(|n| model.behaviour(&nth(n))).collect()
    }

    fn share(of: &[Behaviour], wanted: impl Fn(&Behaviour) -> bool) -> usize {
        of.iter().filter(|behaviour| wanted(behaviour)).count() * 100 / of.len()
    }

    #[test]
    fn the_default_is_a_perfect_device() {
        assert!(
            behaviours(&FaultModel::default())
                .iter()
                .all(|one| *one == Behaviour::code(200))
        );
    }

    #[test]
    fn a_seed_reproduces_every_behaviour() {
        let model = |seed| FaultModel {
            seed,
            latency_ms: 5..=500,
            failure: 0.5,
            lost_link: 0.5,
            ..FaultModel::default()
        };
        assert_eq!(behaviours(&model(1)), behaviours(&model(1)));
        assert_ne!(behaviours(&model(1)), behaviours(&model(2)));
    }

    #[test]
    fn every_fault_comes_as_often_as_it_should() {
        let drawn = behaviours(&FaultModel {
            latency_ms: 10..=20,
            late_by_ms: 1000..=1000,
            failure: 0.3,
            failure_codes: vec![2001, 2002],
            silence: 0.2,
            lost_link: 0.4,
            doubled: 0.1,
            late: 0.5,
            no_puback: 0.25,
            ..FaultModel::default()
        });
        let about = |percent: usize, wanted: &dyn Fn(&Behaviour) -> bool| {
            let found = share(&drawn, wanted);
            assert!(found.abs_diff(percent) <= 4, "{found} instead of {percent}");
        };
        about(20, &|one| one.reply == Reply::Nothing);
        about(12, &|one| one.reply == Reply::code(2001));
        about(56, &|one| one.reply == Reply::code(200));
        about(20, &|one| one.lose_link == Some(LoseLink::BeforePuback));
        about(20, &|one| one.lose_link == Some(LoseLink::AfterPuback));
        about(10, &|one| one.again_after.is_some());
        about(75, &|one| one.puback);
        about(50, &|one| one.reply_after >= Duration::from_millis(1010));
        about(50, &|one| (10..=20).contains(&one.reply_after.as_millis()));
    }

    #[test]
    fn raising_one_probability_leaves_the_other_faults_as_they_were() {
        let plain = FaultModel {
            silence: 0.3,
            ..FaultModel::default()
        };
        let worse = FaultModel {
            lost_link: 0.5,
            no_puback: 0.5,
            ..plain.clone()
        };
        let replies = |model| behaviours(model).into_iter().map(|one| one.reply).collect::<Vec<_>>();
        assert_eq!(replies(&plain), replies(&worse));
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let model = |change: fn(&mut FaultModel)| {
            let mut model = FaultModel::default();
            change(&mut model);
            model.check().map_err(|error| error.to_string())
        };
        let refused = |text: &str| Err(text.to_owned());
        assert_eq!(model(|_| ()), Ok(()));
        assert_eq!(
            model(|m| m.late = 1.5),
            refused("the probability of a late reply is 1.5; it must be from 0 to 1")
        );
        assert!(model(|m| m.silence = f64::NAN).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "the very mistake")]
        let reversed = model(|m| m.latency_ms = 5..=4);
        assert_eq!(reversed, refused("the range of latencies ends before it starts"));
        let no_code = model(|m| {
            m.failure = 0.1;
            m.failure_codes.clear();
        });
        assert_eq!(no_code, refused("failures need at least one code"));
    }
}
