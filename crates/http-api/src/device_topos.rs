//! `/connect-service/v2.1/device-topos`, also on v2.4: which devices are under which gateway (docs/api.md, "Gateways").

use aldis_core::expression::DeviceField;
use aldis_core::violation::Violation;
use serde::Deserialize;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::devices::{Device, REQUIRE_SECRET, REQUIRE_SECRETS};
use super::envelope::Answer;
use super::paging::PageRequest;
use aldis_app::devices::DeviceName;
use aldis_app::{App, Error};

/// Both versions do the same, except for secrets on v2.4.
const PATHS: &[&str] = &[
    "/connect-service/v2.1/device-topos",
    "/connect-service/v2.4/device-topos",
];

/// Most sub-devices of one request.
const BATCH_MAX: usize = 1000;

pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::change(
            PATHS,
            &["addSubDevice"],
            |app, call| Box::pin(add(app, call)),
            Doc::new("Put devices under a gateway, all or none").body::<SubDevices>(),
        ),
        Action::change(
            PATHS,
            &["removeSubDevice"],
            |app, call| Box::pin(remove(app, call)),
            Doc::new("Take devices away from their gateway, all or none").body::<SubDevices>(),
        ),
        Action::read(
            PATHS,
            &["searchSubDevice"],
            |app, call| Box::pin(search(app, call)),
            Doc::new("Search the devices under a gateway")
                .takes("requireSecret", REQUIRE_SECRETS)
                .body::<SearchSubDevices>()
                .page::<Device>(),
        ),
        Action::read(
            PATHS,
            &["getGateway"],
            |app, call| Box::pin(get_gateway(app, call)),
            Doc::new("The gateway that a device is under; null if it is under none")
                .takes("requireSecret", REQUIRE_SECRET)
                .body::<OneSubDevice>()
                .answer::<Device>(),
        ),
    ]
}

/// Names a device: its asset id, or both keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"productKey": "turbines", "deviceKey": "north-7"}))]
struct DeviceIdentifier {
    /// The asset id; or both keys.
    asset_id: Option<String>,
    /// The product, together with `deviceKey`.
    product_key: Option<String>,
    /// The device's key, together with `productKey`.
    device_key: Option<String>,
}

/// The body of `addSubDevice` and `removeSubDevice`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"gateway": {"productKey": "boxes", "deviceKey": "box-1"},
    "subDevices": [{"productKey": "turbines", "deviceKey": "north-9"}]}))]
struct SubDevices {
    /// The gateway.
    gateway: DeviceIdentifier,
    /// The devices: at least one, at most 1000.
    sub_devices: Vec<DeviceIdentifier>,
}

/// The body of `searchSubDevice`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"gateway": {"productKey": "boxes", "deviceKey": "box-1"}, "expression": "status = 'online'",
    "pagination": {"pageNo": 1, "pageSize": 100}}))]
struct SearchSubDevices {
    /// The gateway.
    gateway: DeviceIdentifier,
    /// Which of its devices, as in the search for devices. All if absent.
    #[expect(dead_code, reason = "read by Call::search")]
    expression: Option<String>,
    /// Which page of them.
    #[expect(dead_code, reason = "read by Call::search")]
    pagination: Option<PageRequest>,
    /// The fields that are wanted, as paths. All if absent.
    #[expect(dead_code, reason = "read by Call::search")]
    projection: Option<Vec<String>>,
}

/// The body of `getGateway`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"subDevice": {"productKey": "turbines", "deviceKey": "north-9"}}))]
struct OneSubDevice {
    /// The device.
    sub_device: DeviceIdentifier,
}

impl DeviceIdentifier {
    fn name(self) -> DeviceName {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        DeviceName {
            asset: given(self.asset_id),
            product: given(self.product_key),
            key: given(self.device_key),
        }
    }
}

impl SubDevices {
    fn names(self) -> Result<(DeviceName, Vec<DeviceName>), Violation> {
        let count = self.sub_devices.len();
        if count == 0 || count > BATCH_MAX {
            return Err(Violation {
                path: "subDevices".to_owned(),
                expected: format!("list of 1 to {BATCH_MAX} devices"),
                found: format!("{count} devices"),
            });
        }
        let devices = self.sub_devices.into_iter().map(DeviceIdentifier::name);
        Ok((self.gateway.name(), devices.collect()))
    }
}

async fn add(app: App, call: Call) -> Result<Answer, Error> {
    let (gateway, devices) = call.decode::<SubDevices>()?.names()?;
    app.add_sub_devices(&call.caller, &gateway, &devices).await?;
    Ok(Answer::done())
}

async fn remove(app: App, call: Call) -> Result<Answer, Error> {
    let (gateway, devices) = call.decode::<SubDevices>()?.names()?;
    app.remove_sub_devices(&call.caller, &gateway, &devices).await?;
    Ok(Answer::done())
}

async fn search(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secrets_in_list()?;
    let gateway = call.decode::<SearchSubDevices>()?.gateway.name();
    let mut search = call.search::<DeviceField>()?;
    let found = app
        .search_sub_devices(&call.caller, &gateway, search.filter.take(), search.page())
        .await?;
    search.answer(found, |view| Ok(Device::new(view, with_secret)))
}

async fn get_gateway(app: App, call: Call) -> Result<Answer, Error> {
    let with_secret = call.shows_secret()?;
    let device = call.decode::<OneSubDevice>()?.sub_device.name();
    match app.gateway_of(&call.caller, &device).await? {
        Some(view) => Answer::data(&Device::whole(&app, view, with_secret).await?),
        None => Ok(Answer::done()),
    }
}
