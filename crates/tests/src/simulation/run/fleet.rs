//! Devices come and go, get commands, and say something about them; or the wrong thing.

use aldis_core::ids::{AttemptNo, DeviceNo, WireId};
use aldis_engine::link::{DeviceEvent, Kinds, Order, Outgoing, SessionNo};

use super::{History, nth};
use crate::simulation::device::{Device, Got, reply, reply_topic};
use crate::simulation::operation::{Choice, ReplyKind};
use crate::simulation::oracle::Checked;

/// Every third device is sent its commands with QoS 0: it acknowledges none.
const QUIET_EVERY: usize = 3;

impl History {
    pub(super) fn device(&mut self, choice: Choice) -> Option<&mut Device> {
        let index = nth(choice, self.devices.len())?;
        self.devices.get_mut(index).filter(|device| device.no != DeviceNo(0))
    }

    /// A login; whether it is admitted says the store, as at the gateway.
    pub(super) fn connect(&mut self, choice: Choice) {
        if let Some(no) = self.admitted(choice) {
            self.world.link.enter(no);
        }
    }

    /// A login over the connection of another device that has one.
    pub(super) fn log_in(&mut self, choice: Choice, gateway: Choice) {
        let Some(over) = self.device(gateway).map(|device| device.no) else {
            return;
        };
        if let Some(no) = self.admitted(choice).filter(|no| *no != over) {
            self.world.link.enter_over(no, over);
        }
    }

    pub(super) fn admitted(&mut self, choice: Choice) -> Option<DeviceNo> {
        let no = self.device(choice)?.no;
        let facts = self
            .world
            .stored()
            .device_facts(&[no])
            .expect("the observer's way never fails");
        let facts = facts.first().copied().flatten()?;
        (!facts.disabled && !facts.deleted).then_some(no)
    }

    pub(super) fn settles(&mut self, choice: Choice, kinds: u8) {
        let Some(no) = self.device(choice).map(|device| device.no) else {
            return;
        };
        let kinds = match kinds {
            1 => Kinds {
                services: true,
                points: false,
            },
            2 => Kinds {
                services: false,
                points: true,
            },
            _ => Kinds::ALL,
        };
        if let Some(session) = self.world.link.current(no) {
            self.world.link.settle(session, kinds);
        }
    }

    pub(super) fn drop_link(&mut self, choice: Choice) {
        let Some(no) = self.device(choice).map(|device| device.no) else {
            return;
        };
        if let Some(session) = self.world.link.all_of(no).first() {
            self.world.link.leave(*session);
        }
    }

    pub(super) fn deliver(&mut self, choice: Choice, lost: bool) -> Checked {
        let Some(index) = nth(choice, self.devices.len()) else {
            return Ok(());
        };
        let no = self.devices[index].no;
        for session in self.world.link.all_of(no) {
            if let Some(order) = self.world.link.take_order(session) {
                return self.obey(index, session, order, lost);
            }
        }
        Ok(())
    }

    pub(super) fn deliver_all(&mut self) -> Checked {
        for index in 0..self.devices.len() {
            for session in self.world.link.all_of(self.devices[index].no) {
                while let Some(order) = self.world.link.take_order(session) {
                    self.obey(index, session, order, false)?;
                }
            }
        }
        Ok(())
    }

    /// What a session does with an order; the last look before the socket is the gateway's.
    pub(super) fn obey(&mut self, index: usize, session: SessionNo, order: Order, lost: bool) -> Checked {
        match order {
            Order::Publish(outgoing) => self.publish(index, session, &outgoing, lost)?,
            Order::Acknowledge { .. } | Order::Notify { .. } => {}
            Order::Reset { session, .. } => self.world.link.leave(session),
            Order::Break { session } => self.world.link.leave(SessionNo::own(session.connection())),
        }
        Ok(())
    }

    pub(super) fn publish(&mut self, index: usize, session: SessionNo, outgoing: &Outgoing, lost: bool) -> Checked {
        let now = self.world.now();
        if now >= outgoing.not_after {
            self.world.link.not_sent(outgoing);
            return Ok(());
        }
        if !outgoing.gate.take() {
            return Ok(());
        }
        self.oracle.leaves(outgoing.device, outgoing.wire, now)?;
        let quiet = index % QUIET_EVERY == QUIET_EVERY - 1;
        if quiet {
            outgoing.gate.expect_no_puback();
        }
        outgoing.gate.handed_over(now);
        if !lost {
            let to = reply_topic(&outgoing.command);
            self.devices[index].got.push(Got {
                wire: outgoing.wire,
                session,
                to,
                acknowledged: quiet,
                replied: false,
            });
        }
        Ok(())
    }

    /// A PUBACK belongs to the connection on which its command came.
    pub(super) fn acknowledge(&mut self, choice: Choice, back: Choice) {
        let Some(device) = self.device(choice) else { return };
        let no = device.no;
        let Some(got) = device.got_back(back) else { return };
        let (wire, session) = (got.wire, got.session);
        if std::mem::replace(&mut got.acknowledged, true) || !self.world.link.is_live(session) {
            return;
        }
        self.world.link.report(DeviceEvent::Acked { device: no, wire });
    }

    pub(super) fn reply(&mut self, choice: Choice, back: Choice, answer: ReplyKind) {
        let Some(device) = self.device(choice) else { return };
        let (no, packet) = (device.no, device.next_packet());
        let Some(got) = device.got_back(back) else { return };
        let (wire, to) = (got.wire, got.to.clone());
        let Some(session) = self.world.link.current(no) else {
            return;
        };
        if let Some(device) = self.device(choice)
            && let Some(got) = device.got_back(back)
        {
            got.replied = true;
        }
        self.figures.replies += 1;
        self.oracle.said(no, wire, answer);
        self.packets.insert((session, packet), (no, wire, answer));
        let reply = reply(answer);
        let packet = Some(packet);
        self.world.link.report(DeviceEvent::Replied {
            session,
            device: no,
            wire: Some(wire),
            mentioned: None,
            to,
            reply,
            packet,
        });
    }

    /// A reply to what another device got, or to an attempt that was never made: nothing may come of it.
    pub(super) fn forge(&mut self, choice: Choice, other: Choice) {
        let Some((no, packet)) = self.device(choice).map(|device| (device.no, device.next_packet())) else {
            return;
        };
        let Some(session) = self.world.link.current(no) else {
            return;
        };
        let Some(got) = self.device(other).and_then(|device| device.got_back(0).cloned()) else {
            return;
        };
        let owner = self.device(other).map(|device| device.no);
        let next = got.wire.attempt().next().unwrap_or(AttemptNo(1));
        let unmade = WireId::new(got.wire.task(), next);
        let wire = if owner == Some(no) { unmade } else { got.wire };
        if owner == Some(no) && (self.oracle.has_left(unmade) || self.oracle.holding(no) == Some(unmade)) {
            return;
        }
        let reply = reply(ReplyKind::Well);
        let (to, packet) = (got.to, Some(packet));
        self.world.link.report(DeviceEvent::Replied {
            session,
            device: no,
            wire: Some(wire),
            mentioned: None,
            to,
            reply,
            packet,
        });
    }
}
