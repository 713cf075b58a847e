//! A connection's beginning, from its first byte until it is a device's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, Packet};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::admission::{Admitted, Guest};
use super::connection::Connection;
use super::end::WireError;
use super::input::Input;
use super::terms::{Terms, Version};
use super::transport::{Received, Transport};
use super::{Gateway, packets, socket, upgrade, visit};
use crate::idle::Member;
use crate::shutdown::Stopped;

/// A socket must say CONNECT within this time, under TLS too.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// One vendor library misses a CONNACK that comes before it has started to wait for it.
const BEFORE_CONNACK: Duration = Duration::from_millis(10);
/// Two clients with the keys of one device would throw each other out as fast as they can: each login waits so long then. Less than
/// clients wait for a CONNACK.
const IN_A_DUEL: Duration = Duration::from_secs(5);
/// A refused client gets this long to read why before its socket is closed.
pub(super) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// A socket, and what has to be agreed on before anything is said over it.
type Accepted = (TcpStream, Option<TlsAcceptor>);

/// Lives one connection. Without a place, only as long as it takes to say so; until its login others may need its place.
pub(super) fn live(
    gateway: Arc<Gateway>,
    accepted: Accepted,
    peer: SocketAddr,
    stopped: Stopped,
    place: Option<Arc<Member>>,
) -> impl Future<Output = ()> + Send {
    // A connection lives for days: what its login takes must not stay with it.
    let beginning = Box::pin(async move {
        tokio::select! {
            begun = begin(gateway, accepted, peer, place) => begun,
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
    accepted: Accepted,
    peer: SocketAddr,
    place: Option<Arc<Member>>,
) -> Option<(Connection, Input)> {
    let (transport, guest, input) = tokio::select! {
        let_in = log_in(&gateway, accepted, peer, place.is_some()) => let_in?,
        () = wanted(place.as_deref()) => {
            tracing::debug!(%peer, "a connection without a login made room for another");
            return None;
        }
    };
    drop(place);
    tokio::time::sleep(BEFORE_CONNACK).await;
    match guest {
        Guest::Device(device) => Some((enter(gateway, transport, device, peer).await?, input)),
        Guest::Visitor(visitor) => {
            visit::live(&visitor, &transport, input).await;
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
    accepted: Accepted,
    peer: SocketAddr,
    room: bool,
) -> Option<(Transport, Guest, Input)> {
    let end = tokio::time::Instant::now() + CONNECT_WITHIN;
    let (transport, mut input) = match tokio::time::timeout_at(end, open(accepted)).await.ok()? {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
        Err(error) => {
            tracing::info!(%peer, %error, "a connection did not come about");
            return None;
        }
    };
    let connect = tokio::time::timeout_at(end, connect(&transport, &mut input));
    let (admitted, version) = match connect.await.ok()? {
        Ok((_, terms)) if !room => (Err(ConnectAckReason::ServiceUnavailable), terms.version),
        Ok((connect, terms)) => {
            let admitted = gateway.admit(&connect, terms, transport.certificate()).await;
            (admitted, terms.version)
        }
        Err(WireError::OtherVersion) => (Err(ConnectAckReason::UnacceptableProtocolVersion), Version::V3),
        Err(WireError::NoClientId) => (Err(ConnectAckReason::IdentifierRejected), Version::V3),
        Err(error) => {
            tracing::debug!(%peer, %error, "a connection ended without a login");
            return None;
        }
    };
    match admitted {
        Ok(guest) => Some((transport, guest, input)),
        Err(code) => {
            refuse(gateway, &transport, peer, version, code).await;
            None
        }
    }
}

/// Agrees on what is said over a socket; what has been said already is in the input.
async fn open((stream, acceptor): Accepted) -> io::Result<(Transport, Input)> {
    socket::prepare(&stream)?;
    let mut transport = match acceptor {
        None => Transport::plain(stream),
        Some(acceptor) => {
            let (stream, connection) = acceptor.accept(stream).await?.into_inner();
            Transport::tls(stream, connection)
        }
    };
    let read = upgrade::agree(&mut transport).await?;
    Ok((transport, Input::beginning(read)))
}

async fn connect(transport: &Transport, input: &mut Input) -> Result<(Box<Connect>, Terms), WireError> {
    loop {
        if let Some(connect) = input.connect()? {
            return Ok(connect);
        }
        match input.try_more(transport)? {
            // Nobody but this connection is to wait for whoever has much to say.
            Received { more: true, .. } => tokio::task::yield_now().await,
            Received { bytes: 0, .. } => transport.readable().await?,
            Received { .. } => {}
        }
    }
}

async fn refuse(gateway: &Gateway, transport: &Transport, peer: SocketAddr, version: Version, code: ConnectAckReason) {
    let wait = gateway.throttle.refused(peer.ip(), Instant::now());
    let held = gateway.throttle.hold();
    let wait = if held.is_some() { wait } else { Duration::ZERO };
    tracing::info!(%peer, ?code, wait_ms = wait.as_millis(), "a login is refused");
    tokio::time::sleep(wait).await;
    let mut output = Vec::new();
    let told = packets::put(&mut output, version, connack(code)).is_ok() && transport.send(&mut output).is_ok();
    if told {
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
    transport.say_goodbye();
}

/// The device is online from now on, and told so next.
async fn enter(
    gateway: Arc<Gateway>,
    transport: Transport,
    admitted: Admitted,
    peer: SocketAddr,
) -> Option<Connection> {
    if gateway.sessions.is_duel(admitted.entrant.device) {
        tracing::warn!(device = admitted.entrant.device.0, %peer, "two clients with the keys of one device throw each other out");
        tokio::time::sleep(IN_A_DUEL).await;
    }
    gateway.sessions.writer().room().await;
    let Admitted {
        entrant,
        manners,
        key_changes,
    } = admitted;
    let device = entrant.device;
    let present = gateway.sessions.enter(entrant, transport, manners, peer);
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
