//! Answers to what devices ask for by themselves, so that no call of a device program hangs.
//!
//! Everything that devices post is accepted: what of it is kept, [`crate::report`] says, and answers queries for it.
//! What gateways ask for on behalf of others is answered by [`crate::sub_devices`], questions for the thing model by
//! [`crate::thing_model`] (docs/device-protocol.md, "Upstream requests").

use serde_json::{Value, json};

use crate::envelope::Envelope;
use crate::topic::{Area, Meaning, REPLY_SUFFIX, Upstream};

pub(crate) const OK: u16 = 200;
/// Largest answer: what device libraries take.
pub(crate) const ANSWER_MAX_BYTES: usize = 512 * 1024;
/// A message is too large.
pub(crate) const TOO_LARGE: u16 = 1008;
/// The server cannot do this now.
pub(crate) const UNAVAILABLE: u16 = 500;
/// The device may not write to this topic.
const NOT_PERMITTED: u16 = 1009;

/// A message to publish to the device that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerMessage {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// The answer to a message on `upstream` from the device with these keys; `None` if there must not be one: replies are
/// never answered, nor is a request that has no id to be told apart by, nor raw bytes in another's name.
#[must_use]
pub fn answer(
    upstream: &Upstream<'_>,
    envelope: &Envelope<'_>,
    product_key: &str,
    device_key: &str,
) -> Option<AnswerMessage> {
    answer_if(upstream.is_of(product_key, device_key), upstream, envelope)
}

/// The answer to a message over a connection that is no device's: the integration channel of a product may post for the
/// product's devices, everything else is refused. `None` as with [`answer`].
#[must_use]
pub fn answer_guest(
    upstream: &Upstream<'_>,
    envelope: &Envelope<'_>,
    channel_of: Option<&str>,
) -> Option<AnswerMessage> {
    let may = upstream.area == Area::Integration && channel_of == Some(upstream.product_key);
    answer_if(may, upstream, envelope)
}

fn answer_if(own: bool, upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Option<AnswerMessage> {
    let payload = match upstream.meaning() {
        Meaning::ServiceReply(_) | Meaning::SetReply | Meaning::Unanswered => return None,
        Meaning::Raw if own => Vec::new(),
        Meaning::Raw => return None,
        Meaning::Request => {
            let id = envelope.request_id()?;
            let outcome = if own {
                serve(upstream)
            } else {
                refused(NOT_PERMITTED, NO_RIGHT)
            };
            outcome.encode(&id)
        }
    };
    let topic = upstream.to_topic() + REPLY_SUFFIX;
    Some(AnswerMessage { topic, payload })
}

const NO_RIGHT: &str = "no permission for this topic";

struct Outcome {
    code: u16,
    data: Value,
    message: &'static str,
}

impl Outcome {
    /// The id is a string and the code a number whatever the request had: libraries insist on either.
    fn encode(&self, id: &str) -> Vec<u8> {
        encode(id, self.code, &self.data, self.message)
    }
}

pub(crate) fn encode(id: &str, code: u16, data: &Value, message: &str) -> Vec<u8> {
    let (id, message) = (Value::from(id), Value::from(message));
    format!("{{\"id\":{id},\"code\":{code},\"data\":{data},\"message\":{message}}}").into_bytes()
}

fn accepted(data: Value) -> Outcome {
    Outcome {
        code: OK,
        data,
        message: "",
    }
}

fn refused(code: u16, message: &'static str) -> Outcome {
    Outcome {
        code,
        data: json!({}),
        message,
    }
}

/// The shape of `data` matters more than its content: a library that misses an expected key or finds an object where it
/// wants an array gives up or ends its process. A string is never sent, since one library parses it as JSON once more.
fn serve(upstream: &Upstream<'_>) -> Outcome {
    match (upstream.area, upstream.path) {
        (Area::Device, "ota/device/getversion") => accepted(json!([])),
        _ => accepted(json!({})),
    }
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
