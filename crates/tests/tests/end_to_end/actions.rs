//! Every action on command jobs and tasks, in the documented shapes, to the last field.

use aldis_client::TaskStatus;
use serde_json::{Value, json};

use crate::harness::{Plan, World, now_ms};

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_job_is_created_shown_searched_counted_and_deleted() {
    let world = World::new().await;
    let device = world.device("d1").await;
    let trigger = now_ms() + 3_600_000;
    let plan = Plan::device(&device).at(trigger).reply_within(30).ttl(20).retry(300, 3);
    let answer = world.api.command("createJob", &plan.0).await;
    let job = answer.data().as_str().unwrap().to_owned();
    assert_eq!(fields(&answer.body), ["code", "data", "msg", "requestId"]);
    assert_eq!(answer.body["msg"], "OK");
    assert!(
        job.len() == 19 && job.bytes().all(|byte| byte.is_ascii_digit()),
        "{job}"
    );
    assert!(answer.head.contains("application/json"), "{}", answer.head);

    let mut shown = world
        .api
        .command(&format!("getJob&jobId={job}"), &json!({}))
        .await
        .data()
        .clone();
    let found = world
        .api
        .command("searchJob", &json!({"expression": format!("jobId = '{job}'")}))
        .await;
    assert_eq!(*found.data(), json!([shown]));
    let created = shown
        .as_object_mut()
        .unwrap()
        .remove("createTimestamp")
        .unwrap()
        .as_i64()
        .unwrap();
    assert!((now_ms() - created).abs() < 60_000);
    let entry = json!({"assetId": null, "productKey": "pump", "deviceKey": "d1"});
    let expected = json!({
        "orgId": "default", "jobId": job, "status": "INIT", "desc": "made by a test",
        "name": {"defaultValue": "a job", "i18nValue": {}},
        "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [entry]},
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": trigger}},
        "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
        "retryPolicy": {"enableRetry": true, "retryIntervalInSeconds": 300, "retryCount": 3},
        "commandInfo": {"commandType": "SERVICE_INVOKE", "setMeasurepointInfo": null,
            "serviceInvokeInfo": {"serviceId": "multiply", "inputData": {"left": 6, "right": 7}}},
    });
    assert_eq!(shown, expected);

    let count = json!({"total": 1, "init": 1, "published": 0, "inProgress": 0, "succeed": 0, "failed": 0, "canceled": 0,
        "ttlTimeout": 0, "rspTimeout": 0});
    for action in ["queryStatistics", "queryJobStatistics"] {
        assert_eq!(
            *world
                .api
                .command(&format!("{action}&jobId={job}"), &json!({}))
                .await
                .data(),
            count
        );
    }
    let deleted = world.api.command(&format!("deleteJob&jobId={job}"), &json!({})).await;
    assert_eq!(*deleted.data(), Value::Null);
    for action in ["getJob", "queryStatistics", "deleteJob"] {
        world
            .api
            .command(&format!("{action}&jobId={job}"), &json!({}))
            .await
            .fails(200, 24404, "does not exist");
    }
    let left = world
        .api
        .command("searchTask", &json!({"expression": format!("jobId = '{job}'")}))
        .await;
    assert_eq!(*left.data(), json!([]));
}

#[tokio::test]
async fn a_task_is_shown_searched_and_told_attempt_by_attempt() {
    let world = World::new().await;
    let mut device = world.connected("d1").await;
    let job = world.create(&Plan::device(device.identity()).ttl(20)).await;
    let command = device.next_command().await.unwrap();
    device.answer(&command, 200, json!({"product": 42})).await.unwrap();
    let task = world.task(&job).await;

    let shown = world
        .api
        .get(
            "/connect-service/v2.5/commands",
            &format!("getTask&taskId={}", task.task_id),
        )
        .await;
    let found = world
        .api
        .command(
            "searchTask",
            &json!({"expression": format!("taskId = '{}'", task.task_id)}),
        )
        .await;
    assert_eq!(*found.data(), json!([shown.data()]));
    let pagination = json!({"pageNo": 1, "pageSize": 10, "totalSize": 1, "sortedBy": null});
    assert_eq!(found.body["pagination"], pagination);
    let expected = json!({
        "taskId": task.task_id, "orgId": "default", "assetId": "asset-pump-d1", "productKey": "pump", "deviceKey": "d1",
        "jobId": job, "status": "SUCCEED", "autoRetryCount": 0, "manualRetryCount": 0,
        "commandInfo": {"commandType": "SERVICE_INVOKE", "setMeasurepointInfo": null,
            "serviceInvokeInfo": {"serviceId": "multiply", "inputData": {"left": 6, "right": 7}}},
        "taskResult": {"code": 0, "desc": "OK", "outputData": {"product": 42}},
        "createTimestamp": task.create_timestamp, "updateTimestamp": task.update_timestamp,
    });
    assert_eq!(*shown.data(), expected);

    let told = world
        .api
        .command(&format!("getTaskAttempts&taskId={}", task.task_id), &json!({}))
        .await;
    let attempts = told.data().as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        fields(&attempts[0]),
        [
            "ackTimestamp",
            "attempt",
            "cause",
            "code",
            "desc",
            "endTimestamp",
            "handedOverTimestamp",
            "late",
            "outcome",
            "outputData",
            "replyTimestamp",
            "sentTimestamp",
        ]
    );
    let attempts = world.client.task_attempts(&task.task_id).await.unwrap().data;
    let attempt = &attempts[0];
    assert_eq!(
        (attempt.attempt, attempt.outcome.as_deref()),
        (Some(1), Some("SUCCEED"))
    );
    assert_eq!((attempt.cause.as_deref(), attempt.late), (Some("REPLY"), Some(false)));
    let moments = [
        attempt.sent_timestamp,
        attempt.handed_over_timestamp,
        attempt.reply_timestamp,
        attempt.end_timestamp,
    ];
    let moments: Vec<i64> = moments.into_iter().map(Option::unwrap).collect();
    assert!(moments.is_sorted(), "{attempt:?}");
}

#[tokio::test]
async fn tasks_are_cancelled_and_retried_with_an_entry_each() {
    let world = World::new().await;
    let devices = world.devices(&["d1", "d2"]).await;
    let job = world.create(&Plan::devices(&devices).ttl(600)).await;
    let tasks = world.tasks(&job).await;
    let ids = json!({"taskIds": [tasks[0].task_id, "1000000000000000000", tasks[0].task_id]});
    let cancelled = world.api.command(&format!("cancelTask&jobId={job}"), &ids).await;
    let entries = cancelled.data().as_array().unwrap();
    assert_eq!(
        fields(&cancelled.body),
        ["code", "data", "msg", "requestId", "successSize", "totalSize"]
    );
    assert_eq!(
        (&cancelled.body["successSize"], &cancelled.body["totalSize"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(entries[0], json!({"code": 0, "msg": "OK", "data": tasks[0].task_id}));
    assert_eq!(
        (&entries[1]["code"], &entries[1]["data"]),
        (&json!(99404), &json!("1000000000000000000"))
    );

    let retried = world.api.command(&format!("retryTask&jobId={job}"), &ids).await;
    assert_eq!(retried.data()[0]["code"], 24621);
    assert!(
        retried.data()[0]["msg"].as_str().unwrap().contains('1'),
        "{}",
        retried.body
    );
    let again = world
        .api
        .command(
            &format!("cancelTask&jobId={job}"),
            &json!({"taskIds": tasks[0].task_id}),
        )
        .await;
    assert_eq!(again.data()[0]["code"], 24620);

    let count = world.recounted(&job).await;
    assert_eq!((count.total, count.init, count.canceled), (2, 1, 1));
    let cancelled = world.client.get_task(&tasks[0].task_id).await.unwrap().data;
    let result = cancelled.task_result.unwrap();
    assert_eq!((cancelled.status, result.code), (TaskStatus::Cancelled, Some(499)));
    assert!(result.desc.unwrap().contains("withdrawn before sending"));
    world
        .api
        .command(&format!("deleteJob&jobId={job}"), &json!({}))
        .await
        .fails(200, 24618, "");
}

#[tokio::test]
async fn reads_take_get_and_post_and_slashes_in_a_row_count_as_one() {
    let world = World::new().await;
    let device = world.device("d1").await;
    let job = world.create(&Plan::device(&device).at(now_ms() + 3_600_000)).await;
    let query = format!("getJob&jobId={job}");
    let posted = world.api.command(&query, &json!({})).await.data().clone();
    for path in [
        "/connect-service/v2.5/commands",
        "/connect-service//v2.5/commands",
        "//connect-service/v2.5///commands",
    ] {
        assert_eq!(*world.api.get(path, &query).await.data(), posted, "{path}");
    }
    let path = "/connect-service/v2.5/commands";
    let change = world
        .api
        .send("PUT", path, &format!("deleteJob&jobId={job}"), &[], b"")
        .await;
    change.fails(405, 405, "");
    assert!(
        change.head.to_ascii_lowercase().contains("allow: get, post"),
        "{}",
        change.head
    );
    world.api.get(path, &format!("deleteJob&jobId={job}")).await.data();
    world
        .api
        .get("/connect-service/v2.5/nothing", "getJob")
        .await
        .fails(404, 404, "");
}
