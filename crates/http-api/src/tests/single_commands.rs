//! Single commands over the API: instant ones that wait for their end, and cached ones that wait for their device.

use axum::body::Body;
use serde_json::{Value, json};

use super::fleet::{Fleet, brief};
use super::world::{Answered, READER, unsigned};

const PATH: &str = "/connect-service/v2.1/commands";
const OF_DEVICE: &str = "productKey=productKey&deviceKey=deviceKey";

async fn call(fleet: &Fleet, query: &str, body: Value) -> Answered {
    fleet.world.post(&format!("{PATH}?orgId=o1&action={query}"), body).await
}

async fn call_once(fleet: &Fleet, query: &str, key: &str, body: Value) -> Answered {
    let request = unsigned(&format!("{PATH}?orgId=o1&action={query}")).header("Idempotency-Key", key);
    fleet
        .world
        .send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn invoke(fleet: &Fleet, more: &str) -> Answered {
    let query = format!("invokeService&{OF_DEVICE}&serviceId=serviceId{more}");
    call(fleet, &query, json!({"inputData": {"input": 22}})).await
}

/// A cached command; its id.
async fn cached(fleet: &Fleet, device: &str) -> String {
    let query = format!("invokeService&productKey=productKey&deviceKey={device}&serviceId=serviceId&pendingTtl=600");
    let answered = call(fleet, &query, json!({})).await;
    assert_eq!(answered.data()["outputData"], Value::Null);
    fleet.turn();
    answered.data()["commandId"].as_str().unwrap().to_owned()
}

async fn get(fleet: &Fleet, id: &str) -> Value {
    let answered = fleet
        .world
        .get(&format!("{PATH}?orgId=o1&action=get&commandId={id}"))
        .await;
    answered.data().clone()
}

async fn state(fleet: &Fleet, id: &str) -> i64 {
    get(fleet, id).await["state"].as_i64().unwrap()
}

async fn search(fleet: &Fleet, expression: &str) -> Vec<String> {
    let found = call(fleet, &format!("search&{OF_DEVICE}"), json!({"expression": expression})).await;
    let ids = found.data().as_array().unwrap().iter();
    ids.map(|command| command["commandId"].as_str().unwrap().to_owned())
        .collect()
}

/// The only command of the device.
async fn only(fleet: &Fleet) -> Value {
    let found = call(fleet, &format!("search&{OF_DEVICE}"), json!({})).await;
    assert_eq!(found.body["pagination"]["totalSize"], 1);
    assert_eq!(found.body["pagination"]["pageSize"], 100);
    found.data()[0].clone()
}

#[tokio::test]
async fn an_instant_call_waits_for_the_reply_and_the_command_is_shown_as_documented() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let now = fleet.world.now();
    let (answered, ()) = tokio::join!(invoke(&fleet, "&timeout=7.0"), async {
        let sent = fleet.sent_soon().await;
        assert_eq!(only(&fleet).await["state"], 4);
        fleet.reply(&sent, 200, Some(r#"{"delta": 3}"#));
    });
    let id = answered.data()["commandId"].as_str().unwrap();
    assert_eq!(*answered.data(), json!({"commandId": id, "outputData": {"delta": 3}}));
    let shown = get(&fleet, id).await;
    let expected = json!({
        "commandId": id, "orgId": "o1", "productKey": "productKey", "deviceKey": "deviceKey",
        "assetId": "asset-productKey-deviceKey", "createTime": now, "createLocaltime": "2023-11-15 06:18:20",
        "commandType": 2, "commandName": {"defaultValue": "S", "i18nValue": {}}, "timeout": 7, "pendingTtl": 0,
        "state": 5, "tslIdentifier": "serviceId", "inputData": {"input": 22}, "outputData": {"delta": 3},
    });
    assert_eq!(shown, expected);
    assert_eq!(only(&fleet).await, shown);
    // It is a task like any other, of a job that the list of jobs passes over.
    let task = fleet.call(&format!("getTask&taskId={id}"), json!({})).await;
    assert_eq!(task.data()["status"], "SUCCEED");
    let job = task.data()["jobId"].as_str().unwrap();
    assert_eq!(fleet.statistics(job).await["succeed"], 1);
    assert_eq!(fleet.call("searchJob", json!({})).await.data(), &json!([]));
}

#[tokio::test]
async fn a_measurement_point_is_set() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let query = format!("setMeasurepoint&{OF_DEVICE}&&measurepointId=temperature");
    let (answered, ()) = tokio::join!(call(&fleet, &query, json!({"value": 21.5})), async {
        let sent = fleet.sent_soon().await;
        fleet.reply(&sent, 200, Some("{}"));
    });
    let id = answered.data()["commandId"].as_str().unwrap();
    assert_eq!(*answered.data(), json!({"commandId": id}));
    let shown = get(&fleet, id).await;
    assert_eq!(
        (&shown["commandType"], &shown["tslIdentifier"], &shown["inputData"]),
        (&json!(1), &json!("temperature"), &json!(21.5))
    );
    assert_eq!((&shown["outputData"], &shown["state"]), (&Value::Null, &json!(5)));
}

#[tokio::test]
async fn an_instant_call_ends_with_what_the_device_says_or_does_not_say() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let (answered, ()) = tokio::join!(invoke(&fleet, ""), async {
        let sent = fleet.sent_soon().await;
        fleet.reply(&sent, 2001, None);
    });
    let id = only(&fleet).await["commandId"].as_str().unwrap().to_owned();
    answered.fails(200, 2001, &format!("command {id}: "));
    assert_eq!(state(&fleet, &id).await, 6);
    let (answered, ()) = tokio::join!(invoke(&fleet, "&timeout=5"), async {
        let sent = fleet.sent_soon().await;
        fleet.ack(&sent);
        fleet.advance_ms(5_000);
    });
    answered.fails(200, 11915, "acknowledged but silent");
    assert_eq!(search(&fleet, "state = 7").await.len(), 1);
    let (answered, ()) = tokio::join!(invoke(&fleet, ""), async {
        let sent = fleet.sent_soon().await;
        fleet.reply(&sent, i64::MAX, None);
    });
    answered.fails(200, i32::MAX, "command ");
}

#[tokio::test]
async fn an_instant_command_is_for_a_device_that_is_there() {
    let fleet = Fleet::new().await;
    invoke(&fleet, "").await.fails(200, 11888, "command ");
    fleet.connect("deviceKey");
    fleet.disconnect("deviceKey");
    invoke(&fleet, "").await.fails(200, 11900, "offline since");
    assert_eq!(fleet.sent().len(), 0);
    assert_eq!(search(&fleet, "state = 6").await.len(), 2, "what was asked for is kept");
}

#[tokio::test]
async fn an_instant_command_waits_for_its_turn_and_no_longer_than_its_timeout() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let first = cached(&fleet, "deviceKey").await;
    let sent = fleet.sent_one();
    let (answered, ()) = tokio::join!(invoke(&fleet, "&timeout=3"), async {
        while search(&fleet, "state = 1").await.is_empty() {}
        fleet.turn();
        fleet.advance_ms(3_000);
    });
    answered.fails(200, 11904, &format!("behind task {first}"));
    let (answered, ()) = tokio::join!(invoke(&fleet, ""), async {
        while search(&fleet, "state = 1").await.is_empty() {}
        fleet.reply(&sent, 200, None);
        let next = fleet.sent_soon().await;
        fleet.reply(&next, 200, None);
    });
    assert_eq!(answered.data()["outputData"], Value::Null);
    assert_eq!(state(&fleet, &first).await, 5);
}

#[tokio::test]
async fn a_cached_command_waits_for_its_device() {
    let fleet = Fleet::new().await;
    let (first, second) = (cached(&fleet, "deviceKey").await, cached(&fleet, "deviceKey").await);
    assert_eq!(state(&fleet, &first).await, 1);
    fleet.connect("deviceKey");
    let sent = fleet.sent_one();
    assert_eq!((state(&fleet, &first).await, state(&fleet, &second).await), (4, 1));
    fleet.reply(&sent, 200, None);
    let _second_sent = fleet.sent_one();
    assert_eq!((state(&fleet, &first).await, state(&fleet, &second).await), (5, 4));
    let third = cached(&fleet, "d2").await;
    fleet.advance_ms(600_000);
    assert_eq!((state(&fleet, &second).await, state(&fleet, &third).await), (7, 3));
}

#[tokio::test]
async fn cached_commands_are_cancelled_one_by_one_or_all_of_a_device() {
    let fleet = Fleet::new().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(cached(&fleet, "deviceKey").await);
    }
    let elsewhere = cached(&fleet, "d2").await;
    fleet.call("createJob", brief()).await.data();
    fleet.turn();
    let cancelled = call(&fleet, &format!("cancel&commandId={}", ids[1]), json!({})).await;
    assert_eq!(
        (&cancelled.data()[0]["commandId"], &cancelled.data()[0]["state"]),
        (&json!(ids[1]), &json!(2))
    );
    fleet.connect("deviceKey");
    for done in [0, 1] {
        let refused = call(&fleet, &format!("cancel&commandId={}", ids[done]), json!({})).await;
        refused.fails(200, 24620, &format!("command {}", ids[done]));
    }
    let wrong = format!("cancel&productKey=productKey&deviceKey=d2&commandId={}", ids[2]);
    call(&fleet, &wrong, json!({})).await.fails(200, 99404, &ids[2]);
    let cancelled = call(&fleet, &format!("cancel&{OF_DEVICE}"), json!({})).await;
    let cancelled: Vec<&str> = cancelled
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["commandId"].as_str().unwrap())
        .collect();
    assert_eq!(cancelled, [ids[2].as_str(), &ids[3]]);
    let again = call(&fleet, &format!("cancel&{OF_DEVICE}"), json!({})).await;
    assert_eq!(again.data(), &json!([]));
    assert_eq!(again.body["msg"], "OK");
    assert_eq!((state(&fleet, &ids[0]).await, state(&fleet, &elsewhere).await), (4, 1));
}

#[tokio::test]
async fn an_id_that_is_none_cancels_nothing() {
    let fleet = Fleet::new().await;
    let id = cached(&fleet, "deviceKey").await;
    let number: u64 = id.parse().unwrap();
    for (query, body) in [
        ("&commandId=", json!({})),
        ("&commandId", json!({"commandId": id})),
        ("", json!({"commandId": ""})),
        ("", json!({"commandId": number})),
        ("", json!({"commandId": [id]})),
        ("", json!({"commandId": {"id": id}})),
        ("", json!({"commandId": false})),
    ] {
        let refused = call(&fleet, &format!("cancel&{OF_DEVICE}{query}"), body).await;
        refused.fails(200, 99400, "commandId: expected text (or no such parameter)");
    }
    let missing = call(&fleet, &format!("cancel&{OF_DEVICE}&commandId=7"), json!({})).await;
    missing.fails(200, 99404, "command 7");
    assert_eq!(state(&fleet, &id).await, 1);
    let cancelled = call(&fleet, &format!("cancel&{OF_DEVICE}"), json!({"commandId": null})).await;
    assert_eq!(cancelled.data()[0]["commandId"], json!(id));
}

#[tokio::test]
async fn output_that_is_not_kept_is_told_to_the_caller() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    for (bytes, lost) in [(60_000, false), (70_000, true)] {
        let output = json!({"text": "x".repeat(bytes)}).to_string();
        let (answered, ()) = tokio::join!(invoke(&fleet, ""), async {
            let sent = fleet.sent_soon().await;
            fleet.reply(&sent, 200, Some(&output));
        });
        assert_eq!(answered.data()["outputData"].is_null(), lost);
        let message = answered.body["msg"].as_str().unwrap();
        assert_eq!(message.contains("64 KiB"), lost, "{message}");
    }
}

#[tokio::test]
async fn callers_beyond_those_that_may_wait_are_turned_away_and_nothing_is_sent() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    fleet.bound_waiters(1);
    let (answered, ()) = tokio::join!(invoke(&fleet, ""), async {
        let sent = fleet.sent_soon().await;
        invoke(&fleet, "").await.fails(503, 99500, "too many callers wait");
        assert_eq!(only(&fleet).await["state"], 4);
        fleet.reply(&sent, 200, None);
    });
    answered.data();
    cached(&fleet, "deviceKey").await;
}

#[tokio::test]
async fn the_commands_of_a_device_are_found_by_state_name_and_time() {
    let fleet = Fleet::new().await;
    let first = cached(&fleet, "deviceKey").await;
    fleet.advance_ms(1_000);
    let since = fleet.world.now();
    let query = format!("setMeasurepoint&{OF_DEVICE}&measurepointId=temperature&pendingTtl=60");
    let second = call(&fleet, &query, json!({"value": 3})).await.data()["commandId"].clone();
    let second = second.as_str().unwrap().to_owned();
    fleet.turn();
    for (expression, expected) in [
        (String::new(), vec![&second, &first]),
        ("state = 1".to_owned(), vec![&second, &first]),
        ("state = '1'".to_owned(), vec![&second, &first]),
        ("state = 2".to_owned(), vec![]),
        ("commandName.default like 't'".to_owned(), vec![&second]),
        ("commandName.zh_CN like 's' and state = 1".to_owned(), vec![&first]),
        (format!("createTime >= {since}"), vec![&second]),
        (format!("createTime < {since}"), vec![&first]),
    ] {
        assert_eq!(
            search(&fleet, &expression).await,
            expected.into_iter().cloned().collect::<Vec<_>>(),
            "{expression}"
        );
    }
    let body =
        json!({"pagination": {"pageNo": 2, "pageSize": 1}, "projection": ["commandId", "commandName.defaultValue"]});
    let page = call(&fleet, &format!("search&{OF_DEVICE}"), body).await;
    assert_eq!(
        *page.data(),
        json!([{"commandId": first, "commandName": {"defaultValue": "S"}}])
    );
    assert_eq!(
        page.body["pagination"]["sortedBy"],
        json!([{"field": "createDate", "order": "DESC"}])
    );
    let of_device = format!("search&{OF_DEVICE}");
    for (query, body, part) in [
        (of_device.clone(), json!({"expression": "jobId = 'x'"}), "jobId"),
        (of_device.clone(), json!({"expression": "state = 9"}), "one of 1, 2, 3"),
        (
            of_device,
            json!({"expression": "state in (1, 'abc')"}),
            "one of 1, 2, 3",
        ),
        ("search".to_owned(), json!({}), "assetId"),
    ] {
        call(&fleet, &query, body).await.fails(200, 99400, part);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_said_before_anything_is_stored() {
    let fleet = Fleet::new().await;
    let inputs = json!({"input": {"dataType": "INT", "required": true},
        "level": {"dataType": "INT", "required": true, "dataDefinition": {"defaultValue": 7}}});
    fleet.model("strict", inputs, json!({})).await;
    fleet.product("strict", "strict", "Json").await;
    fleet.device("strict", "deviceKey").await;
    fleet.product("raw", "model", "Custom").await;
    fleet.device("raw", "deviceKey").await;
    let service = |rest: &str| format!("invokeService&{OF_DEVICE}&serviceId=serviceId{rest}");
    let point = |rest: &str| format!("setMeasurepoint&{OF_DEVICE}&measurepointId=temperature{rest}");
    let at = |product: &str| {
        format!("invokeService&productKey={product}&deviceKey=deviceKey&serviceId=serviceId&pendingTtl=9")
    };
    let input = |value: Value| json!({"inputData": value});
    for (query, body, code, part) in [
        (
            service("&timeout=0"),
            json!({}),
            99400,
            "timeout: expected whole number from 1 to 60",
        ),
        (
            service("&timeout=61"),
            json!({}),
            99400,
            "timeout: expected whole number from 1 to 60",
        ),
        (
            service("&pendingTtl=172801"),
            json!({}),
            99400,
            "pendingTtl: expected whole number from 0 to 172800",
        ),
        (service("&pendingTtl=soon"), json!({}), 99400, "pendingTtl: "),
        (service(""), input(json!([1])), 99400, "inputData: expected object"),
        (service(""), input(json!({"other": 1})), 99400, "inputData.other: "),
        (service(""), input(json!({"input": "x"})), 99400, "inputData.input: "),
        (point(""), json!({}), 99400, "value: "),
        (point(""), json!({"value": "warm"}), 99400, "value: "),
        (format!("invokeService&{OF_DEVICE}"), json!({}), 99400, "serviceId: "),
        (
            format!("invokeService&{OF_DEVICE}&serviceId=none"),
            json!({}),
            99400,
            "serviceId: ",
        ),
        (
            format!("setMeasurepoint&{OF_DEVICE}&measurepointId=none"),
            json!({"value": 1}),
            99400,
            "measurepointId: ",
        ),
        (
            "invokeService&serviceId=serviceId".to_owned(),
            json!({}),
            99400,
            "assetId: ",
        ),
        (
            "invokeService&assetId=none&serviceId=serviceId".to_owned(),
            json!({}),
            99404,
            "device none",
        ),
        (at("strict"), input(json!({"input": null})), 99400, "inputData.input: "),
        (at("raw"), json!({}), 11810, "raw"),
        ("get&commandId=1".to_owned(), json!({}), 99404, "command 1"),
    ] {
        call(&fleet, &query, body).await.fails(200, code, part);
    }
    let tasks = fleet.call("searchTask", json!({})).await;
    assert_eq!(tasks.data(), &json!([]));
    let accepted = call(&fleet, &at("strict"), input(json!({"input": 1, "level": null}))).await;
    let id = accepted.data()["commandId"].as_str().unwrap();
    assert_eq!(get(&fleet, id).await["inputData"], json!({"input": 1, "level": 7}));
    let job = fleet.create(brief()).await;
    let of_a_job = fleet.tasks(&job).await[0]["taskId"].as_str().unwrap().to_owned();
    call(&fleet, &format!("get&commandId={of_a_job}"), json!({}))
        .await
        .fails(200, 99404, &of_a_job);
}

#[tokio::test]
async fn a_cached_command_that_would_fail_at_once_is_not_accepted() {
    let fleet = Fleet::new().await;
    let one_after_the_other = async |count: usize| {
        let mut accepted = Vec::new();
        for _ in 0..count {
            accepted.push(invoke(&fleet, "&pendingTtl=600").await);
        }
        accepted
    };
    let (first, second) = tokio::join!(one_after_the_other(40), one_after_the_other(40));
    let (accepted, refused): (Vec<Answered>, Vec<Answered>) = first
        .into_iter()
        .chain(second)
        .partition(|answered| answered.body["code"] == 0);
    assert_eq!((accepted.len(), refused.len()), (50, 30));
    for answered in refused {
        answered.fails(200, 11902, "50 commands");
    }
    assert_eq!(search(&fleet, "state = 1").await.len(), 50, "what was accepted waits");
    let disable = "/connect-service/v2.1/devices?orgId=o1&action=disable&productKey=productKey&deviceKey=d2";
    fleet.world.post(disable, json!({})).await.data();
    let query = "invokeService&productKey=productKey&deviceKey=d2&serviceId=serviceId";
    call(&fleet, &format!("{query}&pendingTtl=600"), json!({}))
        .await
        .fails(200, 11888, "disabled");
    call(&fleet, query, json!({})).await.fails(200, 11888, "disabled");
}

#[tokio::test]
async fn a_repeated_call_is_about_the_same_command() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let query = format!("invokeService&{OF_DEVICE}&serviceId=serviceId");
    let body = json!({"inputData": {"input": 1}});
    let (first, second, ()) = tokio::join!(
        call_once(&fleet, &query, "once", body.clone()),
        call_once(&fleet, &query, "once", body.clone()),
        async {
            let sent = fleet.sent_soon().await;
            fleet.reply(&sent, 200, Some(r#"{"done": 1}"#));
        }
    );
    assert_eq!(first.data(), second.data());
    let third = call_once(&fleet, &query, "once", body.clone()).await;
    assert_eq!(first.data(), third.data());
    assert_eq!(only(&fleet).await["commandId"], first.data()["commandId"]);
    for (query, body) in [(query.clone(), json!({})), (format!("{query}&timeout=9"), body)] {
        call_once(&fleet, &query, "once", body)
            .await
            .fails(200, 99400, "Idempotency-Key");
    }
}

#[tokio::test]
async fn the_stop_of_the_server_keeps_no_caller_waiting() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let (answered, id) = tokio::join!(invoke(&fleet, ""), async {
        let _sent = fleet.sent_soon().await;
        let id = only(&fleet).await["commandId"].as_str().unwrap().to_owned();
        fleet.stop();
        id
    });
    answered.fails(503, 99500, &format!("command {id} is stored"));
    assert_eq!(state(&fleet, &id).await, 4);
    invoke(&fleet, "").await.fails(503, 99500, "stopping");
}

#[tokio::test]
async fn readers_see_commands_and_send_none() {
    let fleet = Fleet::new().await;
    for (query, code) in [
        ("search&assetId=none", 99404),
        ("cancel&assetId=none", 99403),
        ("invokeService", 99403),
        ("setMeasurepoint", 99403),
    ] {
        let answered = fleet
            .world
            .signed(READER, PATH, &format!("action={query}"), json!({}))
            .await;
        assert_eq!(answered.body["code"], code, "{query}");
    }
}

#[tokio::test]
async fn what_small_devices_cannot_take_is_accepted_with_a_word_of_warning() {
    let fleet = Fleet::new().await;
    fleet
        .model(
            "texts",
            json!({"a": {"dataType": "STRING"}, "b": {"dataType": "STRING"}, "c": {"dataType": "STRING"}}),
            json!({}),
        )
        .await;
    fleet.product("texts", "texts", "Json").await;
    fleet.device("texts", "deviceKey").await;
    let query = "invokeService&productKey=texts&deviceKey=deviceKey&serviceId=serviceId&pendingTtl=60";
    for (characters, warned) in [(100, false), (1000, true)] {
        let text = "x".repeat(characters);
        let input = json!({"a": text, "b": text, "c": text});
        let sent = call(&fleet, query, json!({"inputData": input})).await;
        let job = json!({"name": {"defaultValue": "n"}, "desc": "d",
            "targetScope": {"targetType": "PRODUCT_KEY", "targetDevices": [{"productKey": "texts"}]},
            "schedulePolicy": {"scheduleType": "DISPOSABLE"},
            "commandInfo": {"serviceInvokeInfo": {"serviceId": "serviceId", "inputData": input}}});
        let created = fleet.call("createJob", job).await;
        for answered in [sent, created] {
            answered.data();
            let message = answered.body["msg"].as_str().unwrap();
            assert_eq!(
                message.starts_with("OK; the command takes up to 3"),
                warned,
                "{message}"
            );
            assert!(warned || message == "OK");
        }
    }
}
