//! `aldis device`: devices, one at a time; `import` for many is [`super::device_import`].

use std::collections::BTreeMap;

use aldis_client::{
    Client, DeviceIds, DeviceRef, DeviceRotation, DeviceUpdate, LatestValues, NewDevice, RotatedDevice, Secret,
    TraceEntry,
};
use aldis_core::expression::DeviceField;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::device_export::Export;
use super::device_import::Import;
use super::document::pair;
use super::product::{GRACE_DEFAULT_S, tags_text};
use crate::context::Context;
use crate::exit::{Outcome, name_flag, usage};
use crate::filter::Filter;
use crate::pick::Pick;
use crate::screen::{facts, moment, moment_ms, table, text};
use crate::typed::{Models, definition, typed_flag};

pub(super) const REF: &str = "PRODUCT/DEVICE|ASSET";

/// What can be done with devices.
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Register a device; prints its keys and its secret
    Create(Box<Create>),
    /// Register many devices from a CSV file
    Import(Import),
    /// Write devices to a CSV file that `import` reads back, without their secrets unless asked
    Export(Export),
    /// One device; its secret too, for keys with the role admin or operator
    Get {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
    /// Devices, without their secrets
    #[command(visible_alias = "list")]
    Search {
        /// Only those of this product
        #[arg(long, value_name = "PRODUCT_KEY")]
        product: Option<String>,
        /// Only those in this status: online, offline, inactive, disabled
        #[arg(long)]
        status: Option<String>,
        /// Only those whose name contains this
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        pick: Pick,
    },
    /// Change what the flags name
    Update(Update),
    /// Delete a device; what waits for it fails
    Delete {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
    /// Let a disabled device come back
    Enable {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
    /// Shut a device out; what waits for it fails
    Disable {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
    /// Give a device's place, asset and tasks to new hardware with another device key
    Replace {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        /// The device key of the new hardware
        new_device_key: String,
    },
    /// Give a device another secret; the one before stays good for a while
    RotateSecret {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
        /// How long the secret before stays good, at most 30 days; 0: not at all, and its session ends
        #[arg(long, value_name = "SECONDS", default_value_t = GRACE_DEFAULT_S)]
        grace: i64,
        /// The secret it is to have
        #[arg(long = "secret", value_name = "SECRET")]
        device_secret: Option<Secret>,
    },
    /// The latest values that a device has reported: measurement points, attributes, tags
    Latest {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
    /// What happened to a device lately: logins with the real reasons of refusals, commands, replies that were not used
    Trace {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its product
    #[arg(long, value_name = "PRODUCT_KEY")]
    product: String,
    /// What people call it; its key if absent
    #[arg(long, required_unless_present = "device_key")]
    name: Option<String>,
    /// The key it is to have
    #[arg(long = "key", value_name = "DEVICE_KEY")]
    device_key: Option<String>,
    /// The secret that is burnt in already
    #[arg(long = "secret", value_name = "SECRET")]
    device_secret: Option<Secret>,
    /// The asset id it is to have
    #[arg(long = "asset", value_name = "ID")]
    asset_id: Option<String>,
    /// ±HH:MM or an IANA name
    #[arg(long, default_value = "+00:00", allow_hyphen_values = true)]
    timezone: String,
    /// A remark
    #[arg(long)]
    desc: Option<String>,
    /// A label
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// An attribute, read as the thing model has it; one that the model does not know is JSON or a plain string
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The device: product key and device key, or asset id
    #[arg(value_name = REF, value_parser = device_ref)]
    device: DeviceRef,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// A remark
    #[arg(long)]
    desc: Option<String>,
    /// ±HH:MM or an IANA name
    #[arg(long, allow_hyphen_values = true)]
    timezone: Option<String>,
    /// A label; all of them together replace the old ones
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Remove all labels
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    /// An attribute; all of them together replace the old ones
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// Remove all attributes
    #[arg(long, conflicts_with = "attributes")]
    no_attributes: bool,
}

/// Reads `PRODUCT/DEVICE` or an asset id; clap's form of a parser.
pub(super) fn device_ref(text: &str) -> Result<DeviceRef, String> {
    match text.split_once('/') {
        None if text.is_empty() => Err("expected PRODUCT/DEVICE or an asset id".to_owned()),
        None => Ok(DeviceRef::Asset(text.to_owned())),
        Some(("", _) | (_, "")) => Err("expected both keys, as PRODUCT/DEVICE".to_owned()),
        Some((product, device)) => Ok(DeviceRef::keys(product, device)),
    }
}

pub(super) fn shown(device: &DeviceRef) -> String {
    match device {
        DeviceRef::Asset(asset) => asset.clone(),
        DeviceRef::Keys {
            product_key,
            device_key,
        } => format!("{product_key}/{device_key}"),
    }
}

impl Create {
    async fn request(&self, client: &Client) -> anyhow::Result<NewDevice> {
        let name = self.name.clone().or_else(|| self.device_key.clone());
        Ok(NewDevice {
            timezone: self.timezone.clone(),
            device_key: self.device_key.clone(),
            device_secret: self.device_secret.clone(),
            asset_id: self.asset_id.clone(),
            device_desc: self.desc.clone(),
            device_tags: tags(&self.tags),
            device_attributes: attributes(client, Some(&self.product), &self.attributes).await?,
            ..NewDevice::new(self.product.clone(), name.unwrap_or_default())
        })
    }
}

impl Update {
    async fn request(&self, client: &Client) -> anyhow::Result<DeviceUpdate> {
        // What an attribute's text means is for the product's thing model to say.
        let product = match &*self.attributes {
            [] => None,
            _ => Some(client.get_device(&self.device).await?.data.product_key),
        };
        Ok(DeviceUpdate {
            device_name: self.name.as_deref().map(Into::into),
            device_desc: self.desc.clone(),
            timezone: self.timezone.clone(),
            device_attributes: match self.no_attributes {
                true => Some(serde_json::Map::new()),
                false => attributes(client, product.as_deref(), &self.attributes).await?,
            },
            device_tags: match self.no_tags {
                true => Some(BTreeMap::new()),
                false => tags(&self.tags),
            },
        })
    }
}

fn tags(pairs: &[(String, String)]) -> Option<BTreeMap<String, String>> {
    (!pairs.is_empty()).then(|| pairs.iter().cloned().collect())
}

/// Reads attributes as the model of the product has them.
async fn attributes(
    client: &Client,
    product: Option<&str>,
    pairs: &[(String, String)],
) -> anyhow::Result<Option<serde_json::Map<String, Value>>> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut models = Models::new(client);
    let model = match product {
        Some(product) => models.of(product).await?,
        None => None,
    };
    let known = model.and_then(|model| model.attributes.as_ref());
    let read = |(name, text): &(String, String)| {
        let value = typed_flag(text, definition(known, name));
        let value = value.map_err(|told| usage(format!("--attribute {name}: {told}")))?;
        Ok((name.clone(), value))
    };
    pairs.iter().map(read).collect::<anyhow::Result<_>>().map(Some)
}

impl Device {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Import(import) => return import.run(context, &client).await,
            Self::Export(export) => return export.run(context, &client).await,
            Self::Create(create) => {
                let device = create.request(&client).await?;
                let created = client.create_device(&device).await;
                screen.answer(&created.map_err(|error| name_flag(error, &FLAGS))?, ids)?;
            }
            Self::Get { device } => screen.answer(&client.get_device(&device).await?, whole)?,
            Self::Latest { device } => {
                let values = client.latest_values(&device).await?;
                screen.answer(&values, |all| table(&LATEST_HEAD, latest_rows(all)))?;
            }
            Self::Trace { device } => {
                let happened = client.device_trace(&device).await?;
                screen.answer(&happened, |all| table(&TRACE_HEAD, all.iter().map(trace_row)))?;
            }
            Self::Search {
                product,
                status,
                name,
                pick,
            } => {
                let filter = Filter::<DeviceField>::starting_with(pick.expression.as_deref())
                    .equals("productKey", product.as_deref())
                    .equals("status", status.as_deref())
                    .contains("deviceName", name.as_deref());
                let devices = client.devices(filter.expression()?.as_deref());
                pick.print(screen, devices, &HEAD, row).await?;
            }
            Self::Update(update) => {
                let change = update.request(&client).await?;
                let updated = client.update_device(&update.device, &change).await?;
                screen.answer(&updated, |()| format!("{} updated", shown(&update.device)))?;
            }
            Self::Delete { device } => {
                let deleted = client.delete_device(&device).await?;
                screen.answer(&deleted, |()| format!("{} deleted", shown(&device)))?;
            }
            Self::Enable { device } => {
                let enabled = client.enable_device(&device).await?;
                screen.answer(&enabled, |()| format!("{} enabled", shown(&device)))?;
            }
            Self::Disable { device } => {
                let disabled = client.disable_device(&device).await?;
                screen.answer(&disabled, |()| format!("{} disabled", shown(&device)))?;
            }
            Self::RotateSecret {
                device,
                grace,
                device_secret,
            } => {
                let rotation = DeviceRotation {
                    device_secret,
                    grace_seconds: Some(grace),
                };
                let rotated = client.rotate_device_secret(&device, &rotation).await?;
                screen.answer(&rotated, rotated_device)?;
            }
            Self::Replace { device, new_device_key } => {
                screen.answer(&client.replace_device(&device, &new_device_key).await?, ids)?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Fields of a new device, and the flags that fill them.
const FLAGS: [(&str, &str); 9] = [
    ("productKey", "--product"),
    ("deviceName", "--name"),
    ("deviceKey", "--key"),
    ("deviceSecret", "--secret"),
    ("assetId", "--asset"),
    ("timezone", "--timezone"),
    ("deviceDesc", "--desc"),
    ("deviceTags", "--tag"),
    ("deviceAttributes", "--attribute"),
];

const LATEST_HEAD: [&str; 4] = ["KIND", "NAME", "VALUE", "SINCE"];

fn latest_rows(values: &LatestValues) -> Vec<Vec<String>> {
    let kinds = [
        ("point", &values.measurepoints),
        ("attribute", &values.attributes),
        ("tag", &values.tags),
    ];
    let rows = kinds.into_iter().flat_map(|(kind, all)| {
        all.iter().map(move |(name, latest)| {
            vec![
                kind.to_owned(),
                name.clone(),
                latest.value.to_string(),
                moment_ms(latest.timestamp),
            ]
        })
    });
    rows.collect()
}

const TRACE_HEAD: [&str; 6] = ["WHEN", "EVENT", "DETAIL", "CODE", "TASK", "ATTEMPT"];

fn trace_row(entry: &TraceEntry) -> Vec<String> {
    vec![
        moment_ms(entry.last_timestamp),
        entry.event.clone(),
        entry.detail.clone() + &repeated(entry),
        entry.code.map(|code| code.to_string()).unwrap_or_default(),
        text(entry.task_id.as_deref()),
        entry.attempt.map(|attempt| attempt.to_string()).unwrap_or_default(),
    ]
}

/// How often it happened, if it did more than once.
fn repeated(entry: &TraceEntry) -> String {
    if entry.count <= 1 {
        return String::new();
    }
    format!(" ({} times since {})", entry.count, moment_ms(entry.timestamp))
}

pub(super) const HEAD: [&str; 6] = ["PRODUCT", "DEVICE", "ASSET", "NAME", "STATUS", "LAST ONLINE"];

pub(super) fn row(device: &aldis_client::Device) -> Vec<String> {
    vec![
        device.product_key.clone(),
        device.device_key.clone(),
        device.asset_id.clone(),
        device.device_name.default_value.clone(),
        text(device.status.as_deref()),
        moment(device.last_online_time).unwrap_or_default(),
    ]
}

fn ids(device: &DeviceIds) -> String {
    facts([
        ("product", Some(device.product_key.clone())),
        ("device", Some(device.device_key.clone())),
        ("asset", Some(device.asset_id.clone())),
        ("secret", device.device_secret.clone().map(String::from)),
    ])
}

fn rotated_device(device: &RotatedDevice) -> String {
    facts([
        ("product", Some(device.product_key.clone())),
        ("device", Some(device.device_key.clone())),
        ("asset", Some(device.asset_id.clone())),
        ("secret", Some(device.device_secret.0.clone())),
        ("old secret until", moment(device.former_secret_until)),
    ])
}

pub(super) fn whole(device: &aldis_client::Device) -> String {
    let attributes = device.device_attributes.as_ref().filter(|all| !all.is_empty());
    facts([
        ("product", Some(device.product_key.clone())),
        ("device", Some(device.device_key.clone())),
        ("asset", Some(device.asset_id.clone())),
        ("name", Some(device.device_name.default_value.clone())),
        ("status", device.status.clone()),
        ("secret", device.device_secret.clone().map(String::from)),
        ("description", device.device_desc.clone()),
        ("model", device.model_id.clone()),
        ("time zone", device.timezone.clone()),
        ("tags", device.device_tags.as_ref().map(tags_text)),
        (
            "attributes",
            attributes.map(|all| Value::Object(all.clone()).to_string()),
        ),
        ("created", moment(device.create_time)),
        ("activated", moment(device.active_time)),
        ("last online", moment(device.last_online_time)),
        ("last offline", moment(device.last_offline_time)),
        ("last reported", moment(device.measurepoint_last_update)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_by_keys_or_asset() {
        assert_eq!(device_ref("pk/dk"), Ok(DeviceRef::keys("pk", "dk")));
        assert_eq!(device_ref("pk/a/b"), Ok(DeviceRef::keys("pk", "a/b")));
        assert_eq!(device_ref("AbCd1234"), Ok(DeviceRef::Asset("AbCd1234".into())));
        for wrong in ["", "/dk", "pk/"] {
            device_ref(wrong).unwrap_err();
        }
    }
}
