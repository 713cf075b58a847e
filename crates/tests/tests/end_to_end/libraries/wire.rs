//! MQTT 3.1.1 as a client puts it on the wire, byte by byte: what the server reads here was written by no code of its
//! own.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// A packet that the server has sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    ConnAck { session_present: bool, code: u8 },
    Publish { topic: String, payload: Vec<u8>, flags: u8 },
    SubAck { packet: u16, granted: u8 },
    UnsubAck { packet: u16 },
    PubAck { packet: u16 },
    PingResp,
}

pub(super) struct Wire {
    socket: TcpStream,
    packs: bool,
}

impl Wire {
    pub(super) async fn open(to: SocketAddr) -> Self {
        Self {
            socket: TcpStream::connect(to).await.unwrap(),
            packs: false,
        }
    }

    /// From now on every payload is packed, both ways.
    pub(super) fn pack(&mut self) {
        self.packs = true;
    }

    async fn send(&mut self, first: u8, body: &[u8]) {
        let mut packet = vec![first];
        let mut left = body.len();
        loop {
            let low = u8::try_from(left % 128).unwrap();
            left /= 128;
            packet.push(if left > 0 { low | 128 } else { low });
            if left == 0 {
                break;
            }
        }
        packet.extend_from_slice(body);
        self.socket.write_all(&packet).await.unwrap();
    }

    pub(super) async fn connect(&mut self, flags: u8, keep_alive: u16, strings: [&str; 3]) {
        let mut body = text("MQTT");
        body.extend([4, flags]);
        body.extend(keep_alive.to_be_bytes());
        for string in strings {
            body.extend(text(string));
        }
        self.send(0x10, &body).await;
    }

    pub(super) async fn subscribe(&mut self, packet: u16, filter: &str, qos: u8) {
        let mut body = packet.to_be_bytes().to_vec();
        body.extend(text(filter));
        body.push(qos);
        self.send(0x82, &body).await;
    }

    pub(super) async fn unsubscribe(&mut self, packet: u16, filter: &str) {
        let mut body = packet.to_be_bytes().to_vec();
        body.extend(text(filter));
        self.send(0xa2, &body).await;
    }

    pub(super) async fn publish(&mut self, topic: &str, payload: &[u8], packet: Option<u16>) {
        let mut body = text(topic);
        body.extend(packet.iter().flat_map(|packet| packet.to_be_bytes()));
        if self.packs {
            body.extend(packed(payload));
        } else {
            body.extend_from_slice(payload);
        }
        self.send(if packet.is_some() { 0x32 } else { 0x30 }, &body).await;
    }

    pub(super) async fn puback(&mut self, packet: [u8; 2]) {
        self.send(0x40, &packet).await;
    }

    pub(super) async fn ping(&mut self) {
        self.send(0xc0, &[]).await;
    }

    pub(super) async fn disconnect(&mut self) {
        self.send(0xe0, &[]).await;
    }

    /// The next packet; a PUBLISH with QoS 1 is acknowledged, as a library does before its program sees it.
    pub(super) async fn next(&mut self) -> Got {
        let (first, body) = timeout(PATIENCE, self.read()).await.expect("a packet in time");
        let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        match first >> 4 {
            2 => Got::ConnAck {
                session_present: body[0] != 0,
                code: body[1],
            },
            3 => {
                let end = 2 + usize::from(number(0));
                let topic = String::from_utf8(body[2..end].to_vec()).unwrap();
                let qos = (first >> 1) & 3;
                let payload = &body[end + if qos > 0 { 2 } else { 0 }..];
                let payload = if self.packs {
                    unpacked(payload)
                } else {
                    payload.to_vec()
                };
                if qos > 0 {
                    self.puback([body[end], body[end + 1]]).await;
                }
                Got::Publish {
                    topic,
                    payload,
                    flags: first & 15,
                }
            }
            4 => Got::PubAck { packet: number(0) },
            9 => Got::SubAck {
                packet: number(0),
                granted: body[2],
            },
            11 => Got::UnsubAck { packet: number(0) },
            13 => Got::PingResp,
            other => panic!("no client expects a packet of type {other}"),
        }
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let first = self.socket.read_u8().await.unwrap();
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.socket.read_u8().await.unwrap();
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.unwrap();
        (first, body)
    }
}

fn packed(payload: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(payload).unwrap();
    packed.finish().unwrap()
}

fn unpacked(payload: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    GzDecoder::new(payload).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
