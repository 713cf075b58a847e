//! Topics: where commands go down, and what a topic that a device publishes to means.
//!
//! Only the topic decides what an upstream message is; the vendor's libraries send wrong `method` fields. Whether the
//! sender may use the topic is the caller's question, answered with [`Upstream::is_of`]. docs/device-protocol.md,
//! "Topics".

use aldis_core::command::Command;

/// Appended to a topic to answer a message on it, in both directions.
pub const REPLY_SUFFIX: &str = "_reply";

const SERVICE: &str = "thing/service/";
const SET: &str = "measurepoint/set";
const GET: &str = "measurepoint/get";
/// Remote calls under numbered topics, answered under others with the same number; no library can be called that way.
const RRPC: &str = "rrpc/";
const UP_RAW: &str = "thing/model/up_raw";
const INTEGRATION: &str = "integration";
const INTEGRATION_UP_RAW: &str = "model/up_raw";
/// What follows `/sys/{product key}/integration/`. A device may be called `integration` too; nothing of its own begins
/// so.
const INTEGRATION_PATHS: [&str; 4] = ["measurepoint/", "event/", "attribute/", "model/"];

/// Topics that only the server has something to say on. An answer to a device that publishes there would reach it as a
/// command, or as an answer to a question that it never asked.
const DOWNWARD: [&str; 10] = [
    "thing/model/down_raw",
    "thing/enable",
    "thing/disable",
    "thing/delete",
    "ota/device/upgrade",
    "traffic/control",
    "combine/enable",
    "combine/disable",
    "combine/delete",
    "thing/activate/info",
];

/// What follows `/sys/{product key}/{device key}/` in the topic that a command is published to.
#[must_use]
pub fn command_path(command: &Command) -> String {
    format!("{SERVICE}{}", service_path(command))
}

/// What follows `thing/service/` in the topic, and `thing.service.` in the method with dots for slashes.
pub(crate) fn service_path(command: &Command) -> &str {
    match command {
        Command::InvokeService { service_id, .. } => service_id,
        Command::SetMeasurepoint { .. } => SET,
    }
}

/// The three families of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// `/sys/{product key}/{device key}/…`: a device's own.
    Device,
    /// `/ext/session/{product key}/{device key}/…`: about sessions, of sub-devices above all.
    Session,
    /// `/sys/{product key}/integration/…`: data of many devices of a product over one connection.
    Integration,
}

/// A topic that a device publishes to, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upstream<'t> {
    /// Its family.
    pub area: Area,
    /// The product key in it.
    pub product_key: &'t str,
    /// The device key in it; empty for [`Area::Integration`], whose topics have none.
    pub device_key: &'t str,
    /// What follows the keys, without a leading slash.
    pub path: &'t str,
}

/// What a message on an upstream topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'t> {
    /// The reply to a service invocation, with the service's identifier. It may contain slashes.
    ServiceReply(&'t str),
    /// The reply to setting a measurement point.
    SetReply,
    /// Another reply, or a message where only the server speaks: never answered.
    Unanswered,
    /// Raw bytes, which the device wants to be released from waiting for: answered with bytes.
    Raw,
    /// A request of the device, answered in JSON.
    Request,
}

impl<'t> Upstream<'t> {
    /// Takes a topic apart; `None` if it belongs to none of the families and so concerns no device.
    #[must_use]
    pub fn parse(topic: &'t str) -> Option<Self> {
        if topic.contains(['+', '#', '\0']) {
            return None;
        }
        if let Some(rest) = topic.strip_prefix("/ext/session/") {
            return Self::with_keys(Area::Session, rest);
        }
        let rest = topic.strip_prefix("/sys/")?;
        Self::of_integration(rest).or_else(|| Self::with_keys(Area::Device, rest))
    }

    fn of_integration(rest: &'t str) -> Option<Self> {
        let (product_key, rest) = rest.split_once('/')?;
        let path = rest.strip_prefix(INTEGRATION)?.strip_prefix('/')?;
        let known = INTEGRATION_PATHS.iter().any(|start| path.starts_with(start));
        (known && !product_key.is_empty()).then_some(Self {
            area: Area::Integration,
            product_key,
            device_key: "",
            path,
        })
    }

    fn with_keys(area: Area, rest: &'t str) -> Option<Self> {
        let (product_key, rest) = rest.split_once('/')?;
        let (device_key, path) = rest.split_once('/')?;
        let complete = !product_key.is_empty() && !device_key.is_empty() && !path.is_empty();
        complete.then_some(Self {
            area,
            product_key,
            device_key,
            path,
        })
    }

    /// The topic again.
    #[must_use]
    pub fn to_topic(&self) -> String {
        let Self {
            product_key,
            device_key,
            path,
            ..
        } = self;
        match self.area {
            Area::Device => format!("/sys/{product_key}/{device_key}/{path}"),
            Area::Session => format!("/ext/session/{product_key}/{device_key}/{path}"),
            Area::Integration => format!("/sys/{product_key}/{INTEGRATION}/{path}"),
        }
    }

    /// Whether the topic is one of this device's own. Integration topics speak for a whole product, so they belong to
    /// no device.
    #[must_use]
    pub fn is_of(&self, product_key: &str, device_key: &str) -> bool {
        self.area != Area::Integration && self.product_key == product_key && self.device_key == device_key
    }

    /// What a message on it is.
    #[must_use]
    pub fn meaning(&self) -> Meaning<'t> {
        if let Some(answered) = self.path.strip_suffix(REPLY_SUFFIX) {
            return self.meaning_of_reply(answered);
        }
        if self.is_downward() {
            return Meaning::Unanswered;
        }
        match (self.area, self.path) {
            (Area::Device, UP_RAW) | (Area::Integration, INTEGRATION_UP_RAW) => Meaning::Raw,
            _ => Meaning::Request,
        }
    }

    /// Whether it is the reply to a message that the server sends without waiting for one.
    #[must_use]
    pub fn answers_a_notice(&self) -> bool {
        let answered = self.path.strip_suffix(REPLY_SUFFIX);
        answered.is_some_and(|answered| DOWNWARD.contains(&answered))
    }

    fn meaning_of_reply(&self, answered: &'t str) -> Meaning<'t> {
        match answered.strip_prefix(SERVICE).filter(|_| self.area == Area::Device) {
            Some(SET) => Meaning::SetReply,
            None | Some("" | GET) => Meaning::Unanswered,
            Some(service_id) => Meaning::ServiceReply(service_id),
        }
    }

    fn is_downward(&self) -> bool {
        self.path.starts_with(SERVICE) || self.path.starts_with(RRPC) || DOWNWARD.contains(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn invoke(service_id: &str) -> Command {
        Command::InvokeService {
            service_id: service_id.to_owned(),
            input: Map::new(),
        }
    }

    fn meaning(topic: &str) -> Option<Meaning<'_>> {
        Upstream::parse(topic).map(|upstream| upstream.meaning())
    }

    #[test]
    fn commands_go_to_the_topics_that_devices_listen_on() {
        let set = Command::SetMeasurepoint {
            measurepoint_id: "temp".to_owned(),
            value: json!(1),
        };
        assert_eq!(command_path(&invoke("multiply")), "thing/service/multiply");
        assert_eq!(command_path(&set), "thing/service/measurepoint/set");
    }

    #[test]
    fn replies_name_the_command_they_belong_to() {
        let of = |path: &str| meaning(&format!("/sys/pk1/dk1/thing/service/{path}")).map(|found| format!("{found:?}"));
        let service = |id: &str| Some(format!("ServiceReply({id:?})"));
        assert_eq!(of("multiply_reply"), service("multiply"));
        assert_eq!(of("a/b/c_reply"), service("a/b/c"));
        assert_eq!(of("x_reply_reply"), service("x_reply"));
        assert_eq!(of("measurepoint_reply"), service("measurepoint"));
        assert_eq!(of("measurepoint/set_reply"), Some("SetReply".to_owned()));
        assert_eq!(of("measurepoint/get_reply"), Some("Unanswered".to_owned()));
        assert_eq!(of("_reply"), Some("Unanswered".to_owned()));
    }

    #[test]
    fn where_only_the_server_speaks_nothing_is_answered() {
        for topic in [
            "/sys/pk/dk/thing/measurepoint/post_reply",
            "/sys/pk/dk/thing/service/multiply",
            "/sys/pk/dk/thing/service/measurepoint/set",
            "/sys/pk/dk/thing/model/down_raw",
            "/sys/pk/dk/thing/model/down_raw_reply",
            "/sys/pk/dk/rrpc/response/7",
            "/sys/pk/dk/traffic/control",
            "/sys/pk/dk/thing/enable",
            "/sys/pk/dk/ota/device/upgrade",
            "/sys/pk/integration/measurepoint/post_reply",
            "/ext/session/pk/dk/combine/disable",
            "/ext/session/pk/dk/thing/activate/info_reply",
            "/ext/session/pk/dk/thing/service/multiply_reply",
        ] {
            assert_eq!(meaning(topic), Some(Meaning::Unanswered), "{topic}");
        }
    }

    #[test]
    fn replies_to_notices_are_told_from_replies_to_nothing() {
        let answers = |topic| Upstream::parse(topic).is_some_and(|upstream| upstream.answers_a_notice());
        assert!(answers("/ext/session/pk/dk/combine/disable_reply"));
        assert!(answers("/ext/session/pk/dk/thing/activate/info_reply"));
        assert!(!answers("/sys/pk/dk/thing/services/multiply_reply"));
        assert!(!answers("/ext/session/pk/dk/combine/disable"));
    }

    #[test]
    fn requests_and_raw_bytes_are_told_apart() {
        for topic in [
            "/sys/pk/dk/thing/measurepoint/post",
            "/sys/pk/dk/thing/event/overheat/post",
            "/sys/pk/dk/something/new",
            "/ext/session/pk/dk/combine/login",
            "/sys/pk/integration/event/post",
        ] {
            assert_eq!(meaning(topic), Some(Meaning::Request), "{topic}");
        }
        assert_eq!(meaning("/sys/pk/dk/thing/model/up_raw"), Some(Meaning::Raw));
        assert_eq!(meaning("/sys/pk/integration/model/up_raw"), Some(Meaning::Raw));
    }

    #[test]
    fn a_device_may_be_called_integration() {
        let topic = Upstream::parse("/sys/pk/integration/thing/service/x_reply").unwrap();
        assert!(topic.is_of("pk", "integration"));
        assert_eq!(topic.meaning(), Meaning::ServiceReply("x"));
        let topic = Upstream::parse("/sys/pk/integration/attribute/post").unwrap();
        assert!(!topic.is_of("pk", "integration"));
        assert!(!topic.is_of("pk", ""));
    }

    #[test]
    fn a_topic_belongs_to_the_device_whose_keys_are_in_it() {
        let topic = Upstream::parse("/sys/pk/dk/thing/tag/query").unwrap();
        assert!(topic.is_of("pk", "dk"));
        assert!(!topic.is_of("pk", "dk2"));
        assert!(!topic.is_of("dk", "pk"));
    }

    #[test]
    fn topics_of_no_family_concern_nobody() {
        for topic in [
            "",
            "/",
            "sys/pk/dk/thing/x",
            "/sys",
            "/sys/pk/dk",
            "/sys/pk/dk/",
            "/sys//dk/thing/x",
            "/sys/pk//thing/x",
            "/ext/session/pk/dk",
            "/ext/pk/dk/x",
            "/sys/+/dk/thing/x",
            "/sys/pk/dk/#",
            "$SYS/broker",
        ] {
            assert_eq!(Upstream::parse(topic), None, "{topic}");
        }
    }
}
