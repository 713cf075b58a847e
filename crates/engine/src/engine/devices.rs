//! What the engine keeps in memory of devices: sessions, held slots, and the queues of those that are present.

use aldis_core::command::Command;
use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::time::Timestamp;
use aldis_store::rows::Slot;

use super::gateways::Gateways;
use super::jobs::Jobs;
use super::maps::Map;
use super::queue::{Queue, QueuePosition};
use super::ready::Ready;
use super::slots::{OutstandingAttempt, Slots};
use crate::link::{Kinds, SessionNo};

/// Replies to attempts from before a start get at least this long: clients have to reconnect and send them again.
pub const AFTER_START_MS: i64 = 5_000;

/// Services that a session may subscribe to by name before its warm-up is over: more than any device has handlers for.
/// Commands of further services wait until the warm-up is over.
const NAMED_MAX: usize = 64;

/// A live session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) no: SessionNo,
    /// The kinds of command that it may be sent; none before its warm-up is over.
    pub(super) kinds: Kinds,
    /// It ends after the commit and is sent nothing more.
    pub(super) closing: bool,
}

/// A device that can take a task now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eligible {
    pub(super) device: DeviceNo,
    pub(super) session: Session,
    /// The head of its queue.
    pub(super) place: QueuePosition,
}

/// One device, as long as it has a session or holds a slot.
#[derive(Debug, Default)]
struct DeviceEntry {
    session: Option<Session>,
    /// Services whose commands the session takes by name, while it does not take all.
    named: Vec<Box<str>>,
    held: Option<OutstandingAttempt>,
    /// What waits for it, while it has a session.
    queue: Queue,
}

impl DeviceEntry {
    /// The head of the queue, if the session goes on and the slot is free.
    fn next(&self) -> Option<(Session, QueuePosition)> {
        let session = self.session.filter(|session| !session.closing)?;
        let place = self.queue.first().filter(|_| self.held.is_none())?;
        Some((session, place))
    }

    /// Whether the session takes this command: its kind, or its service by name.
    fn takes(&self, session: Session, command: &Command) -> bool {
        session.kinds.contain(command.kind()) || self.has_named(command)
    }

    fn has_named(&self, command: &Command) -> bool {
        let Command::InvokeService { service_id, .. } = command else {
            return false;
        };
        self.named.iter().any(|named| **named == **service_id)
    }

    /// The device's next task, if its session takes it.
    fn eligible(&self, device: DeviceNo, jobs: &Jobs) -> Option<Eligible> {
        let (session, place) = self.next()?;
        let command = &jobs.get(place.job)?.command;
        self.takes(session, command)
            .then_some(Eligible { device, session, place })
    }
}

#[derive(Debug, Default)]
pub(super) struct Devices {
    entries: Map<DeviceNo, DeviceEntry>,
    present: usize,
    slots: Slots,
    /// Devices that may take their next task: dispatch looks at them.
    ready: Ready,
    /// Connections that sub-devices share.
    gateways: Gateways,
    /// Sessions to be ended by the next commit: they go on if it fails.
    closed: Vec<(DeviceNo, SessionNo)>,
}

impl Devices {
    /// Sets how many attempts may be out over one shared connection.
    pub(super) fn share_at_most(&mut self, out_max: usize) {
        self.gateways.share_at_most(out_max);
    }

    /// Sets how many devices dispatch looks at in a turn.
    #[cfg(test)]
    pub(super) fn dispatch_at_most(&mut self, per_turn: usize) {
        self.ready.limit_per_turn(per_turn);
    }

    /// True if attempts are in flight: their PUBACKs do not wake the writer.
    pub(super) fn await_pubacks(&self) -> bool {
        !self.slots.is_empty() && self.present > 0
    }

    pub(super) fn session(&self, device: DeviceNo) -> Option<&Session> {
        self.entries.get(&device)?.session.as_ref()
    }

    /// The session takes these kinds of command from now on.
    pub(super) fn set_kinds(&mut self, device: DeviceNo, session: SessionNo, kinds: Kinds) {
        if let Some(current) = self.session_mut(device).filter(|current| current.no == session) {
            current.kinds = kinds;
            self.refresh(device);
        }
    }

    /// The session takes commands of these services from now on.
    pub(super) fn add_services(&mut self, device: DeviceNo, session: SessionNo, services: &[String]) {
        let current = self.session(device).filter(|current| current.no == session);
        if current.is_none_or(|current| current.kinds == Kinds::ALL) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&device) {
            let room = NAMED_MAX.saturating_sub(entry.named.len());
            entry
                .named
                .extend(services.iter().take(room).map(|service| service.as_str().into()));
            self.refresh(device);
        }
    }

    fn session_mut(&mut self, device: DeviceNo) -> Option<&mut Session> {
        self.entries.get_mut(&device)?.session.as_mut()
    }

    /// Marks the device's session as closing: it is sent nothing more. `None` if there is none, or it is closing
    /// already.
    pub(super) fn close(&mut self, device: DeviceNo) -> Option<SessionNo> {
        let session = self.session_mut(device).filter(|session| !session.closing)?;
        session.closing = true;
        let no = session.no;
        self.closed.push((device, no));
        self.ready.remove(device);
        Some(no)
    }

    /// What was decided is stored.
    pub(super) fn committed(&mut self) {
        self.slots.committed();
        self.closed.clear();
    }

    /// What was decided is not stored, as far as is known: sessions that were to be ended go on.
    pub(super) fn reopen(&mut self) {
        for (device, no) in std::mem::take(&mut self.closed) {
            if let Some(session) = self.session_mut(device).filter(|session| session.no == no) {
                session.closing = false;
            }
        }
    }

    /// Whether the device can take a task may have changed.
    fn refresh(&mut self, device: DeviceNo) {
        if self.next_for(device).is_some() {
            self.ready.insert(device);
        } else {
            self.ready.remove(device);
        }
    }

    /// Devices with a session, by number.
    pub(super) fn present(&self) -> Vec<DeviceNo> {
        let present = self.entries.iter().filter(|(_, entry)| entry.session.is_some());
        let mut present: Vec<DeviceNo> = present.map(|(device, _)| *device).collect();
        present.sort_unstable();
        present
    }

    /// A device is present from now on, with this queue.
    pub(super) fn enter(&mut self, device: DeviceNo, session: SessionNo, queue: Queue) {
        let entry = self.entries.entry(device).or_default();
        let before = entry.session.replace(Session {
            no: session,
            kinds: Kinds::default(),
            closing: false,
        });
        entry.named = Vec::new();
        self.present += usize::from(before.is_none());
        if let Some(connection) = before.and_then(|before| before.no.shared()) {
            self.gateways.leave(connection, device);
        }
        if let Some(connection) = session.shared() {
            self.gateways.enter(connection, device);
        }
        self.set_queue(device, queue);
    }

    /// The queue of a present device, read anew.
    pub(super) fn set_queue(&mut self, device: DeviceNo, queue: Queue) {
        if let Some(entry) = self.entries.get_mut(&device) {
            entry.queue = queue;
            self.refresh(device);
        }
    }

    /// A session has ended. True if the device has no session now. The end of an earlier session only tells when the
    /// link of its attempt was lost. The event may come twice, after a commit that failed.
    pub(super) fn leave(&mut self, device: DeviceNo, session: SessionNo, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(&device) else {
            return true;
        };
        if let Some(held) = entry.held.as_mut().filter(|held| held.session == Some(session)) {
            held.lost_at.get_or_insert(now);
        }
        if entry.session.is_some_and(|current| current.no == session) {
            (entry.session, entry.queue, entry.named) = (None, Queue::default(), Vec::new());
            self.present -= 1;
            self.ready.remove(device);
            if let Some(connection) = session.shared() {
                self.gateways.leave(connection, device);
            }
        }
        let gone = entry.session.is_none();
        self.forget_if_idle(device);
        gone
    }

    fn forget_if_idle(&mut self, device: DeviceNo) {
        let idle = |entry: &DeviceEntry| entry.session.is_none() && entry.held.is_none();
        if self.entries.get(&device).is_some_and(idle) {
            self.entries.remove(&device);
        }
    }

    pub(super) fn held(&self, device: DeviceNo) -> Option<&OutstandingAttempt> {
        self.entries.get(&device)?.held.as_ref()
    }

    /// Whether this very attempt holds the device's slot.
    pub(super) fn holds(&self, device: DeviceNo, wire: WireId) -> bool {
        self.held(device).is_some_and(|held| held.wire() == wire)
    }

    /// The device's PUBACK has come: its link is alive, whatever has become of the task.
    pub(super) fn note_acked(&mut self, device: DeviceNo) {
        let entry = self.entries.get_mut(&device);
        if let Some(held) = entry.and_then(|entry| entry.held.as_mut()) {
            held.slot.acked = true;
        }
    }

    /// A reply without a readable id has come while this attempt was out.
    pub(super) fn note_unreadable(&mut self, device: DeviceNo) {
        let entry = self.entries.get_mut(&device);
        if let Some(held) = entry.and_then(|entry| entry.held.as_mut()) {
            held.unreadable = true;
        }
    }

    /// Takes the slot. This is committed before the attempt leaves.
    pub(super) fn take_slot(&mut self, held: OutstandingAttempt) {
        let device = held.slot.device;
        self.slots.take(&held);
        if let Some(connection) = held.shared() {
            self.gateways.taken(connection);
        }
        self.entries.entry(device).or_default().held = Some(held);
        self.ready.remove(device);
    }

    /// Frees the slot.
    pub(super) fn free_slot(&mut self, device: DeviceNo) {
        let held = self.entries.get_mut(&device).and_then(|entry| entry.held.take());
        let Some(held) = held else { return };
        if let Some(connection) = held.shared() {
            self.gateways.freed(connection);
        }
        self.slots.free(held);
        self.forget_if_idle(device);
        self.refresh(device);
    }

    /// Brings the row of the device's slot up to date: a slot has a row unless the stored task of its attempt implies
    /// it. Returns the row's change, if there is one.
    pub(super) fn sync_slot_row(
        &mut self,
        device: DeviceNo,
        implied_by_task: impl FnOnce(&Slot) -> bool,
    ) -> Option<(DeviceNo, Option<Slot>)> {
        let held = self.held(device).map(|held| held.slot);
        let unimplied = held.filter(|slot| !implied_by_task(slot));
        self.slots.sync_row(device, unimplied)
    }

    /// Whether this slot has a row of its own.
    pub(super) fn has_row(&self, slot: &Slot) -> bool {
        self.slots.has_row(slot)
    }

    /// Slots as they are stored, those that have `rows` of their own among them. What is known of gates and links is
    /// kept where it still fits.
    pub(super) fn restore_slots(&mut self, slots: Vec<Slot>, rows: Vec<Slot>) {
        let mut freed = self.slots.restore(rows);
        let mut before: Map<DeviceNo, OutstandingAttempt> = Map::default();
        for (device, entry) in &mut self.entries {
            before.extend(entry.held.take().map(|held| (*device, held)));
        }
        self.gateways.recount();
        for slot in slots {
            let both = [before.remove(&slot.device), freed.remove(&slot.device)];
            let is_it = |held: &OutstandingAttempt| held.slot.task == slot.task && held.slot.attempt == slot.attempt;
            let known = both.into_iter().flatten().find(is_it);
            self.take_slot(known.unwrap_or_else(|| OutstandingAttempt::stored(slot)));
        }
        self.entries
            .retain(|_, entry| entry.session.is_some() || entry.held.is_some());
    }

    /// Extends the deadlines of all held slots, after a start or a pause of the process.
    pub(super) fn extend_deadlines(&mut self, ready: Timestamp) {
        let earliest = ready.plus_ms(AFTER_START_MS);
        let held = self.entries.values_mut().filter_map(|entry| entry.held.as_mut());
        self.slots.set_deadlines(held.map(|held| {
            held.slot.reply_deadline = held.slot.reply_deadline.max(earliest);
            (held.slot.reply_deadline, held.slot.device)
        }));
    }

    pub(super) fn all_held(&self) -> impl Iterator<Item = &OutstandingAttempt> {
        self.slots.devices().filter_map(|device| self.held(device))
    }

    /// Devices whose attempt has run out of time, at most `limit`.
    pub(super) fn past_deadline(&self, now: Timestamp, limit: usize) -> Vec<DeviceNo> {
        self.slots.past_deadline(now, limit)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.slots.next_deadline()
    }

    /// The length of a present device's queue.
    pub(super) fn queue_len(&self, device: DeviceNo) -> Option<usize> {
        let entry = self.entries.get(&device).filter(|entry| entry.session.is_some());
        entry.map(|entry| entry.queue.len())
    }

    /// The tasks in a present device's queue.
    pub(super) fn waiting_at_hand(&self, device: DeviceNo) -> impl Iterator<Item = TaskNo> {
        let entry = self.entries.get(&device);
        entry
            .into_iter()
            .flat_map(|entry| entry.queue.places().map(|place| place.task))
    }

    /// Puts a task into a present device's queue. An absent device's queue is in the store alone.
    pub(super) fn join(&mut self, device: DeviceNo, place: QueuePosition) {
        if let Some(queue) = self.queue_mut(device) {
            queue.insert(place);
            self.refresh(device);
        }
    }

    pub(super) fn join_all(&mut self, places: &[(DeviceNo, QueuePosition)]) {
        for (device, place) in places {
            self.join(*device, *place);
        }
    }

    pub(super) fn quit(&mut self, device: DeviceNo, place: &QueuePosition) {
        if let Some(queue) = self.queue_mut(device) {
            queue.remove(place);
            self.refresh(device);
        }
    }

    fn queue_mut(&mut self, device: DeviceNo) -> Option<&mut Queue> {
        let entry = self.entries.get_mut(&device)?;
        entry.session.is_some().then_some(&mut entry.queue)
    }

    /// The device's next task, if it has a session that takes orders and its slot is free.
    pub(super) fn next_for(&self, device: DeviceNo) -> Option<(Session, QueuePosition)> {
        self.entries.get(&device)?.next()
    }

    /// The device's next task, if its session takes it.
    pub(super) fn eligible(&self, device: DeviceNo, jobs: &Jobs) -> Option<Eligible> {
        self.entries.get(&device)?.eligible(device, jobs)
    }

    /// The devices that dispatch has to look at in this turn.
    pub(super) fn take_ready(&mut self, jobs: &Jobs) -> Vec<DeviceNo> {
        let Self { ready, entries, .. } = self;
        ready.take(|device| {
            let (_, place) = entries.get(&device)?.next()?;
            jobs.get(place.job).map(|job| &job.org)
        })
    }

    /// Those of these devices that can take a task, and the sub-devices whose turn it is on a shared connection.
    pub(super) fn take_eligible(&mut self, devices: &[DeviceNo], jobs: &Jobs) -> Vec<Eligible> {
        let Self { entries, gateways, .. } = self;
        let eligible = |device: DeviceNo| entries.get(&device)?.eligible(device, jobs);
        let mut next = Vec::with_capacity(devices.len());
        for found in devices.iter().filter_map(|device| eligible(*device)) {
            match found.session.no.shared() {
                None => next.push(found),
                Some(connection) => gateways.wait(connection, found.device),
            }
        }
        let on = |connection, found: &Eligible| found.session.no.shared() == Some(connection);
        next.extend(gateways.turns(|connection, device| eligible(device).filter(|found| on(connection, found))));
        next
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let queued: usize = self.entries.values().map(|entry| entry.queue.len()).sum();
        self.entries.len() + queued + self.slots.size() + self.ready.size() + self.gateways.size() + self.closed.len()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty() || self.gateways.has_turns()
    }

    /// Has dispatch look at every device that can take a task.
    pub(super) fn refresh_all(&mut self) {
        for device in self.present() {
            self.refresh(device);
        }
    }
}
