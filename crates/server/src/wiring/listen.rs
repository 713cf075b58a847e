//! Listening sockets.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;

/// Connections that may wait to be accepted: a fleet that comes back at once must not lose its SYNs.
const BACKLOG: i32 = 4096;

/// Listens on an address. The address of a server that was just killed can be taken again at once.
pub(super) fn on(address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Listen { address, source })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Where it listens really, now that a free port has been picked.
pub(super) fn address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Listen { address: asked, source })
}

/// The same socket, served by the runtime that this is called on.
pub(super) fn on_this_runtime(listener: TcpListener) -> Result<tokio::net::TcpListener, StartError> {
    tokio::net::TcpListener::from_std(listener).map_err(|source| StartError::System {
        what: "cannot serve a listening socket".to_owned(),
        source,
    })
}
