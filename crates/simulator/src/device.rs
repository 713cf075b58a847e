//! One device in the hands of a test, which says every packet and sees every answer.
//!
//! Nothing happens by itself: no PUBACK, no reply, no ping, no reconnect. Every wait is limited by the device's
//! patience, so that a test fails with a sentence instead of hanging. What arrives while a test waits for something
//! else is kept for the wait that asks for it.
//!
//! ```no_run
//! # async fn example(addr: std::net::SocketAddr) -> Result<(), aldis_simulator::DeviceError> {
//! use aldis_simulator::{Device, DeviceIdentity};
//! use serde_json::json;
//!
//! let mut device = Device::connected(&DeviceIdentity::new("pump", "p1", "secret"), addr).await?;
//! let command = device.next_command().await?;
//! assert_eq!(command.params(), json!({"left": 6, "right": 7}));
//! device.puback(&command).await?;
//! let reply = device.reply(&command, 200, json!({"product": 42}), "").await?;
//! device.acknowledged(reply).await?;
//! device.disconnect().await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod gateway;
mod upstream;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::Packet;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::error::DeviceError;
use crate::wire::{LinkError, Wire};
use crate::{DeviceIdentity, Journal, Login, Received, Reply};

/// Longer than anything that a server may take on a busy machine, shorter than a test's own limit.
const PATIENCE: Duration = Duration::from_secs(20);

/// A publication whose PUBACK may be awaited with [`Device::acknowledged`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyId(NonZeroU16);

/// A scripted device. Dropping it closes its socket without DISCONNECT.
#[derive(Debug)]
pub struct Device {
    identity: Arc<DeviceIdentity>,
    /// Devices that have logged in over this connection.
    sub_devices: Vec<Arc<DeviceIdentity>>,
    login: Login,
    patience: Duration,
    journal: Option<Journal>,
    wire: Option<Wire>,
    kept: VecDeque<Packet>,
    last_packet_id: u16,
}

impl Device {
    /// A device that is not connected.
    #[must_use]
    pub fn new(identity: &DeviceIdentity) -> Self {
        Self {
            login: identity.login(),
            identity: Arc::new(identity.clone()),
            sub_devices: Vec::new(),
            patience: PATIENCE,
            journal: None,
            wire: None,
            kept: VecDeque::new(),
            last_packet_id: 0,
        }
    }

    /// A device that the server has let in.
    ///
    /// # Errors
    /// If it did not.
    pub async fn connected(identity: &DeviceIdentity, addr: SocketAddr) -> Result<Self, DeviceError> {
        let mut device = Self::new(identity);
        device.connect(addr).await?;
        Ok(device)
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &DeviceIdentity {
        &self.identity
    }

    /// What it will say in CONNECT; change it to say something else.
    pub fn login_mut(&mut self) -> &mut Login {
        &mut self.login
    }

    /// How long it waits for anything.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Notes every command that [`Self::next_command`] gives in this journal.
    pub fn keep_journal(&mut self, journal: &Journal) {
        self.journal = Some(journal.clone());
    }

    /// Connects, over a fresh socket, and demands to be let in. An earlier socket is closed without DISCONNECT.
    ///
    /// # Errors
    /// If the server is not there, does not answer, or refuses.
    pub async fn connect(&mut self, addr: SocketAddr) -> Result<(), DeviceError> {
        match self.try_connect(addr).await? {
            0 => Ok(()),
            code => Err(DeviceError::Refused { code }),
        }
    }

    /// Connects, over a fresh socket, and gives the code of the CONNACK, 0 if let in.
    ///
    /// # Errors
    /// If the server is not there, or closes the socket without CONNACK.
    pub async fn try_connect(&mut self, addr: SocketAddr) -> Result<u8, DeviceError> {
        self.open_socket(addr).await?;
        let connect = self.login.packet();
        self.send(connect.into()).await?;
        let code = |packet: &Packet| match packet {
            Packet::ConnectAck(answer) => Some(answer.return_code.into()),
            _ => None,
        };
        self.wait_for("CONNACK", code).await
    }

    /// Opens a fresh socket and says nothing yet; for [`Self::send_raw`].
    ///
    /// # Errors
    /// If no process listens there.
    pub async fn open_socket(&mut self, addr: SocketAddr) -> Result<(), DeviceError> {
        self.drop_link();
        let dialled = timeout(self.patience, Wire::dial(addr)).await;
        self.wire = Some(dialled.map_err(|_elapsed| self.tired_of("the connection"))??);
        Ok(())
    }

    /// The next command.
    ///
    /// # Errors
    /// If none comes, or the connection ends.
    pub async fn next_command(&mut self) -> Result<Received, DeviceError> {
        let command = self.wait_for("a command", as_command).await?;
        if let Some(journal) = &self.journal {
            journal.note(self.addressee(&command), &command);
        }
        Ok(command)
    }

    /// Demands that no command comes for this long.
    ///
    /// # Errors
    /// If one comes, or the connection ends.
    pub async fn no_command_within(&mut self, span: Duration) -> Result<(), DeviceError> {
        match self.wait_until(Instant::now() + span, as_command).await? {
            Some(command) => Err(DeviceError::Unexpected(format!("{command:?}"))),
            None => Ok(()),
        }
    }

    /// Sends the PUBACK of a command. Does nothing for QoS 0.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn puback(&mut self, command: &Received) -> Result<(), DeviceError> {
        match command.to_acknowledge() {
            Some(packet_id) => self.send(Packet::PublishAck { packet_id }).await,
            None => Ok(()),
        }
    }

    /// Sends a reply with QoS 1 in the documented shape, without waiting for its PUBACK.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn reply(
        &mut self,
        command: &Received,
        code: i64,
        data: Value,
        message: &str,
    ) -> Result<ReplyId, DeviceError> {
        let reply = Reply::answer(code, data, message.to_owned());
        let payload = reply.payload(command.id()).unwrap_or_default();
        self.publish(&command.reply_topic(), payload).await
    }

    /// Sends these bytes with QoS 1 as the reply to a command, without waiting for the PUBACK.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn reply_raw(&mut self, command: &Received, payload: impl Into<Bytes>) -> Result<ReplyId, DeviceError> {
        self.publish(&command.reply_topic(), payload).await
    }

    /// What a well-behaved device does with a command: PUBACK, reply, and waiting until the server has acknowledged it.
    ///
    /// # Errors
    /// If the server does not, or the connection ends.
    pub async fn answer(&mut self, command: &Received, code: i64, data: Value) -> Result<(), DeviceError> {
        self.puback(command).await?;
        let reply = self.reply(command, code, data, "").await?;
        self.acknowledged(reply).await
    }

    /// Waits for the PUBACK of a publication.
    ///
    /// # Errors
    /// If it does not come, or the connection ends.
    pub async fn acknowledged(&mut self, reply: ReplyId) -> Result<(), DeviceError> {
        let acknowledged = |packet: &Packet| match packet {
            Packet::PublishAck { packet_id } if *packet_id == reply.0 => Some(()),
            _ => None,
        };
        self.wait_for("a PUBACK", acknowledged).await
    }

    /// Publishes with QoS 1 on any topic, without waiting for the PUBACK.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<ReplyId, DeviceError> {
        let packet_id = self.packet_id();
        self.send(publication(topic, payload.into(), Some(packet_id))).await?;
        Ok(ReplyId(packet_id))
    }

    /// Publishes with QoS 0 on any topic.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn publish_qos_0(&mut self, topic: &str, payload: impl Into<Bytes>) -> Result<(), DeviceError> {
        self.send(publication(topic, payload.into(), None)).await
    }

    /// Sends PINGREQ and waits for the PINGRESP. All that the device sent before has been read by then.
    ///
    /// # Errors
    /// If it does not come, or the connection ends.
    pub async fn ping(&mut self) -> Result<(), DeviceError> {
        self.send(Packet::PingRequest).await?;
        self.wait_for("PINGRESP", |packet| (*packet == Packet::PingResponse).then_some(()))
            .await
    }

    /// Takes its leave with DISCONNECT and closes the socket.
    ///
    /// # Errors
    /// If the connection has ended before.
    pub async fn disconnect(&mut self) -> Result<(), DeviceError> {
        self.send(Packet::Disconnect).await?;
        self.drop_link();
        Ok(())
    }

    /// Closes the socket without DISCONNECT. What has been sent still arrives.
    pub fn drop_link(&mut self) {
        self.wire = None;
        self.sub_devices.clear();
        self.kept.clear();
    }

    /// Resets the connection: the server sees an error, and what it has not read yet may be gone.
    pub fn reset_link(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.reset();
        }
        self.drop_link();
    }

    /// Sends bytes that need not be MQTT.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        let wire = self.wire.as_mut().ok_or(DeviceError::NotConnected)?;
        wire.put_raw(bytes);
        Ok(wire.flush().await?)
    }

    /// Demands that the server closes or resets the connection. Packets that come before are passed over.
    ///
    /// # Errors
    /// If the connection stays open.
    pub async fn expect_closed(&mut self) -> Result<(), DeviceError> {
        let until = Instant::now() + self.patience;
        let wire = self.wire.as_mut().ok_or(DeviceError::NotConnected)?;
        loop {
            match timeout_at(until, wire.next()).await {
                Ok(Ok(_packet)) => {}
                Ok(Err(LinkError::Closed | LinkError::Io(_))) => {
                    self.drop_link();
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_elapsed) => return Err(self.tired_of("the end of the connection")),
            }
        }
    }

    fn packet_id(&mut self) -> NonZeroU16 {
        self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
        NonZeroU16::new(self.last_packet_id).expect("counts from 1")
    }

    async fn send(&mut self, packet: Packet) -> Result<(), DeviceError> {
        let wire = self.wire.as_mut().ok_or(DeviceError::NotConnected)?;
        wire.put(packet)?;
        Ok(wire.flush().await?)
    }

    fn tired_of(&self, awaited: &'static str) -> DeviceError {
        DeviceError::TimedOut {
            awaited,
            after: self.patience,
            kept: format!("{:?}", self.kept),
        }
    }

    async fn wait_for<T>(
        &mut self,
        awaited: &'static str,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> Result<T, DeviceError> {
        let found = self.wait_until(Instant::now() + self.patience, wanted).await?;
        found.ok_or_else(|| self.tired_of(awaited))
    }

    async fn wait_until<T>(
        &mut self,
        until: Instant,
        wanted: impl Fn(&Packet) -> Option<T>,
    ) -> Result<Option<T>, DeviceError> {
        let known = self
            .kept
            .iter()
            .enumerate()
            .find_map(|(place, packet)| Some((place, wanted(packet)?)));
        if let Some((place, found)) = known {
            self.kept.remove(place);
            return Ok(Some(found));
        }
        let wire = self.wire.as_mut().ok_or(DeviceError::NotConnected)?;
        loop {
            let Ok(packet) = timeout_at(until, wire.next()).await else {
                return Ok(None);
            };
            let packet = packet?;
            if let Some(found) = wanted(&packet) {
                return Ok(Some(found));
            }
            self.kept.push_back(packet);
        }
    }
}

fn as_command(packet: &Packet) -> Option<Received> {
    match packet {
        Packet::Publish(publish) => Received::read(publish.clone()).ok(),
        _ => None,
    }
}

fn publication(topic: &str, payload: Bytes, packet_id: Option<NonZeroU16>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: packet_id.map_or(QoS::AtMostOnce, |_| QoS::AtLeastOnce),
        topic: topic.into(),
        packet_id,
        payload,
        properties: None,
    }))
}

#[cfg(test)]
mod tests;
