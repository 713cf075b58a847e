//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aldis_core::ids::WireId;
use aldis_protocol::answers::Answer;
use aldis_protocol::payload::CommandBody;
use aldis_protocol::subscription::{Coverage, coverage};
use aldis_protocol::topic::command_topic;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet, SubscribeReturnCode};
use tokio::net::TcpStream;

use super::Gateway;
use super::admission::Admitted;
use super::sessions::Mailbox;
use super::settling::Settling;
use super::upstream::{Reaction, react};
use super::wire::{Wire, WireError};
use crate::idle::Member;
use crate::link::{DeviceEvent, Gate, Order, Outgoing};
use crate::shutdown::Stopped;

/// A socket must say CONNECT within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// One vendor library misses a CONNACK that comes before it has started to wait for it.
const BEFORE_CONNACK: Duration = Duration::from_millis(10);
/// Messages in another device's name that are passed over before the connection is ended.
const FOREIGN_MAX: u32 = 20;
/// Wildcards are for filters, and NUL is for no string of MQTT.
const NOT_IN_A_TOPIC: [char; 3] = ['#', '+', '\0'];
/// Bytes that may wait for a device that does not read: a command and then some. One that lets more wait is ended.
const UNSENT_MAX_BYTES: usize = 1 << 20;
/// Commands whose PUBACK is remembered to be missing. Only the one that is out counts for anything; the others keep their
/// packet identifiers from being used again too early.
const IN_FLIGHT_MAX: usize = 32;
/// A refused client gets this long to read why before its socket is closed.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Lives one connection. Without a place, only as long as it takes to say so; until its login others may need its place.
pub(super) async fn live(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    peer: SocketAddr,
    stopped: Stopped,
    place: Option<Arc<Member>>,
) {
    let Ok(wire) = Wire::over(stream) else { return };
    let let_in = tokio::select! {
        let_in = log_in(&gateway, wire, peer, place.is_some()) => let_in,
        () = wanted(place.as_deref()) => {
            return tracing::debug!(%peer, "a connection without a login made room for another");
        }
        () = stopped.wait() => return,
    };
    drop(place);
    if let Some((wire, device, early)) = let_in {
        serve(&gateway, wire, device, early).await;
    }
}

async fn wanted(place: Option<&Member>) {
    match place {
        Some(place) => place.wanted().await,
        None => std::future::pending().await,
    }
}

/// A device with its connection and the packets that came right behind its login; `None` if it was refused or gave up.
async fn log_in(
    gateway: &Gateway,
    mut wire: Wire,
    peer: SocketAddr,
    room: bool,
) -> Option<(Wire, Admitted, Vec<Packet>)> {
    let mut early = Vec::new();
    let connect = tokio::time::timeout(CONNECT_WITHIN, first_packet(&mut wire, &mut early));
    let admitted = match connect.await.ok()? {
        Ok(_) if !room => Err(ConnectAckReason::ServiceUnavailable),
        Ok(connect) => gateway.admit(&connect).await,
        Err(WireError::OtherVersion) => Err(ConnectAckReason::UnacceptableProtocolVersion),
        Err(WireError::NoClientId) => Err(ConnectAckReason::IdentifierRejected),
        Err(error) => {
            tracing::debug!(%peer, %error, "a connection ended without a login");
            return None;
        }
    };
    match admitted {
        Ok(device) => Some((wire, device, early)),
        Err(code) => {
            refuse(gateway, wire, peer, code).await;
            None
        }
    }
}

/// The CONNECT, and what came with it.
async fn first_packet(wire: &mut Wire, early: &mut Vec<Packet>) -> Result<Box<Connect>, WireError> {
    let mut packets = Vec::new();
    while packets.is_empty() {
        wire.ready().await?;
        wire.try_read(&mut packets)?;
    }
    let mut packets = packets.into_iter();
    match packets.next() {
        Some(Packet::Connect(connect)) => {
            early.extend(packets);
            Ok(connect)
        }
        _ => Err(WireError::Malformed("CONNECT expected".to_owned())),
    }
}

async fn refuse(gateway: &Gateway, mut wire: Wire, peer: SocketAddr, code: ConnectAckReason) {
    let wait = gateway.throttle.refused(peer.ip(), Instant::now());
    let held = gateway.throttle.hold();
    let wait = if held.is_some() { wait } else { Duration::ZERO };
    tracing::info!(%peer, ?code, wait_ms = wait.as_millis(), "a login is refused");
    tokio::time::sleep(wait).await;
    let ack = ConnectAck {
        return_code: code,
        session_present: false,
    };
    if wire
        .put(Packet::ConnectAck(ack))
        .and_then(|()| wire.try_flush())
        .is_ok()
    {
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
}

async fn serve(gateway: &Gateway, wire: Wire, device: Admitted, early: Vec<Packet>) {
    tokio::time::sleep(BEFORE_CONNACK).await;
    gateway.sessions.writer().room().await;
    let mailbox = gateway.sessions.enter(device.device);
    if !gateway.still_admits(&device).await {
        tracing::info!(device = device.device.0, "a device's key was replaced during its login");
        return gateway.sessions.leave(&mailbox);
    }
    let connection = Connection {
        gateway,
        settling: Settling::begin(Instant::now()),
        heard: Instant::now(),
        wire,
        device,
        mailbox: Arc::clone(&mailbox),
        in_flight: Vec::new(),
        handing: None,
        last_packet: 0,
        foreign: 0,
    };
    let end = connection.run(early).await;
    tracing::debug!(device = mailbox.device.0, %end, "a device's connection has ended");
    gateway.sessions.leave(&mailbox);
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The device said goodbye.
    #[error("the device disconnected")]
    Disconnected,
    /// The engine, a second login or the server's stop ended it.
    #[error("the server ended it")]
    Reset,
    /// The device promised signs of life and gave none.
    #[error("the device was silent for too long")]
    Silent,
    /// It did what no device may.
    #[error("the device misbehaved: {0}")]
    Misbehaved(&'static str),
    /// Its link is gone.
    #[error(transparent)]
    Link(#[from] WireError),
}

struct Connection<'g> {
    gateway: &'g Gateway,
    wire: Wire,
    device: Admitted,
    mailbox: Arc<Mailbox>,
    settling: Settling,
    /// When the device was last heard.
    heard: Instant,
    /// Commands whose PUBACK has not come, the oldest first.
    in_flight: Vec<(NonZeroU16, WireId)>,
    /// The command whose bytes are not all in the socket yet.
    handing: Option<Arc<Gate>>,
    last_packet: u16,
    foreign: u32,
}

impl Connection<'_> {
    async fn run(mut self, early: Vec<Packet>) -> End {
        let end = match self.talk(early).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Whoever says goodbye reads what was said before; nobody else gets bytes after the end.
        let polite = matches!(end, End::Disconnected) || self.gateway.sessions.is_stopping();
        if polite && let Err(error) = self.flush() {
            tracing::debug!(%error, "a device was gone before it was told everything");
        }
        self.wire.discard_on_close(!polite);
        end
    }

    async fn talk(&mut self, early: Vec<Packet>) -> Result<std::convert::Infallible, End> {
        self.wire.discard_on_close(true);
        if self.device.keep_alive == 0 {
            self.wire.probe_when_silent();
        }
        let ack = ConnectAck {
            return_code: ConnectAckReason::ConnectionAccepted,
            session_present: false,
        };
        self.wire.put(Packet::ConnectAck(ack))?;
        self.take(early).await?;
        loop {
            self.flush()?;
            self.carry_out_orders()?;
            let next = self.next_moment();
            tokio::select! {
                ready = self.wire.ready() => {
                    ready?;
                    self.hear().await?;
                }
                () = self.mailbox.arrived.notified() => {}
                () = tokio::time::sleep_until(next.into()) => self.pass_time()?,
            }
        }
    }

    async fn hear(&mut self) -> Result<(), End> {
        let mut packets = Vec::new();
        let more = self.wire.try_read(&mut packets)?;
        if !packets.is_empty() {
            self.heard = Instant::now();
        }
        self.take(packets).await?;
        if more {
            // All devices share one thread: one that never pauses must not keep it for itself.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Handles packets, and pauses afterwards if the engine has more than it can take: the device's socket fills up then.
    async fn take(&mut self, packets: Vec<Packet>) -> Result<(), End> {
        let mut room = true;
        for packet in packets {
            room &= self.handle(packet)?;
        }
        if !room {
            self.flush()?;
            self.gateway.sessions.writer().room().await;
        }
        Ok(())
    }

    /// One packet; false if the engine's inbox is full.
    fn handle(&mut self, packet: Packet) -> Result<bool, End> {
        match packet {
            Packet::Publish(publish) => return self.publish(&publish),
            Packet::PublishAck { packet_id } => return Ok(self.acknowledged(packet_id)),
            Packet::PingRequest => self.wire.put(Packet::PingResponse)?,
            Packet::Subscribe {
                packet_id,
                topic_filters,
            } => {
                let granted = topic_filters
                    .iter()
                    .map(|(_, qos)| SubscribeReturnCode::Success(at_most_once_or_once(*qos)));
                self.wire.put(Packet::SubscribeAck {
                    packet_id,
                    status: granted.collect(),
                })?;
                return Ok(self.subscribed(topic_filters.iter().map(|(filter, _)| filter.as_ref())));
            }
            Packet::Unsubscribe { packet_id, .. } => self.wire.put(Packet::UnsubscribeAck { packet_id })?,
            Packet::Disconnect => return Err(End::Disconnected),
            Packet::Connect(_) => return Err(End::Misbehaved("a second CONNECT")),
            Packet::PublishReceived { .. }
            | Packet::PublishRelease { .. }
            | Packet::PublishComplete { .. }
            | Packet::ConnectAck(_)
            | Packet::SubscribeAck { .. }
            | Packet::UnsubscribeAck { .. }
            | Packet::PingResponse => return Err(End::Misbehaved("a packet that only a server sends, or of QoS 2")),
        }
        Ok(true)
    }

    fn publish(&mut self, publish: &Publish) -> Result<bool, End> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(End::Misbehaved("QoS 2"));
        }
        if publish.topic.is_empty() || publish.topic.contains(NOT_IN_A_TOPIC) {
            return Err(End::Misbehaved("a topic that no message can have"));
        }
        let answer = match react(publish, &self.device, self.mailbox.session) {
            Reaction::Report(event) => return Ok(self.gateway.sessions.writer().report(event)),
            Reaction::Take(answer) => answer,
            Reaction::Foreign(answer) => {
                self.foreign += 1;
                if self.foreign > FOREIGN_MAX {
                    return Err(End::Misbehaved("too many messages in another device's name"));
                }
                answer
            }
        };
        if let Some(packet_id) = publish.packet_id {
            self.wire.put(Packet::PublishAck { packet_id })?;
        }
        if let Some(answer) = answer {
            self.answer(answer)?;
        }
        Ok(true)
    }

    fn answer(&mut self, answer: Answer) -> Result<(), WireError> {
        self.wire
            .put(message(QoS::AtMostOnce, None, answer.topic, answer.payload))
    }

    fn acknowledged(&mut self, packet_id: NonZeroU16) -> bool {
        let Some(at) = self.in_flight.iter().position(|(packet, _)| *packet == packet_id) else {
            return true;
        };
        let (_, wire) = self.in_flight.remove(at);
        self.gateway.sessions.writer().report(DeviceEvent::Acked {
            device: self.device.device,
            wire,
        })
    }

    /// The SUBACK is in the output by now, hence before any command.
    fn subscribed<'f>(&mut self, filters: impl Iterator<Item = &'f str>) -> bool {
        let (pk, dk) = (&self.device.product_key, &self.device.device_key);
        let covered = filters
            .map(|filter| coverage(filter, pk, dk))
            .fold(Coverage::default(), |all, one| Coverage {
                services: all.services || one.services,
                points: all.points || one.points,
                any: all.any || one.any,
            });
        self.settling
            .subscribed(covered)
            .is_none_or(|kinds| self.report_ready(kinds))
    }

    fn report_ready(&self, kinds: crate::link::Kinds) -> bool {
        let Mailbox { session, device, .. } = *self.mailbox;
        self.gateway
            .sessions
            .writer()
            .report(DeviceEvent::Ready { session, device, kinds })
    }

    fn flush(&mut self) -> Result<(), End> {
        self.wire.try_flush()?;
        if self.wire.unsent_bytes() > UNSENT_MAX_BYTES {
            return Err(End::Misbehaved("what it is sent is not read"));
        }
        if self.wire.is_flushed()
            && let Some(gate) = self.handing.take()
        {
            gate.handed_over(self.gateway.clock.now());
        }
        Ok(())
    }

    fn carry_out_orders(&mut self) -> Result<(), End> {
        let mut sent = false;
        while let Some(order) = self.mailbox.next() {
            match order {
                Order::Publish(outgoing) => sent |= self.send(&outgoing)?,
                Order::Acknowledge { packet, .. } => {
                    if let Some(packet_id) = NonZeroU16::new(packet) {
                        self.wire.put(Packet::PublishAck { packet_id })?;
                    }
                }
                Order::Reset { .. } => {
                    self.flush()?;
                    return Err(End::Reset);
                }
            }
        }
        self.flush()?;
        if sent {
            self.wire.acknowledge_quickly();
        }
        Ok(())
    }

    /// The last look before the socket: too late, or taken back meanwhile, and it does not leave.
    fn send(&mut self, outgoing: &Outgoing) -> Result<bool, End> {
        let now = self.gateway.clock.now();
        if now >= outgoing.not_after {
            self.gateway.sessions.not_sent(outgoing);
            return Ok(false);
        }
        if !outgoing.gate.take() {
            return Ok(false);
        }
        let packet_id = self.next_packet();
        let topic = command_topic(&self.device.product_key, &self.device.device_key, &outgoing.command);
        let payload = CommandBody::prepare(&outgoing.command).encode(outgoing.wire);
        self.wire
            .put(message(QoS::AtLeastOnce, Some(packet_id), topic, payload))?;
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            self.in_flight.remove(0);
        }
        self.in_flight.push((packet_id, outgoing.wire));
        self.handing = Some(Arc::clone(&outgoing.gate));
        Ok(true)
    }

    fn next_packet(&mut self) -> NonZeroU16 {
        loop {
            self.last_packet = self.last_packet.wrapping_add(1);
            let free = NonZeroU16::new(self.last_packet)
                .filter(|packet_id| self.in_flight.iter().all(|(used, _)| used != packet_id));
            if let Some(packet_id) = free {
                return packet_id;
            }
        }
    }

    /// A device that promised signs of life and gave none for one and a half times as long is gone.
    fn silent_at(&self) -> Option<Instant> {
        let keep_alive = u64::from(self.device.keep_alive);
        (keep_alive > 0).then(|| self.heard + Duration::from_millis(keep_alive * 1_500))
    }

    fn next_moment(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let moments = [self.settling.ends_at(), self.silent_at()];
        moments
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + far)
    }

    fn pass_time(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.silent_at().is_some_and(|end| now >= end) {
            return Err(End::Silent);
        }
        if let Some(kinds) = self.settling.pass(now) {
            self.report_ready(kinds);
        }
        Ok(())
    }
}

fn at_most_once_or_once(wanted: QoS) -> QoS {
    match wanted {
        QoS::AtMostOnce => QoS::AtMostOnce,
        QoS::AtLeastOnce | QoS::ExactlyOnce => QoS::AtLeastOnce,
    }
}

fn message(qos: QoS, packet_id: Option<NonZeroU16>, topic: String, payload: Vec<u8>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos,
        topic: topic.into(),
        packet_id,
        payload: payload.into(),
        properties: None,
    }))
}
