//! Why a scripted device's wish was not fulfilled.

use std::time::Duration;

use crate::LinkError;

/// Why a scripted device's wish was not fulfilled. Tests unwrap it, so it says all.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The device has no connection.
    #[error("the device is not connected")]
    NotConnected,
    /// The connection ended or carried nonsense.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The server did not let the device in.
    #[error("the server refused the device with CONNACK code {code}")]
    Refused {
        /// The code.
        code: u8,
    },
    /// What was awaited did not come.
    #[error("{awaited} did not come within {after:?}; what came instead: {kept}")]
    TimedOut {
        /// What was awaited.
        awaited: &'static str,
        /// The device's patience.
        after: Duration,
        /// Packets that arrived without having been asked for.
        kept: String,
    },
    /// Something came that should not have.
    #[error("this should not have come: {0}")]
    Unexpected(String),
}

impl DeviceError {
    /// Whether the other end closed or reset the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Link(LinkError::Closed | LinkError::Io(_)))
    }
}
