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

/// Over what a device is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A connection of its own.
    Own,
    /// This gateway's connection.
    Over(DeviceNo),
}

#[derive(Default)]
struct Taken {
    way: Option<Way>,
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

    fn too_often(&self, now: Instant) -> bool {
        let oldest = self.at.first().filter(|_| self.at.len() >= TAKEOVERS_MAX);
        oldest.is_some_and(|oldest| now.duration_since(*oldest) < WITHIN)
    }
}

/// Who has been taken over lately.
#[derive(Default)]
pub struct Takeovers(Mutex<GenerationalCache<DeviceNo, Taken>>);

impl Takeovers {
    /// The device is in this way from now on; `ousted` says whether that ended an earlier session: a session of it on
    /// another connection was ended, or it was moved away from another gateway. A gateway that has come back takes
    /// nothing from anybody, nor does one to which an operator has given the device.
    pub fn note(&self, device: DeviceNo, way: Way, ousted: bool, now: Instant) {
        let mut all = self.0.lock();
        let taken = all.get_mut(device);
        let before = taken.way.replace(way);
        let moved = before.is_some_and(|before| before != way);
        if ousted && (moved || way == Way::Own) {
            taken.note(now);
        }
    }

    /// Whether this device has been taken over so often that the next one has to wait.
    #[must_use]
    pub fn too_often(&self, device: DeviceNo, now: Instant) -> bool {
        let all = self.0.lock();
        all.get(device).is_some_and(|taken| taken.too_often(now))
    }

    /// Whether it has, and this would be another takeover: the last holder of the device may come back.
    #[must_use]
    pub fn too_often_for(&self, device: DeviceNo, way: Way, now: Instant) -> bool {
        let all = self.0.lock();
        all.get(device)
            .is_some_and(|taken| taken.way != Some(way) && taken.too_often(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);
    const BOX: Way = Way::Over(DeviceNo(2));
    const OTHER_BOX: Way = Way::Over(DeviceNo(3));

    #[test]
    fn a_device_that_is_thrown_out_again_and_again_is_two() {
        let takeovers = Takeovers::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        takeovers.note(DEVICE, Way::Own, false, start);
        for seconds in [0, 50, 100, 150, 160] {
            takeovers.note(DEVICE, Way::Own, true, at(seconds));
        }
        assert!(!takeovers.too_often(DEVICE, at(160)), "once in a while is no duel");
        takeovers.note(DEVICE, Way::Own, true, at(170));
        takeovers.note(DEVICE, Way::Own, true, at(172));
        assert!(takeovers.too_often(DEVICE, at(172)));
        assert!(!takeovers.too_often(DEVICE, at(300)));
        assert!(!takeovers.too_often(DeviceNo(9), at(172)));
    }

    #[test]
    fn a_device_that_comes_back_the_way_it_went_is_taken_over_by_nobody() {
        let takeovers = Takeovers::default();
        let now = Instant::now();
        for _ in 0..10 {
            takeovers.note(DEVICE, Way::Own, false, now);
            takeovers.note(DeviceNo(9), BOX, true, now);
        }
        assert!(!takeovers.too_often(DEVICE, now), "its earlier sessions had ended");
        assert!(!takeovers.too_often(DeviceNo(9), now), "its gateway has come back");
    }

    #[test]
    fn whoever_is_given_a_device_takes_it_from_nobody() {
        let takeovers = Takeovers::default();
        let now = Instant::now();
        for way in [BOX, OTHER_BOX].repeat(5) {
            takeovers.note(DEVICE, way, false, now);
        }
        assert!(!takeovers.too_often(DEVICE, now));
    }

    #[test]
    fn of_two_gateways_the_one_that_had_the_device_last_may_come_back() {
        let takeovers = Takeovers::default();
        let now = Instant::now();
        for way in [BOX, OTHER_BOX, BOX, OTHER_BOX, BOX] {
            assert!(!takeovers.too_often_for(DEVICE, way, now));
            takeovers.note(DEVICE, way, true, now);
        }
        assert!(takeovers.too_often_for(DEVICE, OTHER_BOX, now));
        assert!(!takeovers.too_often_for(DEVICE, BOX, now), "it has it");
        assert!(!takeovers.too_often_for(DEVICE, OTHER_BOX, now + WITHIN));
    }
}
