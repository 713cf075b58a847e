//! What a CONNECT says about the session: keep alive, payload encoding, and what the client takes.

use super::client_capabilities::ClientCapabilities;
use super::compression::PayloadEncoding;

/// How a client talks, as its CONNECT says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionParams {
    /// Seconds between two signs of life; 0: none are promised.
    pub(super) keep_alive: u16,
    /// How every payload is packed.
    pub(super) encoding: PayloadEncoding,
    /// What its packets are like.
    pub(super) capabilities: ClientCapabilities,
}
