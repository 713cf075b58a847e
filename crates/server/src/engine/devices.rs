//! What the engine keeps in memory of devices: sessions, held slots, and the queues of those that are present.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aldis_core::ids::{DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;

use crate::link::{Gate, Kinds, SessionNo};

/// Replies to attempts from before a start get at least this long: clients first have to come back and say them again.
const AFTER_START_MS: i64 = 5_000;

/// A place in a device's queue: the moment due, then job number, then index.
pub(super) type Place = (Timestamp, JobNo, TaskNo);

/// A live session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) no: SessionNo,
    /// What it may be sent; nothing before it has settled.
    pub(super) kinds: Kinds,
    /// It is about to be ended and gets nothing more.
    pub(super) closing: bool,
}

/// A device's slot, and what is known of the attempt that holds it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) slot: Slot,
    /// `None` after a restart: it may have left.
    pub(super) gate: Option<Arc<Gate>>,
    /// The session that was given the attempt.
    pub(super) session: Option<SessionNo>,
    /// The end of that session.
    pub(super) lost_at: Option<Timestamp>,
}

impl Held {
    /// The attempt's id.
    pub(super) fn wire(&self) -> WireId {
        WireId::new(self.slot.task, self.slot.attempt)
    }

    /// When the attempt was given to the socket.
    pub(super) fn handed(&self) -> Option<Timestamp> {
        self.gate.as_ref().and_then(|gate| gate.handed())
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

#[derive(Debug, Default)]
pub(super) struct Devices {
    sessions: HashMap<DeviceNo, Session>,
    held: HashMap<DeviceNo, Held>,
    deadlines: BTreeSet<(Timestamp, DeviceNo)>,
    queues: HashMap<DeviceNo, BTreeSet<Place>>,
    /// Devices that may take their next task: dispatch looks at them.
    look: BTreeSet<DeviceNo>,
    /// Slots freed since the last commit: what is known of them comes back if the next one fails.
    freed: HashMap<DeviceNo, Held>,
    /// Sessions to be ended by the next commit: they go on if it fails.
    closed: Vec<(DeviceNo, SessionNo)>,
}

impl Devices {
    /// Attempts are out, and somebody may acknowledge them: that wakes nobody.
    pub(super) fn await_pubacks(&self) -> bool {
        !self.held.is_empty() && !self.sessions.is_empty()
    }

    pub(super) fn session(&self, device: DeviceNo) -> Option<&Session> {
        self.sessions.get(&device)
    }

    /// The session takes these kinds of command from now on.
    pub(super) fn ready(&mut self, device: DeviceNo, session: SessionNo, kinds: Kinds) {
        if let Some(current) = self.sessions.get_mut(&device).filter(|current| current.no == session) {
            current.kinds = kinds;
            self.note(device);
        }
    }

    /// The device's session, if it has one that goes on, gets nothing more and is about to be ended.
    pub(super) fn close(&mut self, device: DeviceNo) -> Option<SessionNo> {
        let session = self.sessions.get_mut(&device).filter(|session| !session.closing)?;
        session.closing = true;
        let no = session.no;
        self.closed.push((device, no));
        self.look.remove(&device);
        Some(no)
    }

    /// What was decided is stored.
    pub(super) fn committed(&mut self) {
        self.freed.clear();
        self.closed.clear();
    }

    /// What was decided is not stored, as far as is known: sessions that were to be ended go on.
    pub(super) fn reopen(&mut self) {
        for (device, no) in std::mem::take(&mut self.closed) {
            if let Some(session) = self.sessions.get_mut(&device).filter(|session| session.no == no) {
                session.closing = false;
            }
        }
    }

    /// Whether the device can take a task may have changed.
    fn note(&mut self, device: DeviceNo) {
        if self.next_for(device).is_some() {
            self.look.insert(device);
        } else {
            self.look.remove(&device);
        }
    }

    pub(super) fn present(&self) -> Vec<DeviceNo> {
        self.sessions.keys().copied().collect()
    }

    /// A device is present from now on, with this queue.
    pub(super) fn enter(&mut self, device: DeviceNo, session: SessionNo, queue: BTreeSet<Place>) {
        self.sessions.insert(
            device,
            Session {
                no: session,
                kinds: Kinds::default(),
                closing: false,
            },
        );
        self.set_queue(device, queue);
    }

    /// The queue of a present device, read anew.
    pub(super) fn set_queue(&mut self, device: DeviceNo, queue: BTreeSet<Place>) {
        self.queues.insert(device, queue);
        self.note(device);
    }

    /// A session has ended; an earlier session's end changes nothing but what is known of its attempt's link. Whether the
    /// device is gone by it; this may be said again, after a commit that failed.
    pub(super) fn leave(&mut self, device: DeviceNo, session: SessionNo, now: Timestamp) -> bool {
        if let Some(held) = self.held.get_mut(&device).filter(|held| held.session == Some(session)) {
            held.lost_at.get_or_insert(now);
        }
        if self.sessions.get(&device).is_some_and(|current| current.no == session) {
            self.sessions.remove(&device);
            self.queues.remove(&device);
            self.look.remove(&device);
        }
        !self.sessions.contains_key(&device)
    }

    pub(super) fn held(&self, device: DeviceNo) -> Option<&Held> {
        self.held.get(&device)
    }

    /// Whether this very attempt holds the device's slot.
    pub(super) fn holds(&self, device: DeviceNo, wire: WireId) -> bool {
        self.held.get(&device).is_some_and(|held| held.wire() == wire)
    }

    /// The device's PUBACK has come: its link is alive, whatever has become of the task.
    pub(super) fn acked(&mut self, device: DeviceNo) {
        if let Some(held) = self.held.get_mut(&device) {
            held.slot.acked = true;
        }
    }

    /// The slot is taken; it stands in a commit before its attempt leaves.
    pub(super) fn take_slot(&mut self, held: Held) {
        let device = held.slot.device;
        self.deadlines.insert((held.slot.reply_deadline, device));
        self.held.insert(device, held);
        self.look.remove(&device);
    }

    /// The slot is free again.
    pub(super) fn free_slot(&mut self, device: DeviceNo) {
        let Some(held) = self.held.remove(&device) else { return };
        self.deadlines.remove(&(held.slot.reply_deadline, device));
        self.freed.insert(device, held);
        self.note(device);
    }

    /// Slots as they are stored. What is known of gates and links is kept where it still fits.
    pub(super) fn restore_slots(&mut self, slots: Vec<Slot>) {
        let mut before = std::mem::take(&mut self.held);
        let mut freed = std::mem::take(&mut self.freed);
        self.deadlines.clear();
        for slot in slots {
            let both = [before.remove(&slot.device), freed.remove(&slot.device)];
            let is_it = |held: &Held| held.slot.task == slot.task && held.slot.attempt == slot.attempt;
            let known = both.into_iter().flatten().find(is_it);
            self.take_slot(known.unwrap_or(Held {
                slot,
                gate: None,
                session: None,
                lost_at: None,
            }));
        }
    }

    /// After a start every slot is held for a while yet.
    pub(super) fn extend_deadlines(&mut self, ready: Timestamp) {
        let earliest = ready.plus_ms(AFTER_START_MS);
        self.deadlines.clear();
        for (device, held) in &mut self.held {
            held.slot.reply_deadline = held.slot.reply_deadline.max(earliest);
            self.deadlines.insert((held.slot.reply_deadline, *device));
        }
    }

    pub(super) fn all_held(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Devices whose attempt has run out of time, at most `limit`.
    pub(super) fn past_deadline(&self, now: Timestamp, limit: usize) -> Vec<DeviceNo> {
        self.deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|(_, device)| *device)
            .collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn queue_len(&self, device: DeviceNo) -> Option<usize> {
        self.queues.get(&device).map(BTreeSet::len)
    }

    /// A task joins a present device's queue; nothing happens for an absent one, whose queue is the store.
    pub(super) fn join(&mut self, device: DeviceNo, place: Place) {
        if let Some(queue) = self.queues.get_mut(&device) {
            queue.insert(place);
            self.note(device);
        }
    }

    pub(super) fn join_all(&mut self, places: &[(DeviceNo, Place)]) {
        for (device, place) in places {
            self.join(*device, *place);
        }
    }

    pub(super) fn quit(&mut self, device: DeviceNo, place: &Place) {
        if let Some(queue) = self.queues.get_mut(&device) {
            queue.remove(place);
            self.note(device);
        }
    }

    /// The device's next task, if it has a session that takes orders and its slot is free.
    pub(super) fn next_for(&self, device: DeviceNo) -> Option<(Session, Place)> {
        let session = self.sessions.get(&device).filter(|session| !session.closing)?;
        if self.held.contains_key(&device) {
            return None;
        }
        let place = self.queues.get(&device)?.first()?;
        Some((*session, *place))
    }

    /// Devices to look at, at most `limit`.
    pub(super) fn take_look(&mut self, limit: usize) -> Vec<DeviceNo> {
        if self.look.len() <= limit {
            return std::mem::take(&mut self.look).into_iter().collect();
        }
        let rest = self.look.iter().nth(limit).copied();
        let later = rest.map(|first| self.look.split_off(&first)).unwrap_or_default();
        std::mem::replace(&mut self.look, later).into_iter().collect()
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.sessions.len()
            + self.held.len()
            + self.deadlines.len()
            + self.queues.len()
            + self.look.len()
            + self.freed.len()
            + self.closed.len()
    }

    pub(super) fn has_look(&self) -> bool {
        !self.look.is_empty()
    }

    /// Everybody that can take a task is to be looked at.
    pub(super) fn look_at_all(&mut self) {
        for device in self.present() {
            self.note(device);
        }
    }
}
