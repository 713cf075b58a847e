//! Sessions, as devices log in and leave within a turn.

use aldis_core::ids::DeviceNo;
use aldis_core::task::Task;

use super::Turn;
use crate::engine::devices::Eligible;
use crate::link::{Kinds, SessionNo};

impl Turn<'_> {
    /// A device has logged in. `queue` holds its queued tasks.
    pub(in crate::engine) fn session_began(&mut self, device: DeviceNo, session: SessionNo, queue: &[Task]) {
        self.memory.session_began(device, session, queue, self.now);
    }

    /// The session takes these kinds of command from now on.
    pub(in crate::engine) fn set_kinds(&mut self, device: DeviceNo, session: SessionNo, kinds: Kinds) {
        self.memory.devices_mut().set_kinds(device, session, kinds);
    }

    /// The session takes commands of these services from now on.
    pub(in crate::engine) fn add_services(&mut self, device: DeviceNo, session: SessionNo, services: &[String]) {
        self.memory.devices_mut().add_services(device, session, services);
    }

    /// A session has ended. True if the device has no other session.
    pub(in crate::engine) fn session_ended(&mut self, device: DeviceNo, session: SessionNo) -> bool {
        self.memory.session_ended(device, session, self.now)
    }

    /// The device has left before its session took the command at the head of its queue.
    pub(in crate::engine) fn note_visit(&mut self, device: DeviceNo) {
        self.memory.note_visit(device, self.now);
    }

    /// Marks the device's session as closing: it is sent nothing more. `None` if there is none, or it is closing
    /// already.
    pub(in crate::engine) fn close_session(&mut self, device: DeviceNo) -> Option<SessionNo> {
        self.memory.devices_mut().close(device)
    }

    /// The device's next task, if its session takes it.
    pub(in crate::engine) fn eligible(&self, device: DeviceNo) -> Option<Eligible> {
        self.devices().eligible(device, self.jobs())
    }

    /// The devices that dispatch has to look at in this turn.
    pub(in crate::engine) fn take_ready(&mut self) -> Vec<DeviceNo> {
        self.memory.take_ready()
    }

    /// Those of these devices that can take a task, and the sub-devices whose turn it is on a shared connection.
    pub(in crate::engine) fn take_eligible(&mut self, devices: &[DeviceNo]) -> Vec<Eligible> {
        self.memory.take_eligible(devices)
    }

    /// Takes a place out of the device's queue whose task is not queued: the queue mirrors the rows.
    pub(in crate::engine) fn drop_head(&mut self, head: &Eligible) {
        self.memory.devices_mut().quit(head.device, &head.place);
    }
}
