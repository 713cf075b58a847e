//! Large and slow bodies of callers without a key: they take neither memory nor places from callers with one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Api, COMMANDS, World};

/// Connections of each kind; together more than the room for bodies was and more than the listener has places.
const STRANGERS: usize = 700;
/// The largest body of a known caller.
const LARGE: usize = 4 << 20;
/// Callers with a key are answered within this time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// What the strangers may cost together: buffers of their sockets, none of their bodies.
const GROWN_MAX: u64 = 64 << 20;

/// Announces a body of 4 MiB, sends it but for the last byte, and says no more.
async fn large(http: SocketAddr, target: &str, headers: &str) {
    let Ok(mut socket) = TcpStream::connect(http).await else {
        return;
    };
    let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {LARGE}\r\n\r\n");
    // It may be cut off at any moment.
    drop(socket.write_all(head.as_bytes()).await);
    drop(socket.write_all(&vec![b' '; LARGE - 1]).await);
    drop(socket.read_to_end(&mut Vec::new()).await);
}

/// A request for a token that never becomes whole.
async fn half(http: SocketAddr) {
    let Ok(mut socket) = TcpStream::connect(http).await else {
        return;
    };
    let head = "POST /apim-token-service/v2.0/token/get HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n{";
    drop(socket.write_all(head.as_bytes()).await);
    drop(socket.read_to_end(&mut Vec::new()).await);
}

#[tokio::test]
async fn bodies_without_a_live_token_keep_no_caller_with_a_key_out() {
    crate::idle::raise_file_limit();
    let world = World::new().await;
    let http = world.server.http;
    let before = world.server.peak_memory();
    let target = format!("{COMMANDS}?action=createJob&orgId=default");
    let signed_badly = "apim-accesstoken: x\r\napim-timestamp: 1\r\napim-signature: x\r\n";
    let mut strangers = JoinSet::new();
    for n in 0..STRANGERS {
        let target = target.clone();
        match n % 10 {
            0 => strangers.spawn(async move { large(http, &target, "").await }),
            1 => strangers.spawn(async move { large(http, &target, signed_badly).await }),
            _ => strangers.spawn(half(http)),
        };
        strangers.spawn(half(http));
    }
    for _ in 0..10 {
        let begun = Instant::now();
        let api = Api::signed(http, world.server.admin_key()).await;
        api.command("searchJob", &json!({})).await.data();
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let grown = world.server.peak_memory() - before;
    assert!(grown < GROWN_MAX, "{} KiB for {STRANGERS} strangers", grown / 1024);
    strangers.abort_all();
}
