//! Something about each device that is kept in memory, of many devices, and not of ever more.

use std::collections::HashMap;

use aldis_core::ids::DeviceNo;

/// Devices in one of the two halves that are remembered: when it is full, the older half is forgotten.
pub(crate) const HALF_MAX: usize = 50_000;

/// What is remembered of devices, at least of the [`HALF_MAX`] that something was noted of last.
#[derive(Default)]
pub(crate) struct Remembered<T> {
    newer: HashMap<DeviceNo, T>,
    older: HashMap<DeviceNo, T>,
}

impl<T: Default> Remembered<T> {
    /// What is known of a device, to note something more.
    pub(crate) fn of_mut(&mut self, device: DeviceNo) -> &mut T {
        if !self.newer.contains_key(&device) && self.newer.len() >= HALF_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        let older = &mut self.older;
        self.newer
            .entry(device)
            .or_insert_with(|| older.remove(&device).unwrap_or_default())
    }

    /// What is known of a device.
    pub(crate) fn of(&self, device: DeviceNo) -> Option<&T> {
        self.newer.get(&device).or_else(|| self.older.get(&device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_heard_of_lately_is_remembered_and_memory_has_an_end() {
        let mut all = Remembered::<u32>::default();
        let devices = 3 * HALF_MAX as u64;
        for device in 10..10 + devices {
            *all.of_mut(DeviceNo(device)) += 1;
            if device % 1000 == 0 {
                *all.of_mut(DeviceNo(1)) += 1;
            }
        }
        assert_eq!(all.of(DeviceNo(1)), Some(&150));
        assert_eq!(all.of(DeviceNo(10)), None);
        assert!(all.newer.len() + all.older.len() <= 2 * HALF_MAX);
    }
}
