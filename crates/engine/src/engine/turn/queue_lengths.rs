//! The lengths of devices' queues, as one turn sees them.

use aldis_core::ids::DeviceNo;
use aldis_store::Error;

use super::Turn;
use crate::engine::maps::Map;
use crate::engine::memory::Memory;

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
    fn is_read(&self, device: DeviceNo) -> bool {
        self.stored.contains_key(&device)
    }

    /// Takes in stored lengths, in the order of the devices.
    fn take_in(&mut self, devices: &[DeviceNo], lengths: Vec<usize>) {
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
    fn reserve(&mut self, device: DeviceNo) {
        *self.reserved.entry(device).or_default() += 1;
    }

    /// How many places in the device's queue are taken or reserved. The stored length of an absent device's queue must
    /// have been read.
    fn of(&self, device: DeviceNo, memory: &Memory) -> usize {
        let in_queue = memory.devices().queue_len(device).unwrap_or_else(|| {
            let stored = self.stored.get(&device).copied().unwrap_or_default();
            stored.saturating_add_signed(self.change.get(&device).copied().unwrap_or_default())
        });
        let places = |places: &Map<DeviceNo, usize>| places.get(&device).copied().unwrap_or_default();
        in_queue + places(&self.created) + places(&self.reserved) + memory.jobs().reserved_places(device)
    }
}

impl Turn<'_> {
    /// Reads how many tasks are stored as queued for those of these devices whose queue is not in memory.
    pub(in crate::engine) fn load_queue_lengths_of_absent(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        let absent = devices
            .iter()
            .filter(|device| self.devices().queue_len(**device).is_none());
        let absent: Vec<DeviceNo> = absent.copied().collect();
        self.load_queue_lengths(&absent)
    }

    /// The same of one device, read once.
    pub(in crate::engine) fn load_queue_length(&mut self, device: DeviceNo) -> Result<(), Error> {
        if self.queue_lengths.is_read(device) {
            return Ok(());
        }
        self.load_queue_lengths_of_absent(&[device])
    }

    /// Reads how many tasks are stored as queued for these devices.
    pub(in crate::engine) fn load_queue_lengths(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        if !devices.is_empty() {
            let lengths = self.store.queue_lengths(devices)?;
            self.queue_lengths.take_in(devices, lengths);
        }
        Ok(())
    }

    /// How many places in the device's queue are taken or reserved. Of an absent device, the stored length must have
    /// been read.
    pub(in crate::engine) fn queued(&self, device: DeviceNo) -> usize {
        self.queue_lengths.of(device, self.memory)
    }

    /// Reserves a place in the device's queue for a single command whose job this turn creates.
    pub(in crate::engine) fn reserve_place(&mut self, device: DeviceNo) {
        self.queue_lengths.reserve(device);
    }
}
