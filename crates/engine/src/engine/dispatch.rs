//! Who gets what next: every present device that has settled, whose slot is free, gets the head of its queue.

use std::sync::Arc;

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::{Event, Publish, Refused};
use aldis_store::Error;
use aldis_store::rows::Slot;

use super::devices::{OutstandingAttempt, Session};
use super::memory::Memory;
use super::queue::Place;
use super::turn::Turn;
use crate::link::{Gate, Order, Outgoing};

/// A device that can take a task: its session, and the head of its queue.
type Next = (DeviceNo, Session, Place);

impl Turn<'_> {
    /// Claims the next task of every device that can take one, in this turn's own commit.
    pub(super) fn dispatch(&mut self) -> Result<(), Error> {
        if !self.memory.may_dispatch() {
            return Ok(());
        }
        let Memory { devices, jobs, .. } = &mut *self.memory;
        let mut devices = devices.take_ready(|job| jobs.get(job).map(|job| &job.org));
        loop {
            let next = self.in_turn(&devices);
            if next.is_empty() {
                return Ok(());
            }
            let tasks: Vec<TaskNo> = next.iter().map(|(_, _, place)| place.2).collect();
            self.load(&tasks)?;
            devices = Vec::new();
            for (device, session, place) in next {
                devices.extend(self.claim(device, session, place)?);
            }
        }
    }

    /// Those of these devices that can take a task, and the sub-devices whose turn it is on a shared connection.
    fn in_turn(&mut self, devices: &[DeviceNo]) -> Vec<Next> {
        let mut next = Vec::with_capacity(devices.len());
        for device in devices {
            let Some(eligible) = self.eligible(*device) else {
                continue;
            };
            match eligible.1.no.shared() {
                None => next.push(eligible),
                Some(connection) => self.memory.devices.gateways.wait(connection, *device),
            }
        }
        if self.memory.devices.gateways.has_turns() {
            let mut gateways = std::mem::take(&mut self.memory.devices.gateways);
            next.extend(gateways.turns(|connection, device| {
                self.eligible(device)
                    .filter(|(_, session, _)| session.no.shared() == Some(connection))
            }));
            self.memory.devices.gateways = gateways;
        }
        next
    }

    /// The device's next task, if its session is ready for that.
    pub(super) fn eligible(&self, device: DeviceNo) -> Option<Next> {
        let (session, place) = self.memory.devices.next_for(device)?;
        let command = &self.memory.jobs.get(place.1)?.command;
        let takes = session.kinds.contain(command.kind()) || self.memory.devices.has_named(device, command);
        takes.then_some((device, session, place))
    }

    /// Claims one task. If the task could not be sent after all, the device is returned: its queue has another head
    /// now.
    fn claim(&mut self, device: DeviceNo, session: Session, place: Place) -> Result<Option<DeviceNo>, Error> {
        let no = place.2;
        match self.apply(no, Event::Claimed) {
            Ok(applied) => {
                if let Some(publish) = applied.publish {
                    self.publish(device, session, no, publish);
                    return Ok(None);
                }
            }
            Err(Refused::WindowOver) => self.expire_head(device, no)?,
            // The queue is a mirror of the rows; a head that is not queued does not belong there.
            Err(_) => self.memory.devices.quit(device, &place),
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
        let Some(command) = self.memory.jobs.of(no).map(|job| Arc::clone(&job.command)) else {
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
