//! What a client's CONNECT settles about the packets of its connection.

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
pub(super) struct Terms {
    pub(super) version: Version,
    /// Commands with QoS 1 whose PUBACK may be missing at a time.
    pub(super) receive_max: u16,
    /// Bytes of a packet.
    pub(super) packet_max: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            version: Version::V3,
            receive_max: u16::MAX,
            packet_max: u32::MAX,
        }
    }
}
