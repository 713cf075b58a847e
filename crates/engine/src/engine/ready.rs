//! The devices that may take their next task, and which of them are looked at in a turn.
//!
//! While a turn can look at all of them it does. Where there are more, those that are left wait in line by
//! organization, and a device that becomes ready again stands behind those that have waited.

use std::collections::{BTreeSet, HashSet};

use aldis_core::ids::{DeviceNo, OrgId};

use super::fair::Fair;

/// Devices looked at in one turn: bounds a commit, and with it the wait of devices that reply meanwhile.
const PER_TURN: usize = 4_096;

#[derive(Debug)]
pub(super) struct Ready {
    /// Ready since the last turn.
    fresh: BTreeSet<DeviceNo>,
    /// Left over by earlier turns. A device that is not ready any more stays until its turn comes and is then skipped.
    waiting: Fair<DeviceNo>,
    /// The devices that wait.
    in_line: HashSet<DeviceNo>,
    per_turn: usize,
}

impl Default for Ready {
    fn default() -> Self {
        Self {
            fresh: BTreeSet::new(),
            waiting: Fair::default(),
            in_line: HashSet::new(),
            per_turn: PER_TURN,
        }
    }
}

impl Ready {
    /// Sets how many devices a turn looks at.
    #[cfg(test)]
    pub(super) fn limit_per_turn(&mut self, per_turn: usize) {
        self.per_turn = per_turn;
    }

    pub(super) fn insert(&mut self, device: DeviceNo) {
        if !self.in_line.contains(&device) {
            self.fresh.insert(device);
        }
    }

    pub(super) fn remove(&mut self, device: DeviceNo) {
        self.fresh.remove(&device);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.waiting.is_empty()
    }

    /// The devices of this turn; `org` says whose a device is, if it still can take a task.
    pub(super) fn take<'o>(&mut self, org: impl Fn(DeviceNo) -> Option<&'o OrgId>) -> Vec<DeviceNo> {
        if self.waiting.is_empty() && self.fresh.len() <= self.per_turn {
            return std::mem::take(&mut self.fresh).into_iter().collect();
        }
        for device in std::mem::take(&mut self.fresh) {
            if let Some(org) = org(device) {
                self.waiting.push(org, device);
                self.in_line.insert(device);
            }
        }
        let mut taken = Vec::with_capacity(self.per_turn);
        while taken.len() < self.per_turn
            && let Some(device) = self.waiting.pop()
        {
            self.in_line.remove(&device);
            if org(device).is_some() {
                taken.push(device);
            }
        }
        taken
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.fresh.len() + self.waiting.len() + self.in_line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(devices: impl IntoIterator<Item = u64>) -> Ready {
        let mut ready = Ready::default();
        ready.limit_per_turn(3);
        devices.into_iter().for_each(|device| ready.insert(DeviceNo(device)));
        ready
    }

    fn take(ready: &mut Ready, org: impl Fn(u64) -> Option<usize>) -> Vec<u64> {
        let orgs = [OrgId::from("a"), OrgId::from("b")];
        let taken = ready.take(|device| org(device.0).map(|org| &orgs[org]));
        taken.into_iter().map(|device| device.0).collect()
    }

    #[test]
    fn device_that_is_ready_again_stands_behind_those_that_wait() {
        let one = |_| Some(0);
        let mut ready = ready(1..=7);
        assert_eq!(take(&mut ready, one), [1, 2, 3]);
        (1..=3).for_each(|device| ready.insert(DeviceNo(device)));
        assert_eq!(take(&mut ready, one), [4, 5, 6]);
        assert_eq!(take(&mut ready, one), [7, 1, 2]);
        assert_eq!(take(&mut ready, one), [3]);
        assert!(ready.is_empty() && ready.size() == 0);
    }

    #[test]
    fn device_of_another_organization_waits_for_one_of_each_alone() {
        let mut ready = ready(1..=100);
        take(&mut ready, |_| Some(0));
        ready.insert(DeviceNo(1000));
        let taken = take(&mut ready, |device| Some(usize::from(device == 1000)));
        assert_eq!(taken, [4, 1000, 5]);
    }

    #[test]
    fn device_that_cannot_take_a_task_any_more_takes_no_place() {
        let mut ready = ready(1..=7);
        take(&mut ready, |_| Some(0));
        ready.remove(DeviceNo(4));
        ready.insert(DeviceNo(5));
        assert_eq!(take(&mut ready, |device| (device != 4).then_some(0)), [5, 6, 7]);
        assert_eq!(ready.size(), 0);
    }
}
