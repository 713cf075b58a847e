//! Replies that come late, twice, malformed, or from the wrong place.

use aldis_client::TaskStatus;
use aldis_simulator::Received;
use serde_json::{Value, json};

use crate::harness::{Plan, World};

/// Makes a reply's payload.
type Write<'a> = &'a dyn Fn(&Received) -> String;

fn reply_payload(command: &Received, code: i64) -> String {
    json!({"id": command.id(), "code": code, "data": {}, "message": ""}).to_string()
}

#[tokio::test]
async fn a_late_success_is_recorded_and_forbids_another_attempt() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(1).retry(5, 3))
        .await;
    let command = device.next_command().await.unwrap();
    device.puback(&command).await.unwrap();
    let waiting = world
        .task_when(&job, "timed out once", |task| task.task_result.is_some())
        .await;
    assert_eq!(
        (waiting.status, waiting.task_result.unwrap().code),
        (TaskStatus::Queued, Some(11915))
    );

    device.answer(&command, 200, json!({"product": 42})).await.unwrap();
    let task = world.task(&job).await;
    let result = task.task_result.unwrap();
    assert_eq!((task.status, result.code), (TaskStatus::Succeed, Some(0)));
    assert_eq!(result.output_data, Some(json!({"product": 42})));
    let attempts = world.client.task_attempts(&task.task_id).await.unwrap().data;
    let told: Vec<_> = attempts
        .iter()
        .map(|one| (one.attempt, one.outcome.as_deref(), one.late))
        .collect();
    let expected = [
        (Some(1), Some("RSP_TIMEOUT"), Some(false)),
        (Some(1), Some("SUCCEED"), Some(true)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_late_error_changes_nothing_but_the_history() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(1))
        .await;
    let command = device.next_command().await.unwrap();
    device.puback(&command).await.unwrap();
    let before = world.task_in(&job, TaskStatus::RspTimeout).await;
    device.answer(&command, 500, json!({})).await.unwrap();
    device.answer(&command, 501, json!({})).await.unwrap();
    let after = world.task(&job).await;
    assert_eq!(
        (after.status, &after.task_result),
        (TaskStatus::RspTimeout, &before.task_result)
    );
    let attempts = world.client.task_attempts(&after.task_id).await.unwrap().data;
    let told: Vec<_> = attempts.iter().map(|one| (one.code, one.late)).collect();
    assert_eq!(
        told,
        [(Some(11915), Some(false)), (Some(500), Some(true))],
        "only the first late reply is kept"
    );
}

#[tokio::test]
async fn a_doubled_reply_counts_once() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({"product": 42})).await.unwrap();
    let before = world.task(&job).await;
    device.answer(&command, 200, json!({"product": 43})).await.unwrap();
    device.answer(&command, 500, json!({})).await.unwrap();
    assert_eq!(world.task(&job).await, before);
    assert_eq!(world.recounted(&job).await.succeed, 1);
}

#[tokio::test]
async fn a_reply_from_the_wrong_place_is_acknowledged_and_dropped() {
    let world = World::open().await;
    let (mut device, mut other) = (world.connected("d1").await, world.connected("d2").await);
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    // Another device, on its own topic and on the one of the device that was asked.
    for topic in [
        other.identity().topic("thing/service/multiply_reply"),
        command.reply_topic(),
    ] {
        let sent = other.publish(&topic, reply_payload(&command, 200)).await.unwrap();
        other.acknowledged(sent).await.unwrap();
    }
    // The right device, on another service's topic, with ids that were never sent, and with none.
    let own = device.identity().topic("thing/service/ping_reply");
    let never = json!({"id": "4611686018427387903", "code": 200}).to_string();
    let payloads = [
        (own.as_str(), reply_payload(&command, 200)),
        (&command.reply_topic(), never),
        (&own, "{}".into()),
    ];
    for (topic, payload) in payloads {
        let sent = device.publish(topic, payload).await.unwrap();
        device.acknowledged(sent).await.unwrap();
    }
    assert_eq!(world.task(&job).await.status, TaskStatus::Published);
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
}

#[tokio::test]
async fn odd_replies_are_read_as_far_as_they_can_be() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let id = |command: &Received| command.id().to_owned();
    let cases: [(Write<'_>, TaskStatus, i64, Option<Value>); 6] = [
        (
            &|c| format!(r#"{{"id":"{}","code":"200","data":[1]}}"#, id(c)),
            TaskStatus::Succeed,
            0,
            Some(json!([1])),
        ),
        (
            &|c| format!(r#"{{"code":0,"id":{}}}"#, id(c)),
            TaskStatus::Succeed,
            0,
            None,
        ),
        (
            &|c| format!(r#"{{"id":"{}","data":{{}}}}"#, id(c)),
            TaskStatus::Failed,
            99400,
            Some(json!({})),
        ),
        (
            &|c| format!(r#"{{"id":"{}","code":"no"}}"#, id(c)),
            TaskStatus::Failed,
            99400,
            None,
        ),
        (
            &|c| format!(r#"{{"id":"{}","code":-3,"message":"毁"}}"#, id(c)),
            TaskStatus::Failed,
            -3,
            None,
        ),
        (
            &|c| {
                format!(
                    r#"{{"id":"{}","code":200,"data":{}1{}}}"#,
                    id(c),
                    "[".repeat(100),
                    "]".repeat(100)
                )
            },
            TaskStatus::Succeed,
            0,
            Some(Value::String(format!("{}1{}", "[".repeat(100), "]".repeat(100)))),
        ),
    ];
    for (payload, status, code, output) in cases {
        let job = world.create(&Plan::device(device.identity())).await;
        let command = device.next_command().await.unwrap();
        let payload = payload(&command);
        let sent = device.reply_raw(&command, payload.clone()).await.unwrap();
        device.acknowledged(sent).await.unwrap();
        let task = world.task(&job).await;
        let result = task.task_result.unwrap_or_else(|| panic!("{payload} was dropped"));
        assert_eq!(
            (task.status, result.code, result.output_data),
            (status, Some(code), output),
            "{payload}"
        );
    }
}

/// Spoils the text of a reply.
type Spoil<'a> = &'a dyn Fn(String) -> Vec<u8>;

#[tokio::test]
async fn success_that_is_not_perfect_json_counts_and_the_command_runs_once() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let spoilings: [(&str, Spoil<'_>); 15] = [
        ("NUL", &|text| [text.as_bytes(), b"\0"].concat()),
        ("BOM", &|text| ["\u{feff}".as_bytes(), text.as_bytes()].concat()),
        ("UTF-16", &|text| {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        ("Latin-1", &|text| {
            text.replace("fine", "\u{1}")
                .bytes()
                .map(|b| if b == 1 { 0xe9 } else { b })
                .collect()
        }),
        ("GBK", &|text| {
            [text.replace("fine\"}", "").as_bytes(), b"\xb5\x5c\"}"].concat()
        }),
        ("NaN", &|text| text.replace(":42", ":NaN").into_bytes()),
        ("control", &|text| text.replace("fine", "two\nlines\u{2}").into_bytes()),
        ("comma", &|text| text.replace('}', ",}").into_bytes()),
        ("quotes", &|text| text.replace('"', "'").into_bytes()),
        ("cut", &|text| text.as_bytes()[..text.len() - 3].to_vec()),
        ("comment", &|text| text.replace('{', "{/* reply */").into_bytes()),
        ("two", &|text| [text.as_bytes(), b"{}"].concat()),
        ("text before the id", &|text| {
            text.replace('{', r#"{"message":"C:\dir\","#).into_bytes()
        }),
        ("JSON in a text", &|text| {
            text.replace('{', r#"{"log":"{"a":1}","#).into_bytes()
        }),
        ("brace", &|text| {
            text.as_bytes()[..text.find(",\"data").unwrap()].to_vec()
        }),
    ];
    for (name, spoil) in spoilings {
        let plan = Plan::device(device.identity()).ttl(60).reply_within(60).retry(1, 3);
        let job = world.create(&plan).await;
        let command = device.next_command().await.unwrap();
        let data = json!({"product": 42});
        let text = format!(
            r#"{{"id":"{}","code":200,"data":{data},"message":"fine"}}"#,
            command.id()
        );
        let sent = device.reply_raw(&command, spoil(text)).await.unwrap();
        device.acknowledged(sent).await.unwrap();
        let task = world.task(&job).await;
        let result = task
            .task_result
            .unwrap_or_else(|| panic!("{name}: the reply was dropped"));
        assert_eq!((task.status, result.code), (TaskStatus::Succeed, Some(0)), "{name}");
        assert!(result.output_data.is_some(), "{name}");
    }
}

#[tokio::test]
async fn reply_with_only_its_id_ends_the_task_at_once_and_is_not_tried_again() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    for [before, behind] in [
        [r#"{"id":""#, r#"","code":20"#],
        [r#"{"id":""#, r#"";"code":200}"#],
        ["id=", "&code=200"],
        ["<id>", "</id>"],
    ] {
        let job = world
            .create(&Plan::device(device.identity()).ttl(60).reply_within(60).retry(1, 3))
            .await;
        let command = device.next_command().await.unwrap();
        let text = format!("{before}{}{behind}", command.id());
        let sent = device.reply_raw(&command, text.clone()).await.unwrap();
        device.acknowledged(sent).await.unwrap();
        let task = world.task(&job).await;
        let result = task.task_result.unwrap();
        assert_eq!((task.status, result.code), (TaskStatus::Failed, Some(99400)), "{text}");
        assert_eq!(result.output_data, Some(Value::String(text)));
    }
}

#[tokio::test]
async fn reply_of_which_nothing_can_be_read_is_told_of_when_its_command_times_out() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world
        .create(&Plan::device(device.identity()).ttl(60).reply_within(1))
        .await;
    let command = device.next_command().await.unwrap();
    device.puback(&command).await.unwrap();
    let sent = device.reply_raw(&command, b"\xffOK".to_vec()).await.unwrap();
    device.acknowledged(sent).await.unwrap();
    let task = world.task_in(&job, TaskStatus::RspTimeout).await;
    let desc = task.task_result.unwrap().desc.unwrap_or_default();
    assert_eq!(desc, "a reply came whose id could not be read");
}

#[tokio::test]
async fn output_beyond_what_is_kept_is_told_and_the_result_counts() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity())).await;
    let command = device.next_command().await.unwrap();
    device
        .answer(&command, 200, json!({"log": "x".repeat(70_000)}))
        .await
        .unwrap();
    let task = world.task(&job).await;
    let result = task.task_result.unwrap();
    assert_eq!((task.status, result.output_data), (TaskStatus::Succeed, None));
    assert!(result.desc.unwrap().contains("too large"));
}

#[tokio::test]
async fn a_reply_counts_on_whichever_connection_it_arrives() {
    let world = World::open().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity()).reply_within(30)).await;
    let command = device.next_command().await.unwrap();
    device.puback(&command).await.unwrap();
    world.task_in(&job, TaskStatus::InProgress).await;
    device.drop_link();
    world.until_presence(device.identity(), "offline").await;
    assert_eq!(
        world.task(&job).await.status,
        TaskStatus::InProgress,
        "a lost link moves nothing"
    );
    device.connect(world.server.mqtt).await.unwrap();
    device.answer(&command, 200, json!({})).await.unwrap();
    assert_eq!(world.task(&job).await.status, TaskStatus::Succeed);
}
