//! The sub-devices that are in over a gateway's connection.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use aldis_core::command::Qos;
use aldis_core::ids::DeviceNo;
use aldis_protocol::reply::ReplyMessage;
use aldis_protocol::report::Query;
use aldis_protocol::sub_devices::{DeviceKeys, Request};
use aldis_protocol::thing_model::ModelQuery;
use foldhash::fast::FixedState;

use super::entrant::Entrant;
use super::keys::Keys;
use super::warm_up::WarmUp;
use aldis_engine::link::{AnswerTo, ConnectionNo, Gate, SessionNo};

/// A sub-device that is in.
pub(super) struct SubDevice {
    pub(super) session: SessionNo,
    pub(super) device: DeviceNo,
    pub(super) keys: Arc<Keys>,
    pub(super) qos: Qos,
    pub(super) warm_up: WarmUp,
}

/// What needs a look at the store.
#[derive(Debug)]
pub(super) enum StoreQuery {
    /// A request of a gateway.
    Request(Request),
    /// A device asks for what it has reported.
    Query(DeviceNo, Query),
    /// A device asks for its thing model.
    Model(DeviceNo, ModelQuery),
    /// A reply of a device that is not in: libraries say again what was not acknowledged before they log their
    /// sub-devices in again. It counts if the device is under this gateway.
    Reply {
        from: DeviceKeys,
        said: ReplyMessage,
        to: AnswerTo,
        packet: Option<NonZeroU16>,
    },
    /// The device has said more in others' names than anybody but a gateway may.
    TooMuchForeign,
}

/// The sub-devices of one connection. Their number is bounded by who lets them in.
#[derive(Default)]
pub(super) struct Members {
    by_session: HashMap<SessionNo, SubDevice, FixedState>,
    /// By what all topics of the device begin with.
    by_root: HashMap<Box<str>, SessionNo>,
    logins: u64,
    /// Commands whose bytes are not all in the socket yet.
    pub(super) handing: Vec<Arc<Gate>>,
    /// What needs a look at the store, in order; done as soon as all that has come is read.
    pub(super) asked: Vec<StoreQuery>,
    /// The device has been found to be a gateway; what it asks for proves nothing.
    pub(super) is_gateway: bool,
}

impl Members {
    /// A device is in, from now on; an earlier session of it stays until it is removed. `subscribes`: its gateway does
    /// so for it. `None` if the connection has no numbers left.
    pub(super) fn add(&mut self, connection: ConnectionNo, entrant: Entrant, subscribes: bool) -> Option<SessionNo> {
        let session = SessionNo::over(connection, self.logins + 1)?;
        self.logins += 1;
        let Entrant { device, keys, qos } = entrant;
        let keys = Arc::new(keys);
        self.by_root.insert(keys.root().into(), session);
        let now = Instant::now();
        let mut warm_up = WarmUp::begin(now);
        if subscribes {
            warm_up.wait_behind_others(now);
        }
        let member = SubDevice {
            session,
            device,
            keys,
            qos,
            warm_up,
        };
        self.by_session.insert(session, member);
        Some(session)
    }

    pub(super) fn remove(&mut self, session: SessionNo) -> Option<SubDevice> {
        let member = self.by_session.remove(&session)?;
        if self.by_root.get(member.keys.root()) == Some(&session) {
            self.by_root.remove(member.keys.root());
        }
        Some(member)
    }

    pub(super) fn take_all(&mut self) -> Vec<SubDevice> {
        self.by_root.clear();
        std::mem::take(&mut self.by_session).into_values().collect()
    }

    pub(super) fn get(&self, session: SessionNo) -> Option<&SubDevice> {
        self.by_session.get(&session)
    }

    /// The device whose topics begin so.
    pub(super) fn of_root(&self, root: &str) -> Option<&SubDevice> {
        self.by_session.get(self.by_root.get(root)?)
    }

    pub(super) fn of_root_mut(&mut self, root: &str) -> Option<&mut SubDevice> {
        self.by_session.get_mut(self.by_root.get(root)?)
    }

    pub(super) fn unsettled_mut(&mut self) -> impl Iterator<Item = &mut SubDevice> {
        self.all_mut().filter(|member| !member.warm_up.is_over())
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut SubDevice> {
        self.by_session.values_mut()
    }

    pub(super) fn count(&self) -> usize {
        self.by_root.len()
    }

    /// The next moment at which one of them has settled.
    pub(super) fn settled_at(&self) -> Option<Instant> {
        let moments = self.by_session.values().filter_map(|member| member.warm_up.ends_at());
        moments.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: ConnectionNo = ConnectionNo(7);

    fn sub_device(no: u64, key: &str) -> Entrant {
        Entrant {
            device: DeviceNo(no),
            keys: Keys::new("pk", key),
            qos: Qos::default(),
        }
    }

    #[test]
    fn a_second_login_is_found_and_the_first_can_be_taken_out() {
        let mut members = Members::default();
        let first = members.add(BOX, sub_device(1, "a"), false).unwrap();
        let other = members.add(BOX, sub_device(2, "b"), false).unwrap();
        let second = members.add(BOX, sub_device(1, "a"), false).unwrap();
        assert_eq!(members.count(), 2);
        assert_eq!(members.remove(first).map(|member| member.device), Some(DeviceNo(1)));
        let found = members.of_root("/sys/pk/a/").map(|member| member.session);
        assert_eq!(found, Some(second));
        members.remove(second);
        assert!(members.of_root("/sys/pk/a/").is_none() && members.get(second).is_none());
        assert!(members.remove(second).is_none());
        let left: Vec<SessionNo> = members.take_all().iter().map(|member| member.session).collect();
        assert_eq!((left, members.count()), (vec![other], 0));
    }

    #[test]
    fn each_settles_after_its_own_login() {
        let mut members = Members::default();
        assert_eq!(members.settled_at(), None);
        members.add(BOX, sub_device(1, "a"), false);
        let first = members.settled_at().unwrap();
        members.add(BOX, sub_device(2, "b"), false);
        assert_eq!(members.settled_at(), Some(first));
        for member in members.all_mut() {
            member.warm_up.pass(first);
        }
        assert!(members.settled_at().is_none_or(|at| at > first));
    }
}
