//! Input that cannot be what the caller meant: told what was expected, and nothing left behind.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answered, COMMANDS, Plan, World, exchange, now_ms, request};

/// Demands that neither a job nor a task exists.
async fn nothing_left(world: &World) {
    for action in ["searchJob", "searchTask"] {
        let left = world.api.command(action, &json!({})).await;
        assert_eq!(left.body["pagination"]["totalSize"], 0, "{}", left.body);
    }
}

async fn raw(world: &World, body: &[u8]) -> Answered {
    world.api.send("POST", COMMANDS, "createJob", &[], body).await
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let world = World::open().await;
    let bodies: [&[u8]; 5] = [b"{", b"hello", b"\xff\xfe{}", b"{}{}", b"{\"name\": NaN}"];
    for body in bodies {
        let answer = raw(&world, body).await;
        assert_eq!(
            (answer.code(), answer.status),
            (99400, 400),
            "{body:?}: {}",
            answer.body
        );
        answer.fails(400, 99400, "");
    }
    raw(&world, b"[1]").await.fails(200, 99400, "expected object");
    // An empty body counts as `{}`: readable, but it says nothing.
    raw(&world, b"").await.fails(200, 99400, "expected");
    nothing_left(&world).await;
}

#[tokio::test]
async fn a_body_nested_ten_thousand_deep_is_refused() {
    let world = World::open().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        raw(&world, body.as_bytes()).await.fails(400, 99400, "");
        raw(&world, open.repeat(10_000).as_bytes()).await.fails(400, 99400, "");
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let large = Plan::device(&device).with("/padding", json!("x".repeat(5 << 20)));
    let answer = raw(&world, large.0.to_string().as_bytes()).await;
    answer.fails(413, 413, "");
    // Also when it only announces to be.
    let head = format!(
        "POST {COMMANDS}?action=createJob&orgId=o1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\nConnection: close\r\n\r\n{{"
    );
    exchange(world.server.http, head.as_bytes())
        .await
        .unwrap()
        .fails(413, 413, "");
    nothing_left(&world).await;
}

#[tokio::test]
async fn a_body_that_is_only_half_sent_does_nothing() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let body = Plan::device(&device).ttl(600).0.to_string();
    let whole = request(
        "POST",
        &format!("{COMMANDS}?action=createJob&orgId=o1"),
        &[],
        body.as_bytes(),
    );
    let half = &whole[..whole.len() - 10];
    // The caller goes away in the middle.
    let mut socket = TcpStream::connect(world.server.http).await.unwrap();
    socket.write_all(half).await.unwrap();
    drop(socket);
    // The caller says no more, and listens.
    let mut socket = TcpStream::connect(world.server.http).await.unwrap();
    socket.write_all(half).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    nothing_left(&world).await;
    // The head alone, and rubbish instead of a head.
    for bytes in [&b"POST /connect-service"[..], b"\x00\x01\x02\r\n\r\n"] {
        let mut socket = TcpStream::connect(world.server.http).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        drop(socket);
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn unknown_things_are_named() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let plan = || Plan::device(&device).ttl(600);
    let entry = |key: &str| json!({"productKey": "pump", "deviceKey": key});
    let cases = [
        (
            plan().with("/targetScope/targetDevices", json!([entry("d1"), entry("ghost")])),
            99404,
            "[1]",
        ),
        (
            plan().with("/targetScope/targetDevices", json!([{"assetId": "ghost"}])),
            99404,
            "[0]",
        ),
        (Plan::product("ghost"), 99404, "ghost"),
        (plan().invokes("ghost", json!({})), 99404, "ghost"),
        (plan().sets("ghost", json!(1)), 99404, "ghost"),
    ];
    for (plan, code, part) in cases {
        let answer = world.api.command("createJob", &plan.0).await;
        assert!([code, 99400].contains(&answer.code()), "{}", answer.body);
        let code = answer.code();
        answer.fails(200, code, part);
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn input_that_the_model_refuses_is_refused_and_named() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let plan = || Plan::device(&device).ttl(600);
    let cases = [
        (plan().invokes("multiply", json!({"left": 1})), "right"),
        (plan().invokes("multiply", json!({"left": 1, "right": "two"})), "right"),
        (plan().invokes("multiply", json!({"left": 1, "right": 1.5})), "right"),
        (
            plan().invokes("multiply", json!({"left": 1, "right": 3_000_000_000_i64})),
            "right",
        ),
        (
            plan().invokes("multiply", json!({"left": 1, "right": 1, "up": 1})),
            "up",
        ),
        (plan().invokes("multiply", json!("no object")), "inputData"),
        (plan().sets("temperature", json!("warm")), "value"),
        (plan().sets("temperature", Value::Null), "value"),
        (plan().sets("speed", json!(3)), "value"),
        (plan().sets("serial", json!("s")), "measurepointId"),
    ];
    for (plan, part) in cases {
        world.api.command("createJob", &plan.0).await.fails(200, 99400, part);
    }
    nothing_left(&world).await;
}

#[tokio::test]
async fn every_field_out_of_its_range_is_named() {
    let world = World::open().await;
    let device = world.device("d1").await;
    let plan = || Plan::device(&device).ttl(600);
    let retry = |interval: i64, count: i64| json!({"enableRetry": true, "retryIntervalInSeconds": interval, "retryCount": count});
    let cases = [
        (plan().without("/name"), "name"),
        (plan().with("/name/defaultValue", json!("")), "name"),
        (plan().with("/name/defaultValue", json!("x".repeat(129))), "name"),
        (plan().without("/desc"), "desc"),
        (plan().with("/desc", json!("x".repeat(101))), "desc"),
        (plan().without("/targetScope"), "targetScope"),
        (
            plan().with("/targetScope/targetType", json!("EVERYTHING")),
            "targetType",
        ),
        (plan().with("/targetScope/targetDevices", json!([])), "targetDevices"),
        (
            plan().with("/targetScope/targetDevices", json!(vec![json!({"assetId": "a"}); 1001])),
            "targetDevices",
        ),
        (plan().without("/schedulePolicy"), "schedulePolicy"),
        (
            plan().with("/schedulePolicy/scheduleType", json!("WEEKLY")),
            "scheduleType",
        ),
        (plan().at(now_ms() + 366 * 86_400_000), "triggerTs"),
        (plan().reply_within(0), "inProgressTimeoutInSeconds"),
        (plan().reply_within(901), "inProgressTimeoutInSeconds"),
        (plan().ttl(172_801), "ttlTimeoutInSeconds"),
        (
            plan().with("/timeoutPolicy/ttlTimeoutInSeconds", json!(-1)),
            "ttlTimeoutInSeconds",
        ),
        (
            plan().with("/timeoutPolicy/ttlTimeoutInSeconds", json!("soon")),
            "ttlTimeoutInSeconds",
        ),
        (plan().with("/retryPolicy", retry(86_401, 1)), "retryIntervalInSeconds"),
        (plan().with("/retryPolicy", retry(1, 11)), "retryCount"),
        (plan().with("/retryPolicy", retry(1, 0)), "retryCount"),
        (plan().without("/commandInfo"), "commandInfo"),
        (plan().with("/commandInfo/commandType", json!("REBOOT")), "commandType"),
        (
            plan().with("/commandInfo/commandType", json!("MEASUREPOINT_SET")),
            "setMeasurepointInfo",
        ),
    ];
    for (plan, part) in cases {
        world.api.command("createJob", &plan.0).await.fails(200, 99400, part);
    }
    nothing_left(&world).await;
    for (query, part) in [
        ("getJob", "jobId"),
        ("getTask", "taskId"),
        ("getTask&taskId=abc", "abc"),
        ("cancelTask&jobId=9", "9"),
        ("noSuchAction", "action"),
    ] {
        let answer = world.api.command(query, &json!({})).await;
        assert!(answer.status == 200 && answer.code() != 0, "{query}: {}", answer.body);
        let code = answer.code();
        answer.fails(200, code, part);
    }
    for page in [
        json!({"pageNo": 0}),
        json!({"pageSize": 1001}),
        json!({"pageSize": -1}),
        json!({"pageNo": "x"}),
    ] {
        world
            .api
            .command("searchJob", &json!({"pagination": page}))
            .await
            .fails(200, 99400, "pagination.page");
    }
}
