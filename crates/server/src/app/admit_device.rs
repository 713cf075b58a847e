//! A device logs in: is it registered, may it come in, and does its password prove that it knows its secret?

use aldis_core::ids::DeviceNo;
use aldis_protocol::login::Login;
use aldis_store::{DeviceRef, Error as StoreError};

use super::App;

/// Why a device is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Unknown, disabled, or a wrong password: nobody is told which.
    NotAuthorized,
    /// The store cannot be asked now.
    Unavailable,
}

/// Checks a login with a device secret.
///
/// # Errors
/// See [`NotAdmitted`].
pub async fn admit_device(app: &App, login: Login, password: Vec<u8>) -> Result<DeviceNo, NotAdmitted> {
    let found = app
        .read(move |store| {
            let keys = DeviceRef::Keys(login.product_key.clone(), login.device_key.clone());
            let device = store.devices(&[keys])?.pop().flatten();
            let proved = device.filter(|device| login.verify(&password, &device.is.secret.0));
            Ok::<_, StoreError>(proved.filter(|device| !device.disabled).map(|device| device.no))
        })
        .await;
    match found {
        Ok(device) => device.ok_or(NotAdmitted::NotAuthorized),
        Err(error) => {
            tracing::warn!(%error, "a login could not be checked");
            Err(NotAdmitted::Unavailable)
        }
    }
}
