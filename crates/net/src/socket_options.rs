//! What only some operating systems can be asked for about a socket. Aldis is built and tested on Linux; elsewhere it
//! compiles, for those who work on it, and does without.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// Ends a connection whose peer acknowledges nothing for this long. Only Linux can; elsewhere the system's own limit
/// holds, which is some minutes.
#[cfg(target_os = "linux")]
pub fn end_when_not_read(stream: &TcpStream, after: Duration) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(after))
}

#[cfg(not(target_os = "linux"))]
pub fn end_when_not_read(_stream: &TcpStream, _after: Duration) -> io::Result<()> {
    Ok(())
}
