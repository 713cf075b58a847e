//! Which devices and products a new job means.

use std::collections::{BTreeMap, HashSet};

use aldis_core::expression::{Comparison, DeviceField, Filter, Value as Operand};
use aldis_core::ids::{DeviceNo, OrgId, ProductKey};
use aldis_core::violation::Violation;
use aldis_store::rows::TargetEntry;
use aldis_store::{DeviceRef, DeviceStatus, OnlineDevices, Page, Read, ReadRegistry, status_names};

use super::Error;

/// Which entries of a request name devices of which product; empty lists where products are named as such.
pub(super) type EntriesByProduct = BTreeMap<ProductKey, Vec<usize>>;
use super::devices::DeviceName;

/// Entries that a refusal names one by one; the rest is counted.
const NAMED_MAX: usize = 20;
/// Characters of a key that a refusal repeats; keys that exist are shorter.
const SHOWN_CHARS_MAX: usize = 64;
const DEVICES: &str = "targetScope.targetDevices";

/// The devices of a list, each once, in the order of their first entries, and what is asked of which product.
///
/// # Errors
/// An entry names a device in no known way; entries name devices that the organization does not have (all of them are
/// named).
pub(super) fn devices(
    store: &dyn Read,
    org: &OrgId,
    entries: &[TargetEntry],
) -> Result<(Vec<DeviceNo>, EntriesByProduct), Error> {
    let names: Vec<DeviceName> = entries.iter().map(name).collect();
    let refs: Vec<DeviceRef> = names.iter().enumerate().map(reference).collect::<Result<_, _>>()?;
    let mut found = Vec::with_capacity(entries.len());
    let mut seen = HashSet::new();
    let mut asked = EntriesByProduct::new();
    let mut unknown = Unknown::default();
    for ((index, name), device) in names.iter().enumerate().zip(store.devices(&refs)?) {
        let device = device.filter(|device| device.is.org == *org && !device.deleted && name.fits(device));
        let Some(device) = device else {
            unknown.add(|| format!("[{index}] {}", described(name)));
            continue;
        };
        if seen.insert(device.no) {
            found.push(device.no);
            asked.entry(device.is.product).or_default().push(index);
        }
    }
    unknown.refuse(DEVICES, "existing devices")?;
    Ok((found, asked))
}

/// The products of a job.
///
/// # Errors
/// The organization does not have one of them (all such are named).
pub(super) fn products(store: &dyn ReadRegistry, org: &OrgId, keys: &[ProductKey]) -> Result<EntriesByProduct, Error> {
    let mut asked = EntriesByProduct::new();
    let mut unknown = Unknown::default();
    for key in keys {
        match store.product(key)?.filter(|product| product.org == *org) {
            Some(product) => drop(asked.insert(product.key, Vec::new())),
            None => unknown.add(|| shortened(key.as_str())),
        }
    }
    unknown.refuse("targetScope", "existing products")?;
    Ok(asked)
}

/// How many tasks a job for these products would have, if it triggered now.
pub(super) fn members<'a>(
    store: &dyn Read,
    org: &OrgId,
    products: impl Iterator<Item = &'a ProductKey>,
) -> Result<u64, Error> {
    let compare = |field, op, value: String| Filter::Compare {
        field,
        sub: None,
        op,
        value: Operand::Text(value),
    };
    let disabled = status_names::device_status(DeviceStatus::Disabled).to_owned();
    let filter = Filter::And(vec![
        Filter::In {
            field: DeviceField::ProductKey,
            sub: None,
            values: products.map(|key| Operand::Text(key.to_string())).collect(),
            negated: false,
        },
        compare(DeviceField::Status, Comparison::Ne, disabled),
    ]);
    // Whether a device is disabled stands in its row alone: no session plays a part.
    let online = OnlineDevices::default();
    let found = store.search_devices(org, Some(&filter), &online, Page { skip: 0, take: 0 })?;
    Ok(found.total)
}

fn name(entry: &TargetEntry) -> DeviceName {
    DeviceName {
        asset: entry.asset.clone(),
        product: entry.product.clone(),
        key: entry.device.clone(),
    }
}

fn reference((index, name): (usize, &DeviceName)) -> Result<DeviceRef, Violation> {
    let place = format!("{DEVICES}[{index}]");
    name.reference().map_err(|violation| violation.within(&place))
}

fn described(name: &DeviceName) -> String {
    let parts = [
        ("assetId", &name.asset),
        ("productKey", &name.product),
        ("deviceKey", &name.key),
    ];
    let given = parts
        .into_iter()
        .filter_map(|(field, value)| value.as_ref().map(|value| format!("{field} {}", shortened(value))));
    given.collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}

/// What does not exist, as far as a message can name it.
#[derive(Default)]
struct Unknown {
    named: Vec<String>,
    more: usize,
}

impl Unknown {
    fn add(&mut self, describe: impl FnOnce() -> String) {
        if self.named.len() < NAMED_MAX {
            self.named.push(describe());
        } else {
            self.more += 1;
        }
    }

    fn refuse(self, path: &str, expected: &str) -> Result<(), Error> {
        if self.named.is_empty() {
            return Ok(());
        }
        let mut found = format!("unknown ones: {}", self.named.join(", "));
        if self.more > 0 {
            found = format!("{found} and {} more", self.more);
        }
        Err(Error::UnknownTargets(Violation {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found,
        }))
    }
}
