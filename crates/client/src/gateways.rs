//! Which devices are under which gateway (docs/api.md, "Gateways").

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::call::Call;
use crate::client::Client;
use crate::devices::{Device, DeviceRef};
use crate::error::Error;
use crate::paging::Pages;

const TOPOLOGY: &str = "/connect-service/v2.1/device-topos";
/// The same, where answers show no secret.
const TOPOLOGY_WITHOUT_SECRETS: &str = "/connect-service/v2.4/device-topos";

impl DeviceRef {
    fn identifier(&self) -> Value {
        match self {
            Self::Asset(asset_id) => json!({"assetId": asset_id}),
            Self::Keys {
                product_key,
                device_key,
            } => json!({"productKey": product_key, "deviceKey": device_key}),
        }
    }
}

impl Client {
    /// Puts devices under a gateway, all or none.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn add_sub_devices(&self, gateway: &DeviceRef, devices: &[DeviceRef]) -> Result<Answer<()>, Error> {
        self.send(arrange("addSubDevice", gateway, devices)).await
    }

    /// Takes devices away from their gateway, all or none.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn remove_sub_devices(&self, gateway: &DeviceRef, devices: &[DeviceRef]) -> Result<Answer<()>, Error> {
        self.send(arrange("removeSubDevice", gateway, devices)).await
    }

    /// All devices under a gateway that match, page by page, without their secrets.
    #[must_use]
    pub fn sub_devices(&self, gateway: &DeviceRef, expression: Option<&str>) -> Pages<Device> {
        let named = Map::from_iter([("gateway".to_owned(), gateway.identifier())]);
        Pages::new(self, TOPOLOGY_WITHOUT_SECRETS, "searchSubDevice", expression).with(named)
    }

    /// The gateway that a device is under.
    ///
    /// # Errors
    /// All of [`Error`].
    pub async fn gateway_of(&self, device: &DeviceRef) -> Result<Answer<Option<Device>>, Error> {
        let body = json!({"subDevice": device.identifier()});
        let call = Call::post(TOPOLOGY_WITHOUT_SECRETS, "getGateway");
        self.send(call.json(&body).repeatable()).await
    }
}

fn arrange(action: &str, gateway: &DeviceRef, devices: &[DeviceRef]) -> Call {
    let devices: Vec<Value> = devices.iter().map(DeviceRef::identifier).collect();
    Call::post(TOPOLOGY, action).json(&json!({"gateway": gateway.identifier(), "subDevices": devices}))
}
