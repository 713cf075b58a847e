//! Packets as bytes, of MQTT 3.1.1 and 5.
//!
//! Nearly all traffic is PUBLISH and PUBACK: these are read where they lie and written where they leave, here and by
//! hand. `rmqtt_codec` does every other packet, those of MQTT 5 in `mqtt5`, and a property test has it judge these two.

use std::num::NonZeroU16;

use bytes::BytesMut;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{Codec, Connect, Packet};
use tokio_util::codec::{Decoder, Encoder};

use super::client_capabilities::{ClientCapabilities, Version};
use super::close_reason::{ProtocolViolation, WireError};
use super::mqtt5;

/// Wildcards are for filters, and NUL is for no string of MQTT.
pub(super) const NOT_IN_A_TOPIC: [char; 3] = ['#', '+', '\0'];
use super::properties;

/// The first half of a first byte says what a packet is.
const KIND: u8 = 0xf0;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const CONNECT: u8 = 0x10;
/// In the first byte of a PUBLISH.
const RETAIN: u8 = 1;
/// MQTT 5: a length of properties.
const NO_PROPERTIES: u8 = 0;
/// Most that four bytes of seven bits can say.
const LENGTH_MAX: usize = 0x0fff_ffff;
const LENGTH_BYTES_MAX: usize = 4;

/// A packet that a device has sent.
#[derive(Debug)]
pub(super) enum Incoming<'b> {
    Publish(Message<'b>),
    PublishAck(NonZeroU16),
    Other(Packet),
}

/// What a PUBLISH carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'b> {
    pub(super) qos: QoS,
    pub(super) topic: &'b str,
    pub(super) packet_id: Option<NonZeroU16>,
    pub(super) payload: &'b [u8],
}

/// The first packet in `bytes` and how many of them it has; `None` if it is not complete yet. One that announces more
/// than `max` bytes behind its header is refused before they come.
pub(super) fn read(bytes: &[u8], max: usize, version: Version) -> Result<Option<(Incoming<'_>, usize)>, WireError> {
    let Some((body, all)) = whole(bytes, max)? else {
        return Ok(None);
    };
    let packet = match bytes[0] {
        first if first & KIND == PUBLISH => Incoming::Publish(publish(first, body, version)?),
        PUBACK => Incoming::PublishAck(acknowledged(body, version)?),
        _ => Incoming::Other(other(&bytes[..all], version)?),
    };
    Ok(Some((packet, all)))
}

/// The CONNECT in `bytes`, what it settles, and how many of the bytes it has; `None` if it is not complete yet.
pub(super) fn read_connect(
    bytes: &[u8],
    max: usize,
) -> Result<Option<(Box<Connect>, ClientCapabilities, usize)>, WireError> {
    let Some((body, all)) = whole(bytes, max)? else {
        return Ok(None);
    };
    let (connect, capabilities) = match spoken(bytes[0], body) {
        Version::V5 => mqtt5::connect(&bytes[..all])?,
        Version::V3 => match other(&bytes[..all], Version::V3)? {
            Packet::Connect(connect) => (connect, ClientCapabilities::default()),
            _ => return Err(malformed("expected CONNECT")),
        },
    };
    Ok(Some((connect, capabilities, all)))
}

/// The version in which this client is answered: a later version is likelier to be like the latest.
pub(super) fn version_of(bytes: &[u8]) -> Version {
    match whole(bytes, bytes.len()) {
        Ok(Some((body, _))) => spoken(bytes[0], body),
        Ok(None) | Err(_) => Version::default(),
    }
}

fn spoken(first: u8, body: &[u8]) -> Version {
    if first == CONNECT && mqtt5::is_spoken(body) {
        Version::V5
    } else {
        Version::V3
    }
}

/// What follows the header of the first packet, and how many bytes both have.
fn whole(bytes: &[u8], max: usize) -> Result<Option<(&[u8], usize)>, WireError> {
    let Some((length, header)) = length(bytes)? else {
        return Ok(None);
    };
    if length > max {
        return Err(ProtocolViolation::TooLong.into());
    }
    let Some(body) = bytes.get(header..header + length) else {
        return Ok(None);
    };
    Ok(Some((body, header + length)))
}

/// How much follows the header, and how long that is; `None` if it is not complete.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, WireError> {
    varint(bytes, 1)
}

/// A length that begins there, and where it ends; `None` if it does not.
pub(super) fn varint(bytes: &[u8], from: usize) -> Result<Option<(usize, usize)>, WireError> {
    let (mut length, mut shift) = (0, 0);
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 1)));
        }
        if at + 1 == from + LENGTH_BYTES_MAX {
            return Err(malformed("a length of too many bytes"));
        }
    }
    Ok(None)
}

fn publish(first: u8, body: &[u8], version: Version) -> Result<Message<'_>, WireError> {
    let qos = QoS::try_from(first >> 1 & 3)?;
    let (topic, rest) = split_text(body).ok_or_else(|| malformed("a PUBLISH that ends in its topic"))?;
    let topic = std::str::from_utf8(topic).map_err(|error| malformed(&error.to_string()))?;
    if topic.is_empty() {
        return Err(ProtocolViolation::NoTopic.into());
    }
    let (packet_id, payload) = match qos {
        QoS::AtMostOnce => (None, rest),
        QoS::AtLeastOnce | QoS::ExactlyOnce => {
            let (packet_id, payload) = packet_id(rest)?;
            (Some(packet_id), payload)
        }
    };
    Ok(Message {
        qos,
        topic,
        packet_id,
        payload: match version {
            Version::V3 => payload,
            Version::V5 if first & RETAIN != 0 => return Err(ProtocolViolation::Retain.into()),
            Version::V5 => properties::behind(payload)?,
        },
    })
}

/// Bytes behind their length, and what follows them.
fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn packet_id(bytes: &[u8]) -> Result<(NonZeroU16, &[u8]), WireError> {
    bytes
        .split_first_chunk()
        .and_then(|(packet_id, rest)| Some((NonZeroU16::new(u16::from_be_bytes(*packet_id))?, rest)))
        .ok_or_else(|| malformed("a packet identifier is missing"))
}

/// MQTT 5 may add a reason and more: a device that does not like a command says so in its reply, or never.
fn acknowledged(body: &[u8], version: Version) -> Result<NonZeroU16, WireError> {
    match version {
        Version::V3 => whole_packet_id(body),
        Version::V5 => match packet_id(body)? {
            (packet_id, []) => Ok(packet_id),
            (packet_id, [reason, ..]) if mqtt5::is_reason_of_puback(*reason) => Ok(packet_id),
            _ => Err(malformed("a PUBACK with a reason that there is not")),
        },
    }
}

fn whole_packet_id(body: &[u8]) -> Result<NonZeroU16, WireError> {
    match packet_id(body)? {
        (packet_id, []) => Ok(packet_id),
        _ => Err(malformed("a PUBACK that is too long")),
    }
}

fn other(bytes: &[u8], version: Version) -> Result<Packet, WireError> {
    if version == Version::V5 {
        return mqtt5::other(bytes);
    }
    match Codec::default().decode(&mut BytesMut::from(bytes))? {
        Some((packet, _)) => Ok(packet),
        None => Err(malformed("a packet without an end")),
    }
}

/// Appends the head of a PUBLISH: everything but its payload. The topic is what its parts make together; with a packet
/// identifier it is QoS 1.
pub(super) fn put_publish_head(
    into: &mut Vec<u8>,
    version: Version,
    topic: [&str; 2],
    packet_id: Option<NonZeroU16>,
    payload_len: usize,
) -> Result<(), WireError> {
    let topic_len = topic[0].len() + topic[1].len();
    let topic_bytes = u16::try_from(topic_len).map_err(|_too_long| malformed("a topic that is too long"))?;
    let length = publish_length(version, topic, packet_id.is_some(), payload_len);
    if length > LENGTH_MAX {
        return Err(malformed("a payload that is too long"));
    }
    into.reserve(1 + LENGTH_BYTES_MAX + length);
    into.push(PUBLISH | u8::from(packet_id.is_some()) << 1);
    put_length(into, length);
    into.extend_from_slice(&topic_bytes.to_be_bytes());
    into.extend_from_slice(topic[0].as_bytes());
    into.extend_from_slice(topic[1].as_bytes());
    if let Some(packet_id) = packet_id {
        into.extend_from_slice(&packet_id.get().to_be_bytes());
    }
    if version == Version::V5 {
        into.push(NO_PROPERTIES);
    }
    Ok(())
}

/// Bytes of a PUBLISH behind its header.
pub(super) fn publish_length(version: Version, topic: [&str; 2], acknowledged: bool, payload_len: usize) -> usize {
    let packet_id = if acknowledged { 2 } else { 0 };
    let properties = usize::from(version == Version::V5);
    2 + topic[0].len() + topic[1].len() + packet_id + properties + payload_len
}

/// Bytes of a packet with `length` bytes behind its header.
pub(super) fn packet_length(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    let length_bytes = usize::try_from(bits.div_ceil(7)).unwrap_or(LENGTH_BYTES_MAX).max(1);
    1 + length_bytes + length
}

/// Appends a PUBLISH.
pub(super) fn put_publish(
    into: &mut Vec<u8>,
    version: Version,
    topic: [&str; 2],
    packet_id: Option<NonZeroU16>,
    payload: &[u8],
) -> Result<(), WireError> {
    put_publish_head(into, version, topic, packet_id, payload.len())?;
    into.extend_from_slice(payload);
    Ok(())
}

fn put_length(into: &mut Vec<u8>, mut length: usize) {
    loop {
        let [low, ..] = (length & 0x7f).to_le_bytes();
        length >>= 7;
        if length == 0 {
            return into.push(low);
        }
        into.push(low | 0x80);
    }
}

/// Appends a PUBACK.
pub(super) fn put_puback(into: &mut Vec<u8>, packet_id: NonZeroU16) {
    let [high, low] = packet_id.get().to_be_bytes();
    into.extend_from_slice(&[PUBACK, 2, high, low]);
}

/// Appends an UNSUBACK for `filters` filters.
pub(super) fn put_unsuback(
    into: &mut Vec<u8>,
    capabilities: ClientCapabilities,
    packet_id: NonZeroU16,
    filters: usize,
) -> Result<(), WireError> {
    match capabilities.version {
        Version::V3 => put(into, capabilities, Packet::UnsubscribeAck { packet_id }),
        Version::V5 => mqtt5::put_unsuback(into, capabilities, packet_id, filters),
    }
}

/// Appends any other packet.
///
/// # Errors
/// [`WireError::TakesLess`] if the client takes no packet as long as this; nothing is appended then.
pub(super) fn put(into: &mut Vec<u8>, capabilities: ClientCapabilities, packet: Packet) -> Result<(), WireError> {
    if capabilities.version == Version::V5 {
        return mqtt5::put(into, capabilities, packet);
    }
    let mut bytes = BytesMut::new();
    Codec::default()
        .encode(packet, &mut bytes)
        .map_err(|error| malformed(&error.to_string()))?;
    into.extend_from_slice(&bytes);
    Ok(())
}

pub(super) fn malformed(what: &str) -> WireError {
    WireError::Malformed(what.to_owned())
}
