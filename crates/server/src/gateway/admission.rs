//! Who may come in: the strings of CONNECT, checked against what is registered.

use aldis_core::ids::DeviceNo;
use aldis_protocol::login::{Compression, Login, SecureMode};
use rmqtt_codec::v3::{Connect, ConnectAckReason};

use super::Gateway;
use super::keys::Keys;
use crate::app::admit_device::{NotAdmitted, admit_device, holds_keys};

/// A device that has proved who it is.
pub(super) struct Admitted {
    pub(super) device: DeviceNo,
    pub(super) keys: Keys,
    /// Seconds between two signs of life; 0: none are promised.
    pub(super) keep_alive: u16,
    /// How often keys had changed when this one was checked.
    pub(super) key_changes: u64,
}

impl Gateway {
    /// Checks a CONNECT; the CONNACK code if it is refused. Every failed proof gets the same code, whatever is wrong.
    pub(super) async fn admit(&self, connect: &Connect) -> Result<Admitted, ConnectAckReason> {
        if connect.protocol.level() != MQTT_3_1_1 {
            return Err(ConnectAckReason::UnacceptableProtocolVersion);
        }
        let (Some(user_name), Some(password)) = (&connect.username, &connect.password) else {
            return Err(ConnectAckReason::NotAuthorized);
        };
        let login = Login::parse(&connect.client_id, user_name).map_err(|error| {
            tracing::debug!(%error, "a login makes no sense");
            ConnectAckReason::NotAuthorized
        })?;
        if login.secure_mode != SecureMode::DeviceSecret || login.compression != Compression::None {
            tracing::debug!(mode = ?login.secure_mode, compression = ?login.compression, "a login wants what is not served");
            return Err(ConnectAckReason::NotAuthorized);
        }
        let keys = Keys::new(&login.product_key.0, &login.device_key.0);
        let key_changes = self.app.key_changes();
        match admit_device(&self.app, login, password.to_vec()).await {
            Ok(device) => Ok(Admitted {
                device,
                keys,
                keep_alive: connect.keep_alive,
                key_changes,
            }),
            Err(NotAdmitted::NotAuthorized) => Err(ConnectAckReason::NotAuthorized),
            Err(NotAdmitted::Unavailable) => Err(ConnectAckReason::ServiceUnavailable),
        }
    }

    /// Whether the keys that a device has logged in with are still its own. Asked when its session can be found: whoever
    /// replaces its key from then on ends the session. A device that is disabled or deleted meanwhile is shown out by the
    /// engine.
    pub(super) async fn still_admits(&self, device: DeviceNo, keys: &Keys, key_changes: u64) -> bool {
        self.app.key_changes() == key_changes || holds_keys(&self.app, device, keys.product(), keys.device()).await
    }
}

const MQTT_3_1_1: u8 = 4;
