//! Another secret for a device or a product, with a grace in which the one before is still good (docs/api.md, "Rotating
//! secrets").

use aldis_core::ids::ProductKey;
use aldis_core::secret::Secret;
use aldis_core::time::Timestamp;
use aldis_core::violation::Violation;
use aldis_store::rows::Device;
use aldis_store::{Refusal, Write};

use super::devices::DeviceName;
use super::text::check_secret;
use super::{App, Caller, Error};

/// How long the secret before is good unless said otherwise: a day, so that devices that come once a day still come in.
pub const GRACE_DEFAULT_S: i64 = 24 * 3600;
/// The longest grace: 30 days. After that a secret that has leaked must have ended.
pub const GRACE_MAX_S: i64 = 30 * 24 * 3600;

/// What a rotation is asked for.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// The secret from now on; drawn if absent.
    pub secret: Option<Secret>,
    /// How long the one before is still good, in seconds; 0: not at all, and sessions end. [`GRACE_DEFAULT_S`] if
    /// absent.
    pub grace_s: Option<i64>,
}

/// A rotation that was done.
#[derive(Debug, Clone)]
pub struct Rotated<T> {
    /// What has another secret.
    pub of: T,
    /// The secret.
    pub secret: Secret,
    /// Until when the one before is good; `None`: it is not.
    pub former_until: Option<Timestamp>,
}

impl Rotation {
    fn check(&self, field: &str) -> Result<(), Error> {
        self.secret
            .as_ref()
            .map_or(Ok(()), |secret| check_secret(field, secret))?;
        match self.grace_s {
            Some(grace) if !(0..=GRACE_MAX_S).contains(&grace) => {
                let expected = format!("number of seconds from 0 to {GRACE_MAX_S}");
                Err(Violation::of(&grace.into(), expected).within("graceSeconds").into())
            }
            _ => Ok(()),
        }
    }

    /// When the grace ends.
    fn former_until(&self, now: Timestamp) -> Option<Timestamp> {
        let grace = self.grace_s.unwrap_or(GRACE_DEFAULT_S);
        (grace > 0).then(|| now.plus_ms(grace * 1000))
    }
}

impl App {
    /// Gives a device another secret. Without a grace its session ends.
    ///
    /// # Errors
    /// As [`App::find_device`]; a secret or a grace that will not do.
    pub async fn rotate_device_secret(
        &self,
        caller: &Caller,
        name: &DeviceName,
        rotation: Rotation,
    ) -> Result<Rotated<Device>, Error> {
        rotation.check("deviceSecret")?;
        let device = self.find_device(caller, name).await?;
        let (secret, former_until) = (self.secret(rotation.secret.as_ref()), rotation.former_until(self.now()));
        let write = Write::RotateDeviceSecret {
            device: device.no,
            secret: secret.clone(),
            former_until,
        };
        let write = caller.audited("device.rotateSecret", device.is.asset.as_str(), write);
        match self.write_one(write).await? {
            Ok(_) => Ok(Rotated {
                of: device,
                secret,
                former_until,
            }),
            Err(Refusal::Missing) => Err(Error::missing("device", device.is.asset.as_str())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Gives a product another secret. Without a grace the connections end that have logged in with the one before.
    ///
    /// # Errors
    /// [`Error::NoProductToUpdate`]; a secret or a grace that will not do.
    pub async fn rotate_product_secret(
        &self,
        caller: &Caller,
        key: &str,
        rotation: Rotation,
    ) -> Result<Rotated<ProductKey>, Error> {
        rotation.check("productSecret")?;
        let (secret, former_until) = (self.secret(rotation.secret.as_ref()), rotation.former_until(self.now()));
        let write = Write::RotateProductSecret {
            org: caller.org.clone(),
            key: ProductKey::from(key),
            secret: secret.clone(),
            former_until,
            by: caller.app_key.clone(),
        };
        match self
            .write_one(caller.audited("product.rotateSecret", key, write))
            .await?
        {
            Ok(_) => Ok(Rotated {
                of: ProductKey::from(key),
                secret,
                former_until,
            }),
            Err(Refusal::Missing) => Err(Error::NoProductToUpdate(key.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}
