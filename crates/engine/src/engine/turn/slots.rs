//! The slots of a turn. Each change is part of the turn's commit, so that it is stored before its attempt leaves.

use aldis_core::ids::{DeviceNo, WireId};
use aldis_store::rows::Slot;

use super::Turn;
use crate::engine::slots::OutstandingAttempt;

impl Turn<'_> {
    /// Takes the device's slot for an attempt.
    pub(in crate::engine) fn take_slot(&mut self, held: OutstandingAttempt) {
        self.changed_slots.insert(held.slot.device);
        self.memory.devices_mut().take_slot(held);
    }

    /// Frees the device's slot if this very attempt holds it.
    pub(in crate::engine) fn free_slot(&mut self, device: DeviceNo, wire: WireId) {
        if self.devices().holds(device, wire) {
            self.changed_slots.insert(device);
            self.memory.devices_mut().free_slot(device);
        }
    }

    /// Takes back the attempt that holds the device's slot, if it has not left. Its slot is free then.
    pub(in crate::engine) fn withdraw(&mut self, device: DeviceNo, wire: WireId) -> bool {
        let held = self.devices().held(device);
        let open = held.is_some_and(|held| held.wire() == wire && held.withdraw());
        if open {
            self.batch.withdrawn.push((device, wire));
            self.free_slot(device, wire);
        }
        open
    }

    /// The attempt that holds the slot has been acknowledged: the device's link is alive.
    pub(in crate::engine) fn note_acked(&mut self, device: DeviceNo) {
        self.memory.devices_mut().note_acked(device);
    }

    /// A reply without a readable id has come while the attempt that holds the slot was out.
    pub(in crate::engine) fn note_unreadable(&mut self, device: DeviceNo) {
        self.memory.devices_mut().note_unreadable(device);
    }

    /// Changes of slots' rows. A task that is out implies its slot, which then has no row.
    pub(super) fn slot_rows(&mut self) -> Vec<(DeviceNo, Option<Slot>)> {
        let mut devices = std::mem::take(&mut self.changed_slots);
        devices.extend(self.tasks.devices_of_changed_attempts());
        let mut changes = Vec::new();
        for device in devices {
            let held = self.devices().held(device);
            let has_row = held.is_some_and(|held| self.devices().has_row(&held.slot));
            let implied_by_task = |slot: &Slot| self.tasks.imply(slot).unwrap_or(!has_row);
            changes.extend(self.memory.devices_mut().sync_slot_row(device, implied_by_task));
        }
        changes
    }
}
