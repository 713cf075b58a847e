//! How connections end.

use std::io;

use rmqtt_codec::error::DecodeError;

use crate::link::Cause;

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
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
    /// The device promised signs of life and gave none.
    #[error("the device was silent for too long")]
    Silent,
    /// It did what no device may.
    #[error("the device misbehaved: {0}")]
    Misbehaved(&'static str),
    /// It has sent a message with QoS 2, which is not served.
    #[error("the device misbehaved: QoS 2")]
    QosTooHigh,
    /// What it has said cannot be judged now, and it has to say it again.
    #[error("the store cannot be read")]
    Unavailable,
    /// Its link is gone.
    #[error(transparent)]
    Link(#[from] WireError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Link(error.into())
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
