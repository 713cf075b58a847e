//! Cancelling and retrying over the API.

use serde_json::{Value, json};

use super::fleet::{Fleet, brief, brief_for, with};

async fn ids(fleet: &Fleet, job: &str) -> Vec<Value> {
    let tasks = fleet.tasks(job).await;
    tasks.into_iter().map(|task| task["taskId"].clone()).collect()
}

fn waiting(keys: &[&str]) -> Value {
    with(brief_for(keys), "/timeoutPolicy", json!({"ttlTimeoutInSeconds": 600}))
}

/// The code of each entry; success and total have to fit.
fn codes(answer: &super::world::Answered) -> Vec<i64> {
    let entries = answer.data().as_array().unwrap();
    let codes: Vec<i64> = entries.iter().map(|entry| entry["code"].as_i64().unwrap()).collect();
    let success = codes.iter().filter(|code| **code == 0).count();
    assert_eq!(answer.body["successSize"], success);
    assert_eq!(answer.body["totalSize"], codes.len());
    codes
}

#[tokio::test]
async fn tasks_named_where_they_are_not_looked_for_do_not_stand_for_the_whole_job() {
    let fleet = Fleet::new().await;
    let job = fleet.create(waiting(&["deviceKey", "d2"])).await;
    let task = ids(&fleet, &job).await.remove(0);
    let task = task.as_str().unwrap();
    for query in [format!("&taskIds={task}"), "&taskIds=".to_owned()] {
        for action in ["cancelTask", "retryTask"] {
            let refused = fleet.call(&format!("{action}&jobId={job}{query}"), json!({})).await;
            refused.fails(200, 99400, "query: expected only the parameters action, orgId, jobId");
        }
    }
    assert_eq!(fleet.states(&job).await, ["QUEUED", "QUEUED"]);
}

#[tokio::test]
async fn named_tasks_are_cancelled_each_by_itself() {
    let fleet = Fleet::new().await;
    for key in ["deviceKey", "d2"] {
        fleet.connect(key);
    }
    let retries = with(
        waiting(&["deviceKey", "d2", "d3"]),
        "/retryPolicy",
        json!({"enableRetry": true}),
    );
    let job = fleet.create(retries).await;
    let other = fleet.create(waiting(&["d3"])).await;
    let sent = fleet.sent();
    fleet.ack(&sent[0]);
    let tasks = ids(&fleet, &job).await;
    let foreign = ids(&fleet, &other).await.remove(0);
    let named = json!({"taskIds": [tasks[0], tasks[1], tasks[2], tasks[1], foreign, "x"]});
    let answer = fleet.call(&format!("cancelTask&jobId={job}"), named).await;
    assert_eq!(codes(&answer), [24620, 0, 0, 99404, 99404], "each task once");
    let entries = answer.data();
    assert!(
        entries[0]["msg"]
            .as_str()
            .unwrap()
            .contains("retries are now switched off"),
        "{entries}"
    );
    assert_eq!(entries[1], json!({"code": 0, "msg": "OK", "data": tasks[1]}));
    assert_eq!(entries[3]["data"], foreign);
    assert_eq!(fleet.states(&job).await, ["IN_PROGRESS", "CANCELLED", "CANCELLED"]);
    let again = fleet
        .call(&format!("cancelTask&jobId={job}"), json!({"taskIds": tasks[1]}))
        .await;
    assert_eq!(codes(&again), [24620]);
    assert!(again.data()[0]["msg"].as_str().unwrap().contains("has ended"));
    fleet.reply(&sent[0], 500, None);
    assert_eq!(fleet.states(&job).await[0], "FAILED", "no automatic retry any more");
    assert_eq!(
        fleet.tasks(&job).await[2]["taskResult"]["desc"],
        "withdrawn before sending"
    );
}

#[tokio::test]
async fn cancelling_the_wait_for_a_retry_keeps_what_the_device_said() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let body = with(
        waiting(&["deviceKey", "d2"]),
        "/retryPolicy",
        json!({"enableRetry": true}),
    );
    let job = fleet.create(body).await;
    fleet.reply(&fleet.sent_one(), 500, Some(r#"{"why":"stuck"}"#));
    let answer = fleet.call(&format!("cancelTask&jobId={job}"), json!({})).await;
    let message = answer.body["msg"].as_str().unwrap();
    assert!(
        message.starts_with("OK; 1 of the cancelled tasks waited for a retry after an attempt that had failed"),
        "{message}"
    );
    fleet.turn();
    assert_eq!(fleet.states(&job).await, ["CANCELLED", "CANCELLED"]);
    let result = fleet.tasks(&job).await[0]["taskResult"].clone();
    let desc = result["desc"].as_str().unwrap();
    assert!(
        desc.starts_with("withdrawn before sending; retry 1 not sent; attempt 1: 500"),
        "{desc}"
    );
    assert_eq!(
        (&result["code"], &result["outputData"]),
        (&json!(499), &json!({"why": "stuck"}))
    );
    let counted = fleet.call(&format!("queryStatistics&jobId={job}"), json!({})).await;
    assert_eq!(counted.data()["canceled"], 2);
    assert!(
        counted.body["msg"].as_str().unwrap().contains("count as canceled"),
        "{}",
        counted.body
    );
}

#[tokio::test]
async fn a_whole_job_is_cancelled_by_leaving_the_ids_out() {
    let fleet = Fleet::new().await;
    for body in [json!({}), json!({"taskIds": null})] {
        let job = fleet.create(waiting(&["deviceKey", "d2", "d3"])).await;
        let answer = fleet.call(&format!("cancelTask&jobId={job}"), body).await;
        fleet.turn();
        assert_eq!(codes(&answer), [0, 0, 0]);
        assert_eq!(fleet.states(&job).await, ["CANCELLED", "CANCELLED", "CANCELLED"]);
        assert_eq!(fleet.statistics(&job).await["canceled"], 3);
        let again = fleet.call(&format!("cancelTask&jobId={job}"), json!({})).await;
        assert_eq!(codes(&again), Vec::<i64>::new());
    }
}

#[tokio::test]
async fn an_answer_about_a_large_job_lists_the_first_tasks_and_counts_all() {
    let fleet = Fleet::new().await;
    let devices: Vec<Value> = (0..250)
        .map(|index| {
            json!({"productKey": "productKey", "deviceKey": format!("n{index}"), "timezone": "+08:00",
            "deviceName": {"defaultValue": "n"}})
        })
        .collect();
    let target = "/connect-service/v2.1/devices?action=batchCreate&orgId=o1";
    fleet.world.post(target, json!({"deviceList": devices})).await.data();
    let scope = json!({"targetType": "PRODUCT_KEY", "productKey": "productKey"});
    let job = fleet.create(with(waiting(&["d2"]), "/targetScope", scope)).await;
    let cancelled = fleet.call(&format!("cancelTask&jobId={job}"), json!({})).await;
    fleet.turn();
    assert_eq!(cancelled.data().as_array().unwrap().len(), 200);
    assert_eq!(
        (&cancelled.body["successSize"], &cancelled.body["totalSize"]),
        (&json!(253), &json!(253))
    );
    let job = fleet
        .create(with(
            brief(),
            "/targetScope",
            json!({"targetType": "PRODUCT_KEY", "productKey": "productKey"}),
        ))
        .await;
    assert_eq!(fleet.statistics(&job).await["failed"], 253);
    let retried = fleet.call(&format!("retryTask&jobId={job}"), json!({})).await;
    assert_eq!(retried.data().as_array().unwrap().len(), 200);
    assert_eq!(
        (&retried.body["successSize"], &retried.body["totalSize"]),
        (&json!(253), &json!(253))
    );
}

#[tokio::test]
async fn failed_and_timed_out_tasks_are_retried_by_hand() {
    let fleet = Fleet::new().await;
    fleet.connect("deviceKey");
    let job = fleet.create(brief_for(&["deviceKey", "d2"])).await;
    fleet.reply(&fleet.sent_one(), 500, None);
    let tasks = ids(&fleet, &job).await;
    let answer = fleet
        .call(&format!("retryTask&jobId={job}"), json!({"taskIds": tasks}))
        .await;
    assert_eq!(codes(&answer), [0, 0]);
    assert_eq!(
        fleet.states(&job).await,
        ["PUBLISHED", "FAILED"],
        "the second device is still not there"
    );
    let task = &fleet.tasks(&job).await[0];
    assert_eq!(
        (&task["manualRetryCount"], &task["taskResult"]["code"]),
        (&json!(1), &json!(500))
    );
    let refused = fleet
        .call(&format!("retryTask&jobId={job}"), json!({"taskIds": [tasks[0]]}))
        .await;
    assert_eq!(codes(&refused), [24621]);
    assert!(
        refused.data()[0]["msg"]
            .as_str()
            .unwrap()
            .ends_with("the next attempt would be number 3"),
        "{:?}",
        refused.body
    );
    fleet.reply(&fleet.sent_one(), 200, None);
    assert_eq!(fleet.states(&job).await[0], "SUCCEED");
}

#[tokio::test]
async fn a_full_queue_and_a_device_that_is_gone_refuse_a_retry() {
    let fleet = Fleet::new().await;
    let failed = fleet.create(waiting(&["d2", "d3"])).await;
    fleet.advance_ms(600_000);
    assert_eq!(fleet.states(&failed).await, ["TTL_TIMEOUT", "TTL_TIMEOUT"]);
    let tasks = ids(&fleet, &failed).await;
    for _ in 0..50 {
        fleet.create(waiting(&["d2"])).await;
    }
    let target = "/connect-service/v2.1/devices?action=delete&orgId=o1&assetId=asset-productKey-d3";
    fleet.world.post(target, json!({})).await.data();
    let answer = fleet
        .call(&format!("retryTask&jobId={failed}"), json!({"taskIds": tasks}))
        .await;
    assert_eq!(codes(&answer), [11902, 99404]);
    let overflow = fleet.create(waiting(&["d2"])).await;
    assert_eq!(fleet.tasks(&overflow).await[0]["taskResult"]["code"], 11902);
}

#[tokio::test]
async fn a_repeated_retry_does_nothing_and_is_answered_alike() {
    let fleet = Fleet::new().await;
    let job = fleet.create(brief()).await;
    let tasks = ids(&fleet, &job).await;
    let query = format!("retryTask&jobId={job}");
    let first = fleet.call_once(&query, "k", json!({"taskIds": tasks})).await;
    let again = fleet.call_once(&query, "k", json!({"taskIds": tasks})).await;
    assert_eq!((codes(&first), first.data()), (vec![0], again.data()));
    assert_eq!(fleet.tasks(&job).await[0]["manualRetryCount"], 1);
    fleet
        .call_once(&query, "k", json!({}))
        .await
        .fails(200, 99400, "Idempotency-Key");
}

#[tokio::test]
async fn lists_of_ids_have_one_to_two_hundred_texts() {
    let fleet = Fleet::new().await;
    let job = fleet.create(brief()).await;
    let cases = [
        (
            json!([]),
            "taskIds: expected 1 to 200 ids (omit the field to address all tasks), found 0",
        ),
        (json!(vec!["x"; 201]), "all tasks), found 201"),
        (json!([1]), "taskIds[0]: expected id of a task, found 1"),
        (json!({}), "taskIds[0]: expected id of a task, found {}"),
    ];
    for action in ["cancelTask", "retryTask"] {
        for (named, message) in &cases {
            let answer = fleet
                .call(&format!("{action}&jobId={job}"), json!({"taskIds": named}))
                .await;
            answer.fails(200, 99400, message);
        }
        let most: Vec<String> = (0..200).map(|index| format!("x{index}")).collect();
        let answer = fleet
            .call(&format!("{action}&jobId={job}"), json!({"taskIds": most}))
            .await;
        assert_eq!(codes(&answer), vec![99404; 200]);
        fleet
            .call(&format!("{action}&jobId=8000000000000009999"), json!({}))
            .await
            .fails(200, 24404, "8000000000000009999");
        fleet.call(action, json!({})).await.fails(200, 99400, "jobId");
    }
}
