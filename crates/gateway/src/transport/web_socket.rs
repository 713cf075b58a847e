//! MQTT in the frames of a WebSocket (docs/device-protocol.md, "WebSocket").

use std::io::{self, Write as _};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::unframed::{Said, Unframed};
use super::{Below, Layer, or_later};

/// Of what comes with a close only the code is said back.
const CLOSE_CODE_BYTES: usize = 2;

/// A WebSocket after its handshake.
#[derive(Default)]
pub(super) struct Frames {
    incoming: Unframed,
    /// Framed, and not all in the socket yet.
    output: Vec<u8>,
    /// What answers the newest ping or the close, until it can be sent.
    answer: Option<(Control, Vec<u8>)>,
    /// The other side has said that nothing more will come.
    closed: bool,
    /// Bytes that are in a frame which is not all in the socket yet.
    taken: usize,
}

impl Frames {
    /// Takes the frames off what was read; how much is left at its beginning.
    ///
    /// # Errors
    /// See [`Unframed::take`].
    pub(super) fn unframe(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (answer, closed) = (&mut self.answer, &mut self.closed);
        self.incoming.take(bytes, |said| match said {
            _ if *closed => {}
            Said::Ping(payload) => *answer = Some((Control::Pong, payload)),
            Said::Close(mut reason) => {
                reason.truncate(CLOSE_CODE_BYTES);
                *answer = Some((Control::Close, reason));
                *closed = true;
            }
        })
    }

    /// Whether the other side has said goodbye.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn say_goodbye(&mut self, below: Below<'_>) {
        if !self.closed {
            self.answer = Some((Control::Close, Vec::new()));
        }
        let _gone = self.flush(below);
    }

    fn put(&mut self, code: OpCode, payload: &[u8]) -> io::Result<()> {
        let header = FrameHeader {
            is_final: true,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode: code,
            mask: None,
        };
        header
            .format(payload.len() as u64, &mut self.output)
            .map_err(io::Error::other)?;
        self.output.extend_from_slice(payload);
        Ok(())
    }

    /// Whether everything that is framed is below.
    fn write_out(&mut self, below: &mut Below<'_>) -> io::Result<bool> {
        while !self.output.is_empty() {
            match or_later(below.write(&self.output))? {
                Some(written) if written == self.output.len() => self.output = Vec::new(),
                Some(written) => drop(self.output.drain(..written)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Layer<Below<'_>> for Frames {
    fn flush(&mut self, mut below: Below<'_>) -> io::Result<bool> {
        if !self.write_out(&mut below)? {
            return Ok(false);
        }
        if let Some((control, payload)) = self.answer.take() {
            self.put(OpCode::Control(control), &payload)?;
            if !self.write_out(&mut below)? {
                return Ok(false);
            }
        }
        or_later(below.flush()).map(|done| done.is_some())
    }

    fn take(&mut self, mut below: Below<'_>, bytes: &[u8]) -> io::Result<usize> {
        self.put(OpCode::Data(Data::Binary), bytes)?;
        self.write_out(&mut below)?;
        Ok(bytes.len())
    }

    fn taken(&mut self) -> &mut usize {
        &mut self.taken
    }
}
