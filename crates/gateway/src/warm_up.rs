//! When a device may be sent its first command (docs/device-protocol.md, "Settling").
//!
//! Most device libraries install their handlers around the time of CONNACK; a second's pause covers them. Those that
//! subscribe to command topics lose what arrives before the matching SUBACK: they get each kind once that is out.
//!
//! A gateway that subscribes does so for one sub-device after the other, packet by packet: the last of a batch waits
//! for all before it.

use std::time::{Duration, Instant};

use aldis_protocol::subscription::Coverage;

use aldis_engine::link::Kinds;

/// The pause after CONNACK for devices that do not subscribe.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause for those that do; for a sub-device, since its gateway has last subscribed to anything.
const PAUSE_SUBSCRIBING: Duration = Duration::from_secs(5);
/// A gateway that goes on subscribing keeps its sub-devices waiting no longer: the C library needs up to three seconds
/// for each of the two hundred that may log in at once.
const PAUSE_BEHIND_OTHERS: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct WarmUp {
    since: Instant,
    /// Its client subscribes to command topics.
    subscribes: bool,
    /// Milliseconds from then until a gateway that does so has last subscribed to anything: every connection carries
    /// this.
    last_ms: u32,
    ready: Kinds,
}

impl WarmUp {
    /// CONNACK goes out now.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            subscribes: false,
            last_ms: 0,
            ready: Kinds::default(),
        }
    }

    /// Its gateway, which has shown that it subscribes to command topics, subscribes to something now.
    pub(super) fn wait_behind_others(&mut self, now: Instant) {
        self.subscribes = true;
        let ms = now.saturating_duration_since(self.since).as_millis();
        self.last_ms = u32::try_from(ms).unwrap_or(u32::MAX);
    }

    /// Nothing has to be waited for any more.
    pub(super) fn is_over(&self) -> bool {
        self.ready == Kinds::ALL
    }

    /// The moment at which everything may be sent; `None` once that is so.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let last = Duration::from_millis(self.last_ms.into());
        let pause = if self.subscribes {
            PAUSE_BEHIND_OTHERS.min(last + PAUSE_SUBSCRIBING)
        } else {
            PAUSE
        };
        (!self.is_over()).then(|| self.since + pause)
    }

    /// Time has passed; what may be sent from now on, if that is new.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Kinds> {
        let over = self.ends_at().is_some_and(|end| now >= end);
        over.then(|| self.widen(Kinds::ALL)).flatten()
    }

    /// A filter with this coverage has just been acknowledged. Only before the pause is over does that tell anything.
    pub(super) fn subscribed(&mut self, coverage: Coverage) -> Option<Kinds> {
        if !coverage.any || self.is_over() {
            return None;
        }
        self.subscribes = true;
        let services = self.ready.services || coverage.services;
        let points = self.ready.points || coverage.points;
        self.widen(Kinds { services, points })
    }

    fn widen(&mut self, kinds: Kinds) -> Option<Kinds> {
        (kinds != self.ready).then(|| {
            self.ready = kinds;
            kinds
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: Coverage = Coverage {
        services: true,
        points: false,
        any: true,
    };
    const POINTS: Coverage = Coverage {
        services: false,
        points: true,
        any: true,
    };
    const NOTHING: Coverage = Coverage {
        services: false,
        points: false,
        any: false,
    };

    #[test]
    fn a_device_that_does_not_subscribe_settles_after_a_second() {
        let start = Instant::now();
        let mut warm_up = WarmUp::begin(start);
        assert_eq!(warm_up.subscribed(NOTHING), None);
        assert_eq!(warm_up.pass(start + Duration::from_millis(999)), None);
        assert_eq!(warm_up.pass(start + PAUSE), Some(Kinds::ALL));
        assert_eq!(warm_up.ends_at(), None);
        assert_eq!(warm_up.pass(start + PAUSE * 2), None);
    }

    #[test]
    fn a_device_that_subscribes_gets_each_kind_with_its_suback() {
        let start = Instant::now();
        let mut warm_up = WarmUp::begin(start);
        assert_eq!(
            warm_up.subscribed(SERVICES),
            Some(Kinds {
                services: true,
                points: false
            })
        );
        assert_eq!(warm_up.pass(start + PAUSE), None, "points have not been subscribed to");
        assert_eq!(warm_up.subscribed(SERVICES), None);
        assert_eq!(warm_up.subscribed(POINTS), Some(Kinds::ALL));
        assert_eq!(warm_up.ends_at(), None);
    }

    #[test]
    fn a_device_that_never_subscribes_to_a_kind_gets_it_after_five_seconds() {
        let start = Instant::now();
        let mut warm_up = WarmUp::begin(start);
        warm_up.subscribed(SERVICES);
        assert_eq!(warm_up.pass(start + Duration::from_millis(4_999)), None);
        assert_eq!(warm_up.pass(start + PAUSE_SUBSCRIBING), Some(Kinds::ALL));
    }

    #[test]
    fn a_sub_device_waits_as_long_as_its_gateway_goes_on_subscribing() {
        let start = Instant::now();
        let mut warm_up = WarmUp::begin(start);
        warm_up.wait_behind_others(start);
        for second in 1..=30 {
            let now = start + Duration::from_secs(second * 4);
            assert_eq!(warm_up.pass(now), None);
            warm_up.wait_behind_others(now);
        }
        warm_up.subscribed(SERVICES);
        let last = start + Duration::from_secs(120);
        assert_eq!(warm_up.ends_at(), Some(last + PAUSE_SUBSCRIBING));
        warm_up.wait_behind_others(start + PAUSE_BEHIND_OTHERS);
        assert_eq!(warm_up.ends_at(), Some(start + PAUSE_BEHIND_OTHERS), "not for ever");
    }

    #[test]
    fn subscribing_after_the_pause_takes_nothing_away() {
        let start = Instant::now();
        let mut warm_up = WarmUp::begin(start);
        warm_up.pass(start + PAUSE);
        assert_eq!(warm_up.subscribed(SERVICES), None);
        assert_eq!(warm_up.ends_at(), None);
    }
}
