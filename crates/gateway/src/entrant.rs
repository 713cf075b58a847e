//! A device that comes in, over its own connection or its gateway's.

use aldis_core::command::Qos;
use aldis_core::ids::DeviceNo;

use super::keys::Keys;

/// What of a device must be known to talk with it.
pub(super) struct Entrant {
    pub(super) device: DeviceNo,
    pub(super) keys: Keys,
    /// How commands are sent to it.
    pub(super) qos: Qos,
}
