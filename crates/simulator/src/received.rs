//! A command as it arrived at a device: the PUBLISH packet, with the parts of its envelope read on demand.

use std::borrow::Cow;
use std::fmt;

use aldis_core::ids::WireId;
use rmqtt_codec::types::{Publish, QoS};
use serde::Deserialize;
use serde_json::Value;

const SERVICE: &str = "/thing/service/";
const REPLY_SUFFIX: &str = "_reply";

/// A command that a device has received (docs/device-protocol.md, "Commands").
///
/// It shares the packet's memory; nothing of the payload is copied, and only the id is read in advance.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    publish: Box<Publish>,
    id: (usize, usize),
}

#[derive(Deserialize)]
struct Id<'p> {
    id: &'p str,
}

#[derive(Deserialize)]
struct Method<'p> {
    #[serde(borrow)]
    method: Option<Cow<'p, str>>,
}

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    params: Value,
}

impl Received {
    /// Reads a packet as a command.
    ///
    /// # Errors
    /// Gives the packet back if its topic is no command topic, or its payload has no `id` of plain characters.
    pub fn read(publish: Box<Publish>) -> Result<Self, Box<Publish>> {
        let topic: &str = &publish.topic;
        let is_command = topic.contains(SERVICE) && !topic.ends_with(REPLY_SUFFIX);
        let id = is_command.then(|| id_range(&publish.payload)).flatten();
        match id {
            Some(id) => Ok(Self { publish, id }),
            None => Err(publish),
        }
    }

    /// The id, which names the attempt.
    #[must_use]
    pub fn id(&self) -> &str {
        let (start, end) = self.id;
        let bytes = self.publish.payload.get(start..end).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The id as task and attempt; `None` if it is none that Aldis issues.
    #[must_use]
    pub fn wire_id(&self) -> Option<WireId> {
        self.id().parse().ok()
    }

    /// The `method`, such as `thing.service.multiply`; empty if there is none.
    #[must_use]
    pub fn method(&self) -> Cow<'_, str> {
        serde_json::from_slice::<Method<'_>>(self.payload())
            .ok()
            .and_then(|read| read.method)
            .unwrap_or_default()
    }

    /// The `params`: inputs of a service, or points and their values. Null if there are none.
    #[must_use]
    pub fn params(&self) -> Value {
        serde_json::from_slice::<Params>(self.payload()).map_or(Value::Null, |read| read.params)
    }

    /// What follows `thing/service/` in the topic: a service's identifier, or `measurepoint/set`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.topic().split_once(SERVICE).map_or("", |(_, service)| service)
    }

    /// The topic that it arrived on.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.publish.topic
    }

    /// The topic that its reply goes to.
    #[must_use]
    pub fn reply_topic(&self) -> String {
        format!("{}{REPLY_SUFFIX}", self.topic())
    }

    /// The whole payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.publish.payload
    }

    /// The packet id; `None` for QoS 0.
    #[must_use]
    pub fn packet_id(&self) -> Option<u16> {
        self.publish.packet_id.map(std::num::NonZeroU16::get)
    }

    /// The quality of service: 0 or 1.
    #[must_use]
    pub fn qos(&self) -> u8 {
        self.publish.qos.value()
    }

    /// Whether the server marked it as sent before.
    #[must_use]
    pub fn dup(&self) -> bool {
        self.publish.dup
    }

    /// Whether the server marked it as retained.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.publish.retain
    }

    pub(crate) fn to_acknowledge(&self) -> Option<std::num::NonZeroU16> {
        self.publish.packet_id.filter(|_| self.publish.qos == QoS::AtLeastOnce)
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("topic", &self.topic())
            .field("payload", &String::from_utf8_lossy(self.payload()))
            .field("packet_id", &self.packet_id())
            .field("qos", &self.qos())
            .field("dup", &self.dup())
            .finish_non_exhaustive()
    }
}

fn id_range(payload: &[u8]) -> Option<(usize, usize)> {
    let read: Id<'_> = serde_json::from_slice(payload).ok()?;
    let start = (read.id.as_ptr() as usize).checked_sub(payload.as_ptr() as usize)?;
    Some((start, start + read.id.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MULTIPLY: &str = "/sys/pk1/dk1/thing/service/multiply";

    fn publish(topic: &str, payload: &str) -> Box<Publish> {
        Box::new(Publish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.into(),
            packet_id: std::num::NonZeroU16::new(7),
            payload: payload.to_owned().into(),
            properties: None,
        })
    }

    #[test]
    fn every_part_of_the_envelope_can_be_read() {
        let payload =
            r#"{"version":"1.0","id":"1000000000000004097","method":"thing.service.multiply","params":{"left":6}}"#;
        let command = Received::read(publish(MULTIPLY, payload)).unwrap();
        assert_eq!(command.id(), "1000000000000004097");
        assert_eq!(command.wire_id().map(|id| (id.task().0, id.attempt().0)), Some((1, 1)));
        assert_eq!(command.method(), "thing.service.multiply");
        assert_eq!(command.params(), json!({"left": 6}));
        assert_eq!(command.service(), "multiply");
        assert_eq!(command.reply_topic(), "/sys/pk1/dk1/thing/service/multiply_reply");
        assert_eq!((command.packet_id(), command.qos(), command.dup()), (Some(7), 1, false));
    }

    #[test]
    fn what_is_no_command_is_given_back() {
        for (topic, payload) in [
            (MULTIPLY, "rubbish"),
            (MULTIPLY, "{}"),
            (MULTIPLY, r#"{"id":7}"#),
            ("/sys/pk1/dk1/thing/measurepoint/post_reply", r#"{"id":"1"}"#),
            ("/sys/pk1/dk1/thing/service/multiply_reply", r#"{"id":"1"}"#),
        ] {
            let packet = publish(topic, payload);
            assert_eq!(Received::read(packet.clone()), Err(packet), "{topic} {payload}");
        }
    }

    #[test]
    fn an_envelope_with_missing_parts_is_still_a_command() {
        let command = Received::read(publish("/sys/pk1/dk1/thing/service/measurepoint/set", r#"{"id":"a"}"#)).unwrap();
        assert_eq!((command.id(), command.wire_id()), ("a", None));
        assert_eq!((command.method().as_ref(), command.params()), ("", Value::Null));
        assert_eq!(command.service(), "measurepoint/set");
    }
}
