//! What devices have reported about themselves.

use std::collections::BTreeMap;

use aldis_core::ids::DeviceNo;
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_store::Done;
use aldis_store::rows::Reported;

use super::Contents;

#[derive(Default)]
pub(super) struct ReportedValues(BTreeMap<(DeviceNo, ReportKind, String), (String, Timestamp)>);

impl ReportedValues {
    /// By kind and name.
    pub(super) fn of(&self, device: DeviceNo) -> impl Iterator<Item = Reported> {
        let own = self.0.iter().filter(move |((of, ..), _)| *of == device);
        own.map(|((_, kind, name), (value, at))| Reported {
            kind: *kind,
            name: name.clone(),
            value: Some(value.clone()),
            at: *at,
        })
    }

    pub(super) fn last(&self, device: DeviceNo, kind: ReportKind) -> Option<Timestamp> {
        self.of(device)
            .filter(|value| value.kind == kind)
            .map(|value| value.at)
            .max()
    }

    pub(super) fn forget(&mut self, device: DeviceNo) {
        self.0.retain(|(of, ..), _| *of != device);
    }

    /// Nothing was reported later than this.
    pub(super) fn limit_moments(&mut self, now: Timestamp) {
        self.0.values_mut().for_each(|(_, at)| *at = (*at).min(now));
    }

    fn take(&mut self, device: DeviceNo, reported: &Reported, names_max: usize, now: Timestamp) {
        let Reported { kind, name, value, at } = reported;
        let key = (device, *kind, name.clone());
        let known = self.0.get(&key).map(|(_, at)| *at);
        // A stored moment that has not come yet is from a clock that was ahead, and hides nothing.
        if known.is_some_and(|known| known > *at && known <= now) {
            return;
        }
        let Some(value) = value else {
            self.0.remove(&key);
            return;
        };
        let names = self.of(device).filter(|value| value.kind == *kind).count();
        if known.is_some() || names < names_max {
            self.0.insert(key, (value.clone(), *at));
        }
    }
}

impl Contents {
    pub(super) fn report(&mut self, values: &[(DeviceNo, Vec<Reported>)], names_max: usize) -> Done {
        for (device, reported) in values {
            if self.devices.get(*device).is_some_and(|device| !device.deleted) {
                for value in reported {
                    self.reported.take(*device, value, names_max, self.clock);
                }
            }
        }
        Done::Yes
    }
}
