//! Who is online: known to the gateway, and handed to a search as data. Never a stored flag.

use std::sync::Arc;

use aldis_core::ids::DeviceNo;

use crate::rows::Device;

/// The devices with a live session at one moment, for one search. 8 bytes each; clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnlineDevices(Arc<[DeviceNo]>);

impl OnlineDevices {
    /// Whether this device is one of them.
    #[must_use]
    pub fn contains(&self, device: DeviceNo) -> bool {
        self.0.binary_search(&device).is_ok()
    }

    /// Their numbers, rising.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = DeviceNo> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<DeviceNo> for OnlineDevices {
    /// In any order, each once or more often.
    fn from_iter<I: IntoIterator<Item = DeviceNo>>(devices: I) -> Self {
        let mut devices: Vec<DeviceNo> = devices.into_iter().collect();
        devices.sort_unstable();
        devices.dedup();
        Self(devices.into())
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

/// The status of a device that is not deleted; `online` says whether it has a live session.
#[must_use]
pub const fn device_status(device: &Device, online: bool) -> DeviceStatus {
    if device.disabled {
        DeviceStatus::Disabled
    } else if online {
        DeviceStatus::Online
    } else if device.activated.is_some() {
        DeviceStatus::Offline
    } else {
        DeviceStatus::Inactive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_given_in_any_order_are_found() {
        let online: OnlineDevices = [7, 3, 7, 5].map(DeviceNo).into_iter().collect();
        assert_eq!(online.iter().collect::<Vec<_>>(), [3, 5, 7].map(DeviceNo));
        assert!(online.contains(DeviceNo(5)) && !online.contains(DeviceNo(4)));
    }
}
