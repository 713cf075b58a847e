//! What the operating system is asked to do about a device's socket. One that is gone already needs none of it.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use aldis_net::socket_options::end_when_not_read;

/// A device that takes no byte for this long is gone: bytes must not reach it minutes after their timeout.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A device that promises no signs of life is asked for them by the operating system after this much silence: without
/// that, one whose link broke without a word would be online for ever.
const PROBE_AFTER: Duration = Duration::from_secs(60);

/// A refused client gets this long to read why before its socket is closed.
pub(super) const AFTER_REFUSAL: Duration = Duration::from_millis(50);

pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    end_when_not_read(stream, USER_TIMEOUT)
}

/// From now on the connection's end discards what the device has not taken.
pub(super) fn discard_on_close(stream: &TcpStream, discard: bool) {
    let linger = discard.then_some(Duration::ZERO);
    let _gone = SockRef::from(stream).set_linger(linger);
}

/// Asks the operating system to find out by itself whether a silent device is still there.
pub(super) fn probe_when_silent(stream: &TcpStream) {
    let probe = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
    let _gone = SockRef::from(stream).set_tcp_keepalive(&probe);
}

/// Asks the operating system to acknowledge at once what has been read: a device with Nagle's algorithm that has sent
/// the PUBACK of a command holds its reply back until then.
pub(super) fn acknowledge_quickly(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _gone = SockRef::from(stream).set_tcp_quickack(true);
}
