//! Command jobs over the API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::fleet::{Fleet, PATH, brief, brief_for, sample, with, without};
use super::world::{OPERATOR, READER, STRANGER};
use aldis_app::Settings;

async fn job(fleet: &Fleet, id: &str) -> Value {
    fleet
        .call(&format!("getJob&jobId={id}"), json!({}))
        .await
        .data()
        .clone()
}

/// What a job says but for its id.
async fn essence(fleet: &Fleet, body: Value) -> Value {
    let id = fleet.create(body).await;
    without(job(fleet, &id).await, "/jobId")
}

#[tokio::test]
async fn the_documented_request_is_accepted_and_given_back_in_the_documented_shape() {
    let fleet = Fleet::new().await;
    let id = fleet
        .create(with(
            sample(),
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!(1_699_952_446_317_i64),
        ))
        .await;
    assert!(id.len() == 19 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    let expected = json!({
        "orgId": "o1", "jobId": id,
        "name": {"defaultValue": "commandJobName", "i18nValue": {"en_US": "name", "zh_CN": "中文名"}},
        "targetScope": {"targetType": "DEVICE_LIST",
            "targetDevices": [{"assetId": null, "productKey": "productKey", "deviceKey": "deviceKey"}]},
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": 1_699_952_446_317_i64}},
        "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
        "retryPolicy": {"enableRetry": true, "retryIntervalInSeconds": 300, "retryCount": 3},
        "status": "IN_PROGRESS", "desc": "commandJobDescription",
        "commandInfo": {"commandType": "SERVICE_INVOKE",
            "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"input": 22}}, "setMeasurepointInfo": null},
        "createTimestamp": fleet.world.now(),
    });
    assert_eq!(job(&fleet, &id).await, expected);
    let found = fleet
        .call("searchJob", json!({"expression": format!("jobId in ('{id}')")}))
        .await;
    assert_eq!(found.data(), &json!([expected]));
    let pagination = json!({"pageNo": 1, "pageSize": 10, "totalSize": 1, "sortedBy": null});
    assert_eq!(found.body["pagination"], pagination);
    let read = fleet
        .world
        .get(&format!(
            "/connect-service//v2.5/commands?action=getJob&orgId=o1&jobId={id}"
        ))
        .await;
    assert_eq!(read.data(), &expected);
}

#[tokio::test]
async fn what_is_left_out_is_filled_in() {
    let fleet = Fleet::new().await;
    fleet.model("m2", json!({"speed": {"dataType": "ENUM", "dataDefinition":
        {"enumType": "INT", "enumDesc": {"1": {"defaultValue": "slow"}, "2": {"defaultValue": "fast"}}, "defaultValue": "2"}},
        "gear": {"dataType": "INT"}}), json!({})).await;
    fleet.product("p2", "m2", "Json").await;
    let asset = fleet.device("p2", "d1").await;
    let body = with(brief(), "/targetScope/targetDevices", json!({"assetId": asset}));
    let essence = essence(&fleet, body).await;
    let expected = json!({
        "orgId": "o1", "name": {"defaultValue": "n", "i18nValue": {}}, "desc": "", "status": "FINISHED",
        "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [{"assetId": asset, "productKey": null, "deviceKey": null}]},
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": null}},
        "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 0},
        "retryPolicy": {"enableRetry": false, "retryIntervalInSeconds": 300, "retryCount": 3},
        "commandInfo": {"commandType": "SERVICE_INVOKE",
            "serviceInvokeInfo": {"serviceId": "serviceId", "inputData": {"speed": 2}}, "setMeasurepointInfo": null},
        "createTimestamp": fleet.world.now(),
    });
    assert_eq!(essence, expected);
}

#[tokio::test]
async fn every_spelling_of_a_request_means_the_same() {
    let fleet = Fleet::new().await;
    let expected = essence(&fleet, sample()).await;
    let input = "/commandInfo/serviceInvokeInfo/inputData";
    let variants = [
        with(sample(), "/targetScope/targetType", json!("device_list")),
        with(
            sample(),
            "/targetScope/targetDevices",
            sample()["targetScope"]["targetDevices"][0].clone(),
        ),
        with(sample(), "/targetScope/targetDevices/0/assetId", Value::Null),
        with(sample(), "/schedulePolicy/scheduleType", json!("disposable")),
        with(sample(), "/commandInfo/commandType", json!("service_invoke")),
        without(sample(), "/commandInfo/commandType"),
        with(sample(), "/commandInfo/setMeasurepointInfo", Value::Null),
        with(sample(), input, json!("{\"input\": 22}")),
        with(
            sample(),
            "/timeoutPolicy",
            json!({"inProgressTimeoutInSeconds": "30", "ttlTimeoutInSeconds": 20.0}),
        ),
        without(sample(), "/timeoutPolicy/inProgressTimeoutInSeconds"),
        with(
            sample(),
            "/retryPolicy",
            json!({"enableRetry": true, "retryCount": null}),
        ),
        with(sample(), "/unknown", json!({"deeper": 1})),
        with(
            sample(),
            "/commandInfo/setMeasurepointInfo",
            json!({"measurepointId": "temperature", "value": 1}),
        ),
    ];
    for body in variants {
        assert_eq!(essence(&fleet, body.clone()).await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_measurement_point_is_set_under_both_names_of_the_field() {
    let fleet = Fleet::new().await;
    let info = json!({"measurepointId": "temperature", "value": 30.5});
    let expected = json!({"commandType": "MEASUREPOINT_SET", "serviceInvokeInfo": null, "setMeasurepointInfo": info});
    let infos = [
        json!({"commandType": "MEASUREPOINT_SET", "setMeasurepointInfo": info}),
        json!({"commandType": "MEASUREPOINT_SET", "measurepointSetInfo": info}),
        json!({"measurepointSetInfo": info}),
    ];
    for command in infos {
        let essence = essence(&fleet, with(brief(), "/commandInfo", command)).await;
        assert_eq!(essence["commandInfo"], expected);
    }
}

#[tokio::test]
async fn a_device_named_twice_has_one_task() {
    let fleet = Fleet::new().await;
    let targets = json!([{"productKey": "productKey", "deviceKey": "d2"}, {"assetId": "asset-productKey-d2"},
        {"productKey": "productKey", "deviceKey": "deviceKey"},
        {"assetId": "asset-productKey-d2", "productKey": "productKey", "deviceKey": "d2"}]);
    let id = fleet
        .create(with(brief(), "/targetScope/targetDevices", targets.clone()))
        .await;
    let keys: Vec<Value> = fleet
        .tasks(&id)
        .await
        .into_iter()
        .map(|task| task["deviceKey"].clone())
        .collect();
    assert_eq!(keys, ["d2", "deviceKey"]);
    let given = job(&fleet, &id).await["targetScope"]["targetDevices"].clone();
    assert_eq!(given.as_array().unwrap().len(), 4);
    assert_eq!(
        given[1],
        json!({"assetId": "asset-productKey-d2", "productKey": null, "deviceKey": null})
    );
}

#[tokio::test]
async fn whole_products_are_named_in_four_ways() {
    let fleet = Fleet::new().await;
    fleet.product("p2", "model", "Json").await;
    let entry = |key: &str| json!({"assetId": null, "productKey": key, "deviceKey": null});
    let cases = [
        (
            json!({"targetDevices": [entry("productKey")]}),
            3,
            json!([entry("productKey")]),
        ),
        (json!({"productKey": "productKey"}), 3, json!([entry("productKey")])),
        (
            json!({"productKeys": ["p2", "productKey", "p2"]}),
            3,
            json!([entry("p2"), entry("productKey")]),
        ),
        (json!({"productKeys": "p2"}), 0, json!([entry("p2")])),
        (
            json!({"targetDevices": [entry("p2")], "productKey": "productKey"}),
            3,
            json!([entry("p2"), entry("productKey")]),
        ),
    ];
    for (scope, members, given) in cases {
        let scope = with(scope, "/targetType", json!("product_key"));
        let id = fleet.create(with(brief(), "/targetScope", scope.clone())).await;
        let job = job(&fleet, &id).await;
        assert_eq!(
            job["targetScope"],
            json!({"targetType": "PRODUCT_KEY", "targetDevices": given})
        );
        assert_eq!(fleet.statistics(&id).await["total"], members, "{scope}");
        assert_eq!(
            job["status"], "FINISHED",
            "no device is connected, and nothing may wait"
        );
    }
}

#[tokio::test]
async fn statistics_add_up_before_and_after_the_trigger() {
    let fleet = Fleet::new().await;
    let counts = |changes: Value| {
        let mut counts = json!({"total": 0, "init": 0, "published": 0, "inProgress": 0, "succeed": 0, "failed": 0,
            "canceled": 0, "ttlTimeout": 0, "rspTimeout": 0});
        counts
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        counts
    };
    let later =
        json!({"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": fleet.world.now() + 60_000}});
    let listed = with(brief_for(&["deviceKey", "d2", "d3"]), "/schedulePolicy", later);
    let product = with(
        listed.clone(),
        "/targetScope",
        json!({"targetType": "PRODUCT_KEY", "productKey": "productKey"}),
    );
    let (listed, product) = (fleet.create(listed).await, fleet.create(product).await);
    assert_eq!(fleet.statistics(&listed).await, counts(json!({"total": 3, "init": 3})));
    assert_eq!(fleet.states(&listed).await, ["INIT", "INIT", "INIT"]);
    assert_eq!(fleet.statistics(&product).await, counts(json!({})));
    assert_eq!(job(&fleet, &product).await["status"], "INIT");
    fleet.connect("d2");
    fleet.advance_ms(60_000);
    let sent = fleet.sent();
    assert_eq!(sent.len(), 1, "one at a time per device");
    for id in [&listed, &product] {
        let now = fleet.statistics(id).await;
        assert_eq!((&now["total"], &now["failed"]), (&json!(3), &json!(2)), "{now}");
        assert_eq!(job(&fleet, id).await["status"], "IN_PROGRESS");
    }
    assert_eq!(
        fleet.statistics(&listed).await,
        counts(json!({"total": 3, "published": 1, "failed": 2}))
    );
    assert_eq!(
        fleet.statistics(&product).await,
        counts(json!({"total": 3, "init": 1, "failed": 2})),
        "its turn comes"
    );
    let both = fleet
        .world
        .get(&format!("{PATH}?action=queryJobStatistics&orgId=o1&jobId={listed}"))
        .await;
    assert_eq!(both.data(), &fleet.statistics(&listed).await);
}

#[tokio::test]
async fn a_job_is_deleted_before_its_trigger_or_after_its_end_only() {
    let fleet = Fleet::new().await;
    let later = json!({"triggerTs": fleet.world.now() + 60_000});
    let waiting = fleet
        .create(with(brief(), "/schedulePolicy/disposableSchedulePolicy", later))
        .await;
    let ended = fleet.create(brief()).await;
    let running = fleet
        .create(with(brief(), "/timeoutPolicy", json!({"ttlTimeoutInSeconds": 60})))
        .await;
    fleet
        .call(&format!("deleteJob&jobId={running}"), json!({}))
        .await
        .fails(200, 24618, &running);
    for id in [&waiting, &ended] {
        let task = fleet.tasks(id).await[0]["taskId"].as_str().unwrap().to_owned();
        let deleted = fleet.call(&format!("deleteJob&jobId={id}"), json!({})).await;
        assert_eq!(deleted.data(), &Value::Null);
        fleet.turn();
        for action in ["getJob", "deleteJob", "queryStatistics", "cancelTask", "retryTask"] {
            fleet
                .call(&format!("{action}&jobId={id}"), json!({}))
                .await
                .fails(200, 24404, id);
        }
        fleet
            .call(&format!("getTask&taskId={task}"), json!({}))
            .await
            .fails(200, 99404, &task);
        assert_eq!(fleet.tasks(id).await, Vec::<Value>::new());
    }
    let left = fleet.call("searchJob", json!({})).await;
    assert_eq!(left.body["pagination"]["totalSize"], 1);
}

#[tokio::test]
async fn jobs_are_searched_by_id_name_status_and_time_in_pages() {
    let fleet = Fleet::new().await;
    let mut ids = Vec::new();
    for name in ["night reboot", "Night wash", "day"] {
        ids.push(fleet.create(with(brief(), "/name/defaultValue", json!(name))).await);
        fleet.advance_ms(1000);
    }
    let find = async |expression: &str, page: Value| {
        let answer = fleet
            .call("searchJob", json!({"expression": expression, "pagination": page}))
            .await;
        let rows = answer.data().as_array().unwrap();
        let ids: Vec<String> = rows
            .iter()
            .map(|job| job["jobId"].as_str().unwrap().to_owned())
            .collect();
        (ids, answer.body["pagination"]["totalSize"].as_u64().unwrap())
    };
    let [first, second, third] = ids.try_into().unwrap();
    let cases = [
        (String::new(), json!(null), vec![&third, &second, &first], 3),
        ("name like 'NIGHT'".to_owned(), json!(null), vec![&second, &first], 2),
        (
            format!("jobId = '{first}' or jobId in ('{third}')"),
            json!(null),
            vec![&third, &first],
            2,
        ),
        (
            "status eq 'FINISHED' and not name like 'day'".to_owned(),
            json!({"pageNo": 2, "pageSize": 1}),
            vec![&first],
            2,
        ),
        (
            format!("createTime > {}", fleet.world.now() - 1500),
            json!(null),
            vec![&third],
            1,
        ),
        ("status = 'INIT'".to_owned(), json!(null), vec![], 0),
        (String::new(), json!({"pageNo": 1, "pageSize": 0}), vec![], 3),
    ];
    for (expression, page, expected, total) in cases {
        let (found, matches) = find(&expression, page).await;
        assert_eq!(
            (found.iter().collect::<Vec<_>>(), matches),
            (expected, total),
            "{expression}"
        );
    }
    let wrong = fleet.call("searchJob", json!({"expression": "jobId like '1'"})).await;
    wrong.fails(200, 99400, "expression, character");
}

#[tokio::test]
async fn a_repeated_request_brings_the_same_job_and_another_one_is_refused() {
    let fleet = Fleet::new().await;
    let first = fleet.call_once("createJob", "k", brief()).await.data().clone();
    let target = "/connect-service/v2.1/devices?action=delete&orgId=o1&assetId=asset-productKey-deviceKey";
    fleet.world.post(target, json!({})).await.data();
    assert_eq!(
        fleet.call_once("createJob", "k", brief()).await.data(),
        &first,
        "even if its target is gone"
    );
    let other = fleet.call_once("createJob", "k", brief_for(&["d2"])).await;
    other.fails(
        200,
        99400,
        "Idempotency-Key: expected a new key, found one that a different request",
    );
    assert_ne!(
        fleet.call_once("createJob", "k2", brief_for(&["d2"])).await.data(),
        &first
    );
    fleet
        .call_once("createJob", &"k".repeat(129), brief_for(&["d2"]))
        .await
        .fails(200, 99400, "Idempotency-Key");
    assert_eq!(
        fleet.call("searchJob", json!({})).await.body["pagination"]["totalSize"],
        2
    );
}

#[tokio::test]
async fn an_idempotency_key_is_good_for_a_day() {
    let fleet = Fleet::new().await;
    let first = fleet.call_once("createJob", "k", brief()).await.data().clone();
    let day = 24 * 3_600_000;
    fleet.advance_ms(day);
    assert_eq!(fleet.call_once("createJob", "k", brief()).await.data(), &first);
    fleet.advance_ms(1);
    let second = fleet.call_once("createJob", "k", brief()).await.data().clone();
    assert_ne!(second, first);
    let query = format!("retryTask&jobId={}", second.as_str().unwrap());
    fleet.advance_ms(day + 1);
    assert_eq!(fleet.call_once(&query, "k", json!({})).await.body["successSize"], 1);
}

#[tokio::test]
async fn an_operator_can_limit_the_tasks_of_a_job() {
    let settings = Settings {
        no_auth: true,
        tasks_per_job_max: Some(2),
        ..Settings::default()
    };
    let fleet = Fleet::with(settings).await;
    let three = brief_for(&["deviceKey", "d2", "d3"]);
    fleet
        .call("createJob", three)
        .await
        .fails(200, 11739, "targetScope: at most 2 tasks");
    let product = with(
        brief(),
        "/targetScope",
        json!({"targetType": "PRODUCT_KEY", "productKey": "productKey"}),
    );
    fleet
        .call("createJob", product.clone())
        .await
        .fails(200, 11739, "found 3");
    let target = "/connect-service/v2.1/devices?action=disable&orgId=o1&assetId=asset-productKey-d3";
    fleet.world.post(target, json!({})).await.data();
    fleet.create(product).await;
    fleet.create(brief_for(&["deviceKey", "d2", "d2"])).await;
}

#[tokio::test]
async fn readers_look_operators_act_and_other_organizations_see_nothing() {
    let fleet = Fleet::new().await;
    let world = &fleet.world;
    world
        .signed(READER, PATH, "action=createJob", brief())
        .await
        .fails(200, 99403, "createJob");
    let created = world.signed(OPERATOR, PATH, "action=createJob", brief()).await;
    let id = created.data().as_str().unwrap().to_owned();
    fleet.turn();
    let task = fleet.tasks(&id).await[0]["taskId"].as_str().unwrap().to_owned();
    for (action, subject) in [
        ("getJob", "jobId"),
        ("queryStatistics", "jobId"),
        ("getTask", "taskId"),
        ("getTaskAttempts", "taskId"),
    ] {
        let named = if subject == "jobId" { &id } else { &task };
        let query = format!("action={action}&{subject}={named}");
        world.signed(READER, PATH, &query, json!({})).await.data();
        let code = if subject == "jobId" { 24404 } else { 99404 };
        world
            .signed(STRANGER, PATH, &query, json!({}))
            .await
            .fails(200, code, named);
    }
    for action in ["cancelTask", "retryTask", "deleteJob"] {
        let query = format!("action={action}&jobId={id}");
        world
            .signed(READER, PATH, &query, json!({}))
            .await
            .fails(200, 99403, action);
        world
            .signed(STRANGER, PATH, &query, json!({}))
            .await
            .fails(200, 24404, &id);
    }
    for action in ["searchJob", "searchTask"] {
        let query = format!("action={action}");
        assert_eq!(
            world.signed(READER, PATH, &query, json!({})).await.body["pagination"]["totalSize"],
            1
        );
        assert_eq!(
            world.signed(STRANGER, PATH, &query, json!({})).await.body["pagination"]["totalSize"],
            0
        );
    }
    let stranger = world.signed(STRANGER, PATH, "action=createJob", brief()).await;
    stranger.fails(200, 99404, "targetScope.targetDevices");
    let noted = world.actions("o1", &id);
    assert_eq!((noted.len(), noted[0].verb.as_str()), (1, "job.create"));
    assert_eq!(noted[0].by.app_key.as_ref().unwrap().as_str(), OPERATOR.app_key);
}

#[tokio::test]
async fn changes_need_post() {
    let fleet = Fleet::new().await;
    for action in ["createJob", "deleteJob", "cancelTask", "retryTask"] {
        let answer = fleet
            .world
            .get(&format!("{PATH}?orgId=o1&action={action}&jobId=1"))
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{action}");
    }
    fleet.call("getJob", json!({})).await.fails(200, 99400, "jobId");
}
