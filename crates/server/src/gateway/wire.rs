//! The server's end of a TCP connection that carries MQTT 3.1.1 packets.
//!
//! An idle connection holds no buffer: bytes are read into the thread's own, and only the beginning of an incomplete packet
//! stays with the connection. What the socket does not take at once waits in `output`.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::v3::{Codec, Packet};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder};

/// Largest packet taken from a device: the 512 KiB that device libraries allow for a payload, and its header.
const PACKET_MAX_BYTES: u32 = 513 * 1024;
/// Largest CONNECT: its strings have some hundred bytes. Whoever has not logged in yet must not fill the memory.
const CONNECT_MAX_BYTES: u32 = 8 * 1024;
/// Asked of the operating system at once.
const READ_BYTES: usize = 16 * 1024;
/// A device that takes no byte for this long is gone: bytes must not reach it minutes after their timeout.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A device that promises no signs of life is asked for them by the operating system after this much silence: without
/// that, one whose link broke without a word would be online for ever.
const PROBE_AFTER: Duration = Duration::from_secs(60);

thread_local! {
    static READ_BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(READ_BYTES));
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the device closed the connection")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("no valid MQTT packet: {0}")]
    Malformed(String),
    #[error("another version of MQTT")]
    OtherVersion,
    #[error("no client id")]
    NoClientId,
}

impl From<DecodeError> for WireError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::UnsupportedProtocolLevel => Self::OtherVersion,
            DecodeError::InvalidClientId => Self::NoClientId,
            other => Self::Malformed(other.to_string()),
        }
    }
}

pub(super) struct Wire {
    stream: TcpStream,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
}

impl Wire {
    pub(super) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        Ok(Self {
            stream,
            codec: Codec::new(CONNECT_MAX_BYTES),
            input: BytesMut::new(),
            output: BytesMut::new(),
        })
    }

    /// From now on the connection's end discards what the device has not taken.
    pub(super) fn discard_on_close(&self, discard: bool) {
        let linger = discard.then_some(Duration::ZERO);
        // A socket that is gone already has nothing left to discard.
        let _gone = SockRef::from(&self.stream).set_linger(linger);
    }

    /// Asks the operating system to find out by itself whether a silent device is still there.
    pub(super) fn probe_when_silent(&self) {
        let probe = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
        // A socket that is gone already needs no probe.
        let _gone = SockRef::from(&self.stream).set_tcp_keepalive(&probe);
    }

    /// Asks the operating system to acknowledge the next bytes at once: a device with Nagle's algorithm holds its reply
    /// back until then.
    pub(super) fn acknowledge_quickly(&self) {
        #[cfg(target_os = "linux")]
        let _gone = SockRef::from(&self.stream).set_tcp_quickack(true);
    }

    /// Appends a packet to what is to be sent.
    pub(super) fn put(&mut self, packet: Packet) -> Result<(), WireError> {
        self.codec
            .encode(packet, &mut self.output)
            .map_err(|error| WireError::Malformed(error.to_string()))
    }

    /// Everything put so far has been taken by the socket.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// Bytes that the socket has not taken yet.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.output.len()
    }

    /// Sends what the socket takes now.
    pub(super) fn try_flush(&mut self) -> Result<(), WireError> {
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(sent) => self.output.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.output = BytesMut::new();
        Ok(())
    }

    /// Waits until something can be read, or more of the output sent. Cancel safe.
    pub(super) async fn ready(&mut self) -> Result<(), WireError> {
        let interest = if self.output.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        self.stream.ready(interest).await?;
        Ok(())
    }

    /// Reads once without waiting and appends the complete packets to `packets`. True: there may be more to read at once.
    pub(super) fn try_read(&mut self, packets: &mut Vec<Packet>) -> Result<bool, WireError> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.reserve(READ_BYTES);
            match self.stream.try_read_buf(buffer) {
                Ok(0) => Err(WireError::Closed),
                Ok(read) => self.decode(buffer, packets).map(|()| read >= READ_BYTES),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn decode(&mut self, read: &mut BytesMut, packets: &mut Vec<Packet>) -> Result<(), WireError> {
        let mut kept = std::mem::take(&mut self.input);
        let whole = kept.is_empty();
        let source = if whole {
            read
        } else {
            kept.extend_from_slice(read);
            &mut kept
        };
        while let Some((packet, _)) = self.codec.decode(source)? {
            if matches!(packet, Packet::Connect(_)) {
                self.codec.set_max_size(PACKET_MAX_BYTES);
            }
            packets.push(packet);
        }
        if whole {
            self.input = if source.is_empty() {
                BytesMut::new()
            } else {
                BytesMut::from(&source[..])
            };
        } else if !kept.is_empty() {
            self.input = kept;
        }
        Ok(())
    }
}
