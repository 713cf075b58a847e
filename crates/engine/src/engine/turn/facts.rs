//! What a turn has read of devices, and the condition that follows from it for their tasks.

use aldis_core::ids::DeviceNo;
use aldis_core::task::{Condition, Hold, Presence};
use aldis_store::{DeviceFacts, Error};

use super::Turn;

impl Turn<'_> {
    /// Reads the facts of these devices that have not been read, and the queue lengths of those that are absent.
    pub(in crate::engine) fn load_facts(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        let mut wanted: Vec<DeviceNo> = devices
            .iter()
            .copied()
            .filter(|device| !self.facts.contains_key(device))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let read = self.store.device_facts(&wanted)?;
        self.facts
            .extend(read.into_iter().flatten().map(|facts| (facts.device, facts)));
        self.load_queue_lengths_of_absent(&wanted)
    }

    /// Takes in facts of devices that were just read otherwise.
    pub(in crate::engine) fn note_facts(&mut self, facts: &[DeviceFacts]) {
        for facts in facts {
            self.facts.entry(facts.device).or_insert(*facts);
        }
    }

    pub(in crate::engine) fn facts(&self, device: DeviceNo) -> Option<&DeviceFacts> {
        self.facts.get(&device)
    }

    pub(in crate::engine) fn facts_mut(&mut self, device: DeviceNo) -> Option<&mut DeviceFacts> {
        self.facts.get_mut(&device)
    }

    /// The device's condition at this point of the turn. Its facts must have been read; a device without any is gone.
    pub(in crate::engine) fn condition(&self, device: DeviceNo) -> Condition {
        let present = self.devices().session(device).is_some();
        let facts = self.facts.get(&device);
        let activated = present || facts.is_some_and(|facts| facts.activated);
        let last_offline = facts.and_then(|facts| facts.last_offline);
        let presence = if present {
            Presence::Present
        } else if activated && self.memory.is_returning(device, self.now) {
            Presence::Returning
        } else {
            Presence::Absent { since: last_offline }
        };
        Condition {
            deleted: facts.is_none_or(|facts| facts.deleted),
            disabled: facts.is_some_and(|facts| facts.disabled),
            activated,
            presence,
            queued: self.queued(device),
            busy_with: self.devices().held(device).map(|held| held.slot.task),
            hold: self.hold(device),
            visits: self.memory.visits(device),
        }
    }

    /// Why the device's next task is not sent now, though nothing of its own is out.
    fn hold(&self, device: DeviceNo) -> Option<Hold> {
        if self.is_clock_in_doubt() {
            return Some(Hold::Clock);
        }
        let waits = self.devices().next_for(device).is_some();
        (waits && self.eligible(device).is_none()).then_some(Hold::Settling)
    }
}
