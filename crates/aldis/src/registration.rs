//! Registering many devices, as many in one call as the API takes.

use aldis_client::{Client, NewDevice};
use aldis_simulator::DeviceIdentity;
use anyhow::Context as _;

/// The most that the API takes in one call.
pub(crate) const CHUNK: usize = 1000;

/// Registers these devices and gives their identities, in the same order.
///
/// # Errors
/// If a call fails or the server refuses one of them.
pub(crate) async fn register(client: &Client, devices: &[NewDevice]) -> anyhow::Result<Vec<DeviceIdentity>> {
    let mut made = Vec::with_capacity(devices.len());
    for chunk in devices.chunks(CHUNK) {
        for entry in client.create_devices(chunk).await?.data {
            let ids = entry.data.filter(|_| entry.code == 0);
            let ids = ids.with_context(|| format!("registering a device: {} (code {})", entry.msg, entry.code))?;
            let secret = ids.device_secret.unwrap_or_default();
            made.push(DeviceIdentity::new(ids.product_key, ids.device_key, secret));
        }
    }
    Ok(made)
}
