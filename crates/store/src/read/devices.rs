//! Questions about devices, their gateways, and what they reported.

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::{DeviceNo, OrgId, ProductKey};
use aldis_core::reported::ReportKind;
use aldis_core::time::Timestamp;

use crate::rows::{Device, Reported};
use crate::{DeviceCounts, DeviceFacts, DeviceRef, Error, Found, OnlineDevices, Page};

/// Reads devices, their gateways, and what they reported.
///
/// Deleted devices and deleted jobs are found only where a method says so.
pub trait ReadDevices: Send + Sync {
    /// Devices, in the order asked for, of whatever organization.
    fn devices(&self, refs: &[DeviceRef]) -> Result<Vec<Option<Device>>, Error>;
    /// Devices of an organization, newest first; their status is merged from rows and `online`, which may be
    /// empty if the filter does not ask for the status.
    fn search_devices(
        &self,
        org: &OrgId,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error>;
    /// How many devices an organization has, or one product of it, by status.
    fn count_devices(
        &self,
        org: &OrgId,
        product: Option<&ProductKey>,
        online: &OnlineDevices,
    ) -> Result<DeviceCounts, Error>;
    /// What the engine needs of these devices, in the order asked for; `None` for numbers never given out.
    fn device_facts(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceFacts>>, Error>;
    /// The gateways that these devices are under, in the order asked for.
    fn gateways_of(&self, devices: &[DeviceNo]) -> Result<Vec<Option<DeviceNo>>, Error>;
    /// The devices under a gateway, by number.
    fn sub_devices(&self, gateway: DeviceNo) -> Result<Vec<DeviceNo>, Error>;
    /// Devices under a gateway, newest first; `online` as with [`ReadDevices::search_devices`].
    fn search_sub_devices(
        &self,
        gateway: DeviceNo,
        filter: Option<&Filter<DeviceField>>,
        online: &OnlineDevices,
        page: Page,
    ) -> Result<Found<Device>, Error>;
    /// What a device has reported, by kind and name.
    fn reported(&self, device: DeviceNo) -> Result<Vec<Reported>, Error>;
    /// The latest moment of what these devices have reported of a kind, in the order asked for.
    fn last_reported(&self, devices: &[DeviceNo], kind: ReportKind) -> Result<Vec<Option<Timestamp>>, Error>;
}
