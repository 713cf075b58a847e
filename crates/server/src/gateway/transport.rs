//! A connection's bytes, as they are or under TLS. Nothing here waits: whoever reads or writes is told when to try again.

use std::io::{self, Read as _, Write as _};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::certificate::Certificate;

/// Encrypted at once: one record of TLS.
const RECORD_BYTES: usize = 16 * 1024;

/// A socket, plain or under TLS.
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
}

/// What TLS adds, beside connections that do without.
struct Tls {
    session: Mutex<Session>,
    certificate: Option<Certificate>,
}

struct Session {
    connection: ServerConnection,
    /// Bytes that have been encrypted and are not all in the socket yet.
    encrypted: usize,
}

impl Transport {
    /// As it is.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Under TLS, after its handshake.
    pub(super) fn tls(stream: TcpStream, connection: ServerConnection) -> Self {
        let certificate = connection
            .peer_certificates()
            .and_then(|chain| Certificate::read(chain.first()?));
        let session = Session {
            connection,
            encrypted: 0,
        };
        let tls = Tls {
            session: Mutex::new(session),
            certificate,
        };
        Self {
            stream,
            tls: Some(Box::new(tls)),
        }
    }

    /// The certificate that the client has presented; it was signed by a trusted authority.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.tls.as_ref()?.certificate.as_ref()
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

    /// Reads what is there: as much as fits, 0 if there is nothing. If the buffer is full there may be more.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end of the connection.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => receive_plain(&self.stream, buffer),
            Some(tls) => tls.session.lock().receive(&self.stream, buffer),
        }
    }

    /// Writes what the socket takes now, and takes it out of `output`.
    pub(super) fn send(&self, output: &mut Vec<u8>) -> io::Result<()> {
        match &self.tls {
            None => send_plain(&self.stream, output),
            Some(tls) => tls.session.lock().send(&self.stream, output),
        }
    }

    /// Tells the other side that nothing more will come.
    pub(super) fn say_goodbye(&self) {
        if let Some(tls) = &self.tls {
            let mut session = tls.session.lock();
            session.connection.send_close_notify();
            let _gone = session.flush(&self.stream);
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

impl Session {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        loop {
            read += or_later(self.connection.reader().read(&mut buffer[read..]))?.unwrap_or(0);
            if read == buffer.len() {
                return Ok(read);
            }
            let taken = stream.try_io(Interest::READABLE, || {
                self.connection.read_tls(&mut &*SockRef::from(stream))
            });
            match or_later(taken)? {
                // What was decrypted before the end still counts.
                None => return Ok(read),
                Some(0) if read > 0 => return Ok(read),
                Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(_) => self.decrypt(stream)?,
            }
        }
    }

    /// Takes in what was read. The other side is told what is wrong with it.
    fn decrypt(&mut self, stream: &TcpStream) -> io::Result<()> {
        let processed = self.connection.process_new_packets();
        let flushed = self.flush(stream);
        let state = processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        flushed?;
        if state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Bytes leave `output` when their record is in the socket, and not when they have been encrypted: whoever asks whether
    /// anything waits is told the truth.
    fn send(&mut self, stream: &TcpStream, output: &mut Vec<u8>) -> io::Result<()> {
        while self.flush(stream)? {
            output.drain(..std::mem::take(&mut self.encrypted));
            if output.is_empty() {
                *output = Vec::new();
                break;
            }
            let next = &output[..output.len().min(RECORD_BYTES)];
            self.encrypted = self.connection.writer().write(next)?;
        }
        Ok(())
    }

    /// Whether everything that is encrypted is in the socket.
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
}

/// `None` if it has to be tried again later.
fn or_later<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// Both ends of a connection under TLS.
    async fn connected() -> (Transport, tokio_rustls::client::TlsStream<TcpStream>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = || Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![made.cert.der().clone()],
                made.signing_key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let (client, server) = tokio::join!(
            connector.connect("localhost".try_into().unwrap(), near),
            acceptor.accept(far)
        );
        let (stream, connection) = server.unwrap().into_inner();
        (Transport::tls(stream, connection), client.unwrap())
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn what_a_slow_reader_has_not_taken_still_waits() {
        let (transport, mut client) = connected().await;
        let sent = bytes(8 << 20);
        let mut output = sent.clone();
        transport.send(&mut output).unwrap();
        let waiting = output.len();
        assert!(waiting > 0, "more than sockets hold");
        transport.send(&mut output).unwrap();
        let mut read = vec![0; sent.len()];
        let writing = async {
            while !output.is_empty() {
                transport.writable().await.unwrap();
                transport.send(&mut output).unwrap();
            }
        };
        let (read_all, ()) = tokio::join!(client.read_exact(&mut read), writing);
        read_all.unwrap();
        assert!(read == sent);
    }

    #[tokio::test]
    async fn everything_is_read_whatever_records_it_comes_in_and_then_the_end() {
        let (transport, mut client) = connected().await;
        let sent = bytes(1 << 20);
        let writing = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let reading = async {
            let (mut all, mut buffer) = (Vec::new(), vec![0; 10_000]);
            loop {
                match transport.receive(&mut buffer) {
                    Ok(0) => transport.readable().await.unwrap(),
                    Ok(read) => all.extend_from_slice(&buffer[..read]),
                    Err(error) => break (all, error.kind()),
                }
            }
        };
        let ((), (all, end)) = tokio::join!(writing, reading);
        assert!(all == sent);
        assert_eq!(end, io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_goodbye_is_said_under_tls() {
        let (transport, mut client) = connected().await;
        transport.say_goodbye();
        drop(transport);
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "an end, not an error");
    }
}
