//! What a device sends, packet by packet.
//!
//! A connection that is idle holds no buffer: bytes are read into the thread's own and handled there, and only the
//! beginning of an incomplete packet stays with the connection.

use std::cell::RefCell;
use std::io;

use rmqtt_codec::v3::Connect;

use super::client_capabilities::{ClientCapabilities, PACKET_MAX_BYTES, Version};
use super::close_reason::WireError;
use super::packets::{self, Incoming};
use super::transport::{Received, Transport};

/// Largest CONNECT: its strings have some hundred bytes. A client that has not logged in yet must not fill the memory.
const CONNECT_MAX_BYTES: usize = 8 * 1024;
/// Asked of the operating system at once.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

#[derive(Default)]
pub(super) struct Input {
    /// The beginning of a packet, or packets that a pass has left to the next.
    kept: Vec<u8>,
    version: Version,
    /// There may be complete packets among what is kept.
    is_behind: bool,
}

/// Whether the next packet is handed over in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// It is.
    On,
    /// Others come first.
    Over,
}

impl Input {
    /// What was read before anybody knew what for.
    pub(super) fn beginning(kept: Vec<u8>) -> Self {
        Self {
            kept,
            version: Version::default(),
            is_behind: false,
        }
    }

    /// The CONNECT of a connection, once all of it has been read; what came behind it is kept.
    pub(super) fn connect(&mut self) -> Result<Option<(Box<Connect>, ClientCapabilities)>, WireError> {
        self.version = packets::version_of(&self.kept);
        let Some((connect, capabilities, length)) = packets::read_connect(&self.kept, CONNECT_MAX_BYTES)? else {
            return Ok(None);
        };
        self.keep_from(length);
        Ok(Some((connect, capabilities)))
    }

    /// What the other side speaks, as far as its CONNECT could be read.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Bytes that have been read and belong to no packet yet.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Reads without waiting towards the CONNECT.
    pub(super) fn try_more(&mut self, transport: &Transport) -> Result<Received, WireError> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let received = receive(transport, buffer)?;
            self.kept.extend_from_slice(&buffer[..received.bytes]);
            Ok(received)
        })
    }

    /// One pass: reads once without waiting and hands over complete packets until `take` says that the pass is over.
    /// What it leaves comes first in the next, which reads nothing. True: there may be more to do at once.
    pub(super) fn try_read<E: From<WireError>>(
        &mut self,
        transport: &Transport,
        take: impl FnMut(Incoming<'_>) -> Result<Pass, E>,
    ) -> Result<bool, E> {
        if self.is_behind {
            self.take_kept(take)?;
            return Ok(true);
        }
        READ_BUFFER.with_borrow_mut(|buffer| {
            let Received { bytes, more } = receive(transport, buffer)?;
            let bytes = &buffer[..bytes];
            if self.kept.is_empty() {
                let (taken, pass) = take_all(bytes, self.version, take)?;
                self.kept.extend_from_slice(&bytes[taken..]);
                self.is_behind = pass == Pass::Over;
            } else {
                self.kept.extend_from_slice(bytes);
                self.take_kept(take)?;
            }
            Ok(more || self.is_behind)
        })
    }

    /// Hands over complete packets that have been read already, until `take` says that the pass is over.
    pub(super) fn take_kept<E: From<WireError>>(
        &mut self,
        take: impl FnMut(Incoming<'_>) -> Result<Pass, E>,
    ) -> Result<(), E> {
        let (taken, pass) = take_all(&self.kept, self.version, take)?;
        self.keep_from(taken);
        self.is_behind = pass == Pass::Over;
        Ok(())
    }

    fn keep_from(&mut self, taken: usize) {
        if taken == self.kept.len() {
            self.kept = Vec::new();
        } else {
            self.kept.drain(..taken);
        }
    }
}

/// Hands over complete packets; how many bytes they have together, and whether `take` has ended the pass.
fn take_all<E: From<WireError>>(
    bytes: &[u8],
    version: Version,
    mut take: impl FnMut(Incoming<'_>) -> Result<Pass, E>,
) -> Result<(usize, Pass), E> {
    let (mut taken, mut pass) = (0, Pass::On);
    while pass == Pass::On
        && let Some((packet, length)) = packets::read(&bytes[taken..], PACKET_MAX_BYTES, version)?
    {
        pass = take(packet)?;
        taken += length;
    }
    Ok((taken, pass))
}

fn receive(transport: &Transport, buffer: &mut [u8]) -> Result<Received, WireError> {
    transport.receive(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => WireError::Closed,
        _ => error.into(),
    })
}
