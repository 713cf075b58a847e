//! A device logs in: is it registered, may it come in, and does its password prove that it knows its secret?

use aldis_core::command::Qos;
use aldis_core::ids::DeviceNo;
use aldis_core::secret::Secret;
use aldis_core::time::Timestamp;
use aldis_protocol::login::Login;
use aldis_store::rows::{Activity, Device, Product};
use aldis_store::{DeviceRef, Error as StoreError, Read, Write};

use super::{App, Error};

/// The identity that a login claims, and its proof.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What the client says about itself.
    pub login: Login,
    /// The proof that it knows a secret.
    pub password: Secret<Vec<u8>>,
    /// It has presented the certificate of this very device.
    pub certified: bool,
}

impl Claim {
    /// Whether a client of this product may come in without a certificate, or has one.
    pub(super) fn check_certificate(&self, product: &Product) -> Result<(), &'static str> {
        if self.certified || !product.certificates {
            Ok(())
        } else {
            Err("the product demands a certificate, and none was shown")
        }
    }

    fn check(&self, store: &dyn Read, now: Timestamp) -> Result<Result<(Device, Qos, Secret), Denied>, StoreError> {
        let Self { login, password, .. } = self;
        let keys = DeviceRef::Keys(login.product_key.clone(), login.device_key.clone());
        let Some(device) = store.devices(&[keys])?.pop().flatten() else {
            return Ok(Err(Denied::unknown("there is no such device")));
        };
        let denied = |why| Denied::device(device.no, why);
        let Some(secret) = device.secrets_at(now).find(|secret| login.verify(password, secret)) else {
            let outdated = device.former_secret.as_ref();
            let outdated = outdated.is_some_and(|former| login.verify(password, &former.secret));
            return Ok(Err(denied(match outdated {
                true => "the secret was replaced, and the grace of the one that has signed is over",
                false => "the signature is wrong: another secret, or other texts than those that were signed",
            })));
        };
        let secret = secret.clone();
        if device.disabled {
            return Ok(Err(denied("the device is disabled")));
        }
        let Some(product) = store.product(&login.product_key)? else {
            return Ok(Err(denied("there is no such product")));
        };
        let qos = product.command_qos;
        let checked = self.check_certificate(&product).map_err(denied);
        Ok(checked.map(|()| (device, qos, secret)))
    }
}

/// A device that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Which.
    pub device: DeviceNo,
    /// How commands are sent to it.
    pub qos: Qos,
    /// The secret that has signed.
    pub signed_with: Secret,
}

/// Why a login is refused. Only operators see the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// The reason.
    pub why: &'static str,
    /// The device that it claimed to be, if there is one.
    pub device: Option<DeviceNo>,
}

impl Denied {
    pub(super) const fn unknown(why: &'static str) -> Self {
        Self { why, device: None }
    }

    pub(super) const fn device(device: DeviceNo, why: &'static str) -> Self {
        Self {
            why,
            device: Some(device),
        }
    }
}

/// Why a device is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Its login does not hold.
    NotAuthorized(Denied),
    /// The store cannot be asked now.
    Unavailable,
}

/// Checks a login with a device secret.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_device(app: &App, claim: Claim) -> Result<Welcome, NotAdmitted> {
    let now = app.now();
    let found = app.read_for_devices(move |store| claim.check(store, now)).await;
    let (device, qos, signed_with) = known(found)?;
    if device.activated.is_none() {
        activate(app, device.no).await?;
    }
    Ok(Welcome {
        device: device.no,
        qos,
        signed_with,
    })
}

/// Whether these keys still name this device, and this secret is still good; not if the store cannot tell.
pub async fn is_still_admitted(
    app: &App,
    device: DeviceNo,
    (product_key, device_key): (&str, &str),
    signed_with: Secret,
) -> bool {
    let (keys, now) = (DeviceRef::Keys(product_key.into(), device_key.into()), app.now());
    let found = app.read_for_devices(move |store| store.devices(&[keys])).await;
    let is_good = |found: &Device| found.no == device && found.secrets_at(now).any(|secret| *secret == signed_with);
    match found {
        Ok(mut found) => found.pop().flatten().is_some_and(|found| is_good(&found)),
        Err(error) => {
            tracing::warn!(%error, "a login could not be checked again");
            false
        }
    }
}

/// A device that has been told that it is in counts as activated ever after, so the first login is stored before that.
/// Later ones are noted in batches.
async fn activate(app: &App, device: DeviceNo) -> Result<(), NotAdmitted> {
    let first = Activity {
        device,
        online: Some(app.now()),
        offline: None,
    };
    let stored = app.write_one(Write::Activity(vec![first])).await;
    stored.map(drop).map_err(|error| unavailable(&error))
}

/// What was found, or why nothing was.
pub(super) fn known<T>(found: Result<Result<T, Denied>, Error>) -> Result<T, NotAdmitted> {
    found
        .map_err(|error| unavailable(&error))?
        .map_err(NotAdmitted::NotAuthorized)
}

fn unavailable(error: &Error) -> NotAdmitted {
    tracing::warn!(%error, "a login could not be checked");
    NotAdmitted::Unavailable
}
