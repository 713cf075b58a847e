//! MQTT in the frames of a WebSocket (docs/device-protocol.md, "WebSocket"). Where frames begin and end says nothing: what they
//! carry is one stream of bytes.

use std::io;

use bytes::Bytes;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use super::{Below, Layer, or_later};

/// Read from the socket at once, and kept for each connection.
const READ_BYTES: usize = 4 * 1024;
/// Longest message of whoever has not logged in: a CONNECT, and what a client says right behind it.
const STRANGERS_MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// Longest message otherwise: the largest packet, and then some.
const MESSAGE_MAX_BYTES: usize = 1 << 20;

/// A WebSocket after its handshake.
pub(super) struct Frames {
    context: WebSocketContext,
    /// What is left of the message that came last.
    unread: Bytes,
    /// Bytes that are in a frame which is not all in the socket yet.
    taken: usize,
}

impl Frames {
    /// `read` came behind the handshake.
    pub(super) fn new(read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .max_frame_size(Some(STRANGERS_MESSAGE_MAX_BYTES))
            .max_message_size(Some(STRANGERS_MESSAGE_MAX_BYTES));
        Self {
            context: WebSocketContext::from_partially_read(read, Role::Server, Some(config)),
            unread: Bytes::new(),
            taken: 0,
        }
    }

    /// The other side has logged in.
    pub(super) fn trust(&mut self) {
        self.context.set_config(|config| {
            config.max_frame_size = Some(MESSAGE_MAX_BYTES);
            config.max_message_size = Some(MESSAGE_MAX_BYTES);
        });
    }

    /// Reads what messages carry; 0 at the end. Pings are answered meanwhile.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet; `InvalidData` for what is no WebSocket, or is text.
    pub(super) fn read(&mut self, mut below: Below<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() {
            match self.context.read(&mut below) {
                Ok(Message::Binary(bytes)) => self.unread = bytes,
                Ok(Message::Text(_)) => return Err(invalid("text where MQTT was expected")),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return Ok(0);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        let count = buffer.len().min(self.unread.len());
        buffer[..count].copy_from_slice(&self.unread.split_to(count));
        if self.unread.is_empty() {
            // What is empty still holds on to the memory that it was a part of.
            self.unread = Bytes::new();
        }
        Ok(count)
    }

    pub(super) fn say_goodbye(&mut self, mut below: Below<'_>) {
        let _gone = self.context.close(&mut below, None);
    }
}

impl Layer<Below<'_>> for Frames {
    fn flush(&mut self, mut below: Below<'_>) -> io::Result<bool> {
        let flushed = self.context.flush(&mut below).map_err(failed);
        or_later(flushed).map(|done| done.is_some())
    }

    fn take(&mut self, mut below: Below<'_>, bytes: &[u8]) -> io::Result<usize> {
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        // Whatever of the frame does not go yet is kept for the next flush.
        let written = self.context.write(&mut below, message).map_err(failed);
        or_later(written).map(|_| bytes.len())
    }

    fn taken(&mut self) -> &mut usize {
        &mut self.taken
    }
}

fn failed(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof.into(),
        error => invalid(&error.to_string()),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
