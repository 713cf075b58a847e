//! Devices come and go. Their queues are read when they come, before anything else of the turn has touched a row.

use std::collections::HashMap;

use aldis_core::ids::DeviceNo;
use aldis_core::task::Task;
use aldis_core::time::Timestamp;
use aldis_store::Error;
use aldis_store::rows::Activity;

use super::turn::Turn;
use crate::link::{Cause, DeviceEvent, Order, SessionNo};

impl Turn<'_> {
    /// Applies logins, readiness and ends of sessions, in order.
    pub(super) fn presence(&mut self, events: &[DeviceEvent]) -> Result<(), Error> {
        let mut queues = self.read_queues(events)?;
        self.know_leaving(events)?;
        for event in events {
            match event {
                DeviceEvent::Connected { session, device } => {
                    self.connected(*session, *device, queues.get(device).map_or(&[][..], Vec::as_slice));
                }
                DeviceEvent::Ready { session, device, kinds } => self.set_kinds(*device, *session, *kinds),
                DeviceEvent::ReadyFor {
                    session,
                    device,
                    services,
                } => self.add_services(*device, *session, services),
                DeviceEvent::Disconnected { session, device } => self.disconnected(*session, *device),
                DeviceEvent::NotSent { .. }
                | DeviceEvent::TooLarge { .. }
                | DeviceEvent::Acked { .. }
                | DeviceEvent::Replied { .. } => {}
            }
        }
        queues.clear();
        Ok(())
    }

    fn read_queues(&mut self, events: &[DeviceEvent]) -> Result<HashMap<DeviceNo, Vec<Task>>, Error> {
        let arriving: Vec<DeviceNo> = events
            .iter()
            .filter_map(|event| match event {
                DeviceEvent::Connected { device, .. } => Some(*device),
                _ => None,
            })
            .collect();
        if arriving.is_empty() {
            return Ok(HashMap::new());
        }
        self.load_facts(&arriving)?;
        let queues = self.store().queued(&arriving)?;
        let tasks: Vec<_> = queues.iter().flatten().map(|task| task.no).collect();
        self.load_jobs(&tasks)?;
        Ok(arriving.into_iter().zip(queues).collect())
    }

    /// What this turn decides about a device that leaves in it must know that it has left.
    fn know_leaving(&mut self, events: &[DeviceEvent]) -> Result<(), Error> {
        let leaving = events.iter().filter_map(|event| match event {
            DeviceEvent::Disconnected { device, .. } => Some(*device),
            _ => None,
        });
        let leaving: Vec<DeviceNo> = leaving.collect();
        self.load_facts(&leaving)?;
        self.load_queue_lengths(&leaving)
    }

    /// A device that was disabled or deleted between its login's check and now is shown out again.
    fn connected(&mut self, session: SessionNo, device: DeviceNo, queue: &[Task]) {
        self.session_began(device, session, queue);
        self.note_activity(Activity {
            device,
            online: Some(self.login_moment(device)),
            offline: None,
        });
        let cause = match self.facts(device) {
            Some(facts) if !facts.disabled && !facts.deleted => return,
            Some(facts) if !facts.deleted => Cause::Disabled,
            _ => Cause::Deleted,
        };
        self.end_session(device, cause);
    }

    /// A login is always later than the end before it: so the next start can tell who was online when the process died.
    fn login_moment(&self, device: DeviceNo) -> Timestamp {
        let now = self.now();
        let left = self.facts(device).and_then(|facts| facts.last_offline);
        left.map_or(now, |left| now.max(left.plus_ms(1)))
    }

    /// Nothing of the device's tasks moves: whatever is out may still be answered on its next connection.
    fn disconnected(&mut self, session: SessionNo, device: DeviceNo) {
        self.note_visit_in_vain(session, device);
        if self.session_ended(device, session) {
            let left = Some(self.now());
            self.note_activity(Activity {
                device,
                online: None,
                offline: left,
            });
            if let Some(facts) = self.facts_mut(device) {
                facts.last_offline = left;
            }
        }
    }

    /// A device that leaves before it was ready for the command at the head of its queue was there in vain.
    fn note_visit_in_vain(&mut self, session: SessionNo, device: DeviceNo) {
        let next = self.devices().next_for(device);
        let waits = next.is_some_and(|(current, _)| current.no == session);
        if waits && self.eligible(device).is_none() {
            self.note_visit(device);
        }
    }

    /// Ends a device's live session: nothing more goes to it, also nothing that has not left by now, and its link is
    /// reset after the commit. What the device has got runs out.
    pub(super) fn show_out(&mut self, device: DeviceNo, cause: Cause) -> Result<(), Error> {
        if let Some(held) = self.devices().held(device).cloned() {
            self.load(&[held.slot.task])?;
            self.withdraw_open(device, &held);
        }
        self.end_session(device, cause);
        Ok(())
    }

    /// Ends the connection that a device is on after the commit, also if it is its gateway's: bytes are stuck in it.
    pub(super) fn break_link(&mut self, device: DeviceNo) {
        if let Some(session) = self.close_session(device) {
            self.order(match session.shared() {
                None => Order::Reset {
                    session,
                    cause: Cause::Unacknowledged,
                },
                Some(_) => Order::Break { session },
            });
        }
    }

    /// Ends a device's session after the commit.
    pub(super) fn end_session(&mut self, device: DeviceNo, cause: Cause) {
        if let Some(session) = self.close_session(device) {
            self.order(Order::Reset { session, cause });
        }
    }
}
