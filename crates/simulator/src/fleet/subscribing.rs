//! The one vendor library that subscribes to its command topics: one SUBSCRIBE at a time, and only in its first
//! connection.

use std::num::NonZeroU16;

use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{Packet, SubscribeReturnCode};

use super::Subscribes;
use crate::{DeviceIdentity, Received};

const SET: &str = "measurepoint/set";
/// In this order.
const FILTERS: [&str; 2] = ["thing/service/measurepoint/set", "thing/service/+"];

/// How many of the filters the server has granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subscribing {
    granted: u8,
}

impl Subscribing {
    /// The next SUBSCRIBE; `None` once everything is granted.
    pub(super) fn next(self, identity: &DeviceIdentity, how: &Subscribes) -> Option<Packet> {
        let (filter, qos) = match how {
            Subscribes::Never => return None,
            Subscribes::LikeC => ((*FILTERS.get(usize::from(self.granted))?).to_owned(), QoS::AtMostOnce),
            Subscribes::Service(_) if self.granted > 0 => return None,
            Subscribes::Service(service) => (format!("thing/service/{service}"), QoS::AtLeastOnce),
        };
        Some(Packet::Subscribe {
            packet_id: self.packet_id(),
            topic_filters: vec![(identity.topic(&filter).into(), qos)],
        })
    }

    fn packet_id(self) -> NonZeroU16 {
        NonZeroU16::MIN.saturating_add(self.granted.into())
    }

    /// Takes a SUBACK. What is not granted stays without handler.
    pub(super) fn on_suback(&mut self, packet_id: NonZeroU16, status: &[SubscribeReturnCode]) {
        let granted = status
            .iter()
            .all(|code| matches!(code, SubscribeReturnCode::Success(_)));
        if granted && packet_id == self.packet_id() {
            self.granted += 1;
        }
    }

    /// Whether a command finds a handler.
    pub(super) fn covers(self, command: &Received, how: &Subscribes) -> bool {
        match (how, command.service()) {
            (Subscribes::Never, _) => true,
            (Subscribes::LikeC, SET) => self.granted >= 1,
            (Subscribes::LikeC, service) => self.granted >= 2 && !service.contains('/'),
            (Subscribes::Service(asked), service) => self.granted >= 1 && asked == service,
        }
    }
}
