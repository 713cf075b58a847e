//! Somebody logs in with a product's secret: a device that has none of its own yet, or an integration channel.

use aldis_protocol::login::CHANNEL_DEVICE_KEY;
use aldis_store::rows::{Device, Product};
use aldis_store::{DeviceRef, Error as StoreError, Read};

use super::admit_device::{Claim, NotAdmitted, unavailable};
use super::{App, Error};

/// Checks a login for dynamic activation: the device that is to be told its secret. Only a device that was registered and
/// has never logged in with that secret is; so an activation that was cut off can be repeated.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_to_activation(app: &App, claim: Claim) -> Result<Device, NotAdmitted> {
    let found = app.read(move |store| {
        let product = proven(store, &claim)?;
        if !product.is_some_and(|product| product.dynamic_activation) {
            return Ok(None);
        }
        let keys = DeviceRef::Keys(claim.login.product_key, claim.login.device_key);
        let device = store.devices(&[keys])?.pop().flatten();
        Ok::<_, StoreError>(device.filter(|device| device.activated.is_none() && !device.disabled))
    });
    known(found.await)
}

/// Checks a login as integration channel: the product that it speaks for.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_channel(app: &App, claim: Claim) -> Result<Product, NotAdmitted> {
    let found = app.read(move |store| {
        let product = proven(store, &claim)?;
        Ok::<_, StoreError>(product.filter(|_| claim.login.device_key.as_str() == CHANNEL_DEVICE_KEY))
    });
    known(found.await)
}

/// The product whose secret has signed the login.
fn proven(store: &dyn Read, claim: &Claim) -> Result<Option<Product>, StoreError> {
    let Claim { login, password, .. } = claim;
    let product = store.product(&login.product_key)?;
    let proven = |product: &Product| login.verify(password, &product.secret.0) && claim.has_what_it_takes(product);
    Ok(product.filter(proven))
}

fn known<T>(found: Result<Option<T>, Error>) -> Result<T, NotAdmitted> {
    found
        .map_err(|error| unavailable(&error))?
        .ok_or(NotAdmitted::NotAuthorized)
}
