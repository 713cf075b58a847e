//! A caller's socket, shared between the connection, which reads and writes, and the code that has to know that the
//! caller has left.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use aldis_net::socket_options::end_when_not_read;

/// A caller that takes no byte of its answer for this long is gone: large answers are not kept for it any longer.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// The socket as the connection uses it.
pub(super) struct Socket(Arc<TcpStream>);

/// The other end of a request's connection; stands among the request's extensions.
#[derive(Clone)]
pub(super) struct Peer(Arc<TcpStream>);

impl Socket {
    /// A socket that was just accepted. What the operating system refuses costs speed, or room for a while.
    pub(super) fn new(stream: TcpStream) -> Self {
        // Without it, small answers wait for the peer's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        if let Err(error) = end_when_not_read(&stream, USER_TIMEOUT) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT could not be set");
        }
        Self(Arc::new(stream))
    }

    pub(super) fn peer(&self) -> Peer {
        Peer(Arc::clone(&self.0))
    }
}

impl Peer {
    /// Where the caller calls from; `None` if the connection is broken.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()
    }

    /// Done once the caller has closed its side, or the connection is broken. Of one that has sent its next request
    /// already only the latter can be told.
    pub(super) async fn left(&self) {
        let said_more = self.0.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0);
        if said_more {
            drop(self.0.ready(Interest::ERROR).await);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|_| ())),
            }
        }
    }
}

impl Socket {
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match send(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| stream.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}
