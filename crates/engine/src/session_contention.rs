//! Devices whose presence is taken over again and again: two clients use the same keys, or two gateways both log a
//! sub-device in. Each comes back as fast as it can, so this would go on for ever (docs/device-protocol.md,
//! "Connecting").
//!
//! Counted apart from what is shown, by a clock that cannot be set: whatever fills a device's trace changes nothing
//! here.

use std::time::{Duration, Instant};

use aldis_core::ids::DeviceNo;
use parking_lot::Mutex;

use crate::generational_cache::GenerationalCache;

/// This many takeovers within [`WITHIN`] are not a device that reconnects, but two that have its keys.
pub const TAKEOVERS_MAX: usize = 4;
/// How long a takeover counts.
const WITHIN: Duration = Duration::from_secs(60);

/// The route by which a device is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A connection of its own.
    Own,
    /// This gateway's connection.
    Gateway(DeviceNo),
}

#[derive(Default)]
struct Taken {
    route: Option<Route>,
    /// The latest takeovers, oldest first.
    at: Vec<Instant>,
}

impl Taken {
    fn note(&mut self, now: Instant) {
        if self.at.len() >= TAKEOVERS_MAX {
            self.at.remove(0);
        }
        self.at.push(now);
    }

    fn is_flapping(&self, now: Instant) -> bool {
        let oldest = self.at.first().filter(|_| self.at.len() >= TAKEOVERS_MAX);
        oldest.is_some_and(|oldest| now.duration_since(*oldest) < WITHIN)
    }
}

/// The latest takeovers of each device.
#[derive(Default)]
pub struct SessionContention(Mutex<GenerationalCache<DeviceNo, Taken>>);

impl SessionContention {
    /// The device is connected by this route from now on; `ousted` says whether that ended an earlier session: a
    /// session of it on another connection was ended, or it was moved away from another gateway. A gateway that
    /// reconnects takes nothing over, nor does one to which an operator has moved the device.
    pub fn note(&self, device: DeviceNo, route: Route, ousted: bool, now: Instant) {
        let mut all = self.0.lock();
        let taken = all.get_mut(device);
        let before = taken.route.replace(route);
        let moved = before.is_some_and(|before| before != route);
        if ousted && (moved || route == Route::Own) {
            taken.note(now);
        }
    }

    /// Whether the device was taken over so often lately that its next login has to wait.
    #[must_use]
    pub fn is_flapping(&self, device: DeviceNo, now: Instant) -> bool {
        let all = self.0.lock();
        all.get(device).is_some_and(|taken| taken.is_flapping(now))
    }

    /// Whether it is flapping and a login by this route would be another takeover. The present holder may reconnect.
    #[must_use]
    pub fn is_flapping_for(&self, device: DeviceNo, route: Route, now: Instant) -> bool {
        let all = self.0.lock();
        all.get(device)
            .is_some_and(|taken| taken.route != Some(route) && taken.is_flapping(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);
    const BOX: Route = Route::Gateway(DeviceNo(2));
    const OTHER_BOX: Route = Route::Gateway(DeviceNo(3));

    #[test]
    fn a_device_that_is_thrown_out_again_and_again_is_two() {
        let contention = SessionContention::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        contention.note(DEVICE, Route::Own, false, start);
        for seconds in [0, 50, 100, 150, 160] {
            contention.note(DEVICE, Route::Own, true, at(seconds));
        }
        assert!(
            !contention.is_flapping(DEVICE, at(160)),
            "once in a while is no flapping"
        );
        contention.note(DEVICE, Route::Own, true, at(170));
        contention.note(DEVICE, Route::Own, true, at(172));
        assert!(contention.is_flapping(DEVICE, at(172)));
        assert!(!contention.is_flapping(DEVICE, at(300)));
        assert!(!contention.is_flapping(DeviceNo(9), at(172)));
    }

    #[test]
    fn a_device_that_reconnects_by_its_own_route_is_not_taken_over() {
        let contention = SessionContention::default();
        let now = Instant::now();
        for _ in 0..10 {
            contention.note(DEVICE, Route::Own, false, now);
            contention.note(DeviceNo(9), BOX, true, now);
        }
        assert!(!contention.is_flapping(DEVICE, now), "its earlier sessions had ended");
        assert!(!contention.is_flapping(DeviceNo(9), now), "its gateway has come back");
    }

    #[test]
    fn gateway_that_is_given_a_device_is_no_contention() {
        let contention = SessionContention::default();
        let now = Instant::now();
        for route in [BOX, OTHER_BOX].repeat(5) {
            contention.note(DEVICE, route, false, now);
        }
        assert!(!contention.is_flapping(DEVICE, now));
    }

    #[test]
    fn of_two_gateways_the_one_that_had_the_device_last_may_come_back() {
        let contention = SessionContention::default();
        let now = Instant::now();
        for route in [BOX, OTHER_BOX, BOX, OTHER_BOX, BOX] {
            assert!(!contention.is_flapping_for(DEVICE, route, now));
            contention.note(DEVICE, route, true, now);
        }
        assert!(contention.is_flapping_for(DEVICE, OTHER_BOX, now));
        assert!(!contention.is_flapping_for(DEVICE, BOX, now), "it has it");
        assert!(!contention.is_flapping_for(DEVICE, OTHER_BOX, now + WITHIN));
    }
}
