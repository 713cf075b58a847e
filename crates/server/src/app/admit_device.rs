//! A device logs in: is it registered, may it come in, and does its password prove that it knows its secret?

use aldis_core::ids::DeviceNo;
use aldis_protocol::login::Login;
use aldis_store::rows::{Activity, Product};
use aldis_store::{DeviceRef, Error as StoreError, Write};

use super::{App, Error};

/// Who somebody claims to be, and what is to prove it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What the client says about itself.
    pub login: Login,
    /// The proof that it knows a secret.
    pub password: Vec<u8>,
    /// It has presented the certificate of this very device.
    pub certified: bool,
}

impl Claim {
    /// Whether a client of this product may come in without a certificate, or has one.
    pub(super) fn has_what_it_takes(&self, product: &Product) -> bool {
        let enough = self.certified || !product.certificates;
        if !enough {
            tracing::info!(product = %product.key, device = %self.login.device_key, "a login lacks the certificate that its product demands");
        }
        enough
    }
}

/// Why a device is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Unknown, disabled, a wrong password or no certificate: nobody is told which.
    NotAuthorized,
    /// The store cannot be asked now.
    Unavailable,
}

/// Checks a login with a device secret.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_device(app: &App, claim: Claim) -> Result<DeviceNo, NotAdmitted> {
    let found = app
        .read(move |store| {
            let Claim { login, password, .. } = &claim;
            let keys = DeviceRef::Keys(login.product_key.clone(), login.device_key.clone());
            let device = store.devices(&[keys])?.pop().flatten();
            let device = device.filter(|device| login.verify(password, &device.is.secret.0) && !device.disabled);
            let product = store.product(&login.product_key)?;
            let enough = product.is_some_and(|product| claim.has_what_it_takes(&product));
            Ok::<_, StoreError>(device.filter(|_| enough))
        })
        .await;
    let device = found
        .map_err(|error| unavailable(&error))?
        .ok_or(NotAdmitted::NotAuthorized)?;
    if device.activated.is_none() {
        activate(app, device.no).await?;
    }
    Ok(device.no)
}

/// Whether these keys still name this device; not if nobody can tell.
pub async fn holds_keys(app: &App, device: DeviceNo, product_key: &str, device_key: &str) -> bool {
    let keys = DeviceRef::Keys(product_key.into(), device_key.into());
    let found = app.read(move |store| store.devices(&[keys])).await;
    match found {
        Ok(mut found) => found.pop().flatten().is_some_and(|found| found.no == device),
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

pub(super) fn unavailable(error: &Error) -> NotAdmitted {
    tracing::warn!(%error, "a login could not be checked");
    NotAdmitted::Unavailable
}
