//! Timers that have expired: reply deadlines, due retries, ends of windows.

use aldis_core::ids::{DeviceNo, TaskNo};
use aldis_core::task::{Event, Link, State};
use aldis_store::Error;

use super::slots::OutstandingAttempt;
use super::turn::Turn;
use super::work::Bulk;

/// Moments handled in one turn: what is left comes in the next, after devices have been heard again.
pub(super) const MOMENTS_PER_TURN: usize = 10_000;

impl Turn<'_> {
    /// Applies expired timers. This comes before dispatch, so that no expired task is sent.
    pub(super) fn pass_deadlines(&mut self) -> Result<(), Error> {
        if self.is_stopping() {
            self.take_back_unsent()?;
        }
        if self.is_clock_in_doubt() {
            return Ok(());
        }
        self.pass_reply_deadlines()?;
        self.end_first_windows()?;
        self.pass_own_moments()
    }

    fn pass_reply_deadlines(&mut self) -> Result<(), Error> {
        let devices = self.devices().past_deadline(self.now(), MOMENTS_PER_TURN);
        self.load_held(&devices)?;
        for device in devices {
            self.pass_reply_deadline(device);
        }
        Ok(())
    }

    fn load_held(&mut self, devices: &[DeviceNo]) -> Result<(), Error> {
        let tasks: Vec<TaskNo> = devices
            .iter()
            .filter_map(|device| self.devices().held(*device))
            .map(|held| held.slot.task)
            .collect();
        self.load(&tasks)?;
        self.load_facts(devices)
    }

    /// An attempt that never left goes back to the queue. One that may have left times out. If the device has not
    /// acknowledged it either, its bytes may be stuck in the socket: the link is reset before another command goes
    /// there. With QoS 0 there is no PUBACK, and the operating system's limit for unacknowledged bytes has to end the
    /// link (docs/device-protocol.md, "Commands").
    fn pass_reply_deadline(&mut self, device: DeviceNo) {
        let Some(held) = self.devices().held(device).cloned() else {
            return;
        };
        if self.withdraw_open(device, &held) {
            return;
        }
        let wire = held.wire();
        let acked = held.slot.acked
            || self
                .task(wire.task())
                .is_some_and(|task| task.state == State::InProgress);
        let link = held.lost_at.map_or(Link::Up, Link::LostAt);
        let event = Event::ReplyDeadline {
            attempt: wire.attempt(),
            handed: held.handed(),
            link,
            unreadable: held.unreadable,
        };
        // A task that was cancelled or deleted meanwhile refuses this; its slot is freed all the same.
        let _refused = self.apply(wire.task(), event);
        self.free_slot(device, wire);
        let session = self.devices().session(device).map(|session| session.no);
        let stuck = !acked && !held.left_for_good();
        if stuck && held.session.is_some() && held.session == session {
            self.break_link(device);
        }
    }

    pub(super) fn withdraw_open(&mut self, device: DeviceNo, held: &OutstandingAttempt) -> bool {
        let wire = held.wire();
        if !self.withdraw(device, wire) {
            return false;
        }
        let condition = self.condition(device);
        let _refused = self.apply(wire.task(), Event::NotSent(wire.attempt(), &condition));
        true
    }

    /// The server is stopping: each outgoing attempt is either handed over by now, or committed as not sent.
    fn take_back_unsent(&mut self) -> Result<(), Error> {
        let unsent = self.devices().all_held().filter(|held| held.is_open());
        let devices: Vec<DeviceNo> = unsent.map(|held| held.slot.device).collect();
        if devices.is_empty() {
            return Ok(());
        }
        self.load_held(&devices)?;
        for device in devices {
            if let Some(held) = self.devices().held(device).cloned() {
                self.withdraw_open(device, &held);
            }
        }
        Ok(())
    }

    /// One timer per job ends the first round's window of all its tasks, slice by slice. Tasks whose rows are written
    /// later are created as expired.
    fn end_first_windows(&mut self) -> Result<(), Error> {
        for job in self.take_first_window_ends(MOMENTS_PER_TURN) {
            let Some(detail) = self.store().job(job)? else { continue };
            if detail.job.counters.of(State::Queued) > 0 {
                self.push_bulk(Bulk::Expire { job, after: None });
            }
        }
        Ok(())
    }

    /// Due retries, and ends of the windows of retries.
    fn pass_own_moments(&mut self) -> Result<(), Error> {
        if !self.has_due_tasks() {
            return Ok(());
        }
        let due = self.store().due_tasks(self.now(), MOMENTS_PER_TURN)?;
        let more = due.len() >= MOMENTS_PER_TURN;
        let devices: Vec<DeviceNo> = due.iter().map(|task| task.device).collect();
        let tasks: Vec<TaskNo> = due.iter().map(|task| task.no).collect();
        self.take_in_with_jobs(due)?;
        self.load_facts(&devices)?;
        let stored = if more {
            Some(self.now())
        } else {
            self.store().next_due(self.now())?
        };
        // What this turn has decided before is not stored yet.
        self.set_next_due(stored.into_iter().chain(self.next_moment_at_hand()).min());
        for no in tasks {
            self.pass_own_moment(no);
        }
        Ok(())
    }

    fn pass_own_moment(&mut self, no: TaskNo) {
        let Some(task) = self.task(no) else { return };
        let condition = self.condition(task.device);
        let event = match task.state {
            State::RetryWait => Event::Due(&condition),
            State::Queued => Event::WindowEnded(&condition),
            // An earlier step of this turn has moved the task on.
            State::Init
            | State::Published
            | State::InProgress
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::ResponseTimedOut
            | State::TtlTimedOut => return,
        };
        // Refused if the task waits for another moment by now; that moment is noted already.
        let _too_early = self.apply(no, event);
    }
}
