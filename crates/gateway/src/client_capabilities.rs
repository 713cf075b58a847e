//! What a client speaks and accepts, as its CONNECT says.

use rmqtt_codec::v5::ConnectAckReason;

/// Largest packet taken from a device: the 512 KiB that device libraries allow for a payload, and its header.
pub(super) const PACKET_MAX_BYTES: usize = 513 * 1024;
/// Commands whose PUBACK is remembered to be missing: a gateway's thirty, and more than that of which nothing is
/// expected any more, but whose packet identifiers must not be used again too early.
pub(super) const IN_FLIGHT_MAX: u16 = 64;

/// A version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Version {
    /// 3.1.1.
    #[default]
    V3,
    /// 5.
    V5,
}

/// What the client speaks, and takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientCapabilities {
    pub(super) version: Version,
    /// Commands with QoS 1 whose PUBACK may be missing at a time.
    pub(super) receive_max: u16,
    /// Bytes of a packet.
    pub(super) packet_max: u32,
    /// Why the client is not served, in the words of MQTT 5: it asks for what is not offered.
    pub(super) unmet: Option<ConnectAckReason>,
}

impl ClientCapabilities {
    /// For a client of which only the protocol version is known.
    pub(super) fn of(version: Version) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// Whether the client takes a packet of `length` bytes.
    pub(super) fn accepts(&self, bytes: usize) -> bool {
        u32::try_from(bytes).is_ok_and(|bytes| bytes <= self.packet_max)
    }
}

impl Default for ClientCapabilities {
    fn default() -> Self {
        Self {
            version: Version::V3,
            receive_max: u16::MAX,
            packet_max: u32::MAX,
            unmet: None,
        }
    }
}
