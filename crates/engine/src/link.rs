//! The seam between the engine and whatever reaches devices: orders go out, events come back.
//!
//! The gateway implements [`DeviceLink`] over MQTT; a simulation implements it without sockets. An order is carried out
//! only after the commit that made it; an event never assumes that its order was carried out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};

use aldis_core::command::{Command, CommandKind};
use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::Reply;
use aldis_core::time::Timestamp;
pub use aldis_protocol::sub_devices::{DeviceKeys, LifecycleChange};

/// One device's presence on one connection. Numbers are never used again while the server runs.
///
/// The lower bits of a number are its connection's number, the upper bits the sequence number of the login over that
/// connection: 0 for the device that holds the connection, 1 and up for its sub-devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNo(pub u64);

/// One MQTT socket of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNo(pub u64);

/// A thousand new connections per second for thirty years.
const CONNECTION_BITS: u32 = 40;

impl SessionNo {
    /// The session of the device that holds a connection.
    #[must_use]
    pub const fn own(connection: ConnectionNo) -> Self {
        Self(connection.0)
    }

    /// A sub-device's session over a connection; `login` is the 1-based sequence number of its login. `None` when there
    /// are no numbers left: after sixteen million logins.
    #[must_use]
    pub const fn over(connection: ConnectionNo, login: u64) -> Option<Self> {
        if login == 0 || login >= 1 << (u64::BITS - CONNECTION_BITS) {
            return None;
        }
        Some(Self(login << CONNECTION_BITS | connection.0))
    }

    /// The connection.
    #[must_use]
    pub const fn connection(self) -> ConnectionNo {
        ConnectionNo(self.0 & ((1 << CONNECTION_BITS) - 1))
    }

    /// The connection, if it is not the device's own but its gateway's.
    #[must_use]
    pub const fn shared(self) -> Option<ConnectionNo> {
        if self.0 >> CONNECTION_BITS == 0 {
            return None;
        }
        Some(self.connection())
    }
}

/// Reaches devices.
pub trait DeviceLink: Send + Sync {
    /// Carries out orders, in order per session. Never blocks on a device; orders for sessions that have ended are
    /// answered with [`DeviceEvent::NotSent`] where they carried a command, and dropped otherwise.
    fn carry_out(&self, orders: Vec<Order>);
}

/// What the engine wants done, once it is committed.
#[derive(Debug)]
pub enum Order {
    /// Send an attempt.
    Publish(Outgoing),
    /// Acknowledge the MQTT packet that carried a reply: what it said is durable.
    Acknowledge {
        /// On which session it came.
        session: SessionNo,
        /// Its packet identifier.
        packet: u16,
    },
    /// End a session: its device was disabled, deleted or replaced, or its link is stuck. A device's own connection
    /// ends with it, and bytes not yet taken are discarded; a gateway's connection goes on without the sub-device.
    Reset {
        /// Which session.
        session: SessionNo,
        /// Why.
        cause: Cause,
    },
    /// Tell a gateway what an operator did to a sub-device of it. Nothing waits for what it says to that.
    Notify {
        /// The gateway's own session.
        session: SessionNo,
        /// What was done.
        change: LifecycleChange,
        /// To which device.
        sub_device: DeviceKeys,
    },
    /// End the gateway's connection that a sub-device's session is on: it is stuck. Bytes not yet taken are discarded.
    Break {
        /// Which session.
        session: SessionNo,
    },
}

impl Order {
    /// Which session it concerns.
    #[must_use]
    pub fn session(&self) -> SessionNo {
        match self {
            Self::Publish(outgoing) => outgoing.session,
            Self::Acknowledge { session, .. }
            | Self::Notify { session, .. }
            | Self::Reset { session, .. }
            | Self::Break { session } => *session,
        }
    }
}

/// Why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// An operator has disabled the device.
    #[error("the device was disabled")]
    Disabled,
    /// An operator has deleted it.
    #[error("the device was deleted")]
    Deleted,
    /// An operator has given its place to another device key.
    #[error("the device was replaced")]
    Replaced,
    /// It is under this gateway no more: an operator has removed it, or another gateway has it.
    #[error("the device is not under this gateway any more")]
    Moved,
    /// A command has not been acknowledged in time: its bytes may be stuck in the link.
    #[error("a command was not acknowledged before its reply timeout")]
    Unacknowledged,
    /// The server stops.
    #[error("the server stops")]
    Stopping,
}

/// An attempt on its way.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// To which session.
    pub session: SessionNo,
    /// Of which device.
    pub device: DeviceNo,
    /// The id on the wire.
    pub wire: WireId,
    /// What the device is to do.
    pub command: Arc<Command>,
    /// Decides the race between sending and withdrawing.
    pub gate: Arc<Gate>,
    /// From then on it must not leave: the end of its window or its reply deadline, whichever is first.
    pub not_after: Timestamp,
}

/// The last look before the socket: either the session takes the attempt, or the engine withdraws it, never both.
#[derive(Debug)]
pub struct Gate {
    state: AtomicU8,
    handed: AtomicI64,
    /// It leaves with QoS 0.
    unacknowledged: AtomicBool,
}

const OPEN: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;
const NOT_HANDED: i64 = i64::MIN;

impl Default for Gate {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(OPEN),
            handed: AtomicI64::new(NOT_HANDED),
            unacknowledged: AtomicBool::new(false),
        }
    }
}

impl Gate {
    /// The session is about to write the first byte. False: the attempt was withdrawn and must not leave.
    #[must_use]
    pub fn take(&self) -> bool {
        self.state
            .compare_exchange(OPEN, TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Neither taken nor withdrawn, as of now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// The engine takes the attempt back. False: bytes of it may have left.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.state
            .compare_exchange(OPEN, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// It leaves with QoS 0: no PUBACK will come.
    pub fn expect_no_puback(&self) {
        self.unacknowledged.store(true, Ordering::Release);
    }

    /// Whether a PUBACK will come, unless the device or its link are broken.
    #[must_use]
    pub fn expects_puback(&self) -> bool {
        !self.unacknowledged.load(Ordering::Acquire)
    }

    /// The socket has taken every byte.
    pub fn handed_over(&self, at: Timestamp) {
        self.handed.store(at.0, Ordering::Release);
    }

    /// When the socket had taken every byte.
    #[must_use]
    pub fn handed(&self) -> Option<Timestamp> {
        let at = self.handed.load(Ordering::Acquire);
        (at != NOT_HANDED).then_some(Timestamp(at))
    }
}

/// The kinds of command that a session is ready to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// Service invocations.
    pub services: bool,
    /// Measurement point sets.
    pub points: bool,
}

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self {
        services: true,
        points: true,
    };

    /// Whether `kind` is among them.
    #[must_use]
    pub fn contain(self, kind: CommandKind) -> bool {
        match kind {
            CommandKind::InvokeService => self.services,
            CommandKind::SetMeasurepoint => self.points,
        }
    }
}

/// Which command a reply's topic belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerTo {
    /// A service, by identifier.
    Service(String),
    /// A measurement point set.
    Points,
}

impl AnswerTo {
    /// Whether a reply on this topic can belong to `command`.
    #[must_use]
    pub fn fits(&self, command: &Command) -> bool {
        match (self, command) {
            (Self::Service(replied), Command::InvokeService { service_id, .. }) => replied == service_id,
            (Self::Points, Command::SetMeasurepoint { .. }) => true,
            (Self::Service(_), Command::SetMeasurepoint { .. }) | (Self::Points, Command::InvokeService { .. }) => {
                false
            }
        }
    }
}

/// What comes back from the devices.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceEvent {
    /// A device has logged in and is online from now on. An earlier session of it ends, with an event of its own.
    Connected {
        /// Its session.
        session: SessionNo,
        /// The device.
        device: DeviceNo,
    },
    /// The session may be sent these kinds of command: it has settled, or its subscription has been acknowledged.
    Ready {
        /// Which session.
        session: SessionNo,
        /// Its device.
        device: DeviceNo,
        /// All kinds that it may be sent from now on.
        kinds: Kinds,
    },
    /// The session may be sent commands of these services, too: it has subscribed to each of them by name.
    ReadyFor {
        /// Which session.
        session: SessionNo,
        /// Its device.
        device: DeviceNo,
        /// Identifiers of services, in addition to those named before.
        services: Vec<String>,
    },
    /// The session has ended, in whatever way.
    Disconnected {
        /// Which session.
        session: SessionNo,
        /// Its device.
        device: DeviceNo,
    },
    /// An attempt certainly never left.
    NotSent {
        /// Its device.
        device: DeviceNo,
        /// Its id.
        wire: WireId,
    },
    /// An attempt is larger than its client takes: it never left, and would not the next time.
    TooLarge {
        /// Its device.
        device: DeviceNo,
        /// Its id.
        wire: WireId,
    },
    /// The device's PUBACK of an attempt.
    Acked {
        /// Its device.
        device: DeviceNo,
        /// Of which attempt.
        wire: WireId,
    },
    /// A reply, on the device's own topic.
    Replied {
        /// On which session it came.
        session: SessionNo,
        /// From which device.
        device: DeviceNo,
        /// To which attempt; `None` if no readable id was in it.
        wire: Option<WireId>,
        /// Without one: the attempt that it mentions somewhere. It counts if that is out to the device; else the reply
        /// is acknowledged, counted, dropped.
        mentioned: Option<WireId>,
        /// To which command, by the topic.
        to: AnswerTo,
        /// What it says.
        reply: Reply,
        /// The packet identifier to acknowledge once the reply is durable; `None` with QoS 0.
        packet: Option<u16>,
    },
}

impl DeviceEvent {
    /// The task that the device speaks of.
    #[must_use]
    pub fn task(&self) -> Option<TaskNo> {
        match self {
            Self::Acked { wire, .. } => Some(wire.task()),
            Self::Replied { wire, .. } => wire.map(WireId::task),
            Self::Connected { .. }
            | Self::Ready { .. }
            | Self::ReadyFor { .. }
            | Self::Disconnected { .. }
            | Self::NotSent { .. }
            | Self::TooLarge { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_tells_its_connection() {
        let connection = ConnectionNo((1 << CONNECTION_BITS) - 1);
        let own = SessionNo::own(connection);
        assert_eq!((own.connection(), own.shared()), (connection, None));
        let last = (1 << (u64::BITS - CONNECTION_BITS)) - 1;
        for login in [1, 2, last] {
            let session = SessionNo::over(connection, login).unwrap();
            assert_eq!((session.connection(), session.shared()), (connection, Some(connection)));
        }
        assert_eq!(SessionNo::over(connection, 0), None);
        assert_eq!(SessionNo::over(connection, last + 1), None);
    }

    #[test]
    fn an_attempt_is_either_taken_or_withdrawn() {
        let gate = Gate::default();
        assert!(gate.take());
        assert!(!gate.withdraw());
        let gate = Gate::default();
        assert!(gate.withdraw());
        assert!(!gate.take());
        assert_eq!(gate.handed(), None);
        gate.handed_over(Timestamp(5));
        assert_eq!(gate.handed(), Some(Timestamp(5)));
    }
}
