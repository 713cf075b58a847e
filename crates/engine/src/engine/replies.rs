//! What devices report about attempts: PUBACKs, replies, and that an attempt has certainly not left.

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::{AttemptOutcome, AttemptRecord, Event, Reply, State};
use aldis_store::Error;
use aldis_store::rows::Job;

use super::slots::OutstandingAttempt;
use super::turn::Turn;
use crate::link::{AnswerTo, DeviceEvent, Order};
use crate::trace;

impl Turn<'_> {
    /// Applies what devices said, in the order in which it came.
    pub(super) fn record_replies(&mut self, events: &[DeviceEvent]) -> Result<(), Error> {
        let tasks: Vec<TaskNo> = events.iter().filter_map(named).map(WireId::task).collect();
        self.load(&tasks)?;
        let unsent: Vec<DeviceNo> = events
            .iter()
            .filter_map(|event| match event {
                DeviceEvent::NotSent { device, .. } => Some(*device),
                _ => None,
            })
            .collect();
        self.load_facts(&unsent)?;
        for event in events {
            match event {
                DeviceEvent::Acked { device, wire } => self.acked(*device, *wire),
                DeviceEvent::NotSent { device, wire } => self.not_sent(*device, *wire),
                DeviceEvent::TooLarge { device, wire } => self.too_large(*device, *wire),
                DeviceEvent::Replied {
                    session,
                    device,
                    wire,
                    mentioned,
                    to,
                    reply,
                    packet,
                } => {
                    let wire = wire.or_else(|| mentioned.filter(|wire| self.devices().holds(*device, *wire)));
                    self.replied(*device, wire, to, reply)?;
                    if let Some(packet) = *packet {
                        self.order(Order::Acknowledge {
                            session: *session,
                            packet,
                        });
                    }
                }
                DeviceEvent::Connected { .. }
                | DeviceEvent::Ready { .. }
                | DeviceEvent::ReadyFor { .. }
                | DeviceEvent::Disconnected { .. } => {}
            }
        }
        Ok(())
    }

    fn acked(&mut self, device: DeviceNo, wire: WireId) {
        let held = self.devices().held(device).filter(|held| held.wire() == wire);
        let (handed, left) = (
            held.and_then(OutstandingAttempt::handed),
            held.is_some_and(|held| !held.is_open()),
        );
        if left {
            self.note_acked(device);
        }
        let event = Event::Acked {
            attempt: wire.attempt(),
            handed,
        };
        if self.is_for(device, wire) {
            // Only the PUBACK of the open attempt changes the task.
            let _refused = self.apply(wire.task(), event);
        }
    }

    fn not_sent(&mut self, device: DeviceNo, wire: WireId) {
        self.free_slot(device, wire);
        let condition = self.condition(device);
        // A task that was cancelled or deleted meanwhile refuses this.
        let _refused = self.apply(wire.task(), Event::NotSent(wire.attempt(), &condition));
    }

    fn too_large(&mut self, device: DeviceNo, wire: WireId) {
        self.free_slot(device, wire);
        // A task that was cancelled or deleted meanwhile refuses this.
        let _refused = self.apply(wire.task(), Event::TooLarge(wire.attempt()));
    }

    /// The slot is freed by the attempt's reply whatever became of its task: cancelled, given up, deleted.
    fn replied(&mut self, device: DeviceNo, wire: Option<WireId>, to: &AnswerTo, reply: &Reply) -> Result<(), Error> {
        let Some(wire) = wire else {
            return self.unreadable(device, to);
        };
        let held = self.devices().held(device).filter(|held| held.wire() == wire).cloned();
        let job = self.jobs().of(wire.task());
        let known = job.is_some();
        if let Some(why) = self.why_foreign(device, wire, (job, held.as_ref()), to) {
            self.dropped(device, Some(wire), why);
            return Ok(());
        }
        let open = self
            .task(wire.task())
            .is_some_and(|task| task.state.is_out() && task.attempt == wire.attempt());
        if known && !open && self.never_left(wire)? {
            self.dropped(device, Some(wire), "this attempt was never sent");
            return Ok(());
        }
        let event = Event::Replied {
            attempt: wire.attempt(),
            handed: held.as_ref().and_then(OutstandingAttempt::handed),
            reply,
        };
        if self.apply(wire.task(), event).is_err() && known {
            self.dropped(
                device,
                Some(wire),
                "there was no such attempt, or it has been answered before",
            );
            return Ok(());
        }
        self.free_slot(device, wire);
        if open {
            return Ok(());
        }
        self.spare_the_next_attempt(device, wire.task())
    }

    /// Why the reply cannot be this device's to the attempt that its id names. `job` is the attempt's, `held` the
    /// attempt itself, if it holds the device's slot. A deleted job is not known any more, but its attempt still holds
    /// the slot.
    fn why_foreign(
        &self,
        device: DeviceNo,
        wire: WireId,
        (job, held): (Option<&Job>, Option<&OutstandingAttempt>),
        to: &AnswerTo,
    ) -> Option<&'static str> {
        if held.is_some_and(OutstandingAttempt::is_open) {
            return Some("its command has not been sent yet");
        }
        let Some(job) = job else {
            return held.is_none().then_some("there is no such command");
        };
        if !self.is_for(device, wire) {
            Some("its command is for another device")
        } else if !to.fits(&job.command) {
            Some("its topic is that of another command")
        } else {
            None
        }
    }

    /// A reply without a readable id ends nothing, since it does not say which attempt it answers. But a device has one
    /// command at a time: if the topic is that command's, its end says that there was an answer.
    fn unreadable(&mut self, device: DeviceNo, to: &AnswerTo) -> Result<(), Error> {
        let held = self.devices().held(device).filter(|held| !held.is_open());
        if let Some(task) = held.map(|held| held.slot.task) {
            self.load(&[task])?;
            if self.jobs().of(task).is_some_and(|job| to.fits(&job.command)) {
                self.note_unreadable(device);
            }
        }
        self.dropped(device, None, "it has no id of a command that can be read");
        Ok(())
    }

    fn dropped(&self, device: DeviceNo, wire: Option<WireId>, why: &'static str) {
        let topic = None;
        self.note_trace(device, trace::Event::ReplyDropped { wire, why, topic });
    }

    /// The attempt is recorded as not sent: no device can have received it.
    fn never_left(&self, wire: WireId) -> Result<bool, Error> {
        let unsent = |ended: &AttemptRecord| ended.attempt == wire.attempt() && ended.how == AttemptOutcome::NotSent;
        Ok(self.ended_at_hand(wire.task()).iter().any(unsent) || self.store().history(wire.task())?.iter().any(unsent))
    }

    /// After a late success no further attempt may be sent: one that has been made but has not left is taken back.
    fn spare_the_next_attempt(&mut self, device: DeviceNo, no: TaskNo) -> Result<(), Error> {
        let succeeded = self
            .task(no)
            .is_some_and(|task| task.state == State::Published && task.late_success.is_some());
        let held = self
            .devices()
            .held(device)
            .filter(|held| succeeded && held.slot.task == no)
            .cloned();
        if let Some(held) = held {
            self.load_facts(&[device])?;
            self.withdraw_open(device, &held);
        }
        Ok(())
    }

    /// The id names a task of this very device.
    fn is_for(&self, device: DeviceNo, wire: WireId) -> bool {
        self.task(wire.task()).is_some_and(|task| task.device == device)
    }
}

fn named(event: &DeviceEvent) -> Option<WireId> {
    match event {
        DeviceEvent::Acked { wire, .. } | DeviceEvent::NotSent { wire, .. } | DeviceEvent::TooLarge { wire, .. } => {
            Some(*wire)
        }
        DeviceEvent::Replied { wire, mentioned, .. } => wire.or(*mentioned),
        DeviceEvent::Connected { .. }
        | DeviceEvent::Ready { .. }
        | DeviceEvent::ReadyFor { .. }
        | DeviceEvent::Disconnected { .. } => None,
    }
}
