//! Connections that several devices share: how many attempts are out on each, and whose turn it is.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use aldis_core::ids::DeviceNo;

use super::maps::Map;
use crate::link::ConnectionNo;

/// Attempts that may be out to the sub-devices of one connection. The vendor's C library keeps thirty commands that
/// wait for a reply; one of them may be the gateway's own.
pub const OUT_MAX: usize = 29;

/// The sub-devices of one connection.
#[derive(Debug, Default)]
struct Shared {
    members: BTreeSet<DeviceNo>,
    /// Attempts that hold a slot and went over this connection, also of devices that are no members any more.
    out: usize,
    /// Members that could take a task.
    waiting: BTreeSet<DeviceNo>,
    /// The device that had the last turn. The next turn goes to the next device by number.
    served: DeviceNo,
}

impl Shared {
    fn next(&mut self) -> Option<DeviceNo> {
        let later = self.waiting.range((Excluded(self.served), Unbounded)).next();
        let next = later.or_else(|| self.waiting.first()).copied()?;
        self.waiting.remove(&next);
        self.served = next;
        Some(next)
    }

    fn has_turn(&self, out_max: usize) -> bool {
        self.out < out_max && !self.waiting.is_empty()
    }
}

/// All connections with sub-devices.
#[derive(Debug)]
pub(super) struct Gateways {
    shared: Map<ConnectionNo, Shared>,
    /// Connections on which a sub-device has a turn.
    with_turn: BTreeSet<ConnectionNo>,
    out_max: usize,
}

impl Default for Gateways {
    fn default() -> Self {
        Self {
            shared: Map::default(),
            with_turn: BTreeSet::new(),
            out_max: OUT_MAX,
        }
    }
}

impl Gateways {
    /// Sets how many attempts may be out over one connection.
    pub(super) fn share_at_most(&mut self, out_max: usize) {
        self.out_max = out_max;
    }

    /// A device has a session over this connection.
    pub(super) fn enter(&mut self, connection: ConnectionNo, device: DeviceNo) {
        self.shared.entry(connection).or_default().members.insert(device);
    }

    /// The device has no session over this connection any more.
    pub(super) fn leave(&mut self, connection: ConnectionNo, device: DeviceNo) {
        if let Some(shared) = self.shared.get_mut(&connection) {
            shared.members.remove(&device);
            shared.waiting.remove(&device);
        }
        self.tidy(connection);
    }

    /// An attempt goes out over this connection.
    pub(super) fn taken(&mut self, connection: ConnectionNo) {
        self.shared.entry(connection).or_default().out += 1;
    }

    /// An attempt that went out over it is no longer awaited.
    pub(super) fn freed(&mut self, connection: ConnectionNo) {
        if let Some(shared) = self.shared.get_mut(&connection) {
            shared.out = shared.out.saturating_sub(1);
            if shared.has_turn(self.out_max) {
                self.with_turn.insert(connection);
            }
        }
        self.tidy(connection);
    }

    fn tidy(&mut self, connection: ConnectionNo) {
        let idle = |shared: &Shared| shared.members.is_empty() && shared.out == 0;
        if self.shared.get(&connection).is_some_and(idle) {
            self.shared.remove(&connection);
            self.with_turn.remove(&connection);
        }
    }

    /// Sets the numbers of attempts in flight to zero: they are counted anew.
    pub(super) fn recount(&mut self) {
        self.with_turn.clear();
        for shared in self.shared.values_mut() {
            (shared.out, shared.waiting) = (0, BTreeSet::new());
        }
        self.shared.retain(|_, shared| !shared.members.is_empty());
    }

    /// A member could take a task, when its turn comes.
    pub(super) fn wait(&mut self, connection: ConnectionNo, device: DeviceNo) {
        let shared = self.shared.entry(connection).or_default();
        shared.waiting.insert(device);
        if shared.has_turn(self.out_max) {
            self.with_turn.insert(connection);
        }
    }

    /// The devices whose turn it is; `take` says whether a device can still take a task. A turn in which nothing is
    /// sent frees no slot later on, so nothing would call the devices behind it: where turns were given and devices
    /// still wait, the connection is looked at once more.
    pub(super) fn turns<T>(&mut self, mut take: impl FnMut(ConnectionNo, DeviceNo) -> Option<T>) -> Vec<T> {
        let mut turns = Vec::new();
        for connection in std::mem::take(&mut self.with_turn) {
            let Some(shared) = self.shared.get_mut(&connection) else {
                continue;
            };
            let mut given = 0;
            while shared.out + given < self.out_max
                && let Some(device) = shared.next()
            {
                let turn = take(connection, device);
                given += usize::from(turn.is_some());
                turns.extend(turn);
            }
            if given > 0 && !shared.waiting.is_empty() {
                self.with_turn.insert(connection);
            }
        }
        turns
    }

    pub(super) fn has_turns(&self) -> bool {
        !self.with_turn.is_empty()
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let shared = self.shared.values();
        self.with_turn.len()
            + shared
                .map(|shared| 1 + shared.members.len() + shared.waiting.len())
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: ConnectionNo = ConnectionNo(7);

    fn turns(gateways: &mut Gateways) -> Vec<u64> {
        gateways.turns(|_, device| Some(device.0))
    }

    #[test]
    fn everybody_has_a_turn_before_anybody_has_a_second() {
        let mut gateways = Gateways::default();
        let all = 1..=OUT_MAX as u64 + 2;
        for device in all.clone() {
            gateways.enter(BOX, DeviceNo(device));
            gateways.wait(BOX, DeviceNo(device));
        }
        let first: Vec<u64> = turns(&mut gateways);
        assert_eq!(first, (1..=OUT_MAX as u64).collect::<Vec<_>>());
        first.iter().for_each(|_| gateways.taken(BOX));
        assert_eq!(turns(&mut gateways), [0; 0]);
        gateways.freed(BOX);
        gateways.wait(BOX, DeviceNo(1));
        assert_eq!(
            turns(&mut gateways),
            [30],
            "the first one that waits, not the one that was served"
        );
        gateways.taken(BOX);
        gateways.freed(BOX);
        gateways.freed(BOX);
        assert_eq!(turns(&mut gateways), [31, 1]);
    }

    #[test]
    fn who_cannot_take_a_turn_leaves_it_to_the_next() {
        let mut gateways = Gateways::default();
        for device in 1..=3 {
            gateways.enter(BOX, DeviceNo(device));
            gateways.wait(BOX, DeviceNo(device));
        }
        for _ in 1..OUT_MAX {
            gateways.taken(BOX);
        }
        let took = gateways.turns(|_, device| (device.0 == 2).then_some(device.0));
        assert_eq!(took, [2]);
        gateways.taken(BOX);
        gateways.freed(BOX);
        assert_eq!(turns(&mut gateways), [3]);
    }

    #[test]
    fn turns_that_come_to_nothing_are_followed_by_others() {
        let mut gateways = Gateways::default();
        gateways.share_at_most(2);
        for device in 1..=5 {
            gateways.enter(BOX, DeviceNo(device));
            gateways.wait(BOX, DeviceNo(device));
        }
        assert_eq!(turns(&mut gateways), [1, 2]);
        assert!(gateways.has_turns(), "neither of them may have taken anything");
        assert_eq!(turns(&mut gateways), [3, 4]);
        gateways.taken(BOX);
        gateways.taken(BOX);
        assert_eq!(turns(&mut gateways), [0; 0]);
        assert!(!gateways.has_turns(), "the next one is called when a slot is freed");
        gateways.freed(BOX);
        assert_eq!(turns(&mut gateways), [5]);
        assert!(!gateways.has_turns());
    }

    #[test]
    fn a_connection_is_forgotten_with_its_last_device_and_attempt() {
        let mut gateways = Gateways::default();
        gateways.enter(BOX, DeviceNo(1));
        gateways.wait(BOX, DeviceNo(1));
        gateways.taken(BOX);
        gateways.leave(BOX, DeviceNo(1));
        assert_eq!(turns(&mut gateways), [0; 0]);
        gateways.enter(BOX, DeviceNo(2));
        gateways.leave(BOX, DeviceNo(2));
        assert_eq!(gateways.size(), 1, "its attempt still counts");
        gateways.freed(BOX);
        assert_eq!(gateways.size(), 0);
    }
}
