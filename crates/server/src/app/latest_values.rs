//! What a device has reported about itself lately.

use aldis_store::rows::Device;

use super::devices::DeviceName;
use super::{App, Caller, Error};
use crate::latest::Values;

impl App {
    /// The latest values that a device of the caller's organization has reported.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn latest_values(&self, caller: &Caller, name: &DeviceName) -> Result<Values, Error> {
        let device = self.find_device(caller, name).await?;
        Ok(self.latest_values_of(&device))
    }

    /// The same of a device that has been found.
    #[must_use]
    pub fn latest_values_of(&self, device: &Device) -> Values {
        self.writer().latest().of(device.no)
    }
}
