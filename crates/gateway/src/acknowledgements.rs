//! The packets that acknowledge a CONNECT and a SUBSCRIBE.

use std::num::NonZeroU16;

use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode};

use super::client_capabilities::Version;
use super::mqtt5;

/// Answers a CONNECT; no session is present.
pub(super) fn connack(return_code: ConnectAckReason) -> Packet {
    Packet::ConnectAck(ConnectAck {
        return_code,
        session_present: false,
    })
}

/// Grants every filter: no subscription decides what is delivered. In MQTT 5 a filter that is malformed gets an error
/// code.
pub(super) fn suback<F: AsRef<str>>(version: Version, packet_id: NonZeroU16, filters: &[(F, QoS)]) -> Packet {
    let granted = filters.iter().map(|(filter, qos)| {
        if version == Version::V5 && !mqtt5::is_filter(filter.as_ref()) {
            return SubscribeReturnCode::Failure;
        }
        SubscribeReturnCode::Success(at_most_once_or_once(*qos))
    });
    Packet::SubscribeAck {
        packet_id,
        status: granted.collect(),
    }
}

fn at_most_once_or_once(wanted: QoS) -> QoS {
    match wanted {
        QoS::AtMostOnce => QoS::AtMostOnce,
        QoS::AtLeastOnce | QoS::ExactlyOnce => QoS::AtLeastOnce,
    }
}
