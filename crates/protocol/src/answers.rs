//! Answers to what devices ask for by themselves, so that no call of a device program hangs.
//!
//! Aldis keeps nothing of what devices post: it accepts, and what is asked for is empty. Requests on behalf of other devices
//! are refused, as long as gateways are not served (docs/device-protocol.md, "Upstream requests").

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::envelope::{Envelope, id_text};
use crate::topic::{Area, Meaning, REPLY_SUFFIX, Upstream};

const OK: u16 = 200;
/// The device may not write to this topic, or register others.
const NOT_PERMITTED: u16 = 1009;
/// Of a batch of sub-devices not all could log in.
const BATCH_INCOMPLETE: u16 = 723;
/// A device is no sub-device of this gateway.
const NOT_A_SUB_DEVICE: u16 = 740;
/// Sub-devices could not be added to the topology.
const TOPOLOGY_NOT_ADDED: u16 = 1255;

/// A message to publish to the device that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// The answer to a message on `upstream` from the device with these keys; `None` if there must not be one: replies are
/// never answered, nor is a request that has no id to be told apart by, nor raw bytes in another's name.
#[must_use]
pub fn answer(upstream: &Upstream<'_>, payload: &[u8], product_key: &str, device_key: &str) -> Option<Answer> {
    let own = upstream.is_of(product_key, device_key);
    let payload = match upstream.meaning() {
        Meaning::ServiceReply(_) | Meaning::SetReply | Meaning::Unanswered => return None,
        Meaning::Raw if own => Vec::new(),
        Meaning::Raw => return None,
        Meaning::Request => {
            let request = Envelope::read(payload)?;
            let id = request.id.and_then(id_text)?;
            let outcome = if own {
                serve(upstream, request.params)
            } else {
                refused(NOT_PERMITTED, json!({}), NO_RIGHT)
            };
            outcome.encode(&id)
        }
    };
    let topic = upstream.to_topic() + REPLY_SUFFIX;
    Some(Answer { topic, payload })
}

const NO_RIGHT: &str = "no permission for this topic";
const NO_GATEWAYS: &str = "this server does not serve sub-devices";

struct Outcome {
    code: u16,
    data: Value,
    message: &'static str,
}

impl Outcome {
    /// The id is a string and the code a number whatever the request had: libraries insist on either.
    fn encode(&self, id: &str) -> Vec<u8> {
        let Self { code, data, message } = self;
        let (id, message) = (Value::from(id), Value::from(*message));
        format!("{{\"id\":{id},\"code\":{code},\"data\":{data},\"message\":{message}}}").into_bytes()
    }
}

fn accepted(data: Value) -> Outcome {
    Outcome {
        code: OK,
        data,
        message: "",
    }
}

fn refused(code: u16, data: Value, message: &'static str) -> Outcome {
    Outcome { code, data, message }
}

/// The shape of `data` matters more than its content: a library that misses an expected key or finds an object where it
/// wants an array gives up or ends its process. A string is never sent, since one library parses it as JSON once more.
fn serve(upstream: &Upstream<'_>, params: Option<&RawValue>) -> Outcome {
    match (upstream.area, upstream.path) {
        (Area::Device, "thing/tsltemplate/get") => accepted(empty_thing_model()),
        (Area::Device, "thing/topo/get" | "ota/device/getversion") => accepted(json!([])),
        (Area::Device, "thing/device/register") => refused(NOT_PERMITTED, json!([]), NO_RIGHT),
        (Area::Device, "thing/topo/add") => refused(TOPOLOGY_NOT_ADDED, json!({}), NO_GATEWAYS),
        (Area::Session, "combine/login") => refused(NOT_A_SUB_DEVICE, SubDevice::read(params).echo(), NO_GATEWAYS),
        (Area::Session, "combine/login/batch") => refused(BATCH_INCOMPLETE, all_failed(params), NO_GATEWAYS),
        (Area::Session, "combine/logout") => accepted(SubDevice::read(params).echo()),
        _ => accepted(json!({})),
    }
}

fn empty_thing_model() -> Value {
    json!({"tslAttributeMap": {}, "tslMeasurepointMap": {}, "tslEventMap": {}, "tslServiceMap": {}})
}

/// A device that a gateway speaks for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SubDevice {
    product_key: String,
    device_key: String,
}

impl SubDevice {
    fn read(params: Option<&RawValue>) -> Self {
        params
            .and_then(|params| serde_json::from_str(params.get()).ok())
            .unwrap_or_default()
    }

    fn echo(&self) -> Value {
        json!({"productKey": self.product_key, "deviceKey": self.device_key})
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Batch {
    sub_devices: Vec<SubDevice>,
}

fn all_failed(params: Option<&RawValue>) -> Value {
    let batch: Batch = params
        .and_then(|params| serde_json::from_str(params.get()).ok())
        .unwrap_or_default();
    let failed: Vec<Value> = batch.sub_devices.iter().map(SubDevice::echo).collect();
    json!({"loginedSubDevices": [], "failedSubDevices": failed})
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
