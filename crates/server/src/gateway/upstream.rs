//! What a device publishes: replies go to the engine, requests are answered, everything else is taken and dropped.

use std::num::NonZeroU16;

use aldis_protocol::answers::{Answer, answer};
use aldis_protocol::reply;
use aldis_protocol::topic::{Meaning, Upstream};
use rmqtt_codec::types::Publish;

use super::admission::Admitted;
use crate::link::{AnswerTo, DeviceEvent, SessionNo};

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

pub(super) fn react(publish: &Publish, device: &Admitted, session: SessionNo) -> Reaction {
    let Some(upstream) = Upstream::parse(&publish.topic) else {
        return Reaction::Take(None);
    };
    let own = upstream.is_of(&device.product_key, &device.device_key);
    let to = match upstream.meaning() {
        Meaning::ServiceReply(service) if own => AnswerTo::Service(service.to_owned()),
        Meaning::SetReply if own => AnswerTo::Points,
        Meaning::ServiceReply(_) | Meaning::SetReply => return Reaction::Foreign(None),
        Meaning::Unanswered | Meaning::Raw | Meaning::Request => {
            let answer = answer(&upstream, &publish.payload, &device.product_key, &device.device_key);
            return if own {
                Reaction::Take(answer)
            } else {
                Reaction::Foreign(answer)
            };
        }
    };
    let message = reply::decode(&publish.payload);
    Reaction::Report(DeviceEvent::Replied {
        session,
        device: device.device,
        wire: message.wire,
        to,
        reply: message.reply,
        packet: publish.packet_id.map(NonZeroU16::get),
    })
}
