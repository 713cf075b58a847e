//! MQTT 5: the same conversation, spelled otherwise. What is heard is put into the words of MQTT 3.1.1, and what is
//! said is taken out of them; everything else of the gateway knows one language (docs/device-protocol.md, "MQTT 5").

use std::num::NonZeroU16;

use bytes::BytesMut;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{Connect, ConnectAckReason as Reason3, Packet as Packet3, SubscribeReturnCode};
use rmqtt_codec::v5::{
    Codec, ConnectAck, ConnectAckReason, Disconnect, DisconnectReasonCode, Packet, SubscribeAck, SubscribeAckReason,
    UnsubscribeAck, UnsubscribeAckReason,
};
use tokio_util::codec::{Decoder, Encoder};

use super::client_capabilities::{ClientCapabilities, IN_FLIGHT_MAX, PACKET_MAX_BYTES, Version};
use super::close_reason::{CloseReason, ProtocolViolation, WireError};
use super::packets::malformed;
use aldis_engine::link::Cause;

/// How a CONNECT begins behind its header; its level follows, which says its version.
const NAME: [u8; 6] = *b"\0\x04MQTT";
const LEVEL: u8 = 5;
/// Reasons of a PUBACK.
const PUBACK_REASONS: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const SHARED: &str = "$share/";

/// Whether what follows the header of a CONNECT is MQTT 5, or later.
pub(super) fn is_spoken(body: &[u8]) -> bool {
    body.strip_prefix(&NAME)
        .and_then(<[u8]>::first)
        .is_some_and(|level| *level >= LEVEL)
}

/// Whether a PUBACK can have this reason.
pub(super) fn is_reason_of_puback(reason: u8) -> bool {
    PUBACK_REASONS.contains(&reason)
}

/// Whether a filter can match anything: a wildcard is a whole level, and `#` the last.
pub(super) fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').rev();
    let is_level = |level: &str| level == "+" || !level.contains(['+', '#', '\0']);
    let last = levels.next().unwrap_or_default();
    !filter.is_empty() && (last == "#" || is_level(last)) && levels.all(is_level)
}

/// Reads a CONNECT, and what the client takes.
pub(super) fn connect(bytes: &[u8]) -> Result<(Box<Connect>, ClientCapabilities), WireError> {
    let Packet::Connect(connect) = decode(bytes)? else {
        return Err(malformed("expected CONNECT"));
    };
    let asked = connect.receive_max.map_or(u16::MAX, NonZeroU16::get);
    let mut capabilities = ClientCapabilities {
        // More than are remembered cannot be told to be missing.
        receive_max: asked.min(IN_FLIGHT_MAX),
        packet_max: connect.max_packet_size.map_or(u32::MAX, Into::into),
        ..ClientCapabilities::of(Version::V5)
    };
    capabilities.unmet = unmet(&connect, capabilities);
    let same = Connect {
        clean_session: connect.clean_start,
        keep_alive: connect.keep_alive,
        client_id: connect.client_id,
        username: connect.username,
        password: connect.password,
        ..Connect::default()
    };
    Ok((Box::new(same), capabilities))
}

/// What the client asks for and does not get. Wills are not carried out, but those that cannot be are refused, as the
/// standard has it.
fn unmet(connect: &rmqtt_codec::v5::Connect, capabilities: ClientCapabilities) -> Option<ConnectAckReason> {
    let will = connect.last_will.as_ref();
    if connect.auth_method.is_some() {
        Some(ConnectAckReason::BadAuthenticationMethod)
    } else if will.is_some_and(|will| will.qos == QoS::ExactlyOnce) {
        Some(ConnectAckReason::QosNotSupported)
    } else if will.is_some_and(|will| will.retain) {
        Some(ConnectAckReason::RetainNotSupported)
    } else if encoded(connect_ack(Reason3::ConnectionAccepted).into())
        .is_ok_and(|bytes| !capabilities.accepts(bytes.len()))
    {
        Some(ConnectAckReason::PacketTooLarge)
    } else {
        None
    }
}

/// Reads any other packet but PUBLISH and PUBACK.
pub(super) fn other(bytes: &[u8]) -> Result<Packet3, WireError> {
    Ok(match decode(bytes)? {
        Packet::Subscribe(subscribe) if subscribe.id.is_some() => {
            return Err(ProtocolViolation::SubscriptionIdentifier.into());
        }
        Packet::Subscribe(subscribe) if subscribe.topic_filters.iter().any(|(it, _)| it.starts_with(SHARED)) => {
            return Err(ProtocolViolation::Shared.into());
        }
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
        _ => return Err(ProtocolViolation::OutOfPlace.into()),
    })
}

/// Appends a packet.
pub(super) fn put(into: &mut Vec<u8>, capabilities: ClientCapabilities, packet: Packet3) -> Result<(), WireError> {
    match packet {
        Packet3::ConnectAck(ack) => {
            let refused = capabilities.unmet.map(|reason| refusal(reason).into());
            encode(
                into,
                capabilities,
                refused.unwrap_or_else(|| connect_ack(ack.return_code).into()),
            )
        }
        Packet3::SubscribeAck { packet_id, status } => {
            let status = status.into_iter().map(granted).collect();
            let ack = SubscribeAck {
                packet_id,
                properties: Vec::new(),
                reason_string: None,
                status,
            };
            encode(into, capabilities, ack.into())
        }
        Packet3::PingResponse => encode(into, capabilities, Packet::PingResponse),
        _ => Err(malformed("a packet that is never said")),
    }
}

/// Appends an UNSUBACK, which speaks of each filter here.
pub(super) fn put_unsuback(
    into: &mut Vec<u8>,
    capabilities: ClientCapabilities,
    packet_id: NonZeroU16,
    filters: usize,
) -> Result<(), WireError> {
    let ack = UnsubscribeAck {
        packet_id,
        properties: Vec::new(),
        reason_string: None,
        status: vec![UnsubscribeAckReason::Success; filters],
    };
    encode(into, capabilities, ack.into())
}

/// Appends a DISCONNECT that says why the server ends the connection, in as many words as the client takes; nothing if
/// it is over already. Whether there was something to say.
pub(super) fn put_disconnect(into: &mut Vec<u8>, capabilities: ClientCapabilities, end: &CloseReason) -> bool {
    let Some(reason_code) = reason(end) else {
        return false;
    };
    let mut disconnect = Disconnect {
        reason_code,
        session_expiry_interval_secs: None,
        server_reference: None,
        reason_string: Some(end.to_string().into()),
        user_properties: Vec::new(),
    };
    if encode(into, capabilities, disconnect.clone().into()).is_ok() {
        return true;
    }
    disconnect.reason_string = None;
    encode(into, capabilities, disconnect.into()).is_ok()
}

fn reason(end: &CloseReason) -> Option<DisconnectReasonCode> {
    Some(match end {
        CloseReason::Disconnected | CloseReason::Link(WireError::Closed | WireError::Io(_)) => return None,
        CloseReason::Ordered(Cause::Stopping) => DisconnectReasonCode::ServerShuttingDown,
        CloseReason::Ordered(_) => DisconnectReasonCode::AdministrativeAction,
        CloseReason::Unavailable => DisconnectReasonCode::ImplementationSpecificError,
        CloseReason::TakenOver => DisconnectReasonCode::SessionTakenOver,
        CloseReason::Revoked | CloseReason::Replaced => DisconnectReasonCode::NotAuthorized,
        CloseReason::Silent => DisconnectReasonCode::KeepAliveTimeout,
        CloseReason::Misbehaved(_) => DisconnectReasonCode::ProtocolError,
        CloseReason::Link(WireError::ProtocolViolation(breach)) => breached(*breach),
        CloseReason::Link(WireError::TakesLess) => DisconnectReasonCode::PacketTooLarge,
        CloseReason::Link(_) => DisconnectReasonCode::MalformedPacket,
    })
}

fn breached(breach: ProtocolViolation) -> DisconnectReasonCode {
    match breach {
        ProtocolViolation::Qos2 => DisconnectReasonCode::QosNotSupported,
        ProtocolViolation::Retain => DisconnectReasonCode::RetainNotSupported,
        ProtocolViolation::Topic => DisconnectReasonCode::TopicNameInvalid,
        ProtocolViolation::Alias => DisconnectReasonCode::TopicAliasInvalid,
        ProtocolViolation::Shared => DisconnectReasonCode::SharedSubscriptionNotSupported,
        ProtocolViolation::SubscriptionIdentifier => DisconnectReasonCode::SubscriptionIdentifiersNotSupported,
        ProtocolViolation::TooLong => DisconnectReasonCode::PacketTooLarge,
        ProtocolViolation::NoTopic | ProtocolViolation::OutOfPlace => DisconnectReasonCode::ProtocolError,
    }
}

/// Nothing is kept for a client that is not connected, whatever it asks for, and nothing is retained, shared or
/// aliased.
fn connect_ack(code: Reason3) -> ConnectAck {
    let reason_code = match code {
        Reason3::ConnectionAccepted => ConnectAckReason::Success,
        Reason3::UnacceptableProtocolVersion => ConnectAckReason::UnsupportedProtocolVersion,
        Reason3::IdentifierRejected => ConnectAckReason::ClientIdentifierNotValid,
        Reason3::ServiceUnavailable => ConnectAckReason::ServerUnavailable,
        Reason3::BadUserNameOrPassword => ConnectAckReason::BadUserNameOrPassword,
        Reason3::NotAuthorized | Reason3::Reserved => ConnectAckReason::NotAuthorized,
    };
    if reason_code != ConnectAckReason::Success {
        return refusal(reason_code);
    }
    ConnectAck {
        session_expiry_interval_secs: Some(0),
        max_qos: QoS::AtLeastOnce,
        max_packet_size: u32::try_from(PACKET_MAX_BYTES).ok(),
        retain_available: false,
        subscription_identifiers_available: false,
        shared_subscription_available: false,
        ..ConnectAck::default()
    }
}

fn refusal(reason_code: ConnectAckReason) -> ConnectAck {
    ConnectAck {
        reason_code,
        ..ConnectAck::default()
    }
}

fn granted(code: SubscribeReturnCode) -> SubscribeAckReason {
    match code {
        SubscribeReturnCode::Success(QoS::AtMostOnce) => SubscribeAckReason::GrantedQos0,
        SubscribeReturnCode::Success(_) => SubscribeAckReason::GrantedQos1,
        SubscribeReturnCode::Failure => SubscribeAckReason::TopicFilterInvalid,
    }
}

fn decode(bytes: &[u8]) -> Result<Packet, WireError> {
    match Codec::default().decode(&mut BytesMut::from(bytes))? {
        Some((packet, _)) => Ok(packet),
        None => Err(malformed("a packet without an end")),
    }
}

fn encode(into: &mut Vec<u8>, capabilities: ClientCapabilities, packet: Packet) -> Result<(), WireError> {
    let bytes = encoded(packet)?;
    if !capabilities.accepts(bytes.len()) {
        return Err(WireError::TakesLess);
    }
    into.extend_from_slice(&bytes);
    Ok(())
}

fn encoded(packet: Packet) -> Result<BytesMut, WireError> {
    let mut bytes = BytesMut::new();
    Codec::default()
        .encode(packet, &mut bytes)
        .map_err(|error| malformed(&error.to_string()))?;
    Ok(bytes)
}
