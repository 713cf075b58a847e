//! Devices, and the history of their being disabled and deleted, which says who was a member of a product when.

use std::collections::{BTreeMap, BTreeSet};

use aldis_core::ids::{AssetId, DeviceKey, DeviceNo, OrgId, ProductKey};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Actor, Device, DeviceChange, NewDevice, Registrar, Secret};
use aldis_store::status_names::verb;
use aldis_store::{DeviceRef, Done, Refusal};

use super::Contents;
use super::apply::Applied;
use super::registry::{rotate, set};

#[derive(Default)]
pub(super) struct Devices {
    /// All that ever were, also deleted ones.
    rows: BTreeMap<DeviceNo, Device>,
    by_keys: BTreeMap<(ProductKey, DeviceKey), DeviceNo>,
    by_asset: BTreeMap<AssetId, DeviceNo>,
    /// The gateway of each device that is under one.
    gateways: BTreeMap<DeviceNo, DeviceNo>,
    /// The gateway that registered each device that one did.
    registrars: BTreeMap<DeviceNo, DeviceNo>,
    /// Whether a device could be a member after each change of that; before its first change it could.
    changes: Vec<(DeviceNo, bool)>,
}

/// A point in the history of changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChangeMark(usize);

impl Devices {
    pub(super) fn get(&self, no: DeviceNo) -> Option<&Device> {
        self.rows.get(&no)
    }

    /// Those not deleted, by number.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &Device> {
        self.rows.values().filter(|device| !device.deleted)
    }

    pub(super) fn find(&self, by: &DeviceRef) -> Option<&Device> {
        let no = match by {
            DeviceRef::Keys(product, key) => *self.by_keys.get(&(product.clone(), key.clone()))?,
            DeviceRef::Asset(asset) => *self.by_asset.get(asset)?,
            DeviceRef::No(no) => *no,
        };
        self.get(no)
    }

    pub(super) fn gateway_of(&self, no: DeviceNo) -> Option<DeviceNo> {
        self.gateways.get(&no).copied()
    }

    /// The devices under a gateway, by number.
    pub(super) fn under(&self, gateway: DeviceNo) -> impl DoubleEndedIterator<Item = DeviceNo> {
        let under = self.gateways.iter().filter(move |(_, of)| **of == gateway);
        under.map(|(no, _)| *no)
    }

    pub(super) fn last_no(&self) -> DeviceNo {
        self.rows.last_key_value().map(|(no, _)| *no).unwrap_or_default()
    }

    pub(super) fn mark(&self) -> ChangeMark {
        ChangeMark(self.changes.len())
    }

    /// The devices of these products up to `last` that were neither disabled nor deleted at `mark`, by number.
    pub(super) fn members(
        &self,
        org: &OrgId,
        products: &[ProductKey],
        last: DeviceNo,
        mark: ChangeMark,
    ) -> Vec<DeviceNo> {
        let eligible: BTreeMap<DeviceNo, bool> = self.changes[..mark.0].iter().copied().collect();
        self.rows
            .range(..=last)
            .filter(|(_, device)| device.is.org == *org && products.contains(&device.is.product))
            .map(|(no, _)| *no)
            .filter(|no| eligible.get(no).copied().unwrap_or(true))
            .collect()
    }

    fn live_mut(&mut self, no: DeviceNo) -> Result<&mut Device, Refusal> {
        self.rows
            .get_mut(&no)
            .filter(|device| !device.deleted)
            .ok_or(Refusal::Missing)
    }

    fn has_room_under(&self, registrar: Registrar) -> bool {
        let Registrar { gateway, most } = registrar;
        let registered = self
            .live()
            .filter(|device| self.registrars.get(&device.no) == Some(&gateway));
        registered.count() < most && self.under(gateway).count() < most
    }

    fn is_taken(&self, product: &ProductKey, key: &DeviceKey) -> bool {
        self.by_keys.contains_key(&(product.clone(), key.clone()))
    }
}

impl Contents {
    pub(super) fn create_devices(
        &mut self,
        devices: &[NewDevice],
        most: Option<u64>,
        registrar: Option<Registrar>,
    ) -> Done {
        let created = devices.iter().map(|device| self.create_device(device, most, registrar));
        Done::Devices(created.collect())
    }

    fn create_device(
        &mut self,
        new: &NewDevice,
        most: Option<u64>,
        registrar: Option<Registrar>,
    ) -> Result<DeviceNo, Refusal> {
        let product = self.registry.product_of(&new.org, &new.product);
        let product = product.ok_or(Refusal::Missing)?;
        if let Some(registrar) = registrar {
            let gateway = self.devices.live_mut(registrar.gateway)?;
            if gateway.is.org != new.org || !product.gateway_registers || product.gateway {
                return Err(Refusal::Missing);
            }
        }
        let devices = &mut self.devices;
        if devices.is_taken(&new.product, &new.key) {
            return Err(Refusal::Taken);
        }
        if devices.by_asset.contains_key(&new.asset) {
            return Err(Refusal::AssetTaken);
        }
        let count = || devices.live().filter(|device| device.is.product == new.product).count();
        if most.is_some_and(|most| count() as u64 >= most) {
            return Err(Refusal::Full);
        }
        if registrar.is_some_and(|registrar| !devices.has_room_under(registrar)) {
            return Err(Refusal::Full);
        }
        let no = DeviceNo(devices.last_no().0 + 1);
        devices.by_keys.insert((new.product.clone(), new.key.clone()), no);
        devices.by_asset.insert(new.asset.clone(), no);
        let device = Device {
            no,
            is: new.clone(),
            former_secret: None,
            disabled: false,
            deleted: false,
            created: self.clock,
            updated: self.clock,
            activated: None,
            last_online: None,
            last_offline: None,
        };
        devices.rows.insert(no, device);
        if let Some(Registrar { gateway, .. }) = registrar {
            devices.registrars.insert(no, gateway);
            devices.gateways.insert(no, gateway);
        }
        Ok(no)
    }

    pub(super) fn update_device(&mut self, no: DeviceNo, change: &DeviceChange) -> Applied {
        let device = self.devices.live_mut(no)?;
        set(&mut device.is.name, change.name.as_ref());
        set(&mut device.is.desc, change.desc.as_ref());
        set(&mut device.is.timezone, change.timezone.as_ref());
        set(&mut device.is.attributes, change.attributes.as_ref());
        set(&mut device.is.tags, change.tags.as_ref());
        device.updated = self.clock;
        Ok(Done::Yes)
    }

    pub(super) fn rotate_device_secret(
        &mut self,
        no: DeviceNo,
        secret: &Secret,
        former_until: Option<Timestamp>,
    ) -> Applied {
        let device = self.devices.live_mut(no)?;
        rotate(&mut device.is.secret, &mut device.former_secret, secret, former_until);
        device.updated = self.clock;
        Ok(Done::Yes)
    }

    pub(super) fn disable_device(&mut self, no: DeviceNo, disabled: bool, by: &Actor) -> Applied {
        let device = self.devices.live_mut(no)?;
        if device.disabled == disabled {
            return Err(Refusal::Unchanged);
        }
        device.disabled = disabled;
        self.devices.changes.push((no, !disabled));
        let verb = if disabled {
            verb::DISABLE_DEVICE
        } else {
            verb::ENABLE_DEVICE
        };
        Ok(self.changed_device(no, verb, by))
    }

    pub(super) fn delete_device(&mut self, no: DeviceNo, by: &Actor) -> Applied {
        let devices = &mut self.devices;
        let device = devices.live_mut(no)?;
        device.deleted = true;
        let keys = (device.is.product.clone(), device.is.key.clone());
        let asset = device.is.asset.clone();
        devices.by_keys.remove(&keys);
        devices.by_asset.remove(&asset);
        devices.gateways.retain(|under, gateway| *under != no && *gateway != no);
        devices.changes.push((no, false));
        self.reported.forget(no);
        Ok(self.changed_device(no, verb::DELETE_DEVICE, by))
    }

    pub(super) fn replace_device(&mut self, no: DeviceNo, key: &DeviceKey, by: &Actor) -> Applied {
        let devices = &mut self.devices;
        let (product, old) = {
            let device = devices.live_mut(no)?;
            (device.is.product.clone(), device.is.key.clone())
        };
        if devices.is_taken(&product, key) {
            return Err(Refusal::Taken);
        }
        devices.live_mut(no)?.is.key = key.clone();
        devices.by_keys.remove(&(product.clone(), old));
        devices.by_keys.insert((product, key.clone()), no);
        Ok(self.changed_device(no, verb::REPLACE_DEVICE, by))
    }

    pub(super) fn add_sub_devices(
        &mut self,
        gateway: DeviceNo,
        added: &[DeviceNo],
        moves: bool,
        most: usize,
    ) -> Applied {
        let devices = &mut self.devices;
        let org = devices.live_mut(gateway)?.is.org.clone();
        for no in added {
            if devices.live_mut(*no)?.is.org != org {
                return Err(Refusal::Missing);
            }
            if !moves && devices.gateway_of(*no).is_some_and(|other| other != gateway) {
                return Err(Refusal::InUse);
            }
        }
        let under: BTreeSet<DeviceNo> = devices.under(gateway).chain(added.iter().copied()).collect();
        if under.len() > most {
            return Err(Refusal::Full);
        }
        devices.gateways.extend(added.iter().map(|no| (*no, gateway)));
        Ok(Done::Yes)
    }

    pub(super) fn remove_sub_devices(&mut self, gateway: DeviceNo, removed: &[DeviceNo]) -> Applied {
        let gateways = &mut self.devices.gateways;
        if removed.iter().any(|no| gateways.get(no) != Some(&gateway)) {
            return Err(Refusal::Missing);
        }
        gateways.retain(|no, _| !removed.contains(no));
        Ok(Done::Yes)
    }

    pub(super) fn note_activity(&mut self, activities: &[Activity]) -> Done {
        for activity in activities {
            let Ok(device) = self.devices.live_mut(activity.device) else {
                continue;
            };
            device.activated = device.activated.or(activity.online);
            device.last_online = activity.online.or(device.last_online);
            device.last_offline = activity.offline.or(device.last_offline);
        }
        Done::Yes
    }

    /// Nothing has happened to a device later than this.
    pub(super) fn limit_device_moments(&mut self, now: Timestamp) {
        for device in self.devices.rows.values_mut() {
            let past = [&mut device.activated, &mut device.last_online, &mut device.last_offline];
            past.into_iter().for_each(|at| *at = at.map(|at| at.min(now)));
            device.created = device.created.min(now);
            device.updated = device.updated.min(now);
        }
    }

    pub(super) fn end_sessions(&mut self, at: Timestamp) -> Done {
        for device in self.devices.rows.values_mut().filter(|device| !device.deleted) {
            if device.last_online > device.last_offline {
                device.last_offline = device.last_online.max(Some(at));
            }
        }
        Done::Yes
    }

    fn changed_device(&mut self, no: DeviceNo, verb: &'static str, by: &Actor) -> Done {
        if let Some(device) = self.devices.rows.get_mut(&no) {
            device.updated = self.clock;
            let (org, subject) = (device.is.org.clone(), device.is.asset.to_string());
            self.act(org, verb, subject, by);
        }
        Done::Yes
    }
}
