//! A device's connection, from its CONNACK to its end.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aldis_core::ids::DeviceNo;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{ConnectAckReason, Packet};
use tokio::time::Sleep;

use super::Gateway;
use super::acknowledgements::{connack, suback};
use super::close_reason::{CloseReason, ProtocolViolation};
use super::compression::DecompressError;
use super::connection_handle::Outbox;
use super::input::{Input, Pass};
use super::members::{Members, StoreQuery};
use super::packets::NOT_IN_A_TOPIC;
use super::packets::{Incoming, Message};
use super::read_budget::ReadBudget;
use super::session_params::silent_at;
use super::sessions::Present;
use super::socket;
use super::subscribing::{Ready, subscribed};
use super::upstream::{Reaction, react};
use super::warm_up::WarmUp;
use aldis_engine::link::{DeviceEvent, Kinds, SessionNo};
use aldis_engine::trace;

/// Messages in another device's name that are passed over before the connection is ended, unless it is a gateway's.
const FOREIGN_MAX: u32 = 20;
/// What a filter of a SUBSCRIBE is charged as: it is compared with the topics of every device of the connection.
const FILTER_BYTES: usize = 16;
/// Until the next look at the time when nothing is due.
const FAR: Duration = Duration::from_secs(3600);

pub(super) struct Connection {
    gateway: Arc<Gateway>,
    present: Present,
    warm_up: WarmUp,
    /// Seconds between two signs of life; 0: none are promised.
    keep_alive: u16,
    /// When the device was last heard.
    heard: Instant,
    foreign: u32,
    /// The device has acknowledged a command and not replied yet.
    reply_is_next: bool,
    pace: ReadBudget,
}

/// What a connection has been waiting for.
enum Next {
    Bytes,
    Moment,
}

impl Connection {
    pub(super) fn new(gateway: Arc<Gateway>, present: Present, keep_alive: u16) -> Self {
        let now = Instant::now();
        Self {
            gateway,
            present,
            warm_up: WarmUp::begin(now),
            keep_alive,
            heard: now,
            foreign: 0,
            reply_is_next: false,
            pace: ReadBudget::begin(now),
        }
    }

    /// Talks with the device until either has enough. What came right behind its login is in `input`.
    pub(super) async fn run(&mut self, input: &mut Input) {
        let end = match self.talk(input).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let handle = &self.present.handle;
        let stopping = self.gateway.sessions.is_stopping();
        let polite = matches!(end, CloseReason::Disconnected) || stopping;
        let told = handle.outbox().put_why(&end);
        // A client that disconnects in order still gets what was written before; all others get only the reason.
        if (polite || told)
            && let Err(error) = handle.outbox().flush(&handle.transport, &*self.gateway.clock)
        {
            tracing::debug!(%error, "a device was gone before it was told everything");
        }
        if polite {
            handle.transport.say_goodbye();
        }
        socket::discard_on_close(handle.transport.socket(), !polite);
        tracing::debug!(device = handle.device.0, %end, "a device's connection has ended");
        let why = end.to_string();
        self.gateway
            .sessions
            .note(handle.device, trace::Event::Ended(why.clone()));
        self.gateway.sessions.end_members(handle, &why);
    }

    async fn talk(&mut self, input: &mut Input) -> Result<Infallible, CloseReason> {
        let room = self.greet(input)?;
        self.give_way(room, false).await;
        // Under TLS more may have come together with the login, for which the socket will not call again.
        let mut more = true;
        let mut timer = pin!(tokio::time::sleep_until(self.next_moment().into()));
        loop {
            match std::future::poll_fn(|cx| self.poll_next(cx, timer.as_mut(), more)).await? {
                Next::Bytes => {
                    let room;
                    (room, more) = self.hear(input)?;
                    self.give_way(room, more).await;
                    if self.has_asked() {
                        Box::pin(self.serve_asked()).await?;
                        timer.as_mut().reset(self.next_moment().into());
                    }
                }
                Next::Moment => {
                    self.pass_time()?;
                    // Whatever happens but the login of a sub-device moves the next moment away, never closer.
                    timer.as_mut().reset(self.next_moment().into());
                }
            }
        }
    }

    fn poll_next(&self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>, more: bool) -> Poll<Result<Next, CloseReason>> {
        let handle = &self.present.handle;
        if let Poll::Ready(end) = handle.poll_end(cx, &*self.gateway.clock) {
            return Poll::Ready(Err(end));
        }
        if more {
            return Poll::Ready(Ok(Next::Bytes));
        }
        if let Poll::Ready(ready) = handle.transport.poll_read_ready(cx) {
            return Poll::Ready(ready.map(|()| Next::Bytes).map_err(CloseReason::from));
        }
        timer.poll(cx).map(|()| Ok(Next::Moment))
    }

    fn has_asked(&self) -> bool {
        let outbox = self.present.handle.outbox();
        outbox.members().is_some_and(|members| !members.asked.is_empty())
    }

    /// Does what the device has asked for as a gateway. Few devices are gateways: the others must not carry the room
    /// that this takes, so its caller boxes it.
    async fn serve_asked(&mut self) -> Result<(), CloseReason> {
        let handle = &self.present.handle;
        let asked = handle
            .outbox()
            .members_mut()
            .map(|members| std::mem::take(&mut members.asked));
        let answered = self.gateway.serve_asked(handle, asked.unwrap_or_default()).await?;
        self.pace.charge(answered);
        Ok(())
    }

    /// Pauses if the engine has more than it can take: the device's socket fills up then. And all devices share one
    /// thread: one that never pauses must not keep it for itself, nor one whose packets cost more than others'.
    async fn give_way(&mut self, room: bool, more: bool) {
        if !room {
            self.gateway.sessions.writer().room().await;
        }
        match self.pace.end_pass(Instant::now()) {
            // Few wait: the others must not carry the room that this takes.
            Some(wait) => Box::pin(tokio::time::sleep(wait)).await,
            None if more => tokio::task::yield_now().await,
            None => {}
        }
    }

    /// Tells the device that it is in, and hears what it said before that. False if the engine's inbox is full.
    fn greet(&mut self, input: &mut Input) -> Result<bool, CloseReason> {
        let handle = Arc::clone(&self.present.handle);
        socket::discard_on_close(handle.transport.socket(), true);
        if self.keep_alive == 0 {
            socket::probe_when_silent(handle.transport.socket());
        }
        let mut outbox = handle.outbox();
        outbox.put(connack(ConnectAckReason::ConnectionAccepted))?;
        let mut room = true;
        input.take_kept(|packet| {
            room &= self.handle(packet, &mut outbox)?;
            Ok::<_, CloseReason>(self.pass())
        })?;
        outbox.flush(&handle.transport, &*self.gateway.clock)?;
        Ok(room)
    }

    /// Hears what the device says now. Whether the engine's inbox has room, and whether there may be more to hear.
    fn hear(&mut self, input: &mut Input) -> Result<(bool, bool), CloseReason> {
        let handle = Arc::clone(&self.present.handle);
        let mut outbox = handle.outbox();
        let (mut room, mut heard) = (true, false);
        let more = input.try_read(&handle.transport, |packet| {
            heard = true;
            room &= self.handle(packet, &mut outbox)?;
            Ok::<_, CloseReason>(self.pass())
        })?;
        if heard {
            self.heard = Instant::now();
        }
        if std::mem::take(&mut self.reply_is_next) {
            socket::acknowledge_quickly(handle.transport.socket());
        }
        outbox.flush(&handle.transport, &*self.gateway.clock)?;
        Ok((room, more))
    }

    fn pass(&self) -> Pass {
        if self.pace.is_spent() { Pass::Over } else { Pass::On }
    }

    /// One packet; false if the engine's inbox is full.
    fn handle(&mut self, packet: Incoming<'_>, outbox: &mut Outbox) -> Result<bool, CloseReason> {
        let packet = match packet {
            Incoming::Publish(message) => return self.published(message, outbox),
            Incoming::PublishAck(packet_id) => {
                self.pace.charge(0);
                let Some((device, wire)) = outbox.acknowledged(packet_id) else {
                    return Ok(true);
                };
                self.reply_is_next = true;
                return Ok(self.report(DeviceEvent::Acked { device, wire }));
            }
            Incoming::Other(packet) => packet,
        };
        match packet {
            Packet::PingRequest => {
                self.pace.charge(0);
                outbox.put(Packet::PingResponse)?;
            }
            Packet::Subscribe {
                packet_id,
                topic_filters,
            } => {
                self.pace.charge(topic_filters.len() * FILTER_BYTES);
                outbox.put(suback(outbox.version(), packet_id, &topic_filters))?;
                return Ok(self.subscribed(topic_filters.iter().map(|(filter, _)| filter.as_ref()), outbox));
            }
            Packet::Unsubscribe {
                packet_id,
                topic_filters,
            } => {
                self.pace.charge(topic_filters.len() * FILTER_BYTES);
                outbox.put_unsuback(packet_id, topic_filters.len())?;
            }
            Packet::Disconnect => return Err(CloseReason::Disconnected),
            Packet::Connect(_) => return Err(CloseReason::Misbehaved("a second CONNECT")),
            Packet::Publish(_)
            | Packet::PublishAck { .. }
            | Packet::PublishReceived { .. }
            | Packet::PublishRelease { .. }
            | Packet::PublishComplete { .. }
            | Packet::ConnectAck(_)
            | Packet::SubscribeAck { .. }
            | Packet::UnsubscribeAck { .. }
            | Packet::PingResponse => {
                return Err(CloseReason::Misbehaved(
                    "a packet that only a server sends, or of QoS 2",
                ));
            }
        }
        Ok(true)
    }

    fn published(&mut self, message: Message<'_>, outbox: &mut Outbox) -> Result<bool, CloseReason> {
        if message.qos == QoS::ExactlyOnce {
            return Err(ProtocolViolation::Qos2.into());
        }
        if message.topic.contains(NOT_IN_A_TOPIC) {
            return Err(ProtocolViolation::Topic.into());
        }
        let payload = match outbox.encoding().decompress(message.payload) {
            Ok(payload) => payload,
            Err(DecompressError::TooLarge) => {
                return Err(CloseReason::Misbehaved("a payload that unpacks to too much"));
            }
            Err(DecompressError::Garbage) => {
                self.pace.charge(message.payload.len());
                self.dropped(
                    self.present.handle.device,
                    "its payload is not packed as announced",
                    message.topic,
                );
                if let Some(packet_id) = message.packet_id {
                    outbox.put_puback(packet_id);
                }
                return Ok(true);
            }
        };
        self.pace.charge(payload.len());
        let message = Message {
            payload: &payload,
            ..message
        };
        let answer = match react(message, &self.present.handle, outbox) {
            Reaction::Report(event) => {
                self.reply_is_next = false;
                return Ok(self.report(event));
            }
            Reaction::Take(answer) => answer,
            Reaction::Drop(device, why) => {
                self.dropped(device, why, message.topic);
                None
            }
            Reaction::Keep(reported, answer) => {
                self.gateway.sessions.keep_reported(reported);
                answer
            }
            Reaction::Ask(asked) => {
                let waits = matches!(*asked, StoreQuery::Reply { .. });
                if waits {
                    self.hear_foreign(outbox);
                }
                outbox.ask(*asked);
                if waits {
                    return Ok(true);
                }
                None
            }
            Reaction::Foreign(answer) => {
                self.hear_foreign(outbox);
                answer
            }
        };
        if let Some(packet_id) = message.packet_id {
            outbox.put_puback(packet_id);
        }
        if let Some(answer) = answer {
            outbox.put_message(&answer.topic, &answer.payload)?;
        }
        Ok(true)
    }

    fn dropped(&self, device: DeviceNo, why: &'static str, topic: &str) {
        self.gateway.sessions.note(device, trace::Event::dropped(why, topic));
    }

    /// A gateway may have much to say for sub-devices that are not in again, and is not told of each that it has lost:
    /// it must not lose all others for that. So a connection that sends too much is examined before it is cut off.
    fn hear_foreign(&mut self, outbox: &mut Outbox) {
        if outbox.is_gateway() {
            return;
        }
        self.foreign = self.foreign.saturating_add(1);
        if self.foreign == FOREIGN_MAX + 1 {
            outbox.ask(StoreQuery::TooMuchForeign);
        }
    }

    /// The SUBACK is in the output by now, hence before any command.
    fn subscribed<'f>(&mut self, filters: impl Iterator<Item = &'f str> + Clone, outbox: &mut Outbox) -> bool {
        let handle = &self.present.handle;
        let of = (&handle.keys, &mut self.warm_up);
        let (own, members) = subscribed(filters, of, outbox, Instant::now());
        let mut room = true;
        for (session, device, ready) in members {
            room &= self.report_widened(session, device, ready);
        }
        room & self.report_widened(handle.session, handle.device, own)
    }

    fn report_widened(&self, session: SessionNo, device: DeviceNo, ready: Ready) -> bool {
        let Ready { kinds, services } = ready;
        let mut room = kinds.is_none_or(|kinds| self.report_ready(session, device, kinds));
        if !services.is_empty() {
            room &= self.report(DeviceEvent::ReadyFor {
                session,
                device,
                services,
            });
        }
        room
    }

    fn report_ready(&self, session: SessionNo, device: DeviceNo, kinds: Kinds) -> bool {
        self.report(DeviceEvent::Ready { session, device, kinds })
    }

    /// False if the engine's inbox is full.
    fn report(&self, event: DeviceEvent) -> bool {
        self.gateway.sessions.writer().report(event)
    }

    fn next_moment(&self) -> Instant {
        let settled = self.present.handle.outbox().members().and_then(Members::settled_at);
        let moments = [self.warm_up.ends_at(), silent_at(self.keep_alive, self.heard), settled];
        moments
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + FAR)
    }

    fn pass_time(&mut self) -> Result<(), CloseReason> {
        let now = Instant::now();
        if silent_at(self.keep_alive, self.heard).is_some_and(|end| now >= end) {
            return Err(CloseReason::Silent);
        }
        let handle = &self.present.handle;
        if let Some(kinds) = self.warm_up.pass(now) {
            self.report_ready(handle.session, handle.device, kinds);
        }
        if let Some(members) = handle.outbox().members_mut() {
            for member in members.all_mut() {
                if let Some(kinds) = member.warm_up.pass(now) {
                    self.report_ready(member.session, member.device, kinds);
                }
            }
        }
        Ok(())
    }
}
