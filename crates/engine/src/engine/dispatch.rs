//! Dispatch: every present device whose session takes commands and whose slot is free gets the head of its queue.

use std::sync::Arc;

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::{Event, Publish, Refused};
use aldis_store::Error;
use aldis_store::rows::Slot;

use super::devices::{Eligible, Session};
use super::slots::OutstandingAttempt;
use super::turn::Turn;
use crate::link::{Gate, Order, Outgoing};

impl Turn<'_> {
    /// Claims the next task of every device that can take one, in this turn's own commit.
    pub(super) fn dispatch(&mut self) -> Result<(), Error> {
        if !self.may_dispatch() {
            return Ok(());
        }
        let mut ready = self.take_ready();
        loop {
            let eligible = self.take_eligible(&ready);
            if eligible.is_empty() {
                return Ok(());
            }
            let tasks: Vec<TaskNo> = eligible.iter().map(|next| next.place.task).collect();
            self.load(&tasks)?;
            ready = Vec::new();
            for next in eligible {
                ready.extend(self.claim(next)?);
            }
        }
    }

    /// Claims one task. If the task could not be sent after all, the device is returned: its queue has another head
    /// now.
    fn claim(&mut self, next: Eligible) -> Result<Option<DeviceNo>, Error> {
        let Eligible { device, session, place } = next;
        match self.apply(place.task, Event::Claimed) {
            Ok(applied) => {
                if let Some(publish) = applied.publish {
                    self.publish(device, session, place.task, publish);
                    return Ok(None);
                }
            }
            Err(Refused::WindowOver) => self.expire_head(device, place.task)?,
            // The queue is a mirror of the rows; a head that is not queued does not belong there.
            Err(_) => self.drop_head(&next),
        }
        Ok(Some(device))
    }

    fn expire_head(&mut self, device: DeviceNo, no: TaskNo) -> Result<(), Error> {
        self.load_facts(&[device])?;
        let condition = self.condition(device);
        let _refused = self.apply(no, Event::WindowEnded(&condition));
        Ok(())
    }

    fn publish(&mut self, device: DeviceNo, session: Session, no: TaskNo, publish: Publish) {
        let Some(command) = self.jobs().of(no).map(|job| Arc::clone(&job.command)) else {
            return;
        };
        let gate = Arc::new(Gate::default());
        let slot = Slot {
            device,
            task: no,
            attempt: publish.attempt,
            reply_deadline: publish.reply_deadline,
            acked: false,
        };
        self.take_slot(OutstandingAttempt {
            slot,
            gate: Some(Arc::clone(&gate)),
            session: Some(session.no),
            lost_at: None,
            unreadable: false,
        });
        let wire = WireId::new(no, publish.attempt);
        let not_after = publish.reply_deadline.min(publish.window_end);
        self.order(Order::Publish(Outgoing {
            session: session.no,
            device,
            wire,
            command,
            gate,
            not_after,
        }));
    }
}
