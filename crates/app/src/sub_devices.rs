//! Which devices are under which gateway, as operators arrange it.

use std::collections::HashMap;

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::{DeviceNo, ProductKey};
use aldis_store::rows::{Device, Product};
use aldis_store::{DeviceRef, Error as StoreError, Page, Read, Refusal, Write};

use super::devices::{DeviceName, DeviceView};
use super::{App, Caller, Error, Results};

/// Most devices under one gateway. At most [`ONLINE_MAX`] of them are online at a time; the others are spares.
pub const SUB_DEVICES_MAX: usize = 1000;
/// Most sub-devices of one gateway that are online at a time: what the vendor's platform documents.
pub const ONLINE_MAX: usize = 200;

impl App {
    /// Puts devices under a gateway, all or none.
    ///
    /// # Errors
    /// As [`App::find_device`]; [`Error::NotAGateway`], [`Error::Topology`], [`Error::TooManySubDevices`].
    pub async fn add_sub_devices(
        &self,
        caller: &Caller,
        gateway: &DeviceName,
        devices: &[DeviceName],
    ) -> Result<(), Error> {
        let gateway = self.find_gateway(caller, gateway).await?;
        let devices = self.find_sub_devices(caller, devices).await?;
        let write = Write::AddSubDevices {
            gateway: gateway.no,
            devices: devices.iter().map(|device| device.no).collect(),
            moves: false,
            most: SUB_DEVICES_MAX,
        };
        let write = caller.audited("gateway.addSubDevice", gateway.is.asset.as_str(), write);
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::missing("device", "among subDevices")),
            Err(Refusal::InUse) => Err(Error::Topology(
                "a sub-device is under another gateway; remove it there first",
            )),
            Err(Refusal::Full) => Err(Error::TooManySubDevices(SUB_DEVICES_MAX)),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Takes devices away from their gateway, all or none. Those that are in over its connection are offline from then
    /// on.
    ///
    /// # Errors
    /// As [`App::find_device`]; [`Error::NotAGateway`]; [`Error::Topology`] if one is not under this gateway.
    pub async fn remove_sub_devices(
        &self,
        caller: &Caller,
        gateway: &DeviceName,
        devices: &[DeviceName],
    ) -> Result<(), Error> {
        let gateway = self.find_gateway(caller, gateway).await?;
        let devices = self.find_devices(caller, devices).await?;
        let devices: Vec<DeviceNo> = devices.iter().map(|device| device.no).collect();
        let write = Write::RemoveSubDevices {
            gateway: gateway.no,
            devices,
        };
        let write = caller.audited("gateway.removeSubDevice", gateway.is.asset.as_str(), write);
        match self.write_one(write).await? {
            Ok(_) => Ok(()),
            Err(Refusal::Missing) => Err(Error::Topology("a device is not under this gateway")),
            Err(refusal) => Err(Error::unexpected(refusal)),
        }
    }

    /// Devices under a gateway.
    ///
    /// # Errors
    /// As [`App::find_device`]; [`Error::NotAGateway`].
    pub async fn search_sub_devices(
        &self,
        caller: &Caller,
        gateway: &DeviceName,
        filter: Option<Filter<DeviceField>>,
        page: Page,
    ) -> Result<Results<DeviceView>, Error> {
        let gateway = self.find_gateway(caller, gateway).await?.no;
        let online = self.online_for(filter.as_ref());
        let found = self
            .search(caller, filter.is_some(), move |store| {
                store.search_sub_devices(gateway, filter.as_ref(), &online, page)
            })
            .await?;
        found.try_with_rows(|rows| self.views(rows)).await
    }

    /// The gateway that a device is under.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn gateway_of(&self, caller: &Caller, device: &DeviceName) -> Result<Option<DeviceView>, Error> {
        let device = self.find_device(caller, device).await?.no;
        let gateway = self
            .read(move |store| {
                let gateway = store.gateways_of(&[device])?.pop().flatten();
                let found = gateway.map(|no| store.devices(&[DeviceRef::No(no)])).transpose()?;
                Ok::<_, StoreError>(found.and_then(|mut found| found.pop().flatten()))
            })
            .await?;
        Ok(self.views(gateway.into_iter().collect()).await?.pop())
    }

    async fn find_gateway(&self, caller: &Caller, name: &DeviceName) -> Result<Device, Error> {
        let device = self.find_device(caller, name).await?;
        let product = self.product(caller, device.is.product.as_str()).await?;
        match product.gateway {
            true => Ok(device),
            false => Err(Error::NotAGateway(device.is.asset.to_string())),
        }
    }

    /// Devices that can be under a gateway: those that are none themselves.
    async fn find_sub_devices(&self, caller: &Caller, names: &[DeviceName]) -> Result<Vec<Device>, Error> {
        let devices = self.find_devices(caller, names).await?;
        self.read(move |store| {
            let mut products = HashMap::new();
            for device in &devices {
                let product = product_of(store, &mut products, &device.is.product)?;
                if product.is_some_and(|product| product.gateway) {
                    return Err(Error::Topology("a gateway cannot be a sub-device"));
                }
            }
            Ok(devices)
        })
        .await
    }
}

/// A device's product; the devices of a batch share a few, each of which is read once.
pub(super) fn product_of<'p>(
    store: &dyn Read,
    known: &'p mut HashMap<ProductKey, Option<Product>>,
    key: &ProductKey,
) -> Result<Option<&'p Product>, StoreError> {
    if !known.contains_key(key) {
        known.insert(key.clone(), store.product(key)?);
    }
    Ok(known.get(key).and_then(Option::as_ref))
}
