//! What happened between devices and the server that no row of the store tells: for whoever makes a device work
//! (docs/api.md, "Traces").
//!
//! Kept in memory, the newest entries of each device. A device that does nothing but its work leaves no entry beyond its
//! login: commands, acknowledgements and replies are rows already, and cost nothing here.

use std::collections::VecDeque;
use std::net::SocketAddr;

use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::time::Timestamp;
use parking_lot::Mutex;

use crate::remembered::Remembered;

/// Entries kept of one device: some minutes of a client that cannot come in.
pub const ENTRIES_MAX: usize = 32;
/// So many second logins within [`DUEL_MS`] are not a device that comes back, but two that use the same keys.
const DUEL_LOGINS: usize = 4;
/// A minute, in milliseconds.
const DUEL_MS: i64 = 60_000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A CONNECT was refused, and really for this reason.
    Refused(String),
    /// A session has begun, over a connection of the device's own.
    Connected(SocketAddr),
    /// A session has begun, over its gateway's connection.
    LoggedIn,
    /// A second login has ended the session.
    Replaced,
    /// A session has ended, for this reason.
    Ended(String),
    /// A reply of the device was not used.
    ReplyDropped {
        /// The id that it came with, if that could be read.
        wire: Option<WireId>,
        /// Why.
        why: &'static str,
    },
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// The newest entries of devices.
#[derive(Default)]
pub struct Traces(Mutex<Remembered<VecDeque<Entry>>>);

impl Traces {
    /// Takes note.
    pub fn note(&self, device: DeviceNo, at: Timestamp, event: Event) {
        let mut all = self.0.lock();
        let entries = all.of_mut(device);
        if entries.len() >= ENTRIES_MAX {
            entries.pop_front();
        }
        entries.push_back(Entry { at, event });
    }

    /// What is known of a device, oldest first.
    #[must_use]
    pub fn of(&self, device: DeviceNo) -> Vec<Entry> {
        let all = self.0.lock();
        all.of(device).into_iter().flatten().cloned().collect()
    }

    /// Whether two clients with the keys of this device throw each other out.
    #[must_use]
    pub fn is_duel(&self, device: DeviceNo, now: Timestamp) -> bool {
        let all = self.0.lock();
        let recent = all.of(device).into_iter().flatten().filter(|entry| {
            let age = now.0.saturating_sub(entry.at.0);
            entry.event == Event::Replaced && age < DUEL_MS
        });
        recent.count() >= DUEL_LOGINS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);

    #[test]
    fn the_newest_entries_of_a_device_are_kept_in_order() {
        let traces = Traces::default();
        for at in 0..100 {
            traces.note(DEVICE, Timestamp(at), Event::LoggedIn);
        }
        let kept: Vec<i64> = traces.of(DEVICE).iter().map(|entry| entry.at.0).collect();
        assert_eq!(kept, (68..100).collect::<Vec<_>>());
        assert!(traces.of(DeviceNo(2)).is_empty());
    }

    #[test]
    fn a_device_that_is_thrown_out_again_and_again_is_two() {
        let traces = Traces::default();
        for at in [0, 50_000, 100_000, 150_000, 160_000] {
            traces.note(DEVICE, Timestamp(at), Event::Replaced);
        }
        assert!(
            !traces.is_duel(DEVICE, Timestamp(160_000)),
            "once in a while is no duel"
        );
        for at in 170..172 {
            traces.note(DEVICE, Timestamp(at * 1000), Event::Replaced);
        }
        assert!(traces.is_duel(DEVICE, Timestamp(172_000)));
        assert!(!traces.is_duel(DEVICE, Timestamp(300_000)));
    }
}
