//! Why connections are closed.

use std::io;

use rmqtt_codec::error::DecodeError;

use aldis_engine::link::Cause;

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseReason {
    /// The device said goodbye.
    #[error("the device disconnected")]
    Disconnected,
    /// The server ended it.
    #[error("{0}")]
    Ordered(Cause),
    /// A second login of the device.
    #[error("another login of the device took its place")]
    TakenOver,
    /// Its certificate has been revoked.
    #[error("the device's certificate has been revoked")]
    Revoked,
    /// The product's secret that it has logged in with is good no more.
    #[error("the product's secret was replaced")]
    Replaced,
    /// The device promised signs of life and gave none.
    #[error("the device sent nothing within its keep alive")]
    Silent,
    /// It did what no device may.
    #[error("the device misbehaved: {0}")]
    Misbehaved(&'static str),
    /// What it has said cannot be judged now, and it has to say it again.
    #[error("the store cannot be read")]
    Unavailable,
    /// Its link is gone.
    #[error(transparent)]
    Link(#[from] WireError),
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Link(error.into())
    }
}

/// What no device may do, and MQTT 5 has a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolViolation {
    #[error("QoS 2")]
    Qos2,
    #[error("a message that is to be retained")]
    Retain,
    #[error("a topic that no message can have")]
    Topic,
    #[error("a PUBLISH without a topic")]
    NoTopic,
    #[error("an alias of a topic")]
    Alias,
    #[error("a shared subscription")]
    Shared,
    #[error("a subscription identifier")]
    SubscriptionIdentifier,
    #[error("a packet that is too long")]
    TooLong,
    #[error("a packet that has no place here")]
    OutOfPlace,
}

impl From<ProtocolViolation> for CloseReason {
    fn from(breach: ProtocolViolation) -> Self {
        Self::Link(breach.into())
    }
}

/// Why nothing more can be read from a connection, or written to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the device closed the connection")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("no valid MQTT packet: {0}")]
    Malformed(String),
    #[error("another version of MQTT")]
    OtherVersion,
    #[error("no client id")]
    NoClientId,
    #[error("the device misbehaved: {0}")]
    ProtocolViolation(#[from] ProtocolViolation),
    #[error("the packet exceeds the maximum packet size of the client")]
    TakesLess,
}

impl From<DecodeError> for WireError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::UnsupportedProtocolLevel => Self::OtherVersion,
            DecodeError::InvalidClientId => Self::NoClientId,
            other => Self::Malformed(other.to_string()),
        }
    }
}
