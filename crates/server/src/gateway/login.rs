//! A connection's beginning, from its first byte until it is a device's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet};
use tokio::net::TcpStream;

use super::admission::{Admitted, Guest};
use super::connection::Connection;
use super::end::WireError;
use super::input::Input;
use super::{Gateway, line, packets, socket, visit};
use crate::idle::Member;
use crate::shutdown::Stopped;

/// A socket must say CONNECT within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// One vendor library misses a CONNACK that comes before it has started to wait for it.
const BEFORE_CONNACK: Duration = Duration::from_millis(10);
/// A refused client gets this long to read why before its socket is closed.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Lives one connection. Without a place, only as long as it takes to say so; until its login others may need its place.
pub(super) fn live(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    peer: SocketAddr,
    stopped: Stopped,
    place: Option<Arc<Member>>,
) -> impl Future<Output = ()> + Send {
    // A connection lives for days: what its login takes must not stay with it.
    let beginning = Box::pin(async move {
        tokio::select! {
            begun = begin(gateway, stream, peer, place) => begun,
            () = stopped.wait() => None,
        }
    });
    async move {
        if let Some((mut connection, mut input)) = beginning.await {
            connection.run(&mut input).await;
        }
    }
}

async fn begin(
    gateway: Arc<Gateway>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Option<Arc<Member>>,
) -> Option<(Connection, Input)> {
    let (stream, guest, input) = tokio::select! {
        let_in = log_in(&gateway, stream, peer, place.is_some()) => let_in?,
        () = wanted(place.as_deref()) => {
            tracing::debug!(%peer, "a connection without a login made room for another");
            return None;
        }
    };
    drop(place);
    tokio::time::sleep(BEFORE_CONNACK).await;
    match guest {
        Guest::Device(device) => Some((enter(gateway, stream, device).await?, input)),
        Guest::Visitor(visitor) => {
            visit::live(&visitor, &stream, input).await;
            None
        }
    }
}

async fn wanted(place: Option<&Member>) {
    match place {
        Some(place) => place.wanted().await,
        None => std::future::pending().await,
    }
}

/// Who has come, with the socket and the bytes that came right behind the login; `None` if refused or gone.
async fn log_in(
    gateway: &Gateway,
    stream: TcpStream,
    peer: SocketAddr,
    room: bool,
) -> Option<(TcpStream, Guest, Input)> {
    socket::prepare(&stream).ok()?;
    let mut input = Input::default();
    let connect = tokio::time::timeout(CONNECT_WITHIN, connect(&stream, &mut input));
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
        Ok(guest) => Some((stream, guest, input)),
        Err(code) => {
            refuse(gateway, stream, peer, code).await;
            None
        }
    }
}

async fn connect(stream: &TcpStream, input: &mut Input) -> Result<Box<Connect>, WireError> {
    loop {
        stream.readable().await?;
        match input.try_first(stream)? {
            Some(Packet::Connect(connect)) => return Ok(connect),
            Some(_) => return Err(WireError::Malformed("CONNECT expected".to_owned())),
            None => {}
        }
    }
}

async fn refuse(gateway: &Gateway, stream: TcpStream, peer: SocketAddr, code: ConnectAckReason) {
    let wait = gateway.throttle.refused(peer.ip(), Instant::now());
    let held = gateway.throttle.hold();
    let wait = if held.is_some() { wait } else { Duration::ZERO };
    tracing::info!(%peer, ?code, wait_ms = wait.as_millis(), "a login is refused");
    tokio::time::sleep(wait).await;
    let mut output = Vec::new();
    let told = packets::put(&mut output, connack(code)).is_ok() && line::write(&stream, &mut output).is_ok();
    if told {
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
}

/// The device is online from now on, and told so next.
async fn enter(gateway: Arc<Gateway>, stream: TcpStream, admitted: Admitted) -> Option<Connection> {
    gateway.sessions.writer().room().await;
    let Admitted {
        device,
        keys,
        manners,
        key_changes,
    } = admitted;
    let present = gateway.sessions.enter(device, keys, stream, manners.packing);
    if !gateway.still_admits(device, &present.line.keys, key_changes).await {
        tracing::info!(device = device.0, "a device's key was replaced during its login");
        return None;
    }
    Some(Connection::new(gateway, present, manners.keep_alive))
}

pub(super) fn connack(return_code: ConnectAckReason) -> Packet {
    Packet::ConnectAck(ConnectAck {
        return_code,
        session_present: false,
    })
}
