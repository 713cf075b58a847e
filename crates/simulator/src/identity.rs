//! Who a device is, and what it says about itself in CONNECT.

use std::fmt;

use aldis_core::secret::Secret;
use aldis_protocol::login::{self as protocol, Compression, ConnectStrings, SecureMode, SignMethod};
use rmqtt_codec::v3::Connect;
use serde_json::{Value, json};

/// A device as its own program knows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceIdentity {
    /// Names its product.
    pub product_key: String,
    /// Names it within the product.
    pub device_key: String,
    /// Proves that it is this device; never travels.
    pub device_secret: String,
}

impl DeviceIdentity {
    /// A device with these keys and this secret.
    #[must_use]
    pub fn new(
        product_key: impl Into<String>,
        device_key: impl Into<String>,
        device_secret: impl Into<String>,
    ) -> Self {
        Self {
            product_key: product_key.into(),
            device_key: device_key.into(),
            device_secret: device_secret.into(),
        }
    }

    /// The topic with this path below the device's own prefix, such as `thing/measurepoint/post`.
    #[must_use]
    pub fn topic(&self, path: &str) -> String {
        format!("/sys/{}/{}/{path}", self.product_key, self.device_key)
    }

    /// The topic with this path about this gateway's sessions, such as `combine/login`.
    #[must_use]
    pub fn session_topic(&self, path: &str) -> String {
        format!("/ext/session/{}/{}/{path}", self.product_key, self.device_key)
    }

    /// What a gateway sends to prove that it has this device at hand, in `combine/login` and `thing/topo/add`
    /// (docs/device-protocol.md, "Gateways").
    #[must_use]
    pub fn sub_login(&self) -> Value {
        let claims = self.claims();
        json!({
            "productKey": self.product_key,
            "deviceKey": self.device_key,
            "clientId": claims.client_id,
            "timestamp": claims.timestamp,
            "signMethod": "sha256",
            "secureMode": "2",
            "sign": claims.sign(&self.device_secret),
        })
    }

    /// What the vendor's libraries send in CONNECT for this device (docs/device-protocol.md, "Connecting").
    #[must_use]
    pub fn login(&self) -> Login {
        self.claims().to_connect(&self.device_secret).into()
    }

    fn claims(&self) -> protocol::Login {
        protocol::Login {
            client_id: self.device_key.clone(),
            device_key: self.device_key.as_str().into(),
            product_key: self.product_key.as_str().into(),
            secure_mode: SecureMode::DeviceSecret,
            sign_method: SignMethod::Sha256,
            timestamp: TIMESTAMP.to_owned(),
            compression: Compression::None,
        }
    }
}

impl fmt::Debug for DeviceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceIdentity({}/{}, ***)", self.product_key, self.device_key)
    }
}

/// Device programs make the timestamp once and use it for ever; servers must not judge it. So a constant will do.
const TIMESTAMP: &str = "1700000000000";
/// What every vendor library chooses.
const KEEP_ALIVE_SECS: u16 = 60;

/// The fields of a CONNECT packet, open to be tampered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `<client id>|securemode=2,signmethod=…,timestamp=…|`.
    pub client_id: String,
    /// `<device key>&<product key>`.
    pub user_name: String,
    /// The digest, as hexadecimal text.
    pub password: Secret,
    /// Whether the server shall forget the session with the connection.
    pub clean_session: bool,
    /// The longest silence of the client in seconds; 0 for any.
    pub keep_alive_secs: u16,
}

impl From<ConnectStrings> for Login {
    /// A login with these strings and the other fields as every vendor library sets them.
    fn from(strings: ConnectStrings) -> Self {
        Self {
            client_id: strings.client_id,
            user_name: strings.user_name,
            password: strings.password.into(),
            clean_session: true,
            keep_alive_secs: KEEP_ALIVE_SECS,
        }
    }
}

impl Login {
    pub(crate) fn packet(&self) -> Connect {
        Connect {
            clean_session: self.clean_session,
            keep_alive: self.keep_alive_secs,
            client_id: self.client_id.as_str().into(),
            username: Some(self.user_name.as_str().into()),
            password: Some(self.password.0.clone().into_bytes().into()),
            ..Connect::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_what_the_vendor_libraries_send() {
        let login = DeviceIdentity::new("pk1", "dk1", "s1").login();
        assert_eq!(
            login.client_id,
            "dk1|securemode=2,signmethod=sha256,timestamp=1700000000000|"
        );
        assert_eq!(login.user_name, "dk1&pk1");
        assert_eq!(
            *login.password,
            "be9f690032df7609d9804e7b0c534ce1369eadde5fe3e7c74b3626537238acda"
        );
        assert!(login.clean_session);
        assert_eq!(login.keep_alive_secs, 60);
    }

    #[test]
    fn secrets_are_never_printed() {
        let printed = format!("{:?}", DeviceIdentity::new("pk1", "dk1", "hush"));
        assert!(printed.contains("pk1/dk1") && !printed.contains("hush"), "{printed}");
    }
}
