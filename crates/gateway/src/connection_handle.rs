//! The way out to a device: what is written to its socket, by any task.
//!
//! A connection's own task writes what follows from what the device said; what the engine orders is written as it
//! comes, without waking that task. It is woken for what only it can do: to wait until the socket takes more, and to
//! end.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use aldis_core::command::Qos;
use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::time::Clock;
use parking_lot::{Mutex, MutexGuard};
use rmqtt_codec::v3::Packet;

use super::client_capabilities::{ClientCapabilities, IN_FLIGHT_MAX, Version};
use super::close_reason::{CloseReason, WireError};
use super::compression::PayloadEncoding;
use super::entrant::Entrant;
use super::keys::Keys;
use super::members::{Members, StoreQuery, SubDevice};
use super::mqtt5;
use super::packets::{packet_length, publish_length, put, put_puback, put_publish, put_publish_head, put_unsuback};
use super::session_params::SessionParams;
use super::templates::Template;
use super::transport::Transport;
use aldis_engine::link::{ConnectionNo, Gate, Outgoing, SessionNo};

/// Bytes that may wait for a device that does not read: a command and then some. One that lets more wait is ended.
const UNSENT_MAX_BYTES: usize = 1 << 20;

/// A device that is in, and its connection.
pub(super) struct ConnectionHandle {
    pub(super) session: SessionNo,
    pub(super) device: DeviceNo,
    pub(super) keys: Keys,
    pub(super) qos: Qos,
    pub(super) transport: Transport,
    outbox: Mutex<Outbox>,
}

/// What is on its way to the device.
#[derive(Default)]
pub(super) struct Outbox {
    /// What the socket has not taken yet.
    output: Vec<u8>,
    /// How the device wants every payload.
    encoding: PayloadEncoding,
    /// What it speaks, and takes.
    capabilities: ClientCapabilities,
    /// The command whose bytes are not all in the socket yet.
    handing: Option<Arc<Gate>>,
    /// Commands whose PUBACK has not come, the oldest first.
    in_flight: VecDeque<(NonZeroU16, DeviceNo, WireId)>,
    last_packet: u16,
    /// It subscribes to command topics, device by device.
    subscribes: bool,
    /// Sub-devices, once the device has spoken for another.
    members: Option<Box<Members>>,
    /// Nothing is carried out any more.
    over: bool,
    /// Why, until the connection's task has seen it.
    end: Option<CloseReason>,
    /// Wakes the connection's task.
    task: Option<Waker>,
}

impl ConnectionHandle {
    pub(super) fn new(session: SessionNo, entrant: Entrant, transport: Transport, params: SessionParams) -> Self {
        let Entrant { device, keys, qos } = entrant;
        Self {
            session,
            device,
            keys,
            qos,
            transport,
            outbox: Mutex::new(Outbox {
                encoding: params.encoding,
                capabilities: params.capabilities,
                ..Outbox::default()
            }),
        }
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }

    /// Sends what the socket takes now, and has the connection's task see to the rest.
    pub(super) fn send(&self, outbox: &mut Outbox, clock: &dyn Clock) {
        if let Err(end) = outbox.flush(&self.transport, clock) {
            outbox.end(end);
        } else if !outbox.output.is_empty() {
            outbox.wake_task();
        }
    }

    /// Sends what waits whenever the socket takes more, until the connection is ended. Called by its task.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>, clock: &dyn Clock) -> Poll<CloseReason> {
        let mut outbox = self.outbox.lock();
        if let Some(end) = outbox.end.take() {
            return Poll::Ready(end);
        }
        while !outbox.output.is_empty()
            && let Poll::Ready(ready) = self.transport.poll_write_ready(cx)
        {
            if let Err(end) = ready
                .map_err(CloseReason::from)
                .and_then(|()| outbox.flush(&self.transport, clock))
            {
                return Poll::Ready(end);
            }
        }
        if !outbox.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            outbox.task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Outbox {
    /// Whether the connection has ended or is about to.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// What the device speaks.
    pub(super) fn version(&self) -> Version {
        self.capabilities.version
    }

    /// How the device packs every payload.
    pub(super) fn encoding(&self) -> PayloadEncoding {
        self.encoding
    }

    /// Ends the connection.
    pub(super) fn end(&mut self, end: CloseReason) {
        if !self.over {
            self.over = true;
            self.end = Some(end);
            self.wake_task();
        }
    }

    /// The connection has ended, and with it the sessions of these sub-devices.
    pub(super) fn close(&mut self) -> Vec<SubDevice> {
        self.over = true;
        self.task = None;
        self.members
            .as_mut()
            .map(|members| members.take_all())
            .unwrap_or_default()
    }

    /// The sub-devices that are in; `None` as long as there was no cause to keep any.
    pub(super) fn members(&self) -> Option<&Members> {
        self.members.as_deref()
    }

    pub(super) fn members_mut(&mut self) -> Option<&mut Members> {
        self.members.as_deref_mut()
    }

    /// Something needs a look at the store.
    pub(super) fn ask(&mut self, asked: StoreQuery) {
        self.members.get_or_insert_default().asked.push(asked);
    }

    /// The device is a gateway.
    pub(super) fn be_gateway(&mut self) {
        self.members.get_or_insert_default().is_gateway = true;
    }

    /// Whether the device is known to be a gateway.
    pub(super) fn is_gateway(&self) -> bool {
        self.members.as_ref().is_some_and(|members| members.is_gateway)
    }

    /// A sub-device is in; `None` if the connection is about to end.
    pub(super) fn add_member(&mut self, connection: ConnectionNo, entrant: Entrant) -> Option<SessionNo> {
        if self.over {
            return None;
        }
        let subscribes = self.subscribes;
        self.members
            .get_or_insert_default()
            .add(connection, entrant, subscribes)
    }

    /// The device has subscribed to something; `one_by_one`: to commands of a single device. From then on its
    /// sub-devices wait for subscriptions of their own, each as long as it goes on.
    pub(super) fn note_subscription(&mut self, one_by_one: bool, now: Instant) {
        self.subscribes |= one_by_one;
        if self.subscribes
            && let Some(members) = &mut self.members
        {
            for member in members.unsettled_mut() {
                member.warm_up.wait_behind_others(now);
            }
        }
    }

    pub(super) fn remove_member(&mut self, session: SessionNo) -> Option<SubDevice> {
        self.members.as_mut()?.remove(session)
    }

    fn wake_task(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Appends a command. False: it is larger than the client takes, and nothing of it leaves.
    pub(super) fn put_command(
        &mut self,
        keys: &Keys,
        qos: Qos,
        template: &Template,
        outgoing: &Outgoing,
    ) -> Result<bool, WireError> {
        let topic = [keys.root(), &template.path];
        let version = self.capabilities.version;
        let packed = self.packed(template, outgoing)?;
        let payload_len = packed.as_ref().map_or_else(|| template.body.encoded_len(), Vec::len);
        let is_acknowledged = qos == Qos::AtLeastOnce && !self.owes_enough();
        if !self.takes(topic, is_acknowledged, payload_len) {
            return Ok(false);
        }
        let packet_id = self.packet_id_for(is_acknowledged, outgoing);
        match packed {
            None => {
                put_publish_head(&mut self.output, version, topic, packet_id, payload_len)?;
                template.body.encode(outgoing.wire, &mut self.output);
            }
            Some(payload) => put_publish(&mut self.output, version, topic, packet_id, &payload)?,
        }
        let gate = Arc::clone(&outgoing.gate);
        match &mut self.members {
            Some(members) if outgoing.session.shared().is_some() => members.handing.push(gate),
            _ => self.handing = Some(gate),
        }
        Ok(true)
    }

    /// What the device gets, if it wants it packed.
    fn packed(&self, template: &Template, outgoing: &Outgoing) -> Result<Option<Vec<u8>>, WireError> {
        if self.encoding == PayloadEncoding::Plain {
            return Ok(None);
        }
        let mut payload = Vec::with_capacity(template.body.encoded_len());
        template.body.encode(outgoing.wire, &mut payload);
        Ok(Some(self.encoding.compress(&payload)?.into_owned()))
    }

    /// Whether the client takes a PUBLISH as large as this.
    fn takes(&self, topic: [&str; 2], acknowledged: bool, payload_len: usize) -> bool {
        let length = publish_length(self.capabilities.version, topic, acknowledged, payload_len);
        self.capabilities.accepts(packet_length(length))
    }

    /// Whether the client owes as many PUBACKs as it can: what would need another goes without.
    fn owes_enough(&self) -> bool {
        self.in_flight.len() >= usize::from(self.capabilities.receive_max)
    }

    fn packet_id_for(&mut self, is_acknowledged: bool, outgoing: &Outgoing) -> Option<NonZeroU16> {
        if is_acknowledged {
            return Some(self.await_puback(outgoing));
        }
        outgoing.gate.expect_no_puback();
        None
    }

    /// The packet identifier that the command's PUBACK will name.
    fn await_puback(&mut self, outgoing: &Outgoing) -> NonZeroU16 {
        let packet_id = self.next_packet();
        if self.in_flight.len() >= usize::from(IN_FLIGHT_MAX) {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back((packet_id, outgoing.device, outgoing.wire));
        packet_id
    }

    fn next_packet(&mut self) -> NonZeroU16 {
        loop {
            self.last_packet = self.last_packet.wrapping_add(1);
            let free = NonZeroU16::new(self.last_packet)
                .filter(|packet_id| self.in_flight.iter().all(|(used, ..)| used != packet_id));
            if let Some(packet_id) = free {
                return packet_id;
            }
        }
    }

    /// The device's PUBACK has come; which command it is for, and of which device.
    pub(super) fn acknowledged(&mut self, packet_id: NonZeroU16) -> Option<(DeviceNo, WireId)> {
        let at = self.in_flight.iter().position(|(packet, ..)| *packet == packet_id)?;
        self.in_flight.remove(at).map(|(_, device, wire)| (device, wire))
    }

    /// Appends the PUBACK of something that the device has published.
    pub(super) fn put_puback(&mut self, packet_id: NonZeroU16) {
        put_puback(&mut self.output, packet_id);
    }

    /// Appends a message that needs no PUBACK.
    pub(super) fn put_message(&mut self, topic: &str, payload: &[u8]) -> Result<(), WireError> {
        let payload = self.encoding.compress(payload)?;
        if self.takes([topic, ""], false, payload.len()) {
            put_publish(&mut self.output, self.capabilities.version, [topic, ""], None, &payload)?;
        }
        Ok(())
    }

    /// Appends any other packet.
    pub(super) fn put(&mut self, packet: Packet) -> Result<(), WireError> {
        put(&mut self.output, self.capabilities, packet)
    }

    /// Appends an UNSUBACK for `filters` filters.
    pub(super) fn put_unsuback(&mut self, packet_id: NonZeroU16, filters: usize) -> Result<(), WireError> {
        put_unsuback(&mut self.output, self.capabilities, packet_id, filters)
    }

    /// Appends for a client of MQTT 5 why its connection ends, if nothing else waits to be sent. Whether it did.
    pub(super) fn put_why(&mut self, end: &CloseReason) -> bool {
        self.capabilities.version == Version::V5
            && self.output.is_empty()
            && mqtt5::put_disconnect(&mut self.output, self.capabilities, end)
    }

    /// A gateway's sub-devices may each be sent as much as a device with a connection of its own.
    fn unsent_max(&self) -> usize {
        let commands = self.members.as_ref().map_or(0, |members| members.handing.len());
        UNSENT_MAX_BYTES * (1 + commands)
    }

    fn all_handed_over(&mut self, clock: &dyn Clock) {
        if let Some(gate) = self.handing.take() {
            gate.handed_over(clock.now());
        }
        if let Some(members) = &mut self.members {
            for gate in members.handing.drain(..) {
                gate.handed_over(clock.now());
            }
        }
    }

    /// Sends what the socket takes now.
    pub(super) fn flush(&mut self, transport: &Transport, clock: &dyn Clock) -> Result<(), CloseReason> {
        transport.send(&mut self.output)?;
        if self.output.len() > self.unsent_max() {
            return Err(CloseReason::Misbehaved("what it is sent is not read"));
        }
        if self.output.is_empty() {
            self.all_handed_over(clock);
        }
        Ok(())
    }
}
