//! Logins with a product's secret: a device that has no secret of its own yet, or an integration channel.

use std::time::Duration;

use aldis_core::ids::ProductKey;
use aldis_core::secret::Secret;
use aldis_core::time::Timestamp;
use aldis_protocol::login::CHANNEL_DEVICE_KEY;
use aldis_store::rows::{Device, Product};
use aldis_store::{DeviceRef, Error as StoreError, Read, ReadRegistry};

use super::App;
use super::admit_device::{Claim, Denied, NotAdmitted, known};

/// Checks a login for dynamic activation: the device that is to be told its secret. Only a device that was registered
/// and has never logged in with that secret is; so an activation that was cut off can be repeated.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_to_activation(app: &App, claim: Claim) -> Result<(Device, Secret), NotAdmitted> {
    let now = app.now();
    known(app.read_for_devices(move |store| activation(store, claim, now)).await)
}

fn activation(store: &dyn Read, claim: Claim, now: Timestamp) -> Result<Result<(Device, Secret), Denied>, StoreError> {
    let keys = DeviceRef::Keys(claim.login.product_key.clone(), claim.login.device_key.clone());
    let found = store.devices(&[keys])?.pop().flatten();
    let denied = |why| Denied {
        why,
        device: found.as_ref().map(|device| device.no),
    };
    let (product, signed_with) = match proven(store, &claim, now)? {
        Ok(proven) => proven,
        Err(why) => return Ok(Err(denied(why))),
    };
    Ok(match &found {
        None => Err(denied("there is no such device")),
        Some(_) if !product.dynamic_activation => Err(denied("the product does not allow dynamic activation")),
        Some(device) if device.disabled => Err(denied("the device is disabled")),
        Some(device) if device.activated.is_some() => Err(denied(
            "the device has been activated before: it has to use its own secret",
        )),
        Some(device) => Ok((device.clone(), signed_with)),
    })
}

/// Checks a login as integration channel: the product that it speaks for.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_channel(app: &App, claim: Claim) -> Result<(Product, Secret), NotAdmitted> {
    let now = app.now();
    known(app.read_for_devices(move |store| channel(store, &claim, now)).await)
}

fn channel(store: &dyn Read, claim: &Claim, now: Timestamp) -> Result<Result<(Product, Secret), Denied>, StoreError> {
    let why = match proven(store, claim, now)? {
        Ok(proven) if claim.login.device_key.as_str() == CHANNEL_DEVICE_KEY => return Ok(Ok(proven)),
        Ok(_) => "an integration channel is no device",
        Err(why) => why,
    };
    let keys = DeviceRef::Keys(claim.login.product_key.clone(), claim.login.device_key.clone());
    let device = store.devices(&[keys])?.pop().flatten().map(|device| device.no);
    Ok(Err(Denied { why, device }))
}

/// The product whose secret has signed the login, and that secret.
fn proven(
    store: &dyn ReadRegistry,
    claim: &Claim,
    now: Timestamp,
) -> Result<Result<(Product, Secret), &'static str>, StoreError> {
    let Claim { login, password, .. } = claim;
    let Some(product) = store.product(&login.product_key)? else {
        return Ok(Err("there is no such product"));
    };
    let signed_with = product.secrets_at(now).find(|secret| login.verify(password, secret));
    let Some(signed_with) = signed_with.cloned() else {
        return Ok(Err(
            "the signature is wrong: it has to be made with the product's secret",
        ));
    };
    Ok(claim.check_certificate(&product).map(|()| (product, signed_with)))
}

/// Changes of who may be logged in may come thick and fast; each visitor looks at its product this often at most.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What a visitor was let in with: a product's secret.
pub struct Proof {
    product: ProductKey,
    signed_with: Secret,
    /// How often it had changed who may be logged in when it was checked.
    logins_changed: u64,
}

impl Proof {
    /// A proof that was checked after this many changes of who may be logged in.
    #[must_use]
    pub fn new(product: ProductKey, signed_with: Secret, logins_changed: u64) -> Self {
        Self {
            product,
            signed_with,
            logins_changed,
        }
    }

    /// Done once a rotation has made the secret worthless. The end of a grace ends no visit.
    pub async fn until_replaced(&self, app: &App) {
        let mut changes = app.writer().login_changes();
        if *changes.borrow_and_update() != self.logins_changed && !self.is_good(app).await {
            return;
        }
        while changes.changed().await.is_ok() {
            if !self.is_good(app).await {
                return;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        // The application has ended before its visitors.
        std::future::pending().await
    }

    /// Not if the store cannot tell.
    async fn is_good(&self, app: &App) -> bool {
        let (key, now) = (self.product.clone(), app.now());
        let product = app.read(move |store| store.product(&key)).await.ok().flatten();
        product.is_some_and(|product| product.secrets_at(now).any(|secret| *secret == self.signed_with))
    }
}
