//! Thousands of connections that say nothing, or half a sentence.

use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::World;

/// As many as this test opens, if the limit of open files allows.
const CONNECTIONS: usize = 10_000;
/// Files that the test needs besides.
const OTHER_FILES: usize = 500;
/// Connections that the server has open at a time, however many files it may open.
const OPEN_MAX: u64 = 4096;
/// What a connection may cost the server.
const BYTES_EACH: u64 = 32 * 1024;

pub(crate) fn raise_file_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    limit.maximum.map_or(CONNECTIONS, |files| {
        usize::try_from(files).unwrap().saturating_sub(OTHER_FILES)
    })
}

#[tokio::test]
async fn ten_thousand_idle_connections_keep_nobody_out_and_cost_little() {
    let count = raise_file_limit().min(CONNECTIONS);
    assert!(count > 1000, "the limit of open files is too low for this test");
    let world = World::open().await;
    world.api.command("searchJob", &json!({})).await.data();
    let before = world.server.peak_memory();
    let mut idle = Vec::new();
    for n in 0..count {
        let mut socket = TcpStream::connect(world.server.http).await.unwrap();
        if n % 2 == 0 {
            // The server may have given up on it.
            drop(socket.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: ").await);
        }
        idle.push(socket);
        if n % 500 == 0 {
            let begun = Instant::now();
            world.api.command("searchJob", &json!({})).await.data();
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{:?} beside {n}",
                begun.elapsed()
            );
        }
    }
    let begun = Instant::now();
    for _ in 0..20 {
        world.api.command("searchJob", &json!({})).await.data();
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let grown = world.server.peak_memory() - before;
    assert!(
        grown < OPEN_MAX * BYTES_EACH,
        "{} KiB for {count} connections",
        grown / 1024
    );
    // A device comes in and is served beside them all.
    let device = world.connected("d1").await;
    assert_eq!(world.presence(device.identity()).await, "online");
    assert_eq!(idle.len(), count);
}
