//! Bytes under TLS.

use std::io::{self, Read as _, Write as _};

use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{Layer, PIECE_BYTES, or_later};

/// TLS on a socket, after the handshake.
pub(super) struct Session {
    connection: ServerConnection,
    /// Bytes that have been encrypted and are not all in the socket yet.
    taken: usize,
}

impl Session {
    pub(super) fn new(connection: ServerConnection) -> Self {
        Self { connection, taken: 0 }
    }

    /// Reads what is there; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet.
    pub(super) fn read(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(read) = or_later(self.connection.reader().read(buffer))? {
                return Ok(read);
            }
            let taken = stream.try_io(Interest::READABLE, || {
                self.connection.read_tls(&mut &*SockRef::from(stream))
            })?;
            if taken == 0 {
                return Ok(0);
            }
            self.decrypt(stream)?;
        }
    }

    /// Takes in what was read. The other side is told what is wrong with it.
    fn decrypt(&mut self, stream: &TcpStream) -> io::Result<()> {
        let processed = self.connection.process_new_packets();
        let flushed = self.flush(stream);
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        flushed.map(|_| ())
    }

    /// Encrypts as much as may be encrypted now, and sends what goes; how much was encrypted.
    ///
    /// # Errors
    /// `WouldBlock` as long as what was encrypted before is not all in the socket.
    pub(super) fn write(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush(stream)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.take(stream, &bytes[..bytes.len().min(PIECE_BYTES)])?;
        // A connection that has written its last packet does not flush it by itself.
        self.flush(stream)?;
        Ok(taken)
    }

    pub(super) fn say_goodbye(&mut self, stream: &TcpStream) {
        self.connection.send_close_notify();
        let _gone = self.flush(stream);
    }
}

impl Layer<&TcpStream> for Session {
    fn flush(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while self.connection.wants_write() {
            let sent = stream.try_io(Interest::WRITABLE, || {
                self.connection.write_tls(&mut &*SockRef::from(stream))
            });
            if or_later(sent)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, _stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.connection.writer().write(bytes)
    }

    fn taken(&mut self) -> &mut usize {
        &mut self.taken
    }
}
