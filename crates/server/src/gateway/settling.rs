//! When a device may be sent its first command (docs/device-protocol.md, "Settling").
//!
//! Most device libraries install their handlers around the time of CONNACK; a second's pause covers them. Those that
//! subscribe to command topics lose what arrives before the matching SUBACK: they get each kind once that is out.

use std::time::{Duration, Instant};

use aldis_protocol::subscription::Coverage;

use crate::link::Kinds;

/// The pause after CONNACK for devices that do not subscribe.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause for those that do.
const PAUSE_SUBSCRIBING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Settling {
    since: Instant,
    subscribes: bool,
    ready: Kinds,
}

impl Settling {
    /// CONNACK goes out now.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            subscribes: false,
            ready: Kinds::default(),
        }
    }

    /// The moment at which everything may be sent; `None` once that is so.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        let pause = if self.subscribes { PAUSE_SUBSCRIBING } else { PAUSE };
        (self.ready != Kinds::ALL).then(|| self.since + pause)
    }

    /// Time has passed; what may be sent from now on, if that is new.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Kinds> {
        let over = self.ends_at().is_some_and(|end| now >= end);
        over.then(|| self.widen(Kinds::ALL)).flatten()
    }

    /// A filter with this coverage has just been acknowledged. Only before the pause is over does that tell anything.
    pub(super) fn subscribed(&mut self, coverage: Coverage) -> Option<Kinds> {
        if !coverage.any || self.ready == Kinds::ALL {
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
        let mut settling = Settling::begin(start);
        assert_eq!(settling.subscribed(NOTHING), None);
        assert_eq!(settling.pass(start + Duration::from_millis(999)), None);
        assert_eq!(settling.pass(start + PAUSE), Some(Kinds::ALL));
        assert_eq!(settling.ends_at(), None);
        assert_eq!(settling.pass(start + PAUSE * 2), None);
    }

    #[test]
    fn a_device_that_subscribes_gets_each_kind_with_its_suback() {
        let start = Instant::now();
        let mut settling = Settling::begin(start);
        assert_eq!(
            settling.subscribed(SERVICES),
            Some(Kinds {
                services: true,
                points: false
            })
        );
        assert_eq!(settling.pass(start + PAUSE), None, "points have not been subscribed to");
        assert_eq!(settling.subscribed(SERVICES), None);
        assert_eq!(settling.subscribed(POINTS), Some(Kinds::ALL));
        assert_eq!(settling.ends_at(), None);
    }

    #[test]
    fn a_device_that_never_subscribes_to_a_kind_gets_it_after_five_seconds() {
        let start = Instant::now();
        let mut settling = Settling::begin(start);
        settling.subscribed(SERVICES);
        assert_eq!(settling.pass(start + Duration::from_millis(4_999)), None);
        assert_eq!(settling.pass(start + PAUSE_SUBSCRIBING), Some(Kinds::ALL));
    }

    #[test]
    fn subscribing_after_the_pause_takes_nothing_away() {
        let start = Instant::now();
        let mut settling = Settling::begin(start);
        settling.pass(start + PAUSE);
        assert_eq!(settling.subscribed(SERVICES), None);
        assert_eq!(settling.ends_at(), None);
    }
}
