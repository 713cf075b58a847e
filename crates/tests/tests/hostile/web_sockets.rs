//! Peers that speak in a WebSocket and say nothing, without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::World;

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
/// Written at once.
const FRAMES: usize = 10_000;
/// Signs of life of a device that behaves, beside each flood.
const PINGS: usize = 50;
/// What a flood may cost the server, whatever it says and however little of the answers it reads.
const GROWS_AT_MOST_BYTES: u64 = 32 << 20;

/// A connection after its handshake.
async fn opened(world: &World) -> TcpStream {
    let mut socket = TcpStream::connect(world.server.mqtt).await.unwrap();
    socket.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    socket
}

/// Says the same until told to stop, over one connection after another, as each is ended for its lack of a login.
async fn flood(world: &World, first: &[u8], frame: &[u8], done: &AtomicBool) {
    let frames = frame.repeat(FRAMES);
    while !done.load(Ordering::Relaxed) {
        let mut socket = opened(world).await;
        drop(socket.write_all(first).await);
        while !done.load(Ordering::Relaxed) && socket.write_all(&frames).await.is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_frames_that_carry_nothing_hold_nobody_up_and_cost_little() {
    let world = Arc::new(World::open().await);
    let mut device = world.connected("d1").await;
    let ping: &'static [u8] = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat().leak();
    let kinds: [(&str, &'static [u8], &'static [u8]); 5] = [
        ("pings whose answers are not read", &[], ping),
        ("empty pings", &[], &[0x89, 0x80, 0, 0, 0, 0]),
        ("answers to pings that were not sent", &[], &[0x8a, 0x80, 0, 0, 0, 0]),
        ("messages of nothing", &[], &[0x82, 0x80, 0, 0, 0, 0]),
        (
            "a message of endless nothing",
            &[0x02, 0x80, 0, 0, 0, 0],
            &[0x00, 0x80, 0, 0, 0, 0],
        ),
    ];
    for (what, first, frame) in kinds {
        let before = world.server.peak_memory();
        let done = Arc::new(AtomicBool::new(false));
        let flooding = tokio::spawn({
            let (world, done) = (Arc::clone(&world), Arc::clone(&done));
            async move { flood(&world, first, frame, &done).await }
        });
        for _ in 0..PINGS {
            device
                .ping()
                .await
                .unwrap_or_else(|error| panic!("beside {what}: {error}"));
        }
        done.store(true, Ordering::Relaxed);
        flooding.await.unwrap();
        let grown = world.server.peak_memory() - before;
        assert!(grown < GROWS_AT_MOST_BYTES, "{what}: {} KiB", grown / 1024);
    }
}
