//! What a device does with one command, as plain data, and who decides it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{DeviceIdentity, Received};

/// What a device does with one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Whether it sends the PUBACK of a command with QoS 1.
    pub puback: bool,
    /// What it replies.
    pub reply: Reply,
    /// How long after receiving it replies.
    pub reply_after: Duration,
    /// Whether it replies a second time, and how long after the first.
    pub again_after: Option<Duration>,
    /// Whether it loses its link over this command. A reply still to be sent goes out after the next CONNACK, as the
    /// vendor's libraries do it.
    pub lose_link: Option<LoseLink>,
}

impl Behaviour {
    /// PUBACK and this reply, both at once.
    #[must_use]
    pub fn replying(reply: Reply) -> Self {
        Self {
            puback: true,
            reply,
            reply_after: Duration::ZERO,
            again_after: None,
            lose_link: None,
        }
    }

    /// PUBACK and a reply with this code and empty data, both at once.
    #[must_use]
    pub fn code(code: i64) -> Self {
        Self::replying(Reply::code(code))
    }

    /// PUBACK and a reply that reports success, with these outputs.
    #[must_use]
    pub fn success(data: Value) -> Self {
        Self::replying(Reply::answer(SUCCESS, data, ""))
    }

    /// PUBACK and then nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::replying(Reply::Nothing)
    }

    /// The same, with the reply this long after the command.
    #[must_use]
    pub fn after(self, reply_after: Duration) -> Self {
        Self { reply_after, ..self }
    }

    /// The same, with a second copy of the reply this long after the first.
    #[must_use]
    pub fn again_after(self, later: Duration) -> Self {
        Self {
            again_after: Some(later),
            ..self
        }
    }

    /// The same, without PUBACK.
    #[must_use]
    pub fn without_puback(self) -> Self {
        Self { puback: false, ..self }
    }

    /// The same, losing the link at this moment.
    #[must_use]
    pub fn losing_link(self, moment: LoseLink) -> Self {
        Self {
            lose_link: Some(moment),
            ..self
        }
    }
}

/// The code that every vendor library reports success with.
pub const SUCCESS: i64 = 200;

/// What a device replies.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing at all.
    Nothing,
    /// A reply in the documented shape.
    Answer(ReplyContent),
    /// These bytes on the reply topic.
    Raw(Bytes),
}

impl Reply {
    /// A reply with this code, empty data and no message.
    #[must_use]
    pub fn code(code: i64) -> Self {
        Self::answer(code, Value::Object(Map::new()), "")
    }

    /// A reply with everything.
    #[must_use]
    pub fn answer(code: i64, data: Value, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Answer(ReplyContent {
            code,
            data,
            message: message.into(),
        })
    }

    /// The payload for the command with this id; `None` if nothing is to be sent.
    pub(crate) fn payload(&self, id: &str) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::Answer(answer) => Some(answer.payload(id)),
            Self::Raw(bytes) => Some(bytes.clone()),
        }
    }
}

/// The content of a reply in the documented shape (docs/device-protocol.md, "Replies").
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyContent {
    /// 200 for success, anything else for a failure.
    pub code: i64,
    /// The outputs, or null.
    pub data: Value,
    /// A text for people.
    pub message: Cow<'static, str>,
}

#[derive(Serialize)]
struct Wire<'a> {
    id: &'a str,
    code: i64,
    data: &'a Value,
    message: &'a str,
}

impl ReplyContent {
    fn payload(&self, id: &str) -> Bytes {
        let wire = Wire {
            id,
            code: self.code,
            data: &self.data,
            message: &self.message,
        };
        serde_json::to_vec(&wire)
            .expect("texts, a number and a JSON value can always be written")
            .into()
    }
}

/// When a device loses its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoseLink {
    /// With the command in hand, before anything is sent: the connection is reset.
    BeforePuback,
    /// Right after the PUBACK, before any reply: the socket is closed without DISCONNECT.
    AfterPuback,
    /// Right after what can be replied at once: the socket is closed without DISCONNECT.
    AfterReply,
}

/// Which device has received a command, and as which of its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient<'d> {
    /// The device.
    pub identity: &'d DeviceIdentity,
    /// Its place in the fleet's list, from 0.
    pub index: usize,
    /// How many commands it has received before this one.
    pub nth: u64,
}

/// Decides what devices do. Called on the fleet's only thread, one command at a time: it must not block.
///
/// Closures `FnMut(&Recipient, &Received) -> Behaviour` are handlers, and so is [`crate::FaultModel`].
pub trait Handler: Send {
    /// What the device does with this command.
    fn handle(&mut self, recipient: &Recipient<'_>, command: &Received) -> Behaviour;
}

impl<F> Handler for F
where
    F: FnMut(&Recipient<'_>, &Received) -> Behaviour + Send,
{
    fn handle(&mut self, recipient: &Recipient<'_>, command: &Received) -> Behaviour {
        self(recipient, command)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replies_have_the_documented_shape() {
        let payload = Reply::answer(200, json!({"product": 42}), "done")
            .payload("1000000000000004097")
            .unwrap();
        assert_eq!(
            payload,
            r#"{"id":"1000000000000004097","code":200,"data":{"product":42},"message":"done"}"#
        );
        assert_eq!(
            Reply::code(2000).payload("1").unwrap(),
            r#"{"id":"1","code":2000,"data":{},"message":""}"#
        );
        assert_eq!(
            Reply::Raw(Bytes::from_static(b"\xff")).payload("1").unwrap(),
            &b"\xff"[..]
        );
        assert_eq!(Reply::Nothing.payload("1"), None);
    }
}
