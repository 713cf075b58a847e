//! Devices that are registered: read, change, search, enable, disable, replace, delete.

use std::collections::HashMap;
use std::sync::Arc;

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::{AssetId, DeviceKey, DeviceNo, ProductKey};
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_core::timezone;
use aldis_core::violation::Violation;
use aldis_store::rows::{Device, DeviceChange, Product};
use aldis_store::{DeviceCounts, DeviceRef, DeviceStatus, Page, ReadRegistry, Refusal, Write, device_status};
use serde_json::Value;

use super::text::{check_desc, check_device_key};
use super::{App, Caller, Error, Results};
use aldis_engine::writer::WriterError;

/// The names by which a caller means a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceName {
    /// Its asset id.
    pub asset: Option<String>,
    /// Its product's key.
    pub product: Option<String>,
    /// Its own key.
    pub key: Option<String>,
}

/// A device with what its owner wants to know around it.
#[derive(Debug, Clone)]
pub struct DeviceView {
    /// The device.
    pub device: Device,
    /// Its product.
    pub product: Arc<Product>,
    /// The path of its product's thing model.
    pub model_path: Option<String>,
    /// Where it stands.
    pub status: DeviceStatus,
    /// When it last told of a measurement point.
    pub points_reported: Option<Timestamp>,
    /// When it last told of an attribute.
    pub attributes_reported: Option<Timestamp>,
}

impl DeviceName {
    /// The name to look the device up by: the asset id, else both keys.
    ///
    /// # Errors
    /// Neither is there.
    pub fn reference(&self) -> Result<DeviceRef, Violation> {
        match (&self.asset, &self.product, &self.key) {
            (Some(asset), _, _) => Ok(DeviceRef::Asset(AssetId::from(asset.as_str()))),
            (None, Some(product), Some(key)) => Ok(DeviceRef::Keys(
                ProductKey::from(product.as_str()),
                DeviceKey::from(key.as_str()),
            )),
            (None, product, _) => {
                let absent = if product.is_some() { "deviceKey" } else { "assetId" };
                let expected = "either assetId or both productKey and deviceKey";
                Err(Violation::of(&Value::Null, expected).within(absent))
            }
        }
    }

    /// Whether every name that was given is the device's.
    #[must_use]
    pub fn fits(&self, device: &Device) -> bool {
        let fits = |given: &Option<String>, is: &str| given.as_deref().is_none_or(|given| given == is);
        fits(&self.asset, device.is.asset.as_str())
            && fits(&self.product, device.is.product.as_str())
            && fits(&self.key, device.is.key.as_str())
    }

    /// The device that was found by the reference, if the caller may mean it.
    fn meant(&self, caller: &Caller, found: Option<Device>) -> Result<Device, Error> {
        let own = found.filter(|device| device.is.org == caller.org && !device.deleted);
        own.filter(|device| self.fits(device)).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Error {
        let keys = |product: &String| format!("{product}/{}", self.key.as_deref().unwrap_or_default());
        let id = self.asset.clone().or_else(|| self.product.as_ref().map(keys));
        Error::missing("device", id.unwrap_or_default())
    }
}

impl App {
    /// A device of the caller's organization.
    ///
    /// # Errors
    /// The name is incomplete; there is no such device.
    pub async fn find_device(&self, caller: &Caller, name: &DeviceName) -> Result<Device, Error> {
        let reference = name.reference()?;
        let found = self.look_up(|store| store.devices(&[reference])).await?;
        name.meant(caller, found.into_iter().next().flatten())
    }

    /// Devices of the caller's organization, in the order of their names.
    ///
    /// # Errors
    /// A name is incomplete; there is no such device.
    pub(super) async fn find_devices(&self, caller: &Caller, names: &[DeviceName]) -> Result<Vec<Device>, Error> {
        let references = names.iter().map(DeviceName::reference).collect::<Result<Vec<_>, _>>()?;
        let found = self.read(move |store| store.devices(&references)).await?;
        let each = names.iter().zip(found);
        each.map(|(name, device)| name.meant(caller, device)).collect()
    }

    /// A device with its product and status.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn view_device(&self, caller: &Caller, name: &DeviceName) -> Result<DeviceView, Error> {
        let device = self.find_device(caller, name).await?;
        let mut views = self.views(vec![device]).await?;
        views.pop().ok_or_else(|| name.missing())
    }

    /// Devices of the caller's organization.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search_devices(
        &self,
        caller: &Caller,
        filter: Option<Filter<DeviceField>>,
        page: Page,
    ) -> Result<Results<DeviceView>, Error> {
        let (org, online) = (caller.org.clone(), self.online_for(filter.as_ref()));
        let found = self
            .search(caller, filter.is_some(), move |store| {
                store.search_devices(&org, filter.as_ref(), &online, page)
            })
            .await?;
        found.try_with_rows(|rows| self.views(rows)).await
    }

    /// How many devices the caller's organization has, or one product of it, by status.
    ///
    /// # Errors
    /// [`Error::NoProduct`].
    pub async fn count_devices(&self, caller: &Caller, product: Option<&str>) -> Result<DeviceCounts, Error> {
        let product = match product {
            Some(key) => Some(self.product(caller, key).await?.key),
            None => None,
        };
        let (org, online) = (caller.org.clone(), self.presence().online());
        self.read(move |store| store.count_devices(&org, product.as_ref(), &online))
            .await
    }

    /// A product that was deleted since its device was read takes the device with it.
    pub(super) async fn views(&self, devices: Vec<Device>) -> Result<Vec<DeviceView>, Error> {
        let app = self.clone();
        self.read(move |store| {
            let mut products = HashMap::new();
            let mut views = Vec::with_capacity(devices.len());
            let numbers: Vec<DeviceNo> = devices.iter().map(|device| device.no).collect();
            let points = store.last_reported(&numbers, ReportKind::Measurepoint)?;
            let attributes = store.last_reported(&numbers, ReportKind::Attribute)?;
            for ((device, point), attribute) in devices.into_iter().zip(points).zip(attributes) {
                if !products.contains_key(&device.is.product) {
                    products.insert(device.is.product.clone(), product_with_path(store, &device.is.product)?);
                }
                if let Some(Some((product, model_path))) = products.get(&device.is.product) {
                    let status = device_status(&device, app.presence().is_online(device.no));
                    let reported = |kind, stored| app.shared().latest.last(device.no, kind, stored);
                    views.push(DeviceView {
                        points_reported: reported(ReportKind::Measurepoint, point),
                        attributes_reported: reported(ReportKind::Attribute, attribute),
                        device,
                        product: Arc::clone(product),
                        model_path: model_path.clone(),
                        status,
                    });
                }
            }
            Ok::<_, aldis_store::Error>(views)
        })
        .await
    }

    /// Changes what is given of a device.
    ///
    /// # Errors
    /// As [`App::find_device`]; a description that is too long; a time zone that does not exist.
    pub async fn update_device(&self, caller: &Caller, name: &DeviceName, change: DeviceChange) -> Result<(), Error> {
        change
            .desc
            .as_deref()
            .map_or(Ok(()), |desc| check_desc("deviceDesc", desc))?;
        change
            .timezone
            .as_deref()
            .map_or(Ok(()), timezone::validate)
            .map_err(|violation| violation.within("timezone"))?;
        let device = self.find_device(caller, name).await?;
        let write = Write::UpdateDevice {
            device: device.no,
            change,
        };
        let write = caller.audited("device.update", device.is.asset.as_str(), write);
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(name.missing()),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Disables or enables a device.
    ///
    /// # Errors
    /// As [`App::find_device`]; [`Error::DeviceAlready`].
    pub async fn disable_device(&self, caller: &Caller, name: &DeviceName, disabled: bool) -> Result<(), Error> {
        let device = self.find_device(caller, name).await?;
        self.writer()
            .disable_device(device.no, disabled, caller.actor())
            .await
            .map_err(|failure| match failure {
                WriterError::Refused(Refusal::Unchanged) => {
                    Error::DeviceAlready(if disabled { "disabled" } else { "enabled" })
                }
                other => gone(other, name),
            })
    }

    /// Deletes a device; what waits for it fails.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn delete_device(&self, caller: &Caller, name: &DeviceName) -> Result<(), Error> {
        let device = self.find_device(caller, name).await?;
        self.writer()
            .delete_device(device.no, caller.actor())
            .await
            .map_err(|failure| gone(failure, name))
    }

    /// Gives a device another key: another piece of hardware takes its place, under its asset id and with its tasks.
    ///
    /// # Errors
    /// As [`App::find_device`]; the key will not do, is in use, or is the device's own.
    pub async fn replace_device(&self, caller: &Caller, name: &DeviceName, key: &str) -> Result<Device, Error> {
        check_device_key("newDeviceKey", key)?;
        let mut device = self.find_device(caller, name).await?;
        if device.is.key.as_str() == key {
            return Err(Error::SameDeviceKey(key.to_owned()));
        }
        device.is.key = DeviceKey::from(key);
        let write = Write::ReplaceDevice {
            device: device.no,
            key: device.is.key.clone(),
            by: caller.actor(),
        };
        match self.write_one(write).await? {
            Ok(_) => Ok(device),
            Err(Refusal::Missing) => Err(name.missing()),
            Err(Refusal::Taken) => Err(Error::DeviceKeyTaken(key.to_owned())),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }
}

fn gone(failure: WriterError, name: &DeviceName) -> Error {
    match failure {
        WriterError::Refused(Refusal::Missing) => name.missing(),
        other => Error::from(other),
    }
}

type WithPath = Option<(Arc<Product>, Option<String>)>;

fn product_with_path(store: &dyn ReadRegistry, key: &ProductKey) -> Result<WithPath, aldis_store::Error> {
    let Some(product) = store.product(key)? else {
        return Ok(None);
    };
    let model = store.model(&product.org, &product.model)?;
    let path = model.and_then(|model| {
        model
            .document
            .get("modelIdPath")
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    Ok(Some((Arc::new(product), path)))
}
