//! Accepts connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Gateway, connection};
use crate::shutdown::Stopped;

/// A pause when the process has no file descriptor left: connections wait in the backlog meanwhile.
const WHEN_FULL: Duration = Duration::from_millis(100);

/// Accepts devices until told to stop, then waits for their connections to end: whoever stops the server ends the sessions.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, stopped: Stopped) {
    let mut connections = JoinSet::new();
    let stop = stopped.clone().wait();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let room = connections.len() < gateway.connections_max;
                    if !room {
                        tracing::warn!(%peer, connections_max = gateway.connections_max, "no room for another device connection");
                    }
                    connections.spawn(connection::live(Arc::clone(&gateway), stream, peer, stopped.clone(), room));
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
