//! What a device publishes: replies go to the engine, requests are answered, everything else is taken and dropped.
//!
//! A gateway speaks for itself and for the sub-devices that are in over its connection, and for no other device.

use std::num::NonZeroU16;

use aldis_core::ids::DeviceNo;
use aldis_protocol::answers::{AnswerMessage, answer};
use aldis_protocol::envelope::Envelope;
use aldis_protocol::reply;
use aldis_protocol::report::{self, Change, Query};
use aldis_protocol::sub_devices::{DeviceKeys, Request};
use aldis_protocol::thing_model::ModelQuery;
use aldis_protocol::topic::{Area, Meaning, Upstream};

use super::connection_handle::{ConnectionHandle, Outbox};
use super::keys::Keys;
use super::members::StoreQuery;
use super::packets::Message;
use aldis_engine::link::{AnswerTo, DeviceEvent, SessionNo};

/// What is to be done about a PUBLISH.
#[derive(Debug)]
pub(super) enum Reaction {
    /// A reply: its PUBACK waits until it is durable.
    Report(DeviceEvent),
    /// Acknowledge at once, and answer if there is something to say.
    Take(Option<AnswerMessage>),
    /// Acknowledge at once; this device has said something that means nothing, for this reason.
    Drop(DeviceNo, &'static str),
    /// Acknowledge at once, answer if there is something to say, and these devices have reported values.
    Keep(Vec<(DeviceNo, Vec<Change>)>, Option<AnswerMessage>),
    /// Takes a look at what is stored. A request is acknowledged at once, a reply afterwards.
    Ask(Box<StoreQuery>),
    /// Acknowledge at once; the device speaks for another.
    Foreign(Option<AnswerMessage>),
}

/// Whom a message is from.
#[derive(Clone, Copy)]
struct Sender {
    session: SessionNo,
    device: DeviceNo,
}

pub(super) fn react(message: Message<'_>, handle: &ConnectionHandle, outbox: &Outbox) -> Reaction {
    let Some(upstream) = Upstream::parse(message.topic) else {
        return Reaction::Drop(handle.device, "its topic means nothing");
    };
    let Some(sender) = sender(&upstream, message.topic, handle, outbox) else {
        return foreign(&upstream, message, handle);
    };
    let Some(to) = answer_to(&upstream) else {
        return match upstream.meaning() {
            Meaning::Unanswered if upstream.answers_a_notice() => Reaction::Take(None),
            Meaning::Unanswered => Reaction::Drop(sender.device, "its topic is that of no reply to a command"),
            _ => requested(&upstream, message.payload, sender, handle, outbox),
        };
    };
    let said = reply::decode(message.payload);
    Reaction::Report(DeviceEvent::Replied {
        session: sender.session,
        device: sender.device,
        wire: said.wire,
        mentioned: said.mentioned,
        to,
        reply: said.reply,
        packet: message.packet_id.map(NonZeroU16::get),
    })
}

/// The device whose topic it is, if it is in over this connection.
fn sender(upstream: &Upstream<'_>, topic: &str, handle: &ConnectionHandle, outbox: &Outbox) -> Option<Sender> {
    if upstream.is_of(handle.keys.product(), handle.keys.device()) {
        return Some(Sender {
            session: handle.session,
            device: handle.device,
        });
    }
    let members = outbox.members().filter(|_| upstream.area == Area::Device)?;
    let root = &topic[..topic.len() - upstream.path.len()];
    members.of_root(root).map(|member| Sender {
        session: member.session,
        device: member.device,
    })
}

fn requested(
    upstream: &Upstream<'_>,
    payload: &[u8],
    sender: Sender,
    handle: &ConnectionHandle,
    outbox: &Outbox,
) -> Reaction {
    let envelope = Envelope::read(payload);
    if sender.session == handle.session {
        if let Some(request) = Request::read(upstream, &envelope) {
            return Reaction::Ask(Box::new(StoreQuery::Request(request)));
        }
    } else if let Some(refused) = Request::refuse(upstream, &envelope) {
        // A sub-device is no gateway, whichever connection its request comes over.
        return Reaction::Take(Some(refused));
    }
    if let Some(query) = Query::read(upstream, &envelope) {
        return Reaction::Ask(Box::new(StoreQuery::Query(sender.device, query)));
    }
    if let Some(query) = ModelQuery::read(upstream, &envelope) {
        return Reaction::Ask(Box::new(StoreQuery::Model(sender.device, query)));
    }
    let answer = answer(upstream, &envelope, upstream.product_key, upstream.device_key);
    let reported: Vec<_> = report::read(upstream, &envelope)
        .into_iter()
        .filter_map(|report| Some((reporter(report.of, sender, handle, outbox)?, report.changes)))
        .collect();
    if reported.is_empty() {
        Reaction::Take(answer)
    } else {
        Reaction::Keep(reported, answer)
    }
}

/// Whose values these are; a gateway reports for those that are in over its connection, too.
fn reporter(
    of: Option<(String, String)>,
    sender: Sender,
    handle: &ConnectionHandle,
    outbox: &Outbox,
) -> Option<DeviceNo> {
    let Some((product, device)) = of else {
        return Some(sender.device);
    };
    if handle.keys.product() == product && handle.keys.device() == device {
        return Some(handle.device);
    }
    let root = Keys::new(&product, &device);
    Some(outbox.members()?.of_root(root.root())?.device)
}

/// The command that a reply belongs to; `None` if it is no reply.
fn answer_to(upstream: &Upstream<'_>) -> Option<AnswerTo> {
    match upstream.meaning() {
        Meaning::ServiceReply(service) => Some(AnswerTo::Service(service.to_owned())),
        Meaning::SetReply => Some(AnswerTo::Points),
        Meaning::Unanswered | Meaning::Raw | Meaning::Request => None,
    }
}

fn foreign(upstream: &Upstream<'_>, message: Message<'_>, handle: &ConnectionHandle) -> Reaction {
    let Some(to) = answer_to(upstream) else {
        let (product_key, device_key) = (handle.keys.product(), handle.keys.device());
        let envelope = Envelope::read(message.payload);
        let refused = Request::refuse(upstream, &envelope);
        return Reaction::Foreign(refused.or_else(|| answer(upstream, &envelope, product_key, device_key)));
    };
    Reaction::Ask(Box::new(StoreQuery::Reply {
        from: DeviceKeys {
            product_key: upstream.product_key.into(),
            device_key: upstream.device_key.into(),
        },
        said: reply::decode(message.payload),
        to,
        packet: message.packet_id,
    }))
}
