//! What a CONNECT says about the session: keep alive, payload encoding, and what the client takes.

use std::time::{Duration, Instant};

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

/// When a device that promised signs of life is gone: one and a half times as long after the last.
pub(super) fn silent_at(keep_alive_secs: u16, heard: Instant) -> Option<Instant> {
    let keep_alive = u64::from(keep_alive_secs);
    (keep_alive > 0).then(|| heard + Duration::from_millis(keep_alive * 1_500))
}
