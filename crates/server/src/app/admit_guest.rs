//! Somebody logs in with a product's secret: a device that has none of its own yet, or an integration channel.

use aldis_protocol::login::CHANNEL_DEVICE_KEY;
use aldis_store::rows::{Device, Product};
use aldis_store::{DeviceRef, Error as StoreError, Read};

use super::App;
use super::admit_device::{Claim, Denied, NotAdmitted, known};

/// Checks a login for dynamic activation: the device that is to be told its secret. Only a device that was registered and
/// has never logged in with that secret is; so an activation that was cut off can be repeated.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_to_activation(app: &App, claim: Claim) -> Result<Device, NotAdmitted> {
    known(app.read_for_devices(move |store| activation(store, claim)).await)
}

fn activation(store: &dyn Read, claim: Claim) -> Result<Result<Device, Denied>, StoreError> {
    let keys = DeviceRef::Keys(claim.login.product_key.clone(), claim.login.device_key.clone());
    let found = store.devices(&[keys])?.pop().flatten();
    let denied = |why| Denied {
        why,
        device: found.as_ref().map(|device| device.no),
    };
    let product = match proven(store, &claim)? {
        Ok(product) => product,
        Err(why) => return Ok(Err(denied(why))),
    };
    Ok(match &found {
        None => Err(denied("there is no such device")),
        Some(_) if !product.dynamic_activation => Err(denied("the product does not allow dynamic activation")),
        Some(device) if device.disabled => Err(denied("the device is disabled")),
        Some(device) if device.activated.is_some() => Err(denied(
            "the device has been activated before: it has to use its own secret",
        )),
        Some(device) => Ok(device.clone()),
    })
}

/// Checks a login as integration channel: the product that it speaks for.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_channel(app: &App, claim: Claim) -> Result<Product, NotAdmitted> {
    known(app.read_for_devices(move |store| channel(store, &claim)).await)
}

fn channel(store: &dyn Read, claim: &Claim) -> Result<Result<Product, Denied>, StoreError> {
    let why = match proven(store, claim)? {
        Ok(product) if claim.login.device_key.as_str() == CHANNEL_DEVICE_KEY => return Ok(Ok(product)),
        Ok(_) => "an integration channel is no device",
        Err(why) => why,
    };
    let keys = DeviceRef::Keys(claim.login.product_key.clone(), claim.login.device_key.clone());
    let device = store.devices(&[keys])?.pop().flatten().map(|device| device.no);
    Ok(Err(Denied { why, device }))
}

/// The product whose secret has signed the login.
fn proven(store: &dyn Read, claim: &Claim) -> Result<Result<Product, &'static str>, StoreError> {
    let Claim { login, password, .. } = claim;
    let Some(product) = store.product(&login.product_key)? else {
        return Ok(Err("there is no such product"));
    };
    if !login.verify(password, &product.secret.0) {
        return Ok(Err(
            "the signature is wrong: it has to be made with the product's secret",
        ));
    }
    Ok(claim.check_certificate(&product).map(|()| product))
}
