//! Accepts connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::tls::Tls;
use super::{Gateway, login};
use aldis_net::shutdown::Stopped;

/// A pause when the process has no file descriptor left: connections wait in the backlog meanwhile.
const WHEN_FULL: Duration = Duration::from_millis(100);

/// Connections beyond the limit that are told why they are turned away; any more are closed at once, because each takes
/// a file of those that the rest of the server needs.
const TURNED_AWAY_MAX: usize = 64;
/// Of a small number of files, devices get most: one connection is turned away per this many places, but some always
/// are.
const PLACES_PER_TURNED_AWAY: usize = 4;
const TURNED_AWAY_MIN: usize = 8;
/// Between two lines in the log about connections for which there is no room.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How many connections beyond `connections_max` may be open at a time, to be told so.
#[must_use]
pub fn turned_away_max(connections_max: usize) -> usize {
    (connections_max / PLACES_PER_TURNED_AWAY).clamp(TURNED_AWAY_MIN, TURNED_AWAY_MAX)
}

/// Where devices may come in.
pub struct Listeners {
    /// As they are.
    pub plain: TcpListener,
    /// Under TLS.
    pub tls: Option<(TcpListener, Arc<Tls>)>,
}

impl Listeners {
    /// The next connection, and what has to be agreed on before anything is said over it.
    async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr, Option<Arc<Tls>>)> {
        let secured = async {
            match &self.tls {
                Some((listener, tls)) => listener.accept().await.map(|accepted| (accepted, Arc::clone(tls))),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.plain.accept() => accepted.map(|(stream, peer)| (stream, peer, None)),
            accepted = secured => accepted.map(|((stream, peer), tls)| (stream, peer, Some(tls))),
        }
    }
}

/// Serves devices until told to stop, then waits for their connections to end: the stop of the server ends the
/// sessions.
pub async fn serve(gateway: Arc<Gateway>, listeners: Listeners, stopped: Stopped) {
    tokio::select! {
        () = accept(&gateway, listeners, stopped) => {}
        never = gateway.carry_out_orders() => match never {}
    }
}

async fn accept(gateway: &Arc<Gateway>, listeners: Listeners, stopped: Stopped) {
    let mut connections = JoinSet::new();
    let mut told: Option<Instant> = None;
    let stop = stopped.clone().wait();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listeners.accept() => match accepted {
                Ok((stream, peer, tls)) => {
                    let over = (connections.len() + 1).saturating_sub(gateway.connections_max);
                    // Strangers keep no device out: the one that has waited longest for its login makes room.
                    let made = over > 0 && gateway.strangers.give_one_up();
                    let room = over == 0 || made;
                    if !room && told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(%peer, connections_max = gateway.connections_max, "no room for another device connection");
                    }
                    if over > turned_away_max(gateway.connections_max) {
                        continue;
                    }
                    let place = room.then(|| gateway.strangers.join());
                    let live = login::live(Arc::clone(gateway), (stream, tls), peer, stopped.clone(), place);
                    connections.spawn(live);
                    if made {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a device's connection could not be accepted");
                    tokio::time::sleep(WHEN_FULL).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}
