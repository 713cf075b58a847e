//! What a device has reported about itself lately.

use std::collections::BTreeMap;

use aldis_core::ids::DeviceNo;
use aldis_core::reported::ReportKind;
use aldis_store::rows::{Device, Reported};
use aldis_store::{DeviceRef, Error as StoreError};
use serde_json::Value;

use super::devices::DeviceName;
use super::{App, Caller, Error};

impl App {
    /// The latest values that a device of the caller's organization has reported, by kind and name.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn latest_values(&self, caller: &Caller, name: &DeviceName) -> Result<Vec<Reported>, Error> {
        let device = self.find_device(caller, name).await?;
        self.latest_values_of(device.no).await
    }

    /// The same of a device that has been found.
    ///
    /// # Errors
    /// The store failed.
    pub async fn latest_values_of(&self, device: DeviceNo) -> Result<Vec<Reported>, Error> {
        let app = self.clone();
        self.read(move |store| app.shared().latest.with(device, || store.reported(device)))
            .await
    }

    /// A device's own attributes or tags, for itself: what an operator has registered, and in its place what the device
    /// has reported.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_values(&self, device: DeviceNo, kind: ReportKind) -> Result<BTreeMap<String, Value>, Error> {
        let app = self.clone();
        self.read(move |store| {
            let registered = store.devices(&[DeviceRef::No(device)])?.pop().flatten();
            let mut values = registered.map_or_else(BTreeMap::new, |device| registered_values(device, kind));
            let reported = app.shared().latest.with(device, || store.reported(device))?;
            let of_kind = reported.into_iter().filter(|value| value.kind == kind);
            values.extend(of_kind.map(|reported| (reported.name.clone(), read_value(&reported))));
            Ok::<_, StoreError>(values)
        })
        .await
    }

    /// The document of a device's thing model, for itself; null if the device is gone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn own_model(&self, device: DeviceNo) -> Result<Value, Error> {
        self.read(move |store| {
            let Some(device) = store.devices(&[DeviceRef::No(device)])?.pop().flatten() else {
                return Ok(Value::Null);
            };
            let product = store.product(&device.is.product)?;
            let model = match product {
                Some(product) => store.model(&product.org, &product.model)?,
                None => None,
            };
            Ok::<_, StoreError>(model.map_or(Value::Null, |model| model.document))
        })
        .await
    }
}

fn registered_values(device: Device, kind: ReportKind) -> BTreeMap<String, Value> {
    match kind {
        ReportKind::Measurepoint => BTreeMap::new(),
        ReportKind::Attribute => device.is.attributes,
        ReportKind::Tag => {
            let tags = device.is.tags.into_iter();
            tags.map(|(name, value)| (name, Value::String(value))).collect()
        }
    }
}

/// A value as it was said. What is kept was JSON when it came.
pub fn read_value(reported: &Reported) -> Value {
    let text = reported.value.as_deref().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}
