//! What a device has reported about itself lately.

use super::devices::DeviceName;
use super::{App, Caller, Error};
use crate::latest::Values;

impl App {
    /// The latest values that a device of the caller's organization has reported.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn latest_values(&self, caller: &Caller, name: &DeviceName) -> Result<Values, Error> {
        let device = self.find_device(caller, name).await?.no;
        Ok(self.writer().latest().of(device))
    }
}
