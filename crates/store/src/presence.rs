//! Who is online: known to the gateway, asked by searches. Never a stored flag.

use aldis_core::ids::DeviceNo;

use crate::rows::Device;

/// The live sessions, as far as a search has to know them.
pub trait Presence: Send + Sync {
    /// The device has a live session.
    fn is_online(&self, device: DeviceNo) -> bool;
}

/// A device's status, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceStatus {
    /// It has a live session.
    Online,
    /// It has none now, but had one.
    Offline,
    /// It has never logged in.
    Inactive,
    /// It may not log in.
    Disabled,
}

/// The status of a device that is not deleted.
#[must_use]
pub fn device_status(device: &Device, presence: &dyn Presence) -> DeviceStatus {
    if device.disabled {
        DeviceStatus::Disabled
    } else if presence.is_online(device.no) {
        DeviceStatus::Online
    } else if device.activated.is_some() {
        DeviceStatus::Offline
    } else {
        DeviceStatus::Inactive
    }
}
