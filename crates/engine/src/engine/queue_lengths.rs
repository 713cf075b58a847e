//! The lengths of devices' queues, as one turn sees them.

use aldis_core::ids::DeviceNo;

use super::maps::Map;
use super::memory::Memory;

/// What is stored of the queues that a turn meets, and what the turn has changed.
#[derive(Debug, Default)]
pub(super) struct QueueLengths {
    /// As stored before this turn. Read for absent devices: the queues of present devices are in memory.
    stored: Map<DeviceNo, usize>,
    /// Stored tasks that this turn has put into the queue, less those that it has taken out.
    change: Map<DeviceNo, isize>,
    /// Queued tasks whose rows this turn creates. They join queues in memory after the commit.
    created: Map<DeviceNo, usize>,
    /// Places for single commands whose jobs this turn creates.
    reserved: Map<DeviceNo, usize>,
}

impl QueueLengths {
    /// Whether the stored length has been read.
    pub(super) fn is_read(&self, device: DeviceNo) -> bool {
        self.stored.contains_key(&device)
    }

    /// Takes in stored lengths, in the order of the devices.
    pub(super) fn take_in(&mut self, devices: &[DeviceNo], lengths: Vec<usize>) {
        self.stored.extend(devices.iter().copied().zip(lengths));
    }

    /// A stored task has joined the queue.
    pub(super) fn task_joined(&mut self, device: DeviceNo) {
        *self.change.entry(device).or_default() += 1;
    }

    /// A stored task has left the queue.
    pub(super) fn task_left(&mut self, device: DeviceNo) {
        *self.change.entry(device).or_default() -= 1;
    }

    /// This turn creates a row that is queued.
    pub(super) fn task_created(&mut self, device: DeviceNo) {
        *self.created.entry(device).or_default() += 1;
    }

    /// This turn creates the job of a single command, which takes its place when it triggers.
    pub(super) fn reserve(&mut self, device: DeviceNo) {
        *self.reserved.entry(device).or_default() += 1;
    }

    /// How many places in the device's queue are taken or reserved. The stored length of an absent device's queue must
    /// have been read.
    pub(super) fn of(&self, device: DeviceNo, memory: &Memory) -> usize {
        let in_queue = memory.devices.queue_len(device).unwrap_or_else(|| {
            let stored = self.stored.get(&device).copied().unwrap_or_default();
            stored.saturating_add_signed(self.change.get(&device).copied().unwrap_or_default())
        });
        let places = |places: &Map<DeviceNo, usize>| places.get(&device).copied().unwrap_or_default();
        in_queue + places(&self.created) + places(&self.reserved) + memory.jobs.reserved_places(device)
    }
}
