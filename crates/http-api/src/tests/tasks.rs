//! Command tasks over the API: what they show while devices do as they are told, or do not.

use serde_json::{Value, json};

use super::fleet::{Fleet, PATH, brief, brief_for, sample, with};

async fn task(fleet: &Fleet, job: &str) -> Value {
    let listed = fleet.tasks(job).await.remove(0);
    let id = listed["taskId"].as_str().unwrap();
    let read = fleet
        .world
        .get(&format!("{PATH}?orgId=o1&action=getTask&taskId={id}"))
        .await;
    assert_eq!(read.data(), &listed, "getTask and searchTask say the same");
    listed
}

async fn attempts(fleet: &Fleet, job: &str) -> Vec<Value> {
    let task = task(fleet, job).await;
    let id = task["taskId"].as_str().unwrap();
    let read = fleet
        .world
        .get(&format!("{PATH}?orgId=o1&action=getTaskAttempts&taskId={id}"))
        .await;
    read.data().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_task_is_shown_in_the_documented_shape_from_creation_to_success() {
    let fleet = Fleet::new().await;
    let created = fleet.world.now();
    let id = fleet
        .create(with(
            sample(),
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!(created + 1000),
        ))
        .await;
    let first = task(&fleet, &id).await;
    let expected = json!({
        "taskId": first["taskId"], "orgId": "o1", "assetId": "asset-productKey-deviceKey", "productKey": "productKey",
        "deviceKey": "deviceKey", "jobId": id, "status": "INIT",
        "commandInfo": {"commandType": "SERVICE_INVOKE",
            "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"input": 22}}, "setMeasurepointInfo": null},
        "taskResult": null, "createTimestamp": created, "updateTimestamp": created,
        "autoRetryCount": 0, "manualRetryCount": 0,
    });
    assert_eq!(first, expected);
    assert_eq!(attempts(&fleet, &id).await, Vec::<Value>::new());
    fleet.advance_ms(1000);
    let queued = task(&fleet, &id).await;
    assert_eq!(
        (&queued["status"], &queued["taskResult"]),
        (&json!("QUEUED"), &Value::Null)
    );
    fleet.connect("deviceKey");
    let sent = fleet.sent_one();
    let sent_at = fleet.world.now();
    assert_eq!(task(&fleet, &id).await["status"], "PUBLISHED");
    assert_eq!(attempts(&fleet, &id).await[0]["outcome"], "PUBLISHED");
    fleet.advance_ms(10);
    fleet.ack(&sent);
    assert_eq!(task(&fleet, &id).await["status"], "IN_PROGRESS");
    fleet.advance_ms(10);
    fleet.reply(&sent, 200, Some(r#"{"delta": 3, "big": 12345678901234567890}"#));
    let ended = task(&fleet, &id).await;
    assert_eq!(ended["status"], "SUCCEED");
    assert_eq!(ended["taskResult"]["code"], 0);
    assert_eq!(ended["taskResult"]["outputData"]["delta"], 3);
    assert_eq!(ended["updateTimestamp"], sent_at + 20);
    let attempt = attempts(&fleet, &id).await.remove(0);
    let expected = json!({
        "attempt": 1, "sentTimestamp": sent_at, "handedOverTimestamp": sent_at, "ackTimestamp": sent_at + 10,
        "replyTimestamp": sent_at + 20, "endTimestamp": sent_at + 20, "outcome": "SUCCEED", "code": 0, "desc": "OK",
        "outputData": ended["taskResult"]["outputData"], "late": false, "cause": "REPLY",
    });
    assert_eq!(attempt, expected);
}

#[tokio::test]
async fn a_failure_shows_while_its_retry_waits_and_every_attempt_is_told() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let body = with(brief(), "/timeoutPolicy", json!({"ttlTimeoutInSeconds": 600}));
    let id = fleet
        .create(with(
            body,
            "/retryPolicy",
            json!({"enableRetry": true, "retryIntervalInSeconds": 5}),
        ))
        .await;
    let first = fleet.sent_one();
    fleet.reply(&first, 500, None);
    let waiting = task(&fleet, &id).await;
    assert_eq!(
        (&waiting["status"], &waiting["taskResult"]["code"]),
        (&json!("QUEUED"), &json!(500))
    );
    assert_eq!(
        (&waiting["taskResult"]["outputData"], &waiting["autoRetryCount"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(
        fleet.statistics(&id).await["init"],
        1,
        "a retry that waits counts as init"
    );
    fleet.advance_ms(5000);
    let second = fleet.sent_one();
    assert_eq!(task(&fleet, &id).await["autoRetryCount"], 1);
    fleet.advance_ms(30_000);
    let silent = task(&fleet, &id).await;
    assert_eq!(
        (&silent["status"], &silent["taskResult"]["code"]),
        (&json!("QUEUED"), &json!(11915))
    );
    fleet.reply(&second, 0, Some("{}"));
    let done = task(&fleet, &id).await;
    assert_eq!(
        (&done["status"], &done["taskResult"]["code"]),
        (&json!("SUCCEED"), &json!(0)),
        "late, but done"
    );
    let told: Vec<Value> = attempts(&fleet, &id)
        .await
        .iter()
        .map(|it| {
            json!([
                it["attempt"],
                it["outcome"],
                it["code"],
                it["late"],
                it["cause"],
                it["endTimestamp"].is_null()
            ])
        })
        .collect();
    let expected = [
        json!([1, "FAILED", 500, false, "REPLY", false]),
        json!([2, "RSP_TIMEOUT", 11915, false, "REPLY_DEADLINE", false]),
        json!([2, "SUCCEED", 0, true, "REPLY", true]),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn devices_that_are_not_there_fail_or_wait() {
    let fleet = Fleet::new().await;
    let target = "/connect-service/v2.1/devices?action=disable&orgId=o1&assetId=asset-productKey-d2";
    fleet.world.post(target, json!({})).await.data();
    let id = fleet.create(brief_for(&["deviceKey", "d2"])).await;
    let results: Vec<Value> = fleet
        .tasks(&id)
        .await
        .iter()
        .map(|task| task["taskResult"].clone())
        .collect();
    let expected = [
        json!({"code": 11888, "desc": "device never activated", "outputData": null}),
        json!({"code": 11888, "desc": "device disabled", "outputData": null}),
    ];
    assert_eq!(results, expected);
    let id = fleet
        .create(with(brief(), "/timeoutPolicy", json!({"ttlTimeoutInSeconds": 5})))
        .await;
    fleet.advance_ms(5000);
    let expired = task(&fleet, &id).await;
    assert_eq!(
        (&expired["status"], &expired["taskResult"]["code"]),
        (&json!("TTL_TIMEOUT"), &json!(11904))
    );
    assert_eq!(attempts(&fleet, &id).await, Vec::<Value>::new());
}

#[tokio::test]
async fn setting_a_point_has_no_output() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let info = json!({"setMeasurepointInfo": {"measurepointId": "temperature", "value": 1}});
    for output in [None, Some("{}"), Some("null")] {
        let id = fleet.create(with(brief(), "/commandInfo", info.clone())).await;
        fleet.reply(&fleet.sent_one(), 200, output);
        assert_eq!(
            task(&fleet, &id).await["taskResult"],
            json!({"code": 0, "desc": "OK", "outputData": null})
        );
    }
}

#[tokio::test]
async fn tasks_are_searched_by_every_documented_field() {
    let fleet = Fleet::new().await;
    fleet.connect("d2");
    let first = fleet.create(brief_for(&["deviceKey", "d2", "d3"])).await;
    fleet.advance_ms(1000);
    let second = fleet.create(brief_for(&["d3"])).await;
    let task = fleet.tasks(&second).await[0]["taskId"].as_str().unwrap().to_owned();
    let cases = [
        (String::new(), 4),
        (format!("jobId in ('{first}')"), 3),
        (format!("ztaskId = '{task}' or taskId eq '1'"), 1),
        ("assetId = 'asset-productKey-d3'".to_owned(), 2),
        ("pk = 'productKey' and dk in ('d2', 'd3')".to_owned(), 3),
        ("productKey = 'productKey' and not deviceKey = 'd3'".to_owned(), 2),
        ("status in ('PUBLISHED', 'QUEUED')".to_owned(), 1),
        ("status != 'FAILED'".to_owned(), 1),
        (format!("createTime >= {}", fleet.world.now()), 1),
    ];
    for (expression, total) in cases {
        let body = json!({"expression": expression, "pagination": {"pageNo": 1, "pageSize": 1}});
        let found = fleet.call("searchTask", body).await;
        assert_eq!(found.body["pagination"]["totalSize"], total, "{expression}");
        assert_eq!(found.data().as_array().unwrap().len(), 1);
    }
    fleet
        .call("searchTask", json!({"expression": "name like 'x'"}))
        .await
        .fails(200, 99400, "unknown field 'name'");
    fleet
        .call("searchTask", json!({"pagination": {"pageNo": 0}}))
        .await
        .fails(200, 99400, "pagination.pageNo");
    fleet
        .call("searchTask", json!({"pagination": {"pageSize": 1001}}))
        .await
        .fails(200, 99400, "pagination.pageSize");
}

#[tokio::test]
async fn ids_that_name_no_task_are_unknown() {
    let fleet = Fleet::new().await;
    let job = fleet.create(brief()).await;
    for id in ["1", "x", "1000000000000000000", "9223372036854775807", &job] {
        for action in ["getTask", "getTaskAttempts"] {
            fleet
                .call(&format!("{action}&taskId={id}"), json!({}))
                .await
                .fails(200, 99404, "does not exist");
        }
    }
    fleet
        .call("getTask", json!({}))
        .await
        .fails(200, 99400, "taskId: expected a value");
    for id in ["1", "x", "8000000000000000000", "9223372036854775807"] {
        fleet
            .call(&format!("getJob&jobId={id}"), json!({}))
            .await
            .fails(200, 24404, "does not exist");
    }
}
