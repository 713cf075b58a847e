//! What tells the vendor's libraries apart on the wire (docs/device-protocol.md, "Connecting" and "Replies").

use aldis_simulator::DeviceIdentity;
use serde_json::Value;

/// A library, as far as the server can tell it from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    Node,
    Java,
    /// With its setting that has every payload packed.
    JavaPacked,
    C,
    /// With its option that has it take measurement points.
    CWithSets,
}

pub(super) const ALL: [Library; 5] = [
    Library::Node,
    Library::Java,
    Library::JavaPacked,
    Library::C,
    Library::CWithSets,
];

/// The filter of measurement points, below the device's own prefix; C subscribes to it only if told to.
pub(super) const C_SETS: &str = "thing/service/measurepoint/set";

/// Filters that the C library subscribes to, one packet each, below the device's own prefix.
pub(super) const C_FILTERS: [&str; 14] = [
    "thing/service/+",
    "thing/tag/query_reply",
    "thing/tag/update_reply",
    "thing/tag/delete_reply",
    "thing/attribute/query_reply",
    "thing/attribute/update_reply",
    "thing/attribute/delete_reply",
    "thing/measurepoint/post_reply",
    "thing/measurepoint/post/batch_reply",
    "thing/measurepoint/resume_reply",
    "thing/measurepoint/resume/batch_reply",
    "thing/event/+/post_reply",
    "thing/model/down_raw",
    "thing/model/up_raw_reply",
];

impl Library {
    /// Flags of CONNECT: C alone asks for a persistent session.
    pub(super) fn connect_flags(self) -> u8 {
        match self {
            Self::Node | Self::Java | Self::JavaPacked => 0xc2,
            Self::C | Self::CWithSets => 0xc0,
        }
    }

    fn client_id(self, device: &DeviceIdentity) -> String {
        let (product, device) = (&device.product_key, &device.device_key);
        match self {
            Self::Node => device.clone(),
            Self::Java => format!("{device}{{ip=192.168.0.12,version=0.1.9,compress=DEFAULT}}"),
            Self::JavaPacked => format!("{device}{{ip=192.168.0.12,version=0.1.9,compress=GZIP}}"),
            Self::C | Self::CWithSets => format!("{product}.{device}"),
        }
    }

    fn timestamp(self) -> &'static str {
        match self {
            Self::Node | Self::Java | Self::JavaPacked => "1795388113773",
            // Compiled in, and in the future.
            Self::C | Self::CWithSets => "2524608000000",
        }
    }

    /// Whether it subscribes to everything, commands too, before its program goes on.
    pub(super) fn subscribes(self) -> bool {
        matches!(self, Self::C | Self::CWithSets)
    }

    /// Client id, user name and password of CONNECT.
    pub(super) fn strings(self, device: &DeviceIdentity) -> [String; 3] {
        self.strings_of(device, 2)
    }

    /// The same of its first contact, where it knows its product's secret only.
    pub(super) fn activation_strings(self, device: &DeviceIdentity) -> [String; 3] {
        self.strings_of(device, 3)
    }

    /// C alone promises less signs of life while it waits for its secret.
    pub(super) fn activation_keep_alive(self) -> u16 {
        if self.subscribes() { 120 } else { 60 }
    }

    /// Its reply to being told its secret; C has none.
    pub(super) fn activation_reply(self) -> Option<&'static str> {
        match self {
            Self::Node => Some(r#"{"id":"1","code":200,"data":{}}"#),
            Self::Java | Self::JavaPacked => Some(r#"{"code":200,"id":"1","message":""}"#),
            Self::C | Self::CWithSets => None,
        }
    }

    fn strings_of(self, device: &DeviceIdentity, mode: u8) -> [String; 3] {
        let (id, at) = (self.client_id(device), self.timestamp());
        let DeviceIdentity {
            product_key,
            device_key,
            device_secret,
        } = device;
        let signed = format!("clientId{id}deviceKey{device_key}productKey{product_key}timestamp{at}{device_secret}");
        let lower = sha256(signed.as_bytes());
        let password = match self {
            Self::Java | Self::JavaPacked => lower,
            Self::Node | Self::C | Self::CWithSets => lower.to_uppercase(),
        };
        [
            format!("{id}|securemode={mode},signmethod=sha256,timestamp={at}|"),
            format!("{device_key}&{product_key}"),
            password,
        ]
    }

    /// Its reply to a service, word for word.
    pub(super) fn service_reply(self, id: &str, data: &Value) -> String {
        match self {
            Self::Node | Self::C | Self::CWithSets => format!(r#"{{"id":"{id}","code":200,"data":{data}}}"#),
            Self::Java | Self::JavaPacked => format!(r#"{{"code":200,"data":{data},"id":"{id}","message":""}}"#),
        }
    }

    /// Its reply to a set, word for word.
    pub(super) fn set_reply(self, id: &str) -> String {
        match self {
            Self::Node | Self::C | Self::CWithSets => format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#),
            Self::Java | Self::JavaPacked => format!(r#"{{"code":200,"id":"{id}","message":""}}"#),
        }
    }

    /// What its program says of a failure, with the code that arrives; C has no way to say so.
    pub(super) fn failure(self, id: &str) -> Option<(String, i64)> {
        match self {
            Self::Node => Some((format!(r#"{{"id":"{id}","code":2001,"data":{{}}}}"#), 2001)),
            Self::Java | Self::JavaPacked => {
                let words = "command handler execution failed, valve stuck";
                Some((format!(r#"{{"code":1102,"id":"{id}","message":"{words}"}}"#), 1102))
            }
            Self::C | Self::CWithSets => None,
        }
    }

    /// Its reply if its program has nothing for a command, with ID for the command's; Node and C are silent then.
    pub(super) fn no_handler(self) -> Option<&'static str> {
        match self {
            Self::Java | Self::JavaPacked => {
                Some(r#"{"code":1101,"id":"ID","message":"downstream command handler not registered"}"#)
            }
            Self::Node | Self::C | Self::CWithSets => None,
        }
    }

    /// Whether every payload is packed, both ways.
    pub(super) fn packs(self) -> bool {
        self == Self::JavaPacked
    }

    /// What its requests call their version.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Java | Self::JavaPacked => "1.1",
            Self::Node | Self::C | Self::CWithSets => "1.0",
        }
    }

    /// The request with which it posts measurement points: ids are small, and 1.0 is not everybody's version.
    pub(super) fn post(self, id: u32) -> String {
        let version = self.version();
        format!(
            r#"{{"id":"{id}","version":"{version}","method":"thing.measurepoint.post","params":{{"measurepoints":{{"temperature":21.5}},"time":1795388113773}}}}"#
        )
    }
}

/// The digest as the system's own program computes it: the server's way of signing is not asked.
pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}
