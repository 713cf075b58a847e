//! MQTT 5: the same conversation, spelled otherwise. What is heard is put into the words of MQTT 3.1.1, and what is said is
//! taken out of them; everything else of the gateway knows one language (docs/device-protocol.md, "MQTT 5").

use std::num::NonZeroU16;

use bytes::BytesMut;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{Connect, ConnectAckReason as Reason3, Packet as Packet3, SubscribeReturnCode};
use rmqtt_codec::v5::{
    Codec, ConnectAck, ConnectAckReason, Disconnect, DisconnectReasonCode, Packet, SubscribeAck, SubscribeAckReason,
    UnsubscribeAck, UnsubscribeAckReason,
};
use tokio_util::codec::{Decoder, Encoder};

use super::end::{End, WireError};
use super::input::PACKET_MAX_BYTES;
use super::packets::malformed;
use super::terms::{Terms, Version};
use crate::link::Cause;

/// Which version of MQTT a CONNECT is written in: its level, behind the protocol's name.
const LEVEL_AT: usize = 6;
const LEVEL: u8 = 5;

/// Whether what follows the header of a CONNECT is MQTT 5.
pub(super) fn is_spoken(body: &[u8]) -> bool {
    body.get(LEVEL_AT) == Some(&LEVEL)
}

/// Reads a CONNECT, and what the client takes.
pub(super) fn connect(bytes: &[u8]) -> Result<(Box<Connect>, Terms), WireError> {
    let Packet::Connect(connect) = decode(bytes)? else {
        return Err(malformed("CONNECT expected"));
    };
    let terms = Terms {
        version: Version::V5,
        receive_max: connect.receive_max.map_or(u16::MAX, NonZeroU16::get),
        packet_max: connect.max_packet_size.map_or(u32::MAX, Into::into),
    };
    let same = Connect {
        clean_session: connect.clean_start,
        keep_alive: connect.keep_alive,
        client_id: connect.client_id,
        username: connect.username,
        password: connect.password,
        ..Connect::default()
    };
    Ok((Box::new(same), terms))
}

/// Reads any other packet but PUBLISH and PUBACK.
pub(super) fn other(bytes: &[u8]) -> Result<Packet3, WireError> {
    Ok(match decode(bytes)? {
        Packet::Subscribe(subscribe) => Packet3::Subscribe {
            packet_id: subscribe.packet_id,
            topic_filters: subscribe
                .topic_filters
                .into_iter()
                .map(|(filter, options)| (filter, options.qos))
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => Packet3::Unsubscribe {
            packet_id: unsubscribe.packet_id,
            topic_filters: unsubscribe.topic_filters,
        },
        Packet::PingRequest => Packet3::PingRequest,
        Packet::Disconnect(_) => Packet3::Disconnect,
        Packet::Connect(_) => Packet3::Connect(Box::default()),
        _ => return Err(malformed("a packet that has no place here")),
    })
}

/// Appends a packet.
pub(super) fn put(into: &mut Vec<u8>, packet: Packet3) -> Result<(), WireError> {
    match packet {
        Packet3::ConnectAck(ack) => encode(into, connect_ack(ack.return_code).into()),
        Packet3::SubscribeAck { packet_id, status } => {
            let status = status.into_iter().map(granted).collect();
            let ack = SubscribeAck {
                packet_id,
                properties: Vec::new(),
                reason_string: None,
                status,
            };
            encode(into, ack.into())
        }
        Packet3::PingResponse => encode(into, Packet::PingResponse),
        _ => Err(malformed("a packet that is never said")),
    }
}

/// Appends an UNSUBACK, which speaks of each filter here.
pub(super) fn put_unsuback(into: &mut Vec<u8>, packet_id: NonZeroU16, filters: usize) -> Result<(), WireError> {
    let ack = UnsubscribeAck {
        packet_id,
        properties: Vec::new(),
        reason_string: None,
        status: vec![UnsubscribeAckReason::Success; filters],
    };
    encode(into, ack.into())
}

/// Appends a DISCONNECT that says why the server ends the connection; nothing if it is over already.
pub(super) fn put_disconnect(into: &mut Vec<u8>, end: &End) -> Result<(), WireError> {
    let reason_code = match end {
        End::Disconnected | End::Link(WireError::Closed | WireError::Io(_)) => return Ok(()),
        End::Ordered(Cause::Stopping) => DisconnectReasonCode::ServerShuttingDown,
        End::Ordered(_) => DisconnectReasonCode::AdministrativeAction,
        End::TakenOver => DisconnectReasonCode::SessionTakenOver,
        End::Revoked => DisconnectReasonCode::NotAuthorized,
        End::Silent => DisconnectReasonCode::KeepAliveTimeout,
        End::Unavailable => DisconnectReasonCode::ImplementationSpecificError,
        End::QosTooHigh => DisconnectReasonCode::QosNotSupported,
        End::Misbehaved(_) => DisconnectReasonCode::ProtocolError,
        End::Link(_) => DisconnectReasonCode::MalformedPacket,
    };
    let disconnect = Disconnect {
        reason_code,
        session_expiry_interval_secs: None,
        server_reference: None,
        reason_string: Some(end.to_string().into()),
        user_properties: Vec::new(),
    };
    encode(into, disconnect.into())
}

/// Nothing is kept for a client that is not connected, whatever it asks for, and nothing is retained, shared or aliased.
fn connect_ack(code: Reason3) -> ConnectAck {
    let reason_code = match code {
        Reason3::ConnectionAccepted => ConnectAckReason::Success,
        Reason3::UnacceptableProtocolVersion => ConnectAckReason::UnsupportedProtocolVersion,
        Reason3::IdentifierRejected => ConnectAckReason::ClientIdentifierNotValid,
        Reason3::ServiceUnavailable => ConnectAckReason::ServerUnavailable,
        Reason3::BadUserNameOrPassword => ConnectAckReason::BadUserNameOrPassword,
        Reason3::NotAuthorized | Reason3::Reserved => ConnectAckReason::NotAuthorized,
    };
    ConnectAck {
        reason_code,
        session_expiry_interval_secs: Some(0),
        max_qos: QoS::AtLeastOnce,
        max_packet_size: u32::try_from(PACKET_MAX_BYTES).ok(),
        retain_available: false,
        subscription_identifiers_available: false,
        shared_subscription_available: false,
        ..ConnectAck::default()
    }
}

fn granted(code: SubscribeReturnCode) -> SubscribeAckReason {
    match code {
        SubscribeReturnCode::Success(QoS::AtMostOnce) => SubscribeAckReason::GrantedQos0,
        SubscribeReturnCode::Success(_) => SubscribeAckReason::GrantedQos1,
        SubscribeReturnCode::Failure => SubscribeAckReason::UnspecifiedError,
    }
}

fn decode(bytes: &[u8]) -> Result<Packet, WireError> {
    match Codec::default().decode(&mut BytesMut::from(bytes))? {
        Some((packet, _)) => Ok(packet),
        None => Err(malformed("a packet without an end")),
    }
}

fn encode(into: &mut Vec<u8>, packet: Packet) -> Result<(), WireError> {
    let mut bytes = BytesMut::new();
    Codec::default()
        .encode(packet, &mut bytes)
        .map_err(|error| malformed(&error.to_string()))?;
    into.extend_from_slice(&bytes);
    Ok(())
}
