//! `rotateSecret` of devices and products, an extension (docs/api.md, "Rotating secrets").

use aldis_core::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use super::numbers::whole;
use aldis_app::rotate_secrets::Rotation;
use aldis_app::{App, Error};

const DEVICES: &[&str] = &["/aldis/v1/devices"];
const PRODUCTS: &[&str] = &["/aldis/v1/products"];

pub(super) fn actions() -> Vec<Action> {
    vec![
        Action::change(
            DEVICES,
            &["rotateSecret"],
            |app, call| Box::pin(rotate_device(app, call)),
            Doc::new("Give a device another secret; the one before stays good for a while")
                .takes("assetId", "The device's asset id; or both keys")
                .takes("productKey", "The device's product, together with deviceKey")
                .takes("deviceKey", "The device's key, together with productKey")
                .body::<RotateDeviceSecret>()
                .answer::<RotatedDevice>(),
        ),
        Action::change(
            PRODUCTS,
            &["rotateSecret"],
            |app, call| Box::pin(rotate_product(app, call)),
            Doc::new("Give a product another secret; the one before stays good for a while")
                .needs("productKey", "The product's key")
                .body::<RotateProductSecret>()
                .answer::<RotatedProduct>(),
        ),
    ]
}

/// The body of `rotateSecret` of a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"graceSeconds": 3600}))]
struct RotateDeviceSecret {
    /// Its secret from now on; generated if absent.
    #[schema(value_type = Option<String>, max_length = 64)]
    device_secret: Option<Secret>,
    /// How long the secret before is still good; 86400 if absent. 0: not at all, and its session ends.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 2592000)]
    grace_seconds: Option<Value>,
}

/// The body of `rotateSecret` of a product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"graceSeconds": 3600}))]
struct RotateProductSecret {
    /// Its secret from now on; generated if absent.
    #[schema(value_type = Option<String>, max_length = 64)]
    product_secret: Option<Secret>,
    /// How long the secret before is still good; 86400 if absent. 0: not at all, and the connections that have logged
    /// in with it end.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 2592000)]
    grace_seconds: Option<Value>,
}

/// A device with another secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"assetId": "AbCd1234", "productKey": "turbines", "deviceKey": "north-7",
    "deviceSecret": "yTbPq3WmxR7uJ2cHn8dKsVfZ4gLa9eXk", "formerSecretUntil": 1_718_952_446_317_i64}))]
struct RotatedDevice {
    asset_id: String,
    product_key: String,
    device_key: String,
    #[schema(value_type = String)]
    device_secret: Secret,
    /// Until when the secret before is good, epoch milliseconds; null if it is not.
    former_secret_until: Option<i64>,
}

/// A product with another secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"productKey": "turbines", "productSecret": "yTbPq3WmxR7uJ2cHn8dKsVfZ4gLa9eXk",
    "formerSecretUntil": null}))]
struct RotatedProduct {
    product_key: String,
    #[schema(value_type = String)]
    product_secret: Secret,
    /// Until when the secret before is good, epoch milliseconds; null if it is not.
    former_secret_until: Option<i64>,
}

fn rotation(secret: Option<Secret>, grace: Option<&Value>) -> Result<Rotation, Error> {
    Ok(Rotation {
        secret: secret.filter(|secret| !secret.is_empty()),
        grace_s: whole(grace, "graceSeconds", i64::MIN..=i64::MAX)?,
    })
}

async fn rotate_device(app: App, call: Call) -> Result<Answer, Error> {
    let body: RotateDeviceSecret = call.decode()?;
    let rotation = rotation(body.device_secret, body.grace_seconds.as_ref())?;
    let rotated = app
        .rotate_device_secret(&call.caller, &call.device_name(), rotation)
        .await?;
    Answer::data(&RotatedDevice {
        asset_id: rotated.of.is.asset.0,
        product_key: rotated.of.is.product.0,
        device_key: rotated.of.is.key.0,
        device_secret: rotated.secret,
        former_secret_until: rotated.former_until.map(|until| until.0),
    })
}

async fn rotate_product(app: App, call: Call) -> Result<Answer, Error> {
    let key = call.required("productKey")?;
    let body: RotateProductSecret = call.decode()?;
    let rotation = rotation(body.product_secret, body.grace_seconds.as_ref())?;
    let rotated = app.rotate_product_secret(&call.caller, key, rotation).await?;
    Answer::data(&RotatedProduct {
        product_key: rotated.of.0,
        product_secret: rotated.secret,
        former_secret_until: rotated.former_until.map(|until| until.0),
    })
}
