//! Which devices of a product may be simulated. A login as a device ends its session and takes its commands, so that
//! devices in use are left alone: those that are online, and those that were activated by something else than a
//! simulation. Devices that a simulation registers have a tag.

use aldis_client::{Client, Device, NewDevice, quoted};
use aldis_simulator::DeviceIdentity;
use anyhow::Context as _;

use crate::exit::usage;

/// The tag of devices that were registered to be simulated.
const TAG: &str = "simulated";
const TAG_VALUE: &str = "true";

/// A device to be registered for a simulation.
pub(super) fn simulated(product: &str) -> NewDevice {
    NewDevice {
        device_tags: Some([(TAG.to_owned(), TAG_VALUE.to_owned())].into()),
        ..NewDevice::new(product, "simulated")
    }
}

/// What is to be simulated of a product.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) product: &'a str,
    /// All, if absent.
    pub(super) count: Option<usize>,
    pub(super) take_over: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Devices to simulate.
    pub(super) identities: Vec<DeviceIdentity>,
    /// Devices that were left alone.
    left: InUse,
    /// Devices that are taken over.
    taken: InUse,
}

/// Devices in use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct InUse {
    online: usize,
    activated: usize,
}

impl Wanted<'_> {
    /// The product's devices that may be simulated, as many as are wanted.
    ///
    /// # Errors
    /// Those of the search; a device without a secret.
    pub(super) async fn devices(&self, client: &Client) -> anyhow::Result<Found> {
        let expression = format!("productKey = {}", quoted(self.product));
        let mut devices = client.devices_with_secrets(Some(&expression));
        let mut found = Found::default();
        while found.identities.len() < self.count.unwrap_or(usize::MAX)
            && let Some(device) = devices.next().await?
        {
            found.add(device, self.take_over)?;
        }
        Ok(found)
    }
}

impl Found {
    fn add(&mut self, device: Device, take_over: bool) -> anyhow::Result<()> {
        let status = device.status.as_deref().unwrap_or_default();
        if status == "disabled" {
            return Ok(());
        }
        let counted = if take_over { &mut self.taken } else { &mut self.left };
        let in_use = match status {
            "online" => Some(&mut counted.online),
            _ if device.active_time.is_some() && !is_simulated(&device) => Some(&mut counted.activated),
            _ => None,
        };
        if let Some(count) = in_use {
            *count += 1;
            if !take_over {
                return Ok(());
            }
        }
        let secret = device
            .device_secret
            .with_context(|| format!("the server tells no secret of {}", device.device_key))?;
        let identity = DeviceIdentity::new(device.product_key, device.device_key, secret);
        self.identities.push(identity);
        Ok(())
    }

    /// What an operator should know before devices are taken over.
    pub(super) fn warning(&self) -> Option<String> {
        let InUse { online, activated } = self.taken;
        (online + activated > 0).then(|| {
            format!(
                "warning: devices in use are taken over: {online} are online and lose their sessions, {activated} were \
                 activated by something else than a simulation"
            )
        })
    }

    /// Refuses if there are fewer than `count`.
    ///
    /// # Errors
    /// A usage error that says what would help.
    pub(super) fn demand(&self, product: &str, count: usize) -> anyhow::Result<()> {
        let there = self.identities.len();
        if there >= count {
            return Ok(());
        }
        let which = match self.left.text() {
            Some(text) => format!(" that are not in use ({text})"),
            None => String::new(),
        };
        Err(usage(format!(
            "{product} has {there} devices{which}, {count} expected: --register makes the others"
        )))
    }

    /// Refuses if any was left alone.
    ///
    /// # Errors
    /// A usage error that says what would help.
    pub(super) fn demand_all(&self, product: &str) -> anyhow::Result<()> {
        let Some(text) = self.left.text() else { return Ok(()) };
        Err(usage(format!(
            "devices of {product} are in use: {text}; a simulation would end their sessions and answer their commands. \
             --count N simulates only devices that are not in use, --take-over all of them"
        )))
    }
}

impl InUse {
    fn text(self) -> Option<String> {
        let Self { online, activated } = self;
        (online + activated > 0)
            .then(|| format!("{online} are online, {activated} were activated by something else than a simulation"))
    }
}

fn is_simulated(device: &Device) -> bool {
    let tag = device.device_tags.as_ref().and_then(|tags| tags.get(TAG));
    tag.is_some_and(|value| value == TAG_VALUE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(take_over: bool, devices: &[(&str, bool, bool)]) -> Found {
        let mut found = Found::default();
        for (status, activated, simulated) in devices {
            let tags = if *simulated {
                json!({"simulated": "true"})
            } else {
                json!({})
            };
            let device = serde_json::from_value(json!({
                "orgId": "o", "assetId": "a", "productKey": "p", "deviceKey": "d", "deviceSecret": "s",
                "status": status, "activeTime": activated.then_some(1), "deviceTags": tags
            }));
            found.add(device.unwrap(), take_over).unwrap();
        }
        found
    }

    const FLEET: [(&str, bool, bool); 6] = [
        ("online", true, false),
        ("offline", true, false),
        ("online", true, true),
        ("offline", true, true),
        ("inactive", false, false),
        ("disabled", true, true),
    ];

    #[test]
    fn devices_in_use_are_left_alone_and_counted() {
        let found = found(false, &FLEET);
        assert_eq!(found.identities.len(), 2);
        assert_eq!(found.warning(), None);
        found.demand("p", 2).unwrap();
        let told = found.demand("p", 3).unwrap_err().to_string();
        assert!(
            told.contains("2 are online, 1 were activated") && told.contains("--register"),
            "{told}"
        );
        let told = found.demand_all("p").unwrap_err().to_string();
        assert!(told.contains("--take-over"), "{told}");
    }

    #[test]
    fn devices_are_taken_over_only_when_asked_and_with_a_warning() {
        let found = found(true, &FLEET);
        assert_eq!(found.identities.len(), 5);
        found.demand_all("p").unwrap();
        let told = found.demand("p", 6).unwrap_err().to_string();
        assert!(told.starts_with("p has 5 devices, 6 expected"), "{told}");
        assert!(found.warning().unwrap().contains("2 are online"));
    }
}
