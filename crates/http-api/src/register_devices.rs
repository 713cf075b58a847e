//! `create` and `batchCreate` of devices (docs/api.md, "Devices").

use std::collections::BTreeMap;

use aldis_core::ids::ProductKey;
use aldis_core::secret::Secret;
use aldis_core::violation::Violation;
use aldis_store::rows::NewDevice;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::decode::decode_at;
use super::devices::{PATHS, REQUIRE_SECRET};
use super::envelope::{Answer, BatchEntry};
use super::names::StringI18n;
use super::products::read_tags;
use aldis_app::register_devices::DeviceDraft;
use aldis_app::{App, Error};

/// Most devices of one batch.
pub const BATCH_MAX: usize = 1000;

pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::change(
            PATHS,
            &["create"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Register a device")
                .takes("requireSecret", REQUIRE_SECRET)
                .body::<CreateDevice>()
                .answer::<RegisteredDevice>(),
        ),
        Action::change(
            PATHS,
            &["batchCreate"],
            |app, call| Box::pin(batch_create(app, call)),
            Doc::new("Register up to 1000 devices; each stands or falls by itself")
                .takes("requireSecret", REQUIRE_SECRET)
                .body::<BatchCreateDevices>()
                .batch::<RegisteredEntry>(),
        ),
    ]
}

/// The body of `create`, and an element of `batchCreate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"productKey": "turbines", "deviceKey": "north-7", "timezone": "+08:00",
    "deviceName": {"defaultValue": "North 7"}, "deviceTags": {"floor": "1"}}))]
struct CreateDevice {
    /// Its product.
    product_key: String,
    /// Its time zone: an offset such as `+08:00` or a name such as `Asia/Shanghai`.
    timezone: String,
    /// Its name.
    device_name: StringI18n,
    /// Its key; generated if absent.
    #[schema(max_length = 64)]
    device_key: Option<String>,
    /// At most 1024 characters.
    device_desc: Option<String>,
    /// Attributes by identifier, not checked against the thing model.
    device_attributes: Option<BTreeMap<String, Value>>,
    /// Free tags.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    device_tags: Option<Value>,
    /// Extension: its secret; generated if absent.
    #[schema(value_type = Option<String>, max_length = 64)]
    device_secret: Option<Secret>,
    /// Extension: its asset id; generated if absent.
    #[schema(max_length = 64)]
    asset_id: Option<String>,
}

/// The body of `batchCreate`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"deviceList": [
    {"productKey": "turbines", "timezone": "Asia/Shanghai", "deviceName": {"defaultValue": "North 8"}},
    {"productKey": "turbines", "timezone": "+08:00", "deviceName": {"defaultValue": "North 9"}, "deviceKey": "north-9"}]}))]
struct BatchCreateDevices {
    /// The devices, 1 to 1000.
    #[schema(value_type = Vec<CreateDevice>)]
    device_list: Vec<Value>,
    /// Whether the secrets are wanted; true if absent. On v2.4 true is refused, since there are no key pairs to encrypt
    /// them for.
    #[expect(dead_code, reason = "read by Call::shows_secret, which also looks into the query")]
    require_secret: Option<bool>,
}

/// A device that was registered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"assetId": "AbCd1234", "productKey": "turbines", "deviceKey": "north-7",
    "deviceSecret": "yTbPq3WmxR7uJ2cHn8dKsVfZ4gLa9eXk"}))]
struct RegisteredDevice {
    asset_id: String,
    product_key: String,
    device_key: String,
    /// Null on v2.4.
    #[schema(value_type = Option<String>)]
    device_secret: Option<Secret>,
}

/// What became of one element of a batch.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes Entry<RegisteredDevice>, whose own name would not say so"
)]
struct RegisteredEntry {
    /// 0, or why this device was not registered.
    code: i32,
    /// `OK`, or why this device was not registered.
    msg: String,
    /// The device.
    data: Option<RegisteredDevice>,
}

impl RegisteredDevice {
    fn new(device: NewDevice, with_secret: bool) -> Self {
        Self {
            asset_id: device.asset.0,
            product_key: device.product.0,
            device_key: device.key.0,
            device_secret: with_secret.then_some(device.secret),
        }
    }
}

fn draft(body: CreateDevice) -> Result<DeviceDraft, Error> {
    Ok(DeviceDraft {
        product: ProductKey(body.product_key),
        key: body.device_key.filter(|key| !key.is_empty()),
        asset: body.asset_id.filter(|asset| !asset.is_empty()),
        secret: body.device_secret.filter(|secret| !secret.0.is_empty()),
        name: body.device_name.read("deviceName")?,
        desc: body.device_desc.unwrap_or_default(),
        timezone: body.timezone,
        attributes: body.device_attributes.unwrap_or_default(),
        tags: read_tags("deviceTags", body.device_tags)?.unwrap_or_default(),
    })
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secret()?;
    let draft = draft(call.decode()?)?;
    let mut entries = app.register_devices(&call.caller, vec![Ok(draft)]).await?;
    let device = entries
        .pop()
        .ok_or_else(|| Error::Internal("no entry for a device".to_owned()))??;
    Answer::data(&RegisteredDevice::new(device, with_secret))
}

async fn batch_create(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secret()?;
    let body: BatchCreateDevices = call.decode()?;
    let length = body.device_list.len();
    if !(1..=BATCH_MAX).contains(&length) {
        let expected = format!("list of 1 to {BATCH_MAX} devices");
        let found = format!("{length} devices");
        return Err(Violation {
            path: "deviceList".to_owned(),
            expected,
            found,
        }
        .into());
    }
    let elements = body.device_list.iter().enumerate();
    let drafts = elements
        .map(|(index, element)| draft(decode_at(&format!("deviceList[{index}]"), element)?))
        .collect();
    let entries = app.register_devices(&call.caller, drafts).await?;
    let entry = |entry| match entry {
        Ok(device) => BatchEntry::ok(RegisteredDevice::new(device, with_secret)),
        Err(refused) => BatchEntry::failed(&refused),
    };
    Answer::batch(&entries.into_iter().map(entry).collect::<Vec<_>>())
}
