//! The latest values that devices have reported: so that an operator sees what a command did (docs/api.md, "Latest values").
//!
//! Kept in memory: they are what devices say again and again, and no part of what is promised about commands.

use std::collections::BTreeMap;

use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_protocol::report::{Change, Kind};
use parking_lot::Mutex;
use serde_json::Value;

use crate::remembered::Remembered;

/// Names of one device: more than most thing models have.
pub const NAMES_MAX: usize = 100;
/// Longest value that is kept, as JSON in bytes: numbers, states and short texts.
pub const VALUE_MAX_BYTES: usize = 256;

/// A value, and since when it is so.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest {
    /// The value.
    pub value: Value,
    /// When it was so, as the device says; when it came, if it does not.
    pub at: Timestamp,
}

/// By what they are of, and by their identifiers.
pub type Values = BTreeMap<(Kind, String), Latest>;

/// The latest values of devices.
#[derive(Default)]
pub struct LatestValues(Mutex<Remembered<Values>>);

impl LatestValues {
    /// Takes in what a device has reported. What is older than what is known, too long, or one too many is left out.
    pub fn take(&self, device: DeviceNo, changes: Vec<Change>, now: Timestamp) {
        let mut all = self.0.lock();
        let values = all.of_mut(device);
        for Change { kind, name, value, at } in changes {
            let (key, at) = ((kind, name), at.map_or(now, Timestamp));
            let Some(value) = value else {
                values.remove(&key);
                continue;
            };
            let is_newer = values.get(&key).is_none_or(|known| known.at <= at);
            let has_room = values.contains_key(&key) || values.len() < NAMES_MAX;
            if is_newer && has_room && value.to_string().len() <= VALUE_MAX_BYTES {
                values.insert(key, Latest { value, at });
            }
        }
    }

    /// The newest moment that a device has told of something of this kind.
    #[must_use]
    pub fn last(&self, device: DeviceNo, kind: Kind) -> Option<Timestamp> {
        let all = self.0.lock();
        let of_kind = all.of(device)?.iter().filter(|((known, _), _)| *known == kind);
        of_kind.map(|(_, latest)| latest.at).max()
    }

    /// What is known of a device.
    #[must_use]
    pub fn of(&self, device: DeviceNo) -> Values {
        self.0.lock().of(device).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEVICE: DeviceNo = DeviceNo(1);

    fn point(name: &str, value: Value, at: Option<i64>) -> Change {
        Change {
            kind: Kind::Measurepoint,
            name: name.to_owned(),
            value: Some(value),
            at,
        }
    }

    fn value(all: &LatestValues, name: &str) -> Option<(Value, i64)> {
        let values = all.of(DEVICE);
        let found = values.get(&(Kind::Measurepoint, name.to_owned()))?;
        Some((found.value.clone(), found.at.0))
    }

    #[test]
    fn the_newest_counts_and_what_is_deleted_is_gone() {
        let all = LatestValues::default();
        let now = Timestamp(100);
        all.take(
            DEVICE,
            vec![point("a", json!(1), Some(50)), point("b", json!(1), None)],
            now,
        );
        all.take(DEVICE, vec![point("a", json!(2), Some(49))], now);
        assert_eq!(value(&all, "a"), Some((json!(1), 50)), "it came late");
        all.take(DEVICE, vec![point("a", json!(3), Some(50))], now);
        assert_eq!(value(&all, "a"), Some((json!(3), 50)));
        assert_eq!(value(&all, "b"), Some((json!(1), 100)));
        let gone = Change {
            value: None,
            ..point("b", json!(0), None)
        };
        all.take(DEVICE, vec![gone], now);
        assert_eq!(value(&all, "b"), None);
    }

    #[test]
    fn what_one_device_may_take_has_an_end() {
        let all = LatestValues::default();
        for number in 0..2 * NAMES_MAX {
            all.take(DEVICE, vec![point(&number.to_string(), json!(1), None)], Timestamp(0));
        }
        assert_eq!(all.of(DEVICE).len(), NAMES_MAX);
        all.take(
            DEVICE,
            vec![point("0", json!("x".repeat(VALUE_MAX_BYTES)), None)],
            Timestamp(1),
        );
        assert_eq!(value(&all, "0"), Some((json!(1), 0)), "too long to be kept");
        all.take(DEVICE, vec![point("0", json!(2), None)], Timestamp(1));
        assert_eq!(value(&all, "0"), Some((json!(2), 1)));
    }
}
