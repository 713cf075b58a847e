//! Answers about devices, their gateways, and what they reported.

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::{DeviceNo, OrgId, ProductKey};
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;
use aldis_store::rows::{Device, Reported};
use aldis_store::{
    DeviceCounts, DeviceFacts, DeviceRef, Error, Found, OnlineDevices, Page, ReadDevices, device_status,
};

use crate::MemoryStore;
use crate::records::cut;

impl ReadDevices for MemoryStore {
    fn devices(&self, refs: &[DeviceRef]) -> Result<Vec<Option<Device>>, Error> {
        let contents = self.contents.read();
        Ok(refs.iter().map(|by| contents.devices.find(by).cloned()).collect())
    }

    fn search_devices(
        &self,
        org: &OrgId,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        let contents = self.contents.read();
        let devices = contents.devices.live().rev().filter(|device| device.is.org == *org);
        let found = devices.filter(|device| contents.device_passes(filter, device, online));
        cut(found.cloned(), page)
    }

    fn count_devices(
        &self,
        org: &OrgId,
        product: Option<&ProductKey>,
        online: &OnlineDevices,
    ) -> Result<DeviceCounts, Error> {
        let contents = self.contents.read();
        let mut counts = DeviceCounts::default();
        for device in contents.devices.live() {
            if device.is.org == *org && product.is_none_or(|product| device.is.product == *product) {
                counts.add(device_status(device, online.contains(device.no)), 1);
            }
        }
        Ok(counts)
    }

    fn device_facts(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>, Error> {
        let contents = self.contents.read();
        let facts = |no: &DeviceNo| contents.devices.get(*no).map(|device| contents.facts(device));
        Ok(devices.iter().map(facts).collect())
    }

    fn gateways_of(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>, Error> {
        let contents = self.contents.read();
        Ok(devices.iter().map(|no| contents.devices.gateway_of(*no)).collect())
    }

    fn sub_devices(&self, gateway: DeviceNo) -> Result<Vec<DeviceNo>, Error> {
        Ok(self.contents.read().devices.under(gateway).collect())
    }

    fn search_sub_devices(
        &self,
        gateway: DeviceNo,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error> {
        let contents = self.contents.read();
        let devices = contents.devices.under(gateway).rev();
        let devices = devices.filter_map(|no| contents.devices.get(no));
        let found = devices.filter(|device| contents.device_passes(filter, device, online));
        cut(found.cloned(), page)
    }

    fn reported(&self, device: DeviceNo) -> Result<Vec<Reported>, Error> {
        Ok(self.contents.read().reported.of(device).collect())
    }

    fn last_reported(&self, devices: &[DeviceNo], kind: ReportKind) -> Result<Vec<Option<Timestamp>>, Error> {
        let contents = self.contents.read();
        Ok(devices.iter().map(|no| contents.reported.last(*no, kind)).collect())
    }
}
