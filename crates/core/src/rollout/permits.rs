//! Permits of a job: how many of its commands may leave now.

use crate::time::Timestamp;

const MS_PER_SECOND: u64 = 1_000;
const MS_PER_MINUTE: u64 = 60_000;

/// How many commands may leave in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    period_ms: u64,
}

impl Rate {
    /// `count` commands a second.
    #[must_use]
    pub const fn per_second(count: u64) -> Self {
        Self {
            count,
            period_ms: MS_PER_SECOND,
        }
    }

    /// `count` commands a minute.
    #[must_use]
    pub const fn per_minute(count: u64) -> Self {
        Self {
            count,
            period_ms: MS_PER_MINUTE,
        }
    }

    /// What one second earns, but at least one token, in parts of a token.
    fn burst(self) -> u64 {
        self.count.saturating_mul(MS_PER_SECOND).max(self.period_ms)
    }
}

/// A token bucket. It holds at most one second's worth, and nothing after a start: a restart cannot double the rate.
///
/// A token has as many parts as its rate's period has milliseconds, so that each millisecond earns whole parts and
/// nothing is lost to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    parts: u64,
    filled: Timestamp,
}

impl Bucket {
    /// An empty bucket.
    #[must_use]
    pub const fn empty(rate: Rate, now: Timestamp) -> Self {
        Self {
            rate,
            parts: 0,
            filled: now,
        }
    }

    /// Adds what has been earned since the last call. A clock that jumps ahead gives one burst; one that stands or
    /// goes back gives nothing until it has caught up.
    pub fn refill(&mut self, now: Timestamp) {
        let elapsed = u64::try_from(now.ms_since(self.filled)).unwrap_or(0);
        let earned = elapsed.saturating_mul(self.rate.count);
        self.parts = self.parts.saturating_add(earned).min(self.rate.burst());
        self.filled = self.filled.max(now);
    }

    /// Whole tokens that are there.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.parts / self.rate.period_ms
    }

    /// Takes up to `wanted` tokens and says how many it got.
    pub fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.tokens());
        self.parts -= taken * self.rate.period_ms;
        taken
    }

    /// Another rate from now on: what is there stays, up to the new burst.
    pub fn set_rate(&mut self, rate: Rate) {
        let whole = self.tokens();
        self.rate = rate;
        self.parts = whole.saturating_mul(rate.period_ms).min(rate.burst());
    }

    /// When the next token will be there: the moment of the last refill, if one is.
    #[must_use]
    pub fn next_token(&self) -> Timestamp {
        let missing = self.rate.period_ms.saturating_sub(self.parts);
        let wait = missing.div_ceil(self.rate.count.max(1));
        self.filled.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX))
    }
}

/// All permits of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permits {
    claims: Option<Bucket>,
    absent_releases: Option<Bucket>,
    max_in_flight: Option<u64>,
}

impl Permits {
    /// Permits after a start or a trigger: no tokens yet. `None`: as fast as possible, or without a limit.
    #[must_use]
    pub fn empty(rate: Option<Rate>, max_in_flight: Option<u64>, now: Timestamp) -> Self {
        let bucket = rate.map(|rate| Bucket::empty(rate, now));
        Self {
            claims: bucket,
            absent_releases: bucket,
            max_in_flight,
        }
    }

    /// Adds what has been earned since the last call.
    pub fn refill(&mut self, now: Timestamp) {
        for bucket in [&mut self.claims, &mut self.absent_releases].into_iter().flatten() {
            bucket.refill(now);
        }
    }

    /// How many attempts may be claimed while `out` slots of the job are held. It may be fewer than none: a lowered
    /// limit takes nothing back.
    #[must_use]
    pub fn claimable(&self, out: u64) -> u64 {
        let places = self.max_in_flight.map_or(u64::MAX, |max| max.saturating_sub(out));
        self.claims.map_or(u64::MAX, |bucket| bucket.tokens()).min(places)
    }

    /// One attempt is claimed; false if there is no permit for it.
    pub fn claim(&mut self, out: u64) -> bool {
        if self.claimable(out) == 0 {
            return false;
        }
        self.claims.as_mut().is_none_or(|bucket| bucket.take(1) == 1)
    }

    /// Takes up to `wanted` releases of absent devices. They have a bucket of their own with the same rate, so that
    /// they use no token of those who are there.
    pub fn release_absent(&mut self, wanted: u64) -> u64 {
        self.absent_releases
            .as_mut()
            .map_or(wanted, |bucket| bucket.take(wanted))
    }

    /// Another rate, by a new stage or by an update. A first rate begins empty.
    pub fn set_rate(&mut self, rate: Option<Rate>, now: Timestamp) {
        for place in [&mut self.claims, &mut self.absent_releases] {
            *place = rate.map(|rate| match *place {
                Some(mut bucket) => {
                    bucket.set_rate(rate);
                    bucket
                }
                None => Bucket::empty(rate, now),
            });
        }
    }

    /// Another limit of attempts in flight.
    pub fn set_max_in_flight(&mut self, max: Option<u64>) {
        self.max_in_flight = max;
    }

    /// When the next token for a claim will be there; `None` without a rate.
    #[must_use]
    pub fn next_token(&self) -> Option<Timestamp> {
        self.claims.map(|bucket| bucket.next_token())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(rate: Rate, ms: i64) -> Bucket {
        let mut bucket = Bucket::empty(rate, Timestamp(0));
        bucket.refill(Timestamp(ms));
        bucket
    }

    #[test]
    fn bucket_after_a_start_is_empty_and_holds_one_second_at_most() {
        for (rate, ms, tokens) in [
            (Rate::per_second(1_000), 0, 0),
            (Rate::per_second(1_000), 1, 1),
            (Rate::per_second(1_000), 1_000, 1_000),
            (Rate::per_second(1_000), 86_400_000, 1_000),
            (Rate::per_minute(1_000), 60, 1),
            (Rate::per_minute(1_000), 60_000, 16),
            (Rate::per_minute(1), 59_999, 0),
            (Rate::per_minute(1), 600_000, 1),
        ] {
            assert_eq!(filled(rate, ms).tokens(), tokens, "{rate:?} after {ms} ms");
        }
    }

    #[test]
    fn bucket_clock_that_goes_back_earns_nothing_until_it_has_caught_up() {
        let mut bucket = filled(Rate::per_second(10), 1_000);
        assert_eq!(bucket.take(10), 10);
        bucket.refill(Timestamp(-5_000));
        bucket.refill(Timestamp(1_000));
        assert_eq!(bucket.tokens(), 0);
        bucket.refill(Timestamp(1_100));
        assert_eq!(bucket.tokens(), 1);
    }

    #[test]
    fn bucket_next_token_is_the_first_moment_with_a_token() {
        for rate in [Rate::per_second(3), Rate::per_minute(7), Rate::per_second(2_000)] {
            let bucket = Bucket::empty(rate, Timestamp(0));
            let at = bucket.next_token().0;
            assert!(
                filled(rate, at).tokens() >= 1 && filled(rate, at - 1).tokens() == 0,
                "{rate:?}"
            );
        }
    }

    #[test]
    fn permits_in_flight_counts_held_slots() {
        let mut permits = Permits::empty(None, Some(2), Timestamp(0));
        assert!(permits.claim(0) && permits.claim(1) && !permits.claim(2));
        permits.set_max_in_flight(Some(1));
        assert_eq!(permits.claimable(2), 0);
        assert_eq!(Permits::empty(None, None, Timestamp(0)).claimable(9), u64::MAX);
    }

    #[test]
    fn permits_absent_devices_have_a_bucket_of_their_own() {
        let mut permits = Permits::empty(Some(Rate::per_second(5)), None, Timestamp(0));
        permits.refill(Timestamp(1_000));
        assert_eq!(permits.release_absent(100), 5);
        assert_eq!(permits.claimable(0), 5);
        assert_eq!(permits.release_absent(1), 0);
    }

    #[test]
    fn permits_first_rate_begins_empty_and_a_new_one_keeps_whole_tokens() {
        let mut permits = Permits::empty(None, None, Timestamp(0));
        permits.set_rate(Some(Rate::per_second(4)), Timestamp(5_000));
        assert_eq!(permits.claimable(0), 0);
        permits.refill(Timestamp(6_000));
        permits.set_rate(Some(Rate::per_minute(120)), Timestamp(6_000));
        assert_eq!(permits.claimable(0), 2, "two a second is the new burst");
    }

    proptest! {
        #[test]
        fn bucket_never_gives_more_than_rate_and_one_burst(
            count in 1_u64..5_000, per_minute: bool,
            steps in prop::collection::vec((-500_i64..3_000, 0_u64..6_000), 1..100),
        ) {
            let rate = if per_minute { Rate::per_minute(count) } else { Rate::per_second(count) };
            let mut bucket = Bucket::empty(rate, Timestamp(0));
            let (mut now, mut latest, mut given) = (0_i64, 0_i64, 0_u64);
            for (step, wanted) in steps {
                now += step;
                latest = latest.max(now);
                bucket.refill(Timestamp(now));
                given += bucket.take(wanted);
                let earned = u64::try_from(latest).unwrap() * count / rate.period_ms;
                prop_assert!(given <= earned, "{given} of {earned}");
            }
        }

        #[test]
        fn bucket_that_is_emptied_often_gives_exactly_the_rate(count in 2_u64..5_000, step in 1_i64..=500) {
            let mut bucket = Bucket::empty(Rate::per_second(count), Timestamp(0));
            let mut given = 0;
            for turn in 1..=100 {
                bucket.refill(Timestamp(turn * step));
                given += bucket.take(u64::MAX);
            }
            prop_assert_eq!(given, u64::try_from(100 * step).unwrap() * count / 1_000);
        }
    }
}
