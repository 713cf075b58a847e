//! Callers that ask and ask, and never read an answer.

use std::time::{Duration, Instant};

use aldis_client::{AccessKey, NewKey};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Api, World};

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

/// Callers that ask for a large page each.
const LARGE_CALLERS: usize = 100;
/// What they may cost together: the unread answers of one key, and the pages that are made at a time. Each page has 7
/// MB.
const LARGE_BYTES_MAX: u64 = 400 << 20;

/// Registers a thousand devices that fill a page of 7 MB.
async fn register_large(world: &World) {
    let attributes: serde_json::Map<String, Value> =
        (0..13).map(|n| (format!("a{n}"), json!("x".repeat(500)))).collect();
    for batch in 0..2 {
        let device = |n| {
            json!({"productKey": "pump", "deviceKey": format!("large{batch}x{n}"), "timezone": "+00:00",
                "deviceName": {"defaultValue": "large"}, "deviceAttributes": attributes})
        };
        let devices: Vec<Value> = (0..500).map(device).collect();
        let answer = world
            .api
            .post(DEVICES, "batchCreate", &json!({"deviceList": devices}))
            .await;
        assert_eq!(answer.body["successSize"], 500, "{}", answer.body["msg"]);
    }
}

const DEVICES: &str = "/connect-service/v2.1/devices";

/// Asks for a large page with little room for the answer, and never reads it.
async fn large_page(api: Api) {
    let page = json!({"pagination": {"pageNo": 1, "pageSize": 1000}}).to_string();
    let question = api.bytes("POST", DEVICES, "search", &[], page.as_bytes());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut caller = socket.connect(api.http).await.unwrap();
    caller.write_all(&question).await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn large_pages_that_are_not_read_cost_no_more_than_the_room_of_their_key() {
    let world = World::new().await;
    register_large(&world).await;
    let made = world.client.create_key(&NewKey::new("reader")).await.unwrap().data;
    let key = AccessKey {
        org_id: "default".into(),
        app_key: made.app_key,
        app_secret: made.app_secret.unwrap(),
    };
    let other = Api::signed(world.server.http, key).await;
    let before = world.server.peak_memory();
    let mut callers = JoinSet::new();
    for _ in 0..LARGE_CALLERS {
        callers.spawn(large_page(world.api.clone()));
    }
    for _ in 0..10 {
        let begun = Instant::now();
        other.command("searchJob", &json!({})).await.data();
        assert!(begun.elapsed() < ANSWERED_WITHIN, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let grown = world.server.peak_memory() - before;
    assert!(grown < LARGE_BYTES_MAX, "{} MiB", grown >> 20);
    assert_eq!(callers.len(), LARGE_CALLERS, "none of them has read anything");
    callers.abort_all();
}
