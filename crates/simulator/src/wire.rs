//! A TCP connection that carries MQTT 3.1.1 packets, for either end.
//!
//! Idle connections hold no buffers: while a packet is being handled they borrow the thread's, and only the beginning
//! of a packet that has not arrived completely stays with the connection.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::v3::{Codec, Packet};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder};

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end closed it.
    #[error("the connection was closed by the other end")]
    Closed,
    /// The operating system reports a failure, such as a reset.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// What arrived is no MQTT.
    #[error("the other end sent no valid MQTT packet: {0}")]
    Decode(DecodeError),
    /// What should be sent does not fit into an MQTT packet.
    #[error("the packet cannot be encoded: {0}")]
    Encode(EncodeError),
}

impl From<DecodeError> for LinkError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for LinkError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// More than the largest packet that Aldis sends to a device.
const PACKET_MAX_BYTES: u32 = 1 << 20;
/// Asked of the operating system at once.
const READ_BYTES: usize = 16 << 10;

thread_local! {
    static INPUT: RefCell<BytesMut> = RefCell::default();
    static OUTPUT: RefCell<BytesMut> = RefCell::default();
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
}

impl Wire {
    pub(crate) async fn dial(addr: SocketAddr) -> Result<Self, LinkError> {
        Self::over(TcpStream::connect(addr).await?)
    }

    pub(crate) fn over(stream: TcpStream) -> Result<Self, LinkError> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            codec: Codec::new(PACKET_MAX_BYTES),
            input: BytesMut::new(),
            output: BytesMut::new(),
        })
    }

    /// Puts a packet into the output, which [`Self::flush`] or [`Self::try_flush`] sends.
    pub(crate) fn put(&mut self, packet: Packet) -> Result<(), LinkError> {
        self.borrow_output();
        Ok(self.codec.encode(packet, &mut self.output)?)
    }

    /// Puts bytes that need not be MQTT into the output.
    pub(crate) fn put_raw(&mut self, bytes: &[u8]) {
        self.borrow_output();
        self.output.extend_from_slice(bytes);
    }

    fn borrow_output(&mut self) {
        if self.output.is_empty() {
            self.output = OUTPUT.take();
        }
    }

    /// Sends what the socket takes without waiting, and keeps the rest.
    pub(crate) fn try_flush(&mut self) -> Result<(), LinkError> {
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(sent) => self.output.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        let used = std::mem::take(&mut self.output);
        if used.capacity() > 0 {
            OUTPUT.set(used);
        }
        Ok(())
    }

    /// Sends everything.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        self.try_flush()?;
        while !self.output.is_empty() {
            self.stream.writable().await?;
            self.try_flush()?;
        }
        Ok(())
    }

    /// Reads once, waiting for something to arrive and meanwhile sending the rest of the output. [`Self::next_read`]
    /// gives the packets. Cancel safe.
    pub(crate) async fn fill(&mut self) -> Result<(), LinkError> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        while !self.output.is_empty() && self.stream.poll_write_ready(cx)?.is_ready() {
            self.try_flush()?;
        }
        if self.input.is_empty() {
            self.input = INPUT.take();
        }
        self.input.reserve(READ_BYTES);
        // A fresh future each time, so that the borrowed buffer does not stay with it. A read that fills the buffer
        // only in part tells tokio that there is no more: one system call less than asking for readiness and trying.
        match pin!(self.stream.read_buf(&mut self.input)).poll(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(LinkError::Closed)),
            Poll::Ready(read) => Poll::Ready(read.map(|_bytes| ()).map_err(LinkError::from)),
            Poll::Pending => {
                self.give_input_back();
                Poll::Pending
            }
        }
    }

    fn give_input_back(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 0 {
            INPUT.set(std::mem::take(&mut self.input));
        }
    }

    /// The next packet of what has been read; `None` once it is used up.
    pub(crate) fn next_read(&mut self) -> Result<Option<Packet>, LinkError> {
        let packet = self.codec.decode(&mut self.input)?.map(|(packet, _)| packet);
        if packet.is_none() {
            self.give_input_back();
        }
        Ok(packet)
    }

    /// The next packet. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Packet, LinkError> {
        loop {
            if let Some(packet) = self.next_read()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    /// Ends the connection at once: what has not been sent is discarded, and the other end sees a reset.
    pub(crate) fn reset(self) {
        // Without linger closing is merely gentler; a socket that refuses the option is already broken.
        drop(socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)));
    }
}
