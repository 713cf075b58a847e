//! `/connect-service/v2.1/devices`, also on v2.0 and v2.4: everything but registering (docs/api.md, "Devices").

use std::collections::BTreeMap;

use aldis_core::expression::DeviceField;
use aldis_core::secret::Secret;
use aldis_core::violation::Violation;
use aldis_store::rows::DeviceChange;
use aldis_store::status_names;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use super::latest_values::LatestValues;
use super::names::{StringI18n, read_name};
use super::paging::SearchRequest;
use super::products::{format_word, read_tags};
use aldis_app::devices::{DeviceName, DeviceView};
use aldis_app::{App, Error};

/// All versions do the same, except for secrets on v2.4.
pub(super) const PATHS: &[&str] = &[
    "/connect-service/v2.1/devices",
    "/connect-service/v2.4/devices",
    "/connect-service/v2.0/devices",
];

pub(super) const IS_PATCH_UPDATE: &str = "Whether absent fields stay (default: true); with false they are emptied";

pub(super) const REQUIRE_SECRET: &str = "true or false: whether the secret is wanted; true if absent. Never shown to the \
    role reader. On v2.4 true is refused, since there are no key pairs to encrypt it for";
pub(super) const REQUIRE_SECRETS: &str = "true or false: whether secrets are wanted; false if absent. Refused for the role \
    reader, and on v2.4, since there are no key pairs to encrypt them for";

pub(super) fn actions() -> Vec<Action> {
    let named = |summary| {
        Doc::new(summary)
            .takes("assetId", "The device's asset id; or both keys")
            .takes("productKey", "The device's product, together with deviceKey")
            .takes("deviceKey", "The device's key, together with productKey")
    };
    vec![
        Action::read(
            PATHS,
            &["get"],
            |app, call| Box::pin(get(app, call)),
            named("A device")
                .takes("requireSecret", REQUIRE_SECRET)
                .answer::<Device>(),
        ),
        Action::read(
            PATHS,
            &["search"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search devices")
                .takes("requireSecret", REQUIRE_SECRETS)
                .body::<SearchRequest>()
                .page::<Device>(),
        ),
        Action::read(
            PATHS,
            &["getStats"],
            |app, call| Box::pin(stats(app, call)),
            Doc::new("Count devices by their status")
                .takes("productKey", "Only the devices of this product")
                .answer::<DeviceStats>(),
        ),
        Action::change(
            PATHS,
            &["update"],
            |app, call| Box::pin(update(app, call)),
            named("Change a device")
                .takes("isPatchUpdate", IS_PATCH_UPDATE)
                .body::<UpdateDevice>(),
        ),
        Action::change(
            PATHS,
            &["delete"],
            |app, call| Box::pin(delete(app, call)),
            named("Delete a device; what waits for it fails"),
        ),
        Action::change(
            PATHS,
            &["enable"],
            |app, call| Box::pin(disable(app, call, false)),
            named("Let a disabled device log in again"),
        ),
        Action::change(
            PATHS,
            &["disable"],
            |app, call| Box::pin(disable(app, call, true)),
            named("Disable a device: its connection ends, what waits for it fails"),
        ),
        Action::change(
            PATHS,
            &["replace", "replaceDevice"],
            |app, call| Box::pin(replace(app, call)),
            named("Give a device another key; asset id, secret and tasks stay with it")
                .body::<ReplaceDevice>()
                .answer::<ReplacedDevice>(),
        ),
    ]
}

/// The body of `update`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"deviceName": {"defaultValue": "North 7"}, "deviceTags": {"floor": "2"}}))]
struct UpdateDevice {
    /// Stays if absent.
    device_name: Option<StringI18n>,
    /// Stays if absent.
    device_desc: Option<String>,
    /// Stays if absent.
    timezone: Option<String>,
    /// All its attributes; they stay if absent.
    device_attributes: Option<BTreeMap<String, Value>>,
    /// All its tags; they stay if absent.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    device_tags: Option<Value>,
}

/// The body of `replace`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"newDeviceKey": "north-7-b"}))]
struct ReplaceDevice {
    /// Its key from now on.
    #[schema(max_length = 64)]
    new_device_key: String,
}

/// A device after `replace`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"assetId": "AbCd1234", "productKey": "turbines", "deviceKey": "north-7-b"}))]
struct ReplacedDevice {
    asset_id: String,
    product_key: String,
    device_key: String,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    org_id: String,
    asset_id: String,
    model_id: String,
    /// The thing model's path, from its topmost parent.
    model_id_path: Option<String>,
    product_key: String,
    product_name: StringI18n,
    /// `Device` or `Gateway`.
    product_type: &'static str,
    /// `Json` or `Custom`.
    data_format: &'static str,
    device_key: String,
    device_name: StringI18n,
    /// Null for the role reader, on v2.4, and in lists unless `requireSecret` is true.
    #[schema(value_type = Option<String>)]
    device_secret: Option<Secret>,
    device_desc: String,
    timezone: String,
    device_attributes: BTreeMap<String, Value>,
    device_tags: BTreeMap<String, String>,
    /// Epoch milliseconds.
    create_time: i64,
    /// `online`, `offline`, `inactive` or `disabled`.
    status: &'static str,
    /// Its first login, epoch milliseconds.
    active_time: Option<i64>,
    /// Its last login, epoch milliseconds.
    last_online_time: Option<i64>,
    /// The end of its last session, epoch milliseconds.
    last_offline_time: Option<i64>,
    /// When it last reported a measurement point, epoch milliseconds.
    measurepoint_last_update: Option<i64>,
    /// Always null: events are not kept.
    #[schema(value_type = Option<i64>)]
    event_last_update: Option<()>,
    /// When it last reported an attribute, likewise.
    attribute_last_update: Option<i64>,
    /// Always null.
    #[schema(value_type = Option<i64>)]
    feature_last_update: Option<()>,
    /// Extension: what the device has reported about itself; null in lists.
    latest_values: Option<LatestValues>,
}

impl Device {
    /// A device by itself, with what it has reported: too much for a list.
    pub(super) async fn whole(app: &App, view: DeviceView, with_secret: bool) -> Result<Self, Error> {
        let latest_values = app.latest_values_of(view.device.no).await?;
        Ok(Self {
            latest_values: Some(latest_values.into()),
            ..Self::new(view, with_secret)
        })
    }

    pub(super) fn new(view: DeviceView, with_secret: bool) -> Self {
        let DeviceView {
            device,
            product,
            model_path,
            status,
            points_reported,
            attributes_reported,
        } = view;
        Self {
            org_id: device.is.org.0,
            asset_id: device.is.asset.0,
            model_id: product.model.0.clone(),
            model_id_path: model_path,
            product_key: device.is.product.0,
            product_name: product.name.clone().into(),
            product_type: status_names::product_type(product.gateway),
            data_format: format_word(&product),
            device_key: device.is.key.0,
            device_name: device.is.name.into(),
            device_secret: with_secret.then_some(device.is.secret),
            device_desc: device.is.desc,
            timezone: device.is.timezone,
            device_attributes: device.is.attributes,
            device_tags: device.is.tags,
            create_time: device.created.0,
            status: status_names::device_status(status),
            active_time: device.activated.map(|at| at.0),
            last_online_time: device.last_online.map(|at| at.0),
            last_offline_time: device.last_offline.map(|at| at.0),
            measurepoint_last_update: points_reported.map(|at| at.0),
            event_last_update: None,
            attribute_last_update: attributes_reported.map(|at| at.0),
            feature_last_update: None,
            latest_values: None,
        }
    }
}

impl Call {
    /// The device that this call names.
    pub(super) fn device_name(&self) -> DeviceName {
        let get = |name| self.get(name).map(str::to_owned);
        DeviceName {
            asset: get("assetId"),
            product: get("productKey"),
            key: get("deviceKey"),
        }
    }

    /// Whether an answer about one device or product shows its secret.
    pub(super) fn shows_secret(&self) -> Result<bool, Error> {
        Ok(self.asks_for_secrets()?.unwrap_or_else(|| !self.hides_secrets()) && self.caller.sees_secrets())
    }

    /// Whether a list shows secrets: only if they are asked for.
    pub(super) fn shows_secrets_in_list(&self) -> Result<bool, Error> {
        let asked = self.asks_for_secrets()?.unwrap_or_default();
        match asked && !self.caller.sees_secrets() {
            true => Err(Error::RoleTooLow("requireSecret".to_owned())),
            false => Ok(asked),
        }
    }

    /// Whether an update leaves what is absent; otherwise it empties it (docs/api.md, "Devices").
    pub(super) fn is_patch_update(&self) -> Result<bool, Error> {
        let given = self.get("isPatchUpdate").unwrap_or("true");
        match () {
            () if given.eq_ignore_ascii_case("true") => Ok(true),
            () if given.eq_ignore_ascii_case("false") => Ok(false),
            () => Err(Violation::of_text(given, "true or false".to_owned())
                .within("isPatchUpdate")
                .into()),
        }
    }

    /// What `requireSecret` says. On v2.4 secrets would have to be encrypted for a key pair of the caller's.
    fn asks_for_secrets(&self) -> Result<Option<bool>, Error> {
        let in_query = self.query.get("requireSecret").map(str::to_ascii_lowercase);
        let asked = match (in_query.as_deref(), self.body.get("requireSecret")) {
            (Some("true"), _) => Some(true),
            (Some("false"), _) => Some(false),
            (Some(other), _) => return Err(no_flag(&other.into())),
            (None, None | Some(Value::Null)) => None,
            (None, Some(Value::Bool(asked))) => Some(*asked),
            (None, Some(other)) => return Err(no_flag(other)),
        };
        match asked == Some(true) && self.hides_secrets() {
            true => Err(Error::NoPublicKey),
            false => Ok(asked),
        }
    }

    fn hides_secrets(&self) -> bool {
        self.path.contains("/v2.4/")
    }
}

fn no_flag(found: &Value) -> Error {
    Error::Invalid(Violation::of(found, "true or false").within("requireSecret"))
}

/// Checks that a field is there which an update of the whole needs.
pub(super) fn needed<T>(field: &str, given: Option<&T>) -> Result<(), Error> {
    match given {
        Some(_) => Ok(()),
        None => Err(Violation::of(&Value::Null, "a value, since isPatchUpdate is false")
            .within(field)
            .into()),
    }
}

async fn get(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secret()?;
    let view = app.view_device(&call.caller, &call.device_name()).await?;
    Answer::data(&Device::whole(&app, view, with_secret).await?)
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secrets_in_list()?;
    let mut search = call.search::<DeviceField>()?;
    let found = app
        .search_devices(&call.caller, search.filter.take(), search.page())
        .await?;
    search.answer(found, |view| Ok(Device::new(view, with_secret)))
}

/// How many devices are in which status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeviceStats {
    total_count: u64,
    online_count: u64,
    offline_count: u64,
    inactive_count: u64,
    disabled_count: u64,
}

async fn stats(app: App, call: Call) -> Result<Answer, Error> {
    let count = app.count_devices(&call.caller, call.optional("productKey")?).await?;
    Answer::data(&DeviceStats {
        total_count: count.total(),
        online_count: count.online,
        offline_count: count.offline,
        inactive_count: count.inactive,
        disabled_count: count.disabled,
    })
}

async fn update(app: App, call: Call) -> Result<Answer, Error> {
    let body: UpdateDevice = call.decode()?;
    let mut change = DeviceChange {
        name: read_name("deviceName", body.device_name)?,
        desc: body.device_desc,
        timezone: body.timezone,
        attributes: body.device_attributes,
        tags: read_tags("deviceTags", body.device_tags)?,
    };
    if !call.is_patch_update()? {
        needed("deviceName", change.name.as_ref())?;
        needed("timezone", change.timezone.as_ref())?;
        change.desc.get_or_insert_default();
        change.attributes.get_or_insert_default();
        change.tags.get_or_insert_default();
    }
    app.update_device(&call.caller, &call.device_name(), change).await?;
    Ok(Answer::done())
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_device(&call.caller, &call.device_name()).await?;
    Ok(Answer::done())
}

async fn disable(app: App, call: Call, disabled: bool) -> Result<Answer, Error> {
    app.disable_device(&call.caller, &call.device_name(), disabled).await?;
    Ok(Answer::done())
}

async fn replace(app: App, call: Call) -> Result<Answer, Error> {
    let body: ReplaceDevice = call.decode()?;
    let device = app
        .replace_device(&call.caller, &call.device_name(), &body.new_device_key)
        .await?
        .is;
    Answer::data(&ReplacedDevice {
        asset_id: device.asset.0,
        product_key: device.product.0,
        device_key: device.key.0,
    })
}
