//! Devices (docs/api.md, "Devices").

use std::collections::BTreeMap;

use aldis_core::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::{Answer, BatchEntry};
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::name::Name;
use crate::paging::{Pages, Search};

/// What this server adds.
const EXTENSION: &str = "/aldis/v1/devices";
/// Version 2.1 gives secrets in clear; later ones encrypt them for a key pair that few applications have.
const DEVICES: &str = "/connect-service/v2.1/devices";

/// How a device is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceRef {
    /// By its asset.
    Asset(String),
    /// By its keys.
    Keys {
        /// The product.
        product_key: String,
        /// The device within the product.
        device_key: String,
    },
}

impl DeviceRef {
    /// By its keys.
    pub fn keys(product_key: impl Into<String>, device_key: impl Into<String>) -> Self {
        Self::Keys {
            product_key: product_key.into(),
            device_key: device_key.into(),
        }
    }

    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Asset(asset_id) => vec![("assetId", asset_id.clone())],
            Self::Keys {
                product_key,
                device_key,
            } => vec![("productKey", product_key.clone()), ("deviceKey", device_key.clone())],
        }
    }
}

/// A device to be registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDevice {
    /// Its product.
    pub product_key: String,
    /// `±HH:MM` or an IANA name.
    pub timezone: String,
    /// What people call it.
    pub device_name: Name,
    /// A key of one's own; absent: the server makes one.
    #[serde(default)]
    pub device_key: Option<String>,
    /// A remark.
    #[serde(default)]
    pub device_desc: Option<String>,
    /// Values of the thing model's attributes.
    #[serde(default)]
    pub device_attributes: Option<Map<String, Value>>,
    /// Free labels.
    #[serde(default)]
    pub device_tags: Option<BTreeMap<String, String>>,
    /// A secret that is burnt in already; absent: the server makes one.
    #[serde(default)]
    pub device_secret: Option<Secret>,
    /// An asset id that is in use already; absent: the server makes one.
    #[serde(default)]
    pub asset_id: Option<String>,
}

impl NewDevice {
    /// A device in UTC whose key and secret the server makes.
    pub fn new(product_key: impl Into<String>, name: impl Into<Name>) -> Self {
        Self {
            product_key: product_key.into(),
            timezone: "+00:00".to_owned(),
            device_name: name.into(),
            device_key: None,
            device_desc: None,
            device_attributes: None,
            device_tags: None,
            device_secret: None,
            asset_id: None,
        }
    }
}

/// What a device is changed to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceUpdate {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<Name>,
    /// A remark.
    #[serde(default)]
    pub device_desc: Option<String>,
    /// `±HH:MM` or an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Values of the thing model's attributes.
    #[serde(default)]
    pub device_attributes: Option<Map<String, Value>>,
    /// Free labels.
    #[serde(default)]
    pub device_tags: Option<BTreeMap<String, String>>,
}

/// What a new device is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceIds {
    /// Its asset.
    pub asset_id: String,
    /// Its product.
    pub product_key: String,
    /// Its key within the product.
    pub device_key: String,
    /// Its secret; absent after a replacement.
    #[serde(default)]
    pub device_secret: Option<Secret>,
}

/// A device as the server knows it. All moments in epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Whose it is.
    pub org_id: String,
    /// Its asset.
    pub asset_id: String,
    /// Its thing model.
    #[serde(default)]
    pub model_id: Option<String>,
    /// The model and its ancestors.
    #[serde(default)]
    pub model_id_path: Option<String>,
    /// Its product.
    pub product_key: String,
    /// The product's name.
    #[serde(default)]
    pub product_name: Option<Name>,
    /// `Device` or `Gateway`.
    #[serde(default)]
    pub product_type: Option<String>,
    /// `Json` or `Custom`.
    #[serde(default)]
    pub data_format: Option<String>,
    /// Its key within the product.
    pub device_key: String,
    /// What people call it.
    #[serde(default)]
    pub device_name: Name,
    /// Its secret.
    #[serde(default)]
    pub device_secret: Option<Secret>,
    /// A remark.
    #[serde(default)]
    pub device_desc: Option<String>,
    /// `±HH:MM` or an IANA name.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Values of the thing model's attributes.
    #[serde(default)]
    pub device_attributes: Option<Map<String, Value>>,
    /// Free labels.
    #[serde(default)]
    pub device_tags: Option<BTreeMap<String, String>>,
    /// When it was registered.
    #[serde(default)]
    pub create_time: Option<i64>,
    /// `online`, `offline`, `inactive`, `disabled`.
    #[serde(default)]
    pub status: Option<String>,
    /// When it first logged in.
    #[serde(default)]
    pub active_time: Option<i64>,
    /// When it last came.
    #[serde(default)]
    pub last_online_time: Option<i64>,
    /// When it last left.
    #[serde(default)]
    pub last_offline_time: Option<i64>,
    /// When it last reported a measurement point.
    #[serde(default)]
    pub measurepoint_last_update: Option<i64>,
    /// When it last reported an attribute.
    #[serde(default)]
    pub attribute_last_update: Option<i64>,
    /// What it has reported about itself; `None` in lists.
    #[serde(default)]
    pub latest_values: Option<LatestValues>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceList<'a> {
    device_list: &'a [NewDevice],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    new_device_key: &'a str,
}

impl Client {
    /// Registers a device.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn create_device(&self, device: &NewDevice) -> Result<Answer<DeviceIds>, Error> {
        self.send(Call::post(DEVICES, "create").json(device)).await
    }

    /// Registers up to 1000 devices; the entries stand in the order of `devices`.
    ///
    /// # Errors
    /// All of [`Error`]; refusals of single devices stand in their entries.
    pub async fn create_devices(&self, devices: &[NewDevice]) -> Result<Answer<Vec<BatchEntry<DeviceIds>>>, Error> {
        let list = DeviceList { device_list: devices };
        self.send(Call::post(DEVICES, "batchCreate").json(&list)).await
    }

    /// One device.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn get_device(&self, device: &DeviceRef) -> Result<Answer<Device>, Error> {
        self.send(Call::get(DEVICES, "get").query_all(device.query())).await
    }

    /// One page of devices.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn search_devices(&self, search: &Search) -> Result<Answer<Vec<Device>>, Error> {
        self.search(DEVICES, "search", search).await
    }

    /// All devices that match, page by page, without their secrets.
    #[must_use]
    pub fn devices(&self, expression: Option<&str>) -> Pages<Device> {
        Pages::new(self, DEVICES, "search", expression)
    }

    /// As [`Client::devices`], with their secrets; refused for keys with the role reader.
    #[must_use]
    pub fn devices_with_secrets(&self, expression: Option<&str>) -> Pages<Device> {
        let asked = [("requireSecret".to_owned(), Value::Bool(true))];
        self.devices(expression).with(asked.into_iter().collect())
    }

    /// Changes the fields of a device that are present.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn update_device(&self, device: &DeviceRef, change: &DeviceUpdate) -> Result<Answer<()>, Error> {
        let call = Call::post(DEVICES, "update").query_all(device.query());
        self.send(call.json(change)).await
    }

    /// Deletes a device; what waits for it fails.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn delete_device(&self, device: &DeviceRef) -> Result<Answer<()>, Error> {
        self.send(Call::post(DEVICES, "delete").query_all(device.query())).await
    }

    /// Lets a disabled device come back.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn enable_device(&self, device: &DeviceRef) -> Result<Answer<()>, Error> {
        self.send(Call::post(DEVICES, "enable").query_all(device.query())).await
    }

    /// Shuts a device out: its connection is closed, what waits for it fails.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn disable_device(&self, device: &DeviceRef) -> Result<Answer<()>, Error> {
        self.send(Call::post(DEVICES, "disable").query_all(device.query()))
            .await
    }

    /// What happened to a device lately, oldest first.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn device_trace(&self, device: &DeviceRef) -> Result<Answer<Vec<TraceEntry>>, Error> {
        self.send(Call::get(EXTENSION, "trace").query_all(device.query())).await
    }

    /// The latest values that a device has reported.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn latest_values(&self, device: &DeviceRef) -> Result<Answer<LatestValues>, Error> {
        self.send(Call::get(EXTENSION, "latest").query_all(device.query()))
            .await
    }

    /// Gives a device another secret; the one before stays good for the grace.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn rotate_device_secret(
        &self,
        device: &DeviceRef,
        rotation: &DeviceRotation,
    ) -> Result<Answer<RotatedDevice>, Error> {
        let call = Call::post(EXTENSION, "rotateSecret").query_all(device.query());
        self.send(call.json(rotation)).await
    }

    /// Gives a device's place and asset to new hardware with another device key.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn replace_device(&self, device: &DeviceRef, new_device_key: &str) -> Result<Answer<DeviceIds>, Error> {
        let call = Call::post(DEVICES, "replace").query_all(device.query());
        self.send(call.json(&Replacement { new_device_key })).await
    }
}

/// How a device is to get another secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRotation {
    /// The secret it is to have; absent: the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_secret: Option<Secret>,
    /// Seconds that the one before is still good; absent: a day; 0: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<i64>,
}

/// A device with another secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedDevice {
    /// Its asset.
    pub asset_id: String,
    /// Its product.
    pub product_key: String,
    /// Its key within the product.
    pub device_key: String,
    /// Its secret from now on.
    pub device_secret: Secret,
    /// Until when the one before is good, epoch milliseconds; absent: it is not.
    #[serde(default)]
    pub former_secret_until: Option<i64>,
}

/// Something that happened between a device and the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceEntry {
    /// Unix epoch milliseconds; when for the first time.
    pub timestamp: i64,
    /// How often.
    #[serde(default = "once")]
    pub count: u32,
    /// Unix epoch milliseconds; when last.
    #[serde(default)]
    pub last_timestamp: i64,
    /// `CONNECTED`, `REFUSED` and so on (docs/api.md, "Traces").
    pub event: String,
    /// In words.
    pub detail: String,
    /// The task, if it is about a command.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Its attempt.
    #[serde(default)]
    pub attempt: Option<u16>,
    /// What came of it.
    #[serde(default)]
    pub code: Option<i64>,
}

fn once() -> u32 {
    1
}

/// What a device has reported about itself, by identifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatestValues {
    /// Measurement points.
    pub measurepoints: BTreeMap<String, LatestValue>,
    /// Attributes.
    pub attributes: BTreeMap<String, LatestValue>,
    /// Tags.
    pub tags: BTreeMap<String, LatestValue>,
}

/// A value, and since when it is so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatestValue {
    /// As the device has said it.
    pub value: Value,
    /// Unix epoch milliseconds.
    pub timestamp: i64,
}
