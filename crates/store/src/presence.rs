//! Who is online: known to the gateway, asked by searches. Never a stored flag.

use aldis_core::ids::DeviceNo;

use crate::rows::Device;

/// The live sessions, as far as a search has to know them.
pub trait Presence: Send + Sync {
    /// The device has a live session.
    fn is_online(&self, device: DeviceNo) -> bool;
}

/// No device has a session: no server works with the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoneOnline;

impl Presence for NoneOnline {
    fn is_online(&self, _device: DeviceNo) -> bool {
        false
    }
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

/// How many devices have each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceCounts {
    /// Devices with a live session.
    pub online: u64,
    /// Devices without a live session that have had one.
    pub offline: u64,
    /// Devices that have never logged in.
    pub inactive: u64,
    /// Devices that may not log in.
    pub disabled: u64,
}

impl DeviceCounts {
    /// Adds `count` devices of one status.
    pub const fn add(&mut self, status: DeviceStatus, count: u64) {
        match status {
            DeviceStatus::Online => self.online += count,
            DeviceStatus::Offline => self.offline += count,
            DeviceStatus::Inactive => self.inactive += count,
            DeviceStatus::Disabled => self.disabled += count,
        }
    }

    /// All devices.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.online + self.offline + self.inactive + self.disabled
    }
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
