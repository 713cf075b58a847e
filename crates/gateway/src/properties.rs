//! The properties of a PUBLISH of MQTT 5. None of them says anything to us; those that ask for what CONNACK has
//! declared absent end the connection, as the standard has it.

use super::close_reason::{ProtocolViolation, WireError};
use super::packets::{malformed, varint};

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION_DATA: u8 = 0x09;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
const TOPIC_ALIAS: u8 = 0x23;
const USER_PROPERTY: u8 = 0x26;

/// What follows the properties at the beginning of `bytes`.
///
/// # Errors
/// For what are no properties, or none that a client may send here.
pub(super) fn behind(bytes: &[u8]) -> Result<&[u8], WireError> {
    let (length, header) = varint(bytes, 0)?.ok_or_else(|| malformed("properties without a length"))?;
    let (mut properties, payload) = bytes[header..]
        .split_at_checked(length)
        .ok_or_else(|| malformed("properties without an end"))?;
    while let Some((kind, value)) = properties.split_first() {
        properties = behind_value(*kind, value)?;
    }
    Ok(payload)
}

fn behind_value(kind: u8, value: &[u8]) -> Result<&[u8], WireError> {
    let rest = match kind {
        PAYLOAD_FORMAT => value.get(1..),
        MESSAGE_EXPIRY => value.get(4..),
        CONTENT_TYPE | RESPONSE_TOPIC | CORRELATION_DATA => behind_text(value),
        USER_PROPERTY => behind_text(value).and_then(behind_text),
        TOPIC_ALIAS => return Err(ProtocolViolation::Alias.into()),
        SUBSCRIPTION_IDENTIFIER => return Err(ProtocolViolation::OutOfPlace.into()),
        _ => None,
    };
    rest.ok_or_else(|| malformed("a property that a message cannot have"))
}

fn behind_text(value: &[u8]) -> Option<&[u8]> {
    let (length, rest) = value.split_first_chunk()?;
    rest.get(usize::from(u16::from_be_bytes(*length))..)
}
