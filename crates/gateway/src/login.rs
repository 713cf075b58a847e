//! A connection's beginning, from its first byte until it is a device's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aldis_protocol::login::keys_in;
use rmqtt_codec::v3::{Connect, ConnectAckReason};
use tokio::net::TcpStream;

use super::acknowledgements::connack;
use super::admission::{Admission, Admitted};
use super::certificate::Shown;
use super::client_capabilities::ClientCapabilities;
use super::close_reason::WireError;
use super::connection::Connection;
use super::guest_connection::Purpose;
use super::input::Input;
use super::socket::AFTER_REFUSAL;
use super::throttle::{Claim, Telling};
use super::tls::Tls;
use super::transport::{Received, Transport};
use super::{Gateway, guest_connection, packets, socket, upgrade};
use aldis_engine::trace::Event;
use aldis_net::idle::TrackedConnection;
use aldis_net::shutdown::Stopped;

/// A socket must say CONNECT within this time, under TLS too.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// One vendor library misses a CONNACK that comes before it has started to wait for it.
const BEFORE_CONNACK: Duration = Duration::from_millis(10);
/// Two clients with the keys of one device would throw each other out as fast as they can: each login waits so long
/// then. The vendor's C library gives up a CONNECT after 5 seconds, so that much time has to be left to a link that is
/// slow.
const IN_A_DUEL: Duration = Duration::from_secs(2);
/// Bytes that a client may say before its login is answered and that are read for it: subscriptions, what it has to
/// report.
const EARLY_MAX_BYTES: usize = 64 * 1024;
/// Product and device of a login that names none.
const NAMELESS: (&str, &str) = ("", "");

/// A socket, and what has to be agreed on before anything is said over it.
type Accepted = (TcpStream, Option<Arc<Tls>>);

/// An unauthenticated connection.
struct Caller {
    transport: Transport,
    input: Input,
}

impl Caller {
    /// Reads what has come; an error if the client has gone.
    fn look(&mut self) -> Result<(), WireError> {
        while self.input.kept() <= EARLY_MAX_BYTES && self.input.try_more(&self.transport)?.bytes > 0 {}
        Ok(())
    }

    /// Waits as long as the client does.
    async fn wait(&mut self, time: Duration) -> Result<(), WireError> {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            self.look()?;
            let reads = self.input.kept() <= EARLY_MAX_BYTES;
            tokio::select! {
                () = &mut over => return Ok(()),
                ready = self.transport.readable(), if reads => ready?,
            }
        }
    }
}

/// Lives one connection. Without a place, only as long as it takes to say so; until its login others may need its
/// place.
pub(super) fn live(
    gateway: Arc<Gateway>,
    accepted: Accepted,
    peer: SocketAddr,
    stopped: Stopped,
    place: Option<Arc<TrackedConnection>>,
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
    place: Option<Arc<TrackedConnection>>,
) -> Option<(Connection, Input)> {
    let (mut caller, guest) = tokio::select! {
        let_in = log_in(&gateway, accepted, peer, place.is_some()) => let_in?,
        () = wanted(place.as_deref()) => {
            tracing::debug!(%peer, "a connection without a login made room for another");
            return None;
        }
    };
    drop(place);
    tokio::time::sleep(BEFORE_CONNACK).await;
    match guest {
        Admission::Device(device) => {
            gateway.sessions.writer().room().await;
            // A client that has given up meanwhile must not end the session of one that has not.
            if let Err(error) = caller.look() {
                tracing::debug!(%peer, %error, "a device was gone before its login was answered");
                return None;
            }
            enter(gateway, caller, device, peer).await
        }
        Admission::Guest(guest) => {
            if let Purpose::Activation(device, _) = guest.purpose {
                gateway.sessions.note(device, Event::ToldSecret(peer));
            }
            guest_connection::live(&guest, &caller.transport, caller.input, &gateway).await;
            None
        }
    }
}

async fn wanted(place: Option<&TrackedConnection>) {
    match place {
        Some(place) => place.wanted().await,
        None => std::future::pending().await,
    }
}

/// Who has come, and as what; `None` if refused or gone.
async fn log_in(gateway: &Gateway, accepted: Accepted, peer: SocketAddr, room: bool) -> Option<(Caller, Admission)> {
    let end = tokio::time::Instant::now() + CONNECT_WITHIN;
    let mut caller = match tokio::time::timeout_at(end, open(accepted)).await.ok()? {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
        Err(error) => {
            tracing::info!(%peer, %error, "a connection did not come about");
            return None;
        }
    };
    let connect = tokio::time::timeout_at(end, connect(&caller.transport, &mut caller.input));
    let mut claim = gateway.throttle.claim(peer.ip(), NAMELESS);
    let (proved, capabilities) = match connect.await.ok()? {
        Ok((_, capabilities)) if !room => (Err(ConnectAckReason::ServiceUnavailable), capabilities),
        // What is said then is in the terms.
        Ok((_, capabilities)) if capabilities.unmet.is_some() => {
            tracing::info!(%peer, "a login asks for what is not served");
            (Err(ConnectAckReason::NotAuthorized), capabilities)
        }
        Ok((connect, capabilities)) => {
            claim = claimed(gateway, peer, &connect);
            if !gateway.throttle.hears(claim, Instant::now()) {
                tracing::debug!(%peer, "a login is not looked at: too many of its address wait for their refusal");
                return None;
            }
            (
                prove(gateway, &mut caller, peer, (&connect, capabilities)).await?,
                capabilities,
            )
        }
        Err(WireError::OtherVersion) => {
            tracing::info!(%peer, "a login in a version of MQTT that is not served");
            let capabilities = ClientCapabilities::of(caller.input.version());
            (Err(ConnectAckReason::UnacceptableProtocolVersion), capabilities)
        }
        Err(WireError::NoClientId) => {
            tracing::info!(%peer, "a login without a client id");
            let capabilities = ClientCapabilities::of(caller.input.version());
            (Err(ConnectAckReason::IdentifierRejected), capabilities)
        }
        Err(error) => {
            tracing::debug!(%peer, %error, "a connection ended without a login");
            return None;
        }
    };
    match proved {
        Ok(guest) => {
            gateway.throttle.let_in(claim);
            Some((caller, guest))
        }
        Err(code) => {
            refuse(gateway, &caller.transport, (peer, claim), capabilities, code).await;
            None
        }
    }
}

/// In whose name a login is made, as far as it says so.
fn claimed(gateway: &Gateway, peer: SocketAddr, connect: &Connect) -> Claim {
    let keys = connect.username.as_deref().and_then(keys_in);
    let named = keys.map_or(NAMELESS, |(device, product)| (product, device));
    gateway.throttle.claim(peer.ip(), named)
}

/// Whether a CONNECT holds; `None` if its client has gone. While the device is flapping it waits, and then everything is checked anew: a
/// key may have been replaced since, a certificate revoked, the device disabled.
async fn prove(
    gateway: &Gateway,
    caller: &mut Caller,
    peer: SocketAddr,
    (connect, capabilities): (&Connect, ClientCapabilities),
) -> Option<Result<Admission, ConnectAckReason>> {
    let proved = gateway
        .admit(connect, capabilities, caller.transport.certificate(), peer)
        .await;
    let device = match &proved {
        Ok(Admission::Device(admitted)) => admitted.entrant.device,
        Ok(Admission::Guest(_)) | Err(_) => return Some(proved),
    };
    if !gateway.sessions.is_flapping(device) {
        return Some(proved);
    }
    // Not as `peer`: this is no stranger, and each line counts.
    tracing::warn!(device = device.0, from = %peer, "two clients with the keys of one device throw each other out");
    if let Err(error) = caller.wait(IN_A_DUEL).await {
        tracing::debug!(device = device.0, %peer, %error, "a device was gone before its login was answered");
        return None;
    }
    Some(
        gateway
            .admit(connect, capabilities, caller.transport.certificate(), peer)
            .await,
    )
}

/// Agrees on what is said over a socket; what has been said already is in the input.
async fn open((stream, tls): Accepted) -> io::Result<Caller> {
    socket::prepare(&stream)?;
    let mut transport = match tls {
        None => Transport::plain(stream),
        Some(tls) => {
            let (stream, connection) = tls.acceptor().accept(stream).await?.into_inner();
            let certificate = Shown::during(&connection, tls);
            Transport::tls(stream, connection, certificate)
        }
    };
    let read = upgrade::agree(&mut transport).await?;
    let input = Input::beginning(read);
    Ok(Caller { transport, input })
}

async fn connect(transport: &Transport, input: &mut Input) -> Result<(Box<Connect>, ClientCapabilities), WireError> {
    loop {
        if let Some(connect) = input.connect()? {
            return Ok(connect);
        }
        match input.try_more(transport)? {
            // Only this connection waits for a client that sends much.
            Received { more: true, .. } => tokio::task::yield_now().await,
            Received { bytes: 0, .. } => transport.readable().await?,
            Received { .. } => {}
        }
    }
}

async fn refuse(
    gateway: &Gateway,
    transport: &Transport,
    (peer, claim): (SocketAddr, Claim),
    capabilities: ClientCapabilities,
    code: ConnectAckReason,
) {
    let wrong = code == ConnectAckReason::NotAuthorized;
    let (wait, _place) = match gateway.throttle.refused(claim, wrong, Instant::now()) {
        Telling::AtOnce => (Duration::ZERO, None),
        Telling::After(wait, place) => (wait, Some(place)),
        Telling::Never => {
            tracing::debug!(%peer, ?code, "a login is refused without a word");
            return;
        }
    };
    tracing::debug!(%peer, ?code, wait_ms = wait.as_millis(), "a login is refused");
    tokio::time::sleep(wait).await;
    let mut output = Vec::new();
    let told = packets::put(&mut output, capabilities, connack(code)).is_ok() && transport.send(&mut output).is_ok();
    if told {
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
    transport.say_goodbye();
}

/// The device is online from now on, and told so next.
async fn enter(
    gateway: Arc<Gateway>,
    caller: Caller,
    admitted: Admitted,
    peer: SocketAddr,
) -> Option<(Connection, Input)> {
    let Admitted {
        entrant,
        params,
        signed_with,
        logins_changed,
    } = admitted;
    let device = entrant.device;
    let Caller { transport, input } = caller;
    let present = gateway.sessions.enter(entrant, transport, params, peer);
    // A revocation, a new key or a new secret from now on finds the session; one from before has to be looked for.
    let why = if present.handle.transport.is_revoked() {
        "its certificate was revoked during its login"
    } else if !gateway
        .still_admits(device, &present.handle.keys, signed_with, logins_changed)
        .await
    {
        "its key or its secret was replaced during its login"
    } else {
        return Some((Connection::new(gateway, present, params.keep_alive), input));
    };
    tracing::info!(device = device.0, why, "a device is shown out");
    gateway.sessions.note(device, Event::Ended(why.to_owned()));
    None
}
