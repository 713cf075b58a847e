//! Single commands: the call waits for the device, or the command does.

use std::time::Duration;

use aldis_client::{Client, CommandLimits, CommandSent, DeviceRef, Error, Search, SingleCommand};
use aldis_simulator::Device;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Start, World, eventually, exchange, request};

const CREATED: u8 = 1;
const CANCELLED: u8 = 2;
const SENT: u8 = 4;
const SUCCEEDED: u8 = 5;
const FAILED: u8 = 6;
const TIMED_OUT: u8 = 7;

fn pump(key: &str) -> DeviceRef {
    DeviceRef::keys("pump", key)
}

const KEPT: CommandLimits = CommandLimits {
    timeout: None,
    pending_ttl: Some(600),
};

/// The service that every pump has, with an input that it accepts.
async fn multiply(client: &Client, key: &str, limits: CommandLimits) -> Result<CommandSent, Error> {
    let input = json!({"left": 6, "right": 7});
    let sent = client.invoke_service(&pump(key), "multiply", &input, limits).await?;
    Ok(sent.data)
}

async fn command(world: &World, id: &str) -> SingleCommand {
    world.client.single_command(id).await.unwrap().data
}

/// The only command of a device.
async fn only(world: &World, key: &str) -> SingleCommand {
    let mut all = world.client.single_commands(&pump(key), None);
    let only = all.next().await.unwrap().unwrap();
    assert_eq!(all.next().await.unwrap(), None);
    only
}

#[tokio::test]
async fn the_call_is_answered_with_what_the_device_says() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let (sent, ()) = tokio::join!(multiply(&world.client, "d1", CommandLimits::default()), async {
        let received = device.next_command().await.unwrap();
        assert_eq!(received.params(), json!({"left": 6, "right": 7}));
        assert_eq!(only(&world, "d1").await.state, SENT);
        device.answer(&received, 200, json!({"product": 42})).await.unwrap();
    });
    let sent = sent.unwrap();
    assert_eq!(sent.output_data, Some(json!({"product": 42})));
    let stored = command(&world, &sent.command_id).await;
    assert_eq!((stored.state, stored.output_data), (SUCCEEDED, sent.output_data));

    let (pump, warm) = (pump("d1"), json!(21.5));
    let set = world
        .client
        .set_measurepoint(&pump, "temperature", &warm, CommandLimits::default());
    let (set, ()) = tokio::join!(set, async {
        let received = device.next_command().await.unwrap();
        assert_eq!(received.params(), json!({"temperature": 21.5}));
        device.answer(&received, 200, json!({})).await.unwrap();
    });
    assert_eq!(command(&world, &set.unwrap().command_id).await.state, SUCCEEDED);
}

#[tokio::test]
async fn the_call_is_refused_with_what_went_wrong() {
    let world = World::open().await;
    let identity = world.device("d1").await;
    let never_seen = multiply(&world.client, "d1", CommandLimits::default()).await;
    assert_eq!(never_seen.unwrap_err().code(), Some(11888));
    let mut device = world.connect(&identity).await;
    let (refused, ()) = tokio::join!(multiply(&world.client, "d1", CommandLimits::default()), async {
        let received = device.next_command().await.unwrap();
        device.answer(&received, 2001, json!({})).await.unwrap();
    });
    assert_eq!(refused.unwrap_err().code(), Some(2001));
    let short = CommandLimits {
        timeout: Some(1),
        pending_ttl: None,
    };
    let (silent, ()) = tokio::join!(multiply(&world.client, "d1", short), async {
        let received = device.next_command().await.unwrap();
        device.puback(&received).await.unwrap();
    });
    assert_eq!(silent.unwrap_err().code(), Some(11915));
    device.disconnect().await.unwrap();
    let gone = eventually("a device that is known to be offline", || async {
        let refused = multiply(&world.client, "d1", short).await.unwrap_err().code();
        (refused == Some(11900)).then_some(())
    });
    gone.await;
    let mut states = Vec::new();
    let mut all = world.client.single_commands(&pump("d1"), Some("state in (6, 7)"));
    while let Some(command) = all.next().await.unwrap() {
        states.push(command.state);
    }
    states.reverse();
    assert_eq!(states[..3], [FAILED, FAILED, TIMED_OUT], "the oldest first");
}

#[tokio::test]
async fn a_kept_command_waits_for_its_device_and_survives_a_crash() {
    let mut world = World::new().await;
    let identity = world.device("d1").await;
    let first = multiply(&world.client, "d1", KEPT).await.unwrap();
    let second = multiply(&world.client, "d1", KEPT).await.unwrap();
    assert_eq!(first.output_data, None);
    world.server.kill_and_start_again();
    assert_eq!(command(&world, &first.command_id).await.state, CREATED);
    let cancelled = world
        .client
        .cancel_single_commands(&pump("d1"), Some(&second.command_id))
        .await
        .unwrap()
        .data;
    assert_eq!((cancelled.len(), cancelled[0].state), (1, CANCELLED));
    let mut device = world.connect(&identity).await;
    let received = device.next_command().await.unwrap();
    device.answer(&received, 200, json!({"product": 42})).await.unwrap();
    let stored = command(&world, &first.command_id).await;
    assert_eq!(
        (stored.state, stored.output_data),
        (SUCCEEDED, Some(json!({"product": 42})))
    );
    device.no_command_within(Duration::from_millis(300)).await.unwrap();
}

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_repeated_and_answered_with_the_one_reply() {
    let mut world = World::new().await;
    let mut device = world.connected("d1").await;
    let client = world.client.clone();
    let call = tokio::spawn(async move { multiply(&client, "d1", CommandLimits::default()).await });
    let received = device.next_command().await.unwrap();
    world.server.kill_and_start_again();
    let identity = device.identity().clone();
    let mut device = world.connect(&identity).await;
    device.answer(&received, 200, json!({"product": 42})).await.unwrap();
    let sent = call.await.unwrap().unwrap();
    assert_eq!(sent.output_data, Some(json!({"product": 42})));
    assert_eq!(only(&world, "d1").await.command_id, sent.command_id);
    device.no_command_within(Duration::from_millis(300)).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_changes_nothing_for_the_device() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let client = world.client.clone();
    let call = tokio::spawn(async move { multiply(&client, "d1", CommandLimits::default()).await });
    let received = device.next_command().await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    device.answer(&received, 200, json!({"product": 42})).await.unwrap();
    assert_eq!(only(&world, "d1").await.state, SUCCEEDED);
}

/// Places for callers, of which an eighth is for those that do not wait.
const PLACES: usize = 16;
const MAY_WAIT: usize = 14;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_or_have_left_keep_nobody_out() {
    let places = PLACES.to_string();
    let world = World::with(Start::flags(&["--no-auth", "--http-connections-max", &places])).await;
    let device = world.connected("d1").await;
    let query = format!(
        "action=invokeService&orgId={}&productKey=pump&deviceKey=d1&serviceId=ping",
        world.api.org
    );
    let wait = request("POST", &format!("/connect-service/v2.1/commands?{query}"), &[], b"{}");
    let answered = async || exchange(world.server.http, &request("GET", "/health", &[], b"")).await;
    for _ in 0..2 {
        let mut callers = Vec::new();
        for _ in 0..PLACES {
            let mut caller = TcpStream::connect(world.server.http).await.unwrap();
            caller.write_all(&wait).await.unwrap();
            callers.push(caller);
        }
        for _ in 0..20 {
            assert_eq!(answered().await.expect("an answer").status, 200);
        }
        let mut turned_away = 0;
        for mut caller in callers {
            let mut answer = [0; 12];
            if let Ok(read) = timeout(Duration::from_millis(20), caller.read_exact(&mut answer)).await {
                read.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 503");
                turned_away += 1;
            }
        }
        assert_eq!(turned_away, PLACES - MAY_WAIT);
        // All of them have left, and soon as many may wait again.
        let room = eventually("places of callers that have left", || async {
            let mut caller = TcpStream::connect(world.server.http).await.unwrap();
            caller.write_all(&wait).await.unwrap();
            timeout(Duration::from_millis(100), caller.read_u8())
                .await
                .is_err()
                .then_some(())
        });
        room.await;
    }
    drop(device);
}

/// As many as may wait for one device, and one that is out.
const PER_DEVICE: usize = 50;
/// Files that the test and the server need for other things than callers.
const OTHER_FILES: usize = 1000;
/// Callers, if the limit of open files allows.
const CALLERS: usize = 10_000;
/// With fewer the test would show nothing.
const CALLERS_MIN: usize = 2_000;
/// Places that callers who wait leave to others, and then some for the test itself, which looks on.
const OTHER_CALLERS: usize = 100;
/// The number of the server's threads.
const THREADS_MAX: usize = 16;

/// How many files this process may open; its limit is raised as far as that goes.
fn open_files() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let files = limit.maximum.and_then(|files| usize::try_from(files).ok());
    files.unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_wait_at_once_and_no_thread_waits_with_them() {
    let devices = open_files().saturating_sub(OTHER_FILES).min(CALLERS) / PER_DEVICE;
    let callers = devices * PER_DEVICE;
    assert!(
        callers >= CALLERS_MIN,
        "the limit of open files is too low for this test"
    );
    let room = (callers + OTHER_CALLERS).to_string();
    let world = World::with(Start::flags(&["--no-auth", "--http-connections-max", &room])).await;
    let mut connected = Vec::new();
    for identity in world.many_devices(devices).await {
        connected.push(world.connect(&identity).await);
    }
    let mut calls = JoinSet::new();
    for number in 0..callers {
        let (api, key) = (world.api.clone(), format!("d{}", number % devices));
        calls.spawn(async move {
            let query = format!("invokeService&productKey=pump&deviceKey={key}&serviceId=multiply&timeout=60");
            let body = json!({"inputData": {"left": 6, "right": 7}});
            api.post("/connect-service/v2.1/commands", &query, &body).await
        });
    }
    let all = eventually("every command", || async {
        let found = world.client.search_tasks(&Search::page(None, 1, 0)).await.unwrap();
        (found.pagination.unwrap().total_size == callers as u64).then_some(())
    });
    all.await;
    assert!(calls.try_join_next().is_none(), "no call has been answered");
    let threads = world.server.threads();
    assert!(threads < THREADS_MAX, "{threads} threads");
    let mut answering: JoinSet<()> = connected.into_iter().map(answer_all).collect();
    while let Some(called) = calls.join_next().await {
        let called = called.unwrap();
        assert_eq!(called.data()["outputData"], json!({"product": 42}), "{}", called.body);
    }
    while let Some(done) = answering.join_next().await {
        done.unwrap();
    }
}

async fn answer_all(mut device: Device) {
    for _ in 0..PER_DEVICE {
        let received = device.next_command().await.unwrap();
        let product: Value = json!({"product": 42});
        device.answer(&received, 200, product).await.unwrap();
    }
}
