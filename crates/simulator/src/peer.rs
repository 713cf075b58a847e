//! The other end for this crate's own tests: a server that does exactly what a test says.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::wire::{LinkError, Wire};

const PATIENCE: Duration = Duration::from_secs(20);

/// A listener.
pub(crate) struct Peer {
    pub(crate) listener: TcpListener,
}

/// One accepted connection.
pub(crate) struct Accepted {
    pub(crate) connect: Connect,
    wire: Wire,
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Accepts a connection, reads its CONNECT and does not answer it.
    pub(crate) async fn accept(&self) -> Accepted {
        let (stream, _) = timeout(PATIENCE, self.listener.accept())
            .await
            .expect("a connection")
            .unwrap();
        let mut wire = Wire::over(stream).unwrap();
        match timeout(PATIENCE, wire.next()).await.expect("CONNECT").unwrap() {
            Packet::Connect(connect) => Accepted {
                connect: *connect,
                wire,
            },
            other => panic!("{other:?} instead of CONNECT"),
        }
    }

    /// Accepts a connection and lets the device in.
    pub(crate) async fn let_in(&self) -> Accepted {
        let mut accepted = self.accept().await;
        accepted.connack(ConnectAckReason::ConnectionAccepted).await;
        accepted
    }
}

impl Accepted {
    pub(crate) fn user_name(&self) -> &str {
        self.connect.username.as_ref().map_or("", |name| name)
    }

    pub(crate) async fn connack(&mut self, return_code: ConnectAckReason) {
        self.send(connack(return_code)).await;
    }

    /// Lets the device in and publishes with QoS 1, in one write.
    pub(crate) async fn connack_and_publish(&mut self, topic: &str, payload: &str, packet_id: u16) {
        self.wire.put(connack(ConnectAckReason::ConnectionAccepted)).unwrap();
        self.publish(topic, payload, packet_id).await;
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        self.wire.put(packet).unwrap();
        self.wire.flush().await.unwrap();
    }

    /// Sends a command with QoS 1.
    pub(crate) async fn command(&mut self, topic: &str, id: u64, packet_id: u16) {
        let payload = format!(r#"{{"id":"{id}","version":"1.0","method":"m","params":{{"left":6}}}}"#);
        self.publish(topic, &payload, packet_id).await;
    }

    /// Publishes with QoS 1.
    pub(crate) async fn publish(&mut self, topic: &str, payload: &str, packet_id: u16) {
        self.send(Packet::Publish(Box::new(Publish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.into(),
            packet_id: NonZeroU16::new(packet_id),
            payload: payload.to_owned().into(),
            properties: None,
        })))
        .await;
    }

    pub(crate) async fn puback(&mut self, packet_id: NonZeroU16) {
        self.send(Packet::PublishAck { packet_id }).await;
    }

    pub(crate) async fn next(&mut self) -> Packet {
        timeout(PATIENCE, self.wire.next()).await.expect("a packet").unwrap()
    }

    pub(crate) async fn expect_puback(&mut self, expected: u16) {
        match self.next().await {
            Packet::PublishAck { packet_id } => assert_eq!(packet_id.get(), expected),
            other => panic!("{other:?} instead of PUBACK"),
        }
    }

    /// The next packet, which must be a publication: itself and its payload as text.
    pub(crate) async fn expect_publish(&mut self) -> (Publish, String) {
        match self.next().await {
            Packet::Publish(publish) => {
                let text = String::from_utf8_lossy(&publish.payload).into_owned();
                (*publish, text)
            }
            other => panic!("{other:?} instead of PUBLISH"),
        }
    }

    /// Waits for the end of the connection, with nothing before it.
    pub(crate) async fn expect_end(&mut self) -> LinkError {
        match timeout(PATIENCE, self.wire.next())
            .await
            .expect("the end of the connection")
        {
            Ok(packet) => panic!("{packet:?} instead of the end"),
            Err(error) => error,
        }
    }

    pub(crate) fn reset(self) {
        self.wire.reset();
    }
}

fn connack(return_code: ConnectAckReason) -> Packet {
    Packet::ConnectAck(ConnectAck {
        return_code,
        session_present: false,
    })
}
