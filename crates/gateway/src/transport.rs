//! A connection's bytes: as they are, under TLS, in the frames of a WebSocket, or both. Nothing here waits: the code
//! that reads or writes is told when to try again.

mod secured;
#[cfg(test)]
mod tests;
mod unframed;
mod web_socket;

use std::io::{self, Read as _};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::certificate::Shown;
use secured::Session;
use web_socket::Frames;

/// Taken at once by what encrypts or frames: one record of TLS.
const PIECE_BYTES: usize = 16 * 1024;

/// A socket and what lies on it; a plain one carries nothing else.
pub(super) struct Transport {
    stream: TcpStream,
    layers: Option<Box<Layers>>,
}

/// The upper one first.
#[derive(Default)]
struct Layers {
    frames: Option<Mutex<Frames>>,
    tls: Option<Tls>,
}

struct Tls {
    session: Mutex<Session>,
    certificate: Option<Shown>,
}

/// What stands between the bytes that are said and what they lie on.
trait Layer<B: Copy> {
    /// Whether everything that was taken is in the socket.
    fn flush(&mut self, below: B) -> io::Result<bool>;

    /// Takes some of these bytes; how many. Everything that was taken before is in the socket.
    fn take(&mut self, below: B, bytes: &[u8]) -> io::Result<usize>;

    /// Bytes that have been taken and are not all in the socket yet.
    fn taken(&mut self) -> &mut usize;

    /// Bytes leave `output` when they are in the socket, and not when they have been taken: code that asks whether
    /// anything waits is told the truth.
    fn send(&mut self, below: B, output: &mut Vec<u8>) -> io::Result<()> {
        while self.flush(below)? {
            output.drain(..std::mem::take(self.taken()));
            if output.is_empty() {
                *output = Vec::new();
                break;
            }
            let next = &output[..output.len().min(PIECE_BYTES)];
            *self.taken() = self.take(below, next)?;
        }
        Ok(())
    }
}

/// What came at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) bytes: usize,
    /// There may be more, or an end, for which the socket will not call again.
    pub(super) more: bool,
}

/// What frames lie on.
#[derive(Clone, Copy)]
enum Below<'t> {
    Socket(&'t TcpStream),
    Tls(&'t TcpStream, &'t Mutex<Session>),
}

impl Transport {
    /// As it is.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream, layers: None }
    }

    /// Under TLS, after its handshake.
    pub(super) fn tls(stream: TcpStream, connection: ServerConnection, certificate: Option<Shown>) -> Self {
        let tls = Tls {
            session: Mutex::new(Session::new(connection)),
            certificate,
        };
        let layers = Layers {
            frames: None,
            tls: Some(tls),
        };
        Self {
            stream,
            layers: Some(Box::new(layers)),
        }
    }

    /// From now on what is said is in the frames of a WebSocket. Of what came behind its handshake, what that carries.
    ///
    /// # Errors
    /// `InvalidData` for what is no WebSocket, or is text.
    pub(super) fn be_framed(&mut self, mut read: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut frames = Frames::default();
        let carried = frames.unframe(&mut read)?;
        read.truncate(carried);
        self.layers.get_or_insert_default().frames = Some(Mutex::new(frames));
        Ok(read)
    }

    /// The certificate that the client has presented; it was signed by a trusted authority.
    pub(super) fn certificate(&self) -> Option<&Shown> {
        self.secured()?.certificate.as_ref()
    }

    /// Whether that has been revoked since.
    pub(super) fn is_revoked(&self) -> bool {
        self.certificate().is_some_and(Shown::is_revoked)
    }

    /// For what the operating system is asked to do.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    /// Reads what is there, as much as fits.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end of the connection; `InvalidData` for what is no TLS or no WebSocket.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let Some(frames) = self.frames() else {
            let bytes = self.receive_below(buffer)?;
            return Ok(Received {
                bytes,
                more: bytes == buffer.len(),
            });
        };
        let mut frames = frames.lock();
        if frames.is_closed() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = self.receive_below(buffer)?;
        let bytes = frames.unframe(&mut buffer[..read])?;
        frames.flush(self.below())?;
        let more = read == buffer.len() || frames.is_closed();
        Ok(Received { bytes, more })
    }

    fn receive_below(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.secured() {
            None => receive_plain(&self.stream, buffer),
            Some(tls) => {
                let mut session = tls.session.lock();
                fill(buffer, |rest| session.read(&self.stream, rest))
            }
        }
    }

    /// Writes what the socket takes now, and takes it out of `output`.
    pub(super) fn send(&self, output: &mut Vec<u8>) -> io::Result<()> {
        match (self.frames(), self.secured()) {
            (Some(frames), _) => frames.lock().send(self.below(), output),
            (None, Some(tls)) => tls.session.lock().send(&self.stream, output),
            (None, None) => send_plain(&self.stream, output),
        }
    }

    /// Tells the other side that nothing more will come.
    pub(super) fn say_goodbye(&self) {
        if let Some(frames) = self.frames() {
            frames.lock().say_goodbye(self.below());
        }
        if let Some(tls) = self.secured() {
            tls.session.lock().say_goodbye(&self.stream);
        }
    }

    fn frames(&self) -> Option<&Mutex<Frames>> {
        self.layers.as_ref()?.frames.as_ref()
    }

    fn secured(&self) -> Option<&Tls> {
        self.layers.as_ref()?.tls.as_ref()
    }

    fn below(&self) -> Below<'_> {
        match self.secured() {
            None => Below::Socket(&self.stream),
            Some(tls) => Below::Tls(&self.stream, &tls.session),
        }
    }
}

impl io::Write for Below<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.try_write(bytes),
            Self::Tls(stream, session) => session.lock().write(stream, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Socket(_) => Ok(()),
            Self::Tls(stream, session) => match session.lock().flush(stream)? {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            },
        }
    }
}

/// A buffer that is not filled says that there is nothing more, which spares asking again.
fn receive_plain(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    let received = stream.try_io(Interest::READABLE, || {
        read = (&*SockRef::from(stream)).read(buffer)?;
        match read {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ if read < buffer.len() => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    });
    or_later(received).map(|_| read)
}

fn send_plain(stream: &TcpStream, output: &mut Vec<u8>) -> io::Result<()> {
    while !output.is_empty() {
        match stream.try_write(output) {
            Ok(sent) if sent == output.len() => *output = Vec::new(),
            Ok(sent) => drop(output.drain(..sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until the buffer is full or it has to be tried again later.
fn fill(buffer: &mut [u8], mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match or_later(read(&mut buffer[filled..]))? {
            None => break,
            // What was read before the end still counts.
            Some(0) if filled > 0 => break,
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(more) => filled += more,
        }
    }
    Ok(filled)
}

/// `None` if it has to be tried again later.
fn or_later<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
