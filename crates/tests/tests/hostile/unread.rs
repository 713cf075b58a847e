//! Callers that ask and ask, and never read an answer.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::World;

/// More than the listener has places.
const CALLERS: usize = 4500;
/// Questions that each sends without a pause, as far as they are taken.
const QUESTIONS: usize = 10;
/// What a caller may cost the server: its buffers, not its answers, of which each has 200 KiB.
const BYTES_EACH: u64 = 32 * 1024;
/// Other callers are answered within this time, beside the questions that the server does answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// A caller with little room for answers, so that they stay with the server.
async fn caller(world: &World) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let caller = socket.connect(world.server.http).await.unwrap();
    let question = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(QUESTIONS);
    // What is not taken at once will never be read either.
    drop(caller.try_write(&question));
    caller
}

#[tokio::test]
async fn callers_that_never_read_keep_nobody_out_and_cost_little() {
    let files = crate::idle::raise_file_limit();
    assert!(files > CALLERS, "the limit of open files is too low for this test");
    let world = World::open().await;
    let before = world.server.peak_memory();
    let mut callers = Vec::new();
    for n in 0..CALLERS {
        callers.push(caller(&world).await);
        if n % 500 == 0 {
            let begun = Instant::now();
            world.api.command("searchJob", &json!({})).await.data();
            assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?} beside {n}", begun.elapsed());
        }
    }
    for _ in 0..20 {
        let begun = Instant::now();
        world.api.command("searchJob", &json!({})).await.data();
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
    }
    let grown = world.server.peak_memory() - before;
    assert!(
        grown < CALLERS as u64 * BYTES_EACH,
        "{} KiB for {CALLERS} callers",
        grown / 1024
    );
    assert_eq!(callers.len(), CALLERS);
}
