//! The slots that are held: by which attempts, until when, and which of them have a row of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;

use super::maps::Map;
use crate::link::{ConnectionNo, Gate, SessionNo};

/// A device's slot, and what is known of the attempt that holds it.
#[derive(Debug, Clone)]
pub(super) struct OutstandingAttempt {
    pub(super) slot: Slot,
    /// `None` after a restart: it may have left.
    pub(super) gate: Option<Arc<Gate>>,
    /// The session that was given the attempt.
    pub(super) session: Option<SessionNo>,
    /// The end of that session.
    pub(super) lost_at: Option<Timestamp>,
    /// A message on the command's reply topic has come whose id could not be read.
    pub(super) unreadable: bool,
}

impl OutstandingAttempt {
    /// What is known after a start of the attempt that holds a stored slot.
    pub(super) fn stored(slot: Slot) -> Self {
        Self {
            slot,
            gate: None,
            session: None,
            lost_at: None,
            unreadable: false,
        }
    }

    /// The attempt's id.
    pub(super) fn wire(&self) -> WireId {
        WireId::new(self.slot.task, self.slot.attempt)
    }

    /// The gateway's connection that the attempt went over, if it did.
    pub(super) fn shared(&self) -> Option<ConnectionNo> {
        self.session.and_then(SessionNo::shared)
    }

    /// When the attempt was given to the socket.
    pub(super) fn handed(&self) -> Option<Timestamp> {
        self.gate.as_ref().and_then(|gate| gate.handed())
    }

    /// The socket has taken it, and no PUBACK follows: with QoS 0 nothing more can be known of its link.
    pub(super) fn left_for_good(&self) -> bool {
        let left = |gate: &Gate| !gate.expects_puback() && gate.handed().is_some();
        self.gate.as_deref().is_some_and(left)
    }

    /// It has not left, as of now.
    pub(super) fn is_open(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.is_open())
    }

    /// Takes the attempt back; false if bytes of it may have left.
    pub(super) fn withdraw(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.withdraw())
    }
}

/// What is kept of slots beside the attempts that hold them, which stand with their devices.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The held slots, by the moment at which their replies are due.
    deadlines: BTreeSet<(Timestamp, DeviceNo)>,
    /// Slots freed since the last commit: what is known of them comes back if the next one fails.
    freed: Map<DeviceNo, OutstandingAttempt>,
    /// Slots that have a row of their own, because no stored task implies them.
    rows: BTreeMap<DeviceNo, Slot>,
}

impl Slots {
    /// An attempt holds its device's slot from now on.
    pub(super) fn take(&mut self, held: &OutstandingAttempt) {
        self.deadlines.insert((held.slot.reply_deadline, held.slot.device));
    }

    /// The attempt holds its slot no more.
    pub(super) fn free(&mut self, held: OutstandingAttempt) {
        self.deadlines.remove(&(held.slot.reply_deadline, held.slot.device));
        self.freed.insert(held.slot.device, held);
    }

    /// What was freed is stored as free.
    pub(super) fn committed(&mut self) {
        self.freed.clear();
    }

    /// Forgets which slots are held: they are read again. Returns what is known of those freed since the last commit.
    pub(super) fn restore(&mut self, rows: Vec<Slot>) -> Map<DeviceNo, OutstandingAttempt> {
        self.deadlines.clear();
        self.rows = rows.into_iter().map(|slot| (slot.device, slot)).collect();
        std::mem::take(&mut self.freed)
    }

    /// Sets the deadlines of all held slots anew.
    pub(super) fn set_deadlines(&mut self, deadlines: impl Iterator<Item = (Timestamp, DeviceNo)>) {
        self.deadlines = deadlines.collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// Devices whose slot is held, the earliest deadline first.
    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceNo> {
        self.deadlines.iter().map(|(_, device)| *device)
    }

    /// Devices whose attempt has run out of time, at most `limit`.
    pub(super) fn past_deadline(&self, now: Timestamp, limit: usize) -> Vec<DeviceNo> {
        let past = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        past.take(limit).map(|(_, device)| *device).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Brings the row of a device's slot up to date. `unimplied` is the slot if it is held and no stored task implies
    /// it: only then it has a row. Returns the row's change, if there is one.
    pub(super) fn sync_row(&mut self, device: DeviceNo, unimplied: Option<Slot>) -> Option<(DeviceNo, Option<Slot>)> {
        match unimplied {
            Some(slot) if !self.has_row(&slot) => {
                self.rows.insert(device, slot);
                Some((device, Some(slot)))
            }
            None if self.rows.remove(&device).is_some() => Some((device, None)),
            Some(_) | None => None,
        }
    }

    /// Whether this slot has a row of its own.
    pub(super) fn has_row(&self, slot: &Slot) -> bool {
        let row = self.rows.get(&slot.device);
        row.is_some_and(|row| row.task == slot.task && row.attempt == slot.attempt)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.deadlines.len() + self.freed.len() + self.rows.len()
    }
}
