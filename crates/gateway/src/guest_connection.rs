//! A connection that is no device's presence: a client with a product's secret connects for one purpose.
//!
//! It has no session, so no command ever takes this way, and no device is online because of it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use aldis_core::ids::{DeviceNo, ProductKey};
use aldis_protocol::answers::{AnswerMessage, answer_guest};
use aldis_protocol::envelope::Envelope;
use aldis_protocol::topic::Upstream;
use rmqtt_codec::types::QoS;
use rmqtt_codec::v3::{ConnectAckReason, Packet};

use super::Gateway;
use super::acknowledgements::{connack, suback};
use super::client_capabilities::{ClientCapabilities, Version};
use super::close_reason::{CloseReason, ProtocolViolation, WireError};
use super::compression::DecompressError;
use super::guest_quota::GuestPermit;
use super::input::{Input, Pass};
use super::mqtt5;
use super::packets::NOT_IN_A_TOPIC;
use super::packets::{Incoming, Message, packet_length, publish_length, put, put_puback, put_publish, put_unsuback};
use super::read_budget::ReadBudget;
use super::session_params::SessionParams;
use super::session_params::silent_at;
use super::socket;
use super::transport::Transport;
use aldis_app::admit_guest::Proof;

/// Time to take note of one's secret. Some libraries stay connected afterwards until their program does something, and
/// a client that stays longer takes a place that others need.
const ACTIVATION_MAX: Duration = Duration::from_secs(60);

/// A client with a product's secret.
pub(super) struct GuestConnection {
    pub(super) purpose: Purpose,
    proof: Proof,
    params: SessionParams,
    _permit: GuestPermit,
}

/// What for.
pub(super) enum Purpose {
    /// This device is told its secret with this message.
    Activation(DeviceNo, AnswerMessage),
    /// The integration channel of a product.
    Channel(ProductKey),
}

/// Lives the connection.
pub(super) async fn live(guest: &GuestConnection, transport: &Transport, mut input: Input, gateway: &Gateway) {
    if guest.params.keep_alive == 0 {
        socket::probe_when_silent(transport.socket());
    }
    let mut output = Vec::new();
    let end = tokio::select! {
        biased;
        () = gateway.sessions.until_revoked(transport) => CloseReason::Revoked,
        () = guest.proof.until_replaced(&gateway.app) => CloseReason::Replaced,
        talked = guest.talk(transport, &mut input, &mut output) => match talked {
            Ok(never) => match never {},
            Err(end) => end,
        },
    };
    tracing::debug!(purpose = guest.purpose.name(), %end, "a connection without a device has ended");
    let capabilities = guest.params.capabilities;
    if capabilities.version == Version::V5
        && mqtt5::put_disconnect(&mut output, capabilities, &end)
        && let Err(error) = transport.send(&mut output)
    {
        tracing::debug!(%error, "it was gone before it was told why");
    }
}

impl Purpose {
    fn name(&self) -> &'static str {
        match self {
            Self::Activation(..) => "activation",
            Self::Channel(_) => "integration channel",
        }
    }
}

impl GuestConnection {
    pub(super) fn new(purpose: Purpose, proof: Proof, params: SessionParams, permit: GuestPermit) -> Self {
        Self {
            purpose,
            proof,
            params,
            _permit: permit,
        }
    }

    async fn talk(
        &self,
        transport: &Transport,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Infallible, CloseReason> {
        self.greet(output)?;
        let begun = Instant::now();
        let mut pace = ReadBudget::begin(begun);
        input.take_kept(|packet| self.handle(packet, output, &mut pace))?;
        let mut heard = begun;
        // Under TLS more may have come together with the login, for which the socket will not call again.
        let mut more = true;
        loop {
            let over = self.over_at(begun, heard);
            tokio::select! {
                ready = ready(transport, output, more) => ready?,
                () = sleep_until(over) => return Err(CloseReason::Silent),
            }
            more = input.try_read(transport, |packet| {
                heard = Instant::now();
                self.handle(packet, output, &mut pace)
            })?;
            match pace.end_pass(Instant::now()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None if more => tokio::task::yield_now().await,
                None => {}
            }
        }
    }

    fn greet(&self, output: &mut Vec<u8>) -> Result<(), WireError> {
        put(
            output,
            self.capabilities(),
            connack(ConnectAckReason::ConnectionAccepted),
        )?;
        let told = match &self.purpose {
            Purpose::Activation(_, info) => self.put_message(output, info)?,
            Purpose::Channel(_) => true,
        };
        // A client that does not take its secret has no reason to stay.
        told.then_some(()).ok_or(WireError::TakesLess)
    }

    /// When it ends if nothing more is heard.
    fn over_at(&self, begun: Instant, heard: Instant) -> Option<Instant> {
        let silent = silent_at(self.params.keep_alive, heard);
        match self.purpose {
            Purpose::Activation(..) => {
                let last = begun + ACTIVATION_MAX;
                Some(silent.map_or(last, |silent| silent.min(last)))
            }
            Purpose::Channel(_) => silent,
        }
    }

    fn handle(&self, packet: Incoming<'_>, output: &mut Vec<u8>, pace: &mut ReadBudget) -> Result<Pass, CloseReason> {
        let bytes = match packet {
            Incoming::Publish(message) => self.published(message, output)?,
            // Nothing that is sent here asks for one.
            Incoming::PublishAck(_) => 0,
            Incoming::Other(packet) => self.heard(packet, output)?,
        };
        pace.charge(bytes);
        Ok(if pace.is_spent() { Pass::Over } else { Pass::On })
    }

    /// What it is charged as beside a packet.
    fn heard(&self, packet: Packet, output: &mut Vec<u8>) -> Result<usize, CloseReason> {
        let filters = match &packet {
            Packet::Subscribe { topic_filters, .. } => topic_filters.len(),
            Packet::Unsubscribe { topic_filters, .. } => topic_filters.len(),
            _ => 0,
        };
        match packet {
            Packet::PingRequest => put(output, self.capabilities(), Packet::PingResponse)?,
            Packet::Subscribe {
                packet_id,
                topic_filters,
            } => put(
                output,
                self.capabilities(),
                suback(self.capabilities().version, packet_id, &topic_filters),
            )?,
            Packet::Unsubscribe {
                packet_id,
                topic_filters,
            } => put_unsuback(output, self.capabilities(), packet_id, topic_filters.len())?,
            Packet::Disconnect => return Err(CloseReason::Disconnected),
            _ => return Err(ProtocolViolation::OutOfPlace.into()),
        }
        Ok(filters)
    }

    /// How many bytes had to be read.
    fn published(&self, message: Message<'_>, output: &mut Vec<u8>) -> Result<usize, CloseReason> {
        if message.qos == QoS::ExactlyOnce {
            return Err(ProtocolViolation::Qos2.into());
        }
        if message.topic.contains(NOT_IN_A_TOPIC) {
            return Err(ProtocolViolation::Topic.into());
        }
        if let Some(packet_id) = message.packet_id {
            put_puback(output, packet_id);
        }
        let channel_of = match &self.purpose {
            Purpose::Activation(..) => None,
            Purpose::Channel(product) => Some(product.as_str()),
        };
        let payload = match self.params.encoding.decompress(message.payload) {
            Ok(payload) => payload,
            Err(DecompressError::TooLarge) => {
                return Err(CloseReason::Misbehaved("a payload that unpacks to too much"));
            }
            Err(DecompressError::Garbage) => return Ok(message.payload.len()),
        };
        let answer = Upstream::parse(message.topic)
            .and_then(|upstream| answer_guest(&upstream, &Envelope::read(&payload), channel_of));
        if let Some(answer) = answer {
            self.put_message(output, &answer)?;
        }
        Ok(payload.len())
    }

    fn capabilities(&self) -> ClientCapabilities {
        self.params.capabilities
    }

    /// False: it is larger than the client takes.
    fn put_message(&self, output: &mut Vec<u8>, message: &AnswerMessage) -> Result<bool, WireError> {
        let payload = self.params.encoding.compress(&message.payload)?;
        let (version, topic) = (self.capabilities().version, [message.topic.as_str(), ""]);
        let takes = self
            .capabilities()
            .accepts(packet_length(publish_length(version, topic, false, payload.len())));
        if takes {
            put_publish(output, version, topic, None, &payload)?;
        }
        Ok(takes)
    }
}

/// Sends everything, and then waits for more unless there is some: who does not read is not read from.
async fn ready(transport: &Transport, output: &mut Vec<u8>, more: bool) -> Result<(), WireError> {
    transport.send(output)?;
    while !output.is_empty() {
        transport.writable().await?;
        transport.send(output)?;
    }
    if !more {
        transport.readable().await?;
    }
    Ok(())
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
