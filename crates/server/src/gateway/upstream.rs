//! What a device publishes: replies go to the engine, requests are answered, everything else is taken and dropped.

use std::num::NonZeroU16;

use aldis_protocol::answers::{Answer, answer};
use aldis_protocol::reply;
use aldis_protocol::topic::{Meaning, Upstream};

use super::line::Line;
use super::packets::Message;
use crate::link::{AnswerTo, DeviceEvent};

/// What is to be done about a PUBLISH.
#[derive(Debug)]
pub(super) enum Reaction {
    /// A reply: its PUBACK waits until it is durable.
    Report(DeviceEvent),
    /// Acknowledge at once, and answer if there is something to say.
    Take(Option<Answer>),
    /// Acknowledge at once; the device speaks for another.
    Foreign(Option<Answer>),
}

pub(super) fn react(message: Message<'_>, line: &Line) -> Reaction {
    let Some(upstream) = Upstream::parse(message.topic) else {
        return Reaction::Take(None);
    };
    let (product_key, device_key) = (line.keys.product(), line.keys.device());
    let own = upstream.is_of(product_key, device_key);
    let to = match upstream.meaning() {
        Meaning::ServiceReply(service) if own => AnswerTo::Service(service.to_owned()),
        Meaning::SetReply if own => AnswerTo::Points,
        Meaning::ServiceReply(_) | Meaning::SetReply => return Reaction::Foreign(None),
        Meaning::Unanswered | Meaning::Raw | Meaning::Request => {
            let answer = answer(&upstream, message.payload, product_key, device_key);
            return if own {
                Reaction::Take(answer)
            } else {
                Reaction::Foreign(answer)
            };
        }
    };
    let said = reply::decode(message.payload);
    Reaction::Report(DeviceEvent::Replied {
        session: line.session,
        device: line.device,
        wire: said.wire,
        to,
        reply: said.reply,
        packet: message.packet_id.map(NonZeroU16::get),
    })
}
