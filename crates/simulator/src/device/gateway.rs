//! What a gateway says for the devices that are reached through it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Device, DeviceError};
use crate::{DeviceIdentity, Received};

impl Device {
    /// Logs a sub-device in over this connection, and gives the answer. Its commands come with [`Self::next_command`],
    /// and are noted as its own.
    ///
    /// # Errors
    /// If no answer comes, or the connection ends.
    pub async fn log_in(&mut self, sub_device: &DeviceIdentity) -> Result<Value, DeviceError> {
        let answer = self.session_request("combine/login", sub_device.sub_login()).await?;
        if answer["code"] == 200 {
            self.sub_devices.push(Arc::new(sub_device.clone()));
        }
        Ok(answer)
    }

    /// Logs a sub-device out, and gives the answer.
    ///
    /// # Errors
    /// If no answer comes, or the connection ends.
    pub async fn log_out(&mut self, sub_device: &DeviceIdentity) -> Result<Value, DeviceError> {
        self.sub_devices.retain(|known| known.as_ref() != sub_device);
        let keys = json!({"productKey": sub_device.product_key, "deviceKey": sub_device.device_key});
        self.session_request("combine/logout", keys).await
    }

    /// The device that a command is for.
    pub(super) fn addressee(&self, command: &Received) -> &Arc<DeviceIdentity> {
        let is_for = |device: &&Arc<DeviceIdentity>| command.topic().starts_with(&device.topic(""));
        self.sub_devices.iter().find(is_for).unwrap_or(&self.identity)
    }
}
