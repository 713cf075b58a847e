//! Who is online, as the application asks the gateway.

use aldis_core::expression::{DeviceField, Filter};
use aldis_core::ids::DeviceNo;
use aldis_store::OnlineDevices;

use super::App;

/// The live sessions.
pub trait Presence: Send + Sync {
    /// The device has a live session.
    fn is_online(&self, device: DeviceNo) -> bool;
    /// All devices that have one now. Costs time with each of them: for searches by status and for counts.
    fn online(&self) -> OnlineDevices;
}

impl App {
    /// What a search with this filter has to know of the sessions.
    pub(super) fn online_for(&self, filter: Option<&Filter<DeviceField>>) -> OnlineDevices {
        if filter.is_some_and(|filter| filter.asks_for(&DeviceField::Status)) {
            self.presence().online()
        } else {
            OnlineDevices::default()
        }
    }
}
