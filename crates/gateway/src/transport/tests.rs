//! Bytes that lie on sockets in every way.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
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
    (Transport::tls(stream, connection, None), client.unwrap())
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
    let ((), (all, end)) = tokio::join!(writing, read_all(&transport, 10_000));
    assert!(all == sent);
    assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_goodbye_is_said_under_tls() {
    let (transport, mut client) = connected().await;
    transport.say_goodbye();
    drop(transport);
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "an end, not an error");
}

/// A frame as a client sends it; a mask of zeros changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
        }
        longer => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(longer as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

const FINAL_BINARY: u8 = 0x82;
const FINAL_TEXT: u8 = 0x81;
const FIRST_BINARY: u8 = 0x02;
const FINAL_MORE: u8 = 0x80;
const FINAL_CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A frame of the server: its first byte, and what it carries.
async fn next_frame(client: &mut (impl AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    let first = client.read_u8().await.unwrap();
    let length = match client.read_u8().await.unwrap() {
        126 => u64::from(client.read_u16().await.unwrap()),
        127 => client.read_u64().await.unwrap(),
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    client.read_exact(&mut payload).await.unwrap();
    (first, payload)
}

/// Both ends of a socket.
async fn sockets() -> (Transport, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (Transport::plain(far), near)
}

/// Everything that comes until the end, in pieces of this size; and how it ends.
async fn read_all(transport: &Transport, piece: usize) -> (Vec<u8>, io::Error) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match transport.receive(&mut buffer) {
            Ok(received) => {
                all.extend_from_slice(&buffer[..received.bytes]);
                if !received.more {
                    transport.readable().await.unwrap();
                }
            }
            Err(error) => break (all, error),
        }
    }
}

/// Writes all of it, whenever the socket takes more.
async fn write_all(transport: &Transport, mut output: Vec<u8>) {
    while !output.is_empty() {
        transport.writable().await.unwrap();
        transport.send(&mut output).unwrap();
    }
}

/// Messages of many sizes, in one frame and in two, come out as one stream, and what is said arrives in frames.
async fn is_one_stream(mut transport: Transport, mut client: impl AsyncRead + AsyncWrite + Unpin) {
    assert_eq!(transport.be_framed(frame(FINAL_BINARY, &[7])).unwrap(), [7]);
    let sent = bytes(700_000);
    let mut expected = Vec::new();
    let mut wire = Vec::new();
    for size in [0, 1, 125, 126, 4096, 65_535, 65_536, 300_000] {
        let (one, two) = (&sent[..size], &sent[size..size + size / 2]);
        for (first, payload) in [(FINAL_BINARY, one), (FIRST_BINARY, one), (FINAL_MORE, two)] {
            wire.extend(frame(first, payload));
            expected.extend_from_slice(payload);
        }
        wire.extend(frame(PING, b"still there?"));
    }
    let talking = async {
        client.write_all(&wire).await.unwrap();
        let (mut said, mut pongs) = (Vec::new(), 0);
        while said.len() < sent.len() {
            match next_frame(&mut client).await {
                (FINAL_BINARY, payload) => said.extend_from_slice(&payload),
                (PONG, payload) if payload == b"still there?" => pongs += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(said == sent);
        client.write_all(&frame(FINAL_CLOSE, &[])).await.unwrap();
        while next_frame(&mut client).await != (FINAL_CLOSE, Vec::new()) {
            pongs += 1;
        }
        assert!(pongs > 0);
    };
    let answering = async { tokio::join!(read_all(&transport, 1000), write_all(&transport, sent.clone())) };
    let ((), ((heard, end), ())) = tokio::join!(talking, answering);
    assert!(heard == expected);
    assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn messages_in_a_web_socket_are_one_stream() {
    let (transport, client) = sockets().await;
    is_one_stream(transport, client).await;
}

#[tokio::test]
async fn messages_in_a_web_socket_under_tls_are_one_stream() {
    let (transport, client) = connected().await;
    is_one_stream(transport, client).await;
}

#[tokio::test]
async fn what_a_slow_reader_of_frames_has_not_taken_still_waits() {
    let (mut transport, mut client) = sockets().await;
    transport.be_framed(Vec::new()).unwrap();
    let sent = bytes(16 << 20);
    let mut output = sent.clone();
    transport.send(&mut output).unwrap();
    assert!(!output.is_empty(), "more than sockets hold");
    let mut said = Vec::new();
    let reading = async {
        while said.len() < sent.len() {
            said.extend(next_frame(&mut client).await.1);
        }
    };
    tokio::join!(reading, write_all(&transport, output));
    assert!(said == sent);
}

#[tokio::test]
async fn what_is_no_mqtt_in_a_web_socket_ends_it() {
    let two = |first, second| [frame(first, b"x"), frame(second, b"x")].concat();
    let cases = [
        ("text", frame(FINAL_TEXT, b"hello")),
        ("without a mask", vec![FINAL_BINARY, 1, 0]),
        ("more of nothing", frame(FINAL_MORE, b"x")),
        ("another message before the end", two(FIRST_BINARY, FINAL_BINARY)),
        ("a ping that is too long", frame(PING, &[0; 126])),
        ("a ping in pieces", frame(PING & !FINAL_MORE, b"x")),
        ("reserved bits", frame(0xc2, b"x")),
    ];
    for (what, wire) in cases {
        let (mut transport, mut client) = sockets().await;
        transport.be_framed(Vec::new()).unwrap();
        client.write_all(&wire).await.unwrap();
        let (heard, end) = read_all(&transport, 1000).await;
        assert!(heard.is_empty(), "{what}");
        assert_eq!(end.kind(), io::ErrorKind::InvalidData, "{what}");
    }
}

#[tokio::test]
async fn a_goodbye_is_said_in_a_web_socket() {
    let (mut transport, mut client) = sockets().await;
    transport.be_framed(Vec::new()).unwrap();
    transport.say_goodbye();
    assert_eq!(next_frame(&mut client).await, (FINAL_CLOSE, Vec::new()));
}
