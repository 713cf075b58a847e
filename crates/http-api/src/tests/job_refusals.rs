//! Jobs that are refused: each with the field, what was expected there, and nothing left behind.

use serde_json::{Value, json};

use super::fleet::{Fleet, PATH, brief, sample, with};

async fn refused(fleet: &Fleet, body: Value, code: i32, message: &str) {
    let answer = fleet.call("createJob", body.clone()).await;
    assert_eq!(answer.body["code"], code, "{body}: {}", answer.body);
    answer.fails(200, code, message);
}

async fn nothing_is_left(fleet: &Fleet) {
    fleet.turn();
    for action in ["searchJob", "searchTask"] {
        assert_eq!(
            fleet.call(action, json!({})).await.body["pagination"]["totalSize"],
            0,
            "{action}"
        );
    }
}

#[tokio::test]
async fn every_field_is_checked() {
    let fleet = Fleet::new().await;
    let year = 365 * 24 * 3_600_000_i64;
    let ahead = format!(
        "triggerTs: expected moment at most a year ahead ({})",
        fleet.world.now() + year
    );
    let cases = [
        ("/name", Value::Null, "name: expected a value, found nothing"),
        ("/name", json!("n"), "name: expected object, found \"n\""),
        ("/name/defaultValue", Value::Null, "name.defaultValue: expected a value"),
        ("/name/defaultValue", json!(""), "name.defaultValue: expected text"),
        (
            "/name/defaultValue",
            json!(" \u{3000}"),
            "name.defaultValue: expected text that is not blank",
        ),
        (
            "/name/i18nValue",
            json!({"english": "x"}),
            "name.i18nValue.english: expected locale",
        ),
        ("/desc", Value::Null, "desc: expected a value, found nothing"),
        ("/desc", json!(5), "desc: expected text, found 5"),
        (
            "/desc",
            json!("é".repeat(101)),
            "desc: expected text of at most 100 characters",
        ),
        ("/targetScope", Value::Null, "targetScope: expected a value"),
        (
            "/targetScope/targetType",
            Value::Null,
            "targetScope.targetType: expected a value",
        ),
        (
            "/targetScope/targetType",
            json!("ALL"),
            "targetScope.targetType: expected DEVICE_LIST or PRODUCT_KEY, found \"ALL\"",
        ),
        (
            "/targetScope/targetDevices",
            Value::Null,
            "targetScope.targetDevices: expected 1 to 1000 devices, found 0",
        ),
        (
            "/targetScope/targetDevices",
            json!([]),
            "targetScope.targetDevices: expected 1 to 1000 devices, found 0",
        ),
        (
            "/targetScope/targetDevices",
            json!("d"),
            "targetScope.targetDevices: expected object, found \"d\"",
        ),
        (
            "/targetScope/targetDevices/0",
            json!("d"),
            "targetScope.targetDevices[0]: expected object",
        ),
        (
            "/targetScope/targetDevices/0",
            json!({}),
            "targetScope.targetDevices[0].assetId: expected either assetId or both",
        ),
        (
            "/targetScope/targetDevices/0/deviceKey",
            Value::Null,
            "targetScope.targetDevices[0].deviceKey: expected either assetId or both",
        ),
        (
            "/targetScope/targetDevices/0/deviceKey",
            json!(1),
            "targetScope.targetDevices[0].deviceKey: expected text, found 1",
        ),
        ("/schedulePolicy", Value::Null, "schedulePolicy: expected a value"),
        (
            "/schedulePolicy/scheduleType",
            json!("CRON"),
            "schedulePolicy.scheduleType: expected DISPOSABLE, found \"CRON\"",
        ),
        (
            "/schedulePolicy/scheduleType",
            Value::Null,
            "schedulePolicy.scheduleType: expected a value",
        ),
        (
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!("soon"),
            "schedulePolicy.disposableSchedulePolicy.triggerTs: expected whole number, found \"soon\"",
        ),
        (
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!(fleet.world.now() / 1000 + 86_400),
            "schedulePolicy.disposableSchedulePolicy.triggerTs: expected epoch milliseconds, found",
        ),
        (
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!(fleet.world.now() + year + 1),
            &ahead,
        ),
        ("/timeoutPolicy", json!(3), "timeoutPolicy: expected object"),
        (
            "/timeoutPolicy/inProgressTimeoutInSeconds",
            json!(0),
            "timeoutPolicy.inProgressTimeoutInSeconds: expected whole number from 1 to 900",
        ),
        (
            "/timeoutPolicy/inProgressTimeoutInSeconds",
            json!(901),
            "from 1 to 900, found 901",
        ),
        (
            "/timeoutPolicy/ttlTimeoutInSeconds",
            json!(-1),
            "timeoutPolicy.ttlTimeoutInSeconds: expected whole number from 0 to 172800",
        ),
        (
            "/timeoutPolicy/ttlTimeoutInSeconds",
            json!(172_801),
            "from 0 to 172800, found 172801",
        ),
        (
            "/timeoutPolicy/ttlTimeoutInSeconds",
            json!(1.5),
            "from 0 to 172800, found 1.5",
        ),
        (
            "/retryPolicy/enableRetry",
            json!("yes"),
            "retryPolicy.enableRetry: expected true or false",
        ),
        (
            "/retryPolicy/retryIntervalInSeconds",
            json!(86_401),
            "retryPolicy.retryIntervalInSeconds: expected whole number from 0 to 86400",
        ),
        (
            "/retryPolicy/retryIntervalInSeconds",
            json!(-1),
            "from 0 to 86400, found -1",
        ),
        (
            "/retryPolicy/retryCount",
            json!(0),
            "retryPolicy.retryCount: expected whole number from 1 to 10",
        ),
        ("/retryPolicy/retryCount", json!(11), "from 1 to 10, found 11"),
        ("/commandInfo", Value::Null, "commandInfo: expected a value"),
        (
            "/commandInfo/commandType",
            json!("REBOOT"),
            "commandInfo.commandType: expected SERVICE_INVOKE or MEASUREPOINT_SET",
        ),
        (
            "/commandInfo/commandType",
            json!("MEASUREPOINT_SET"),
            "commandInfo.setMeasurepointInfo: expected object, found nothing",
        ),
        (
            "/commandInfo/serviceInvokeInfo",
            Value::Null,
            "commandInfo.serviceInvokeInfo: expected object, found nothing",
        ),
        (
            "/commandInfo/serviceInvokeInfo/serviceId",
            Value::Null,
            "commandInfo.serviceInvokeInfo.serviceId: expected a value",
        ),
        (
            "/commandInfo/serviceInvokeInfo/serviceId",
            json!("unknown"),
            "commandInfo.serviceInvokeInfo.serviceId: expected service of the model",
        ),
        (
            "/commandInfo/serviceInvokeInfo/inputData",
            json!([1]),
            "commandInfo.serviceInvokeInfo.inputData: expected object of values",
        ),
        (
            "/commandInfo/serviceInvokeInfo/inputData",
            json!("[1]"),
            "commandInfo.serviceInvokeInfo.inputData: expected object of values",
        ),
        (
            "/commandInfo/serviceInvokeInfo/inputData",
            json!("[".repeat(500)),
            "commandInfo.serviceInvokeInfo.inputData: expected object of values",
        ),
        (
            "/commandInfo/serviceInvokeInfo/inputData",
            json!({"input": "x"}),
            "commandInfo.serviceInvokeInfo.inputData.input: expected INT",
        ),
        (
            "/commandInfo/serviceInvokeInfo/inputData",
            json!({"other": 1}),
            "commandInfo.serviceInvokeInfo.inputData.other: expected one of the parameters input",
        ),
        (
            "/commandInfo",
            json!({}),
            "commandInfo.commandType: expected SERVICE_INVOKE or MEASUREPOINT_SET, found nothing",
        ),
        (
            "/commandInfo",
            json!({"setMeasurepointInfo": {"measurepointId": "p", "value": 1}}),
            "commandInfo.setMeasurepointInfo.measurepointId",
        ),
        (
            "/commandInfo",
            json!({"setMeasurepointInfo": {"measurepointId": "temperature"}}),
            "commandInfo.setMeasurepointInfo.value: expected a value",
        ),
        (
            "/commandInfo",
            json!({"setMeasurepointInfo": {"measurepointId": "temperature", "value": "hot"}}),
            "commandInfo.setMeasurepointInfo.value: expected DOUBLE",
        ),
    ];
    for (pointer, value, message) in cases {
        refused(&fleet, with(sample(), pointer, value), 99400, message).await;
    }
    let both =
        json!({"serviceInvokeInfo": {"serviceId": "s"}, "setMeasurepointInfo": {"measurepointId": "p", "value": 1}});
    refused(
        &fleet,
        with(sample(), "/commandInfo", both),
        99400,
        "commandInfo.commandType",
    )
    .await;
    refused(&fleet, json!([]), 99400, "body: expected object").await;
    refused(&fleet, json!({}), 99400, "name: expected a value").await;
    nothing_is_left(&fleet).await;
}

#[tokio::test]
async fn limits_are_reached_but_not_passed() {
    let fleet = Fleet::new().await;
    let year = 365 * 24 * 3_600_000_i64;
    let allowed = [
        ("/desc", json!("é".repeat(100))),
        (
            "/schedulePolicy/disposableSchedulePolicy/triggerTs",
            json!(fleet.world.now() + year),
        ),
        ("/schedulePolicy/disposableSchedulePolicy/triggerTs", json!(-5)),
        (
            "/timeoutPolicy",
            json!({"inProgressTimeoutInSeconds": 1, "ttlTimeoutInSeconds": 0}),
        ),
        (
            "/timeoutPolicy",
            json!({"inProgressTimeoutInSeconds": 900, "ttlTimeoutInSeconds": 172_800}),
        ),
        (
            "/retryPolicy",
            json!({"enableRetry": true, "retryCount": 1, "retryIntervalInSeconds": 0}),
        ),
        (
            "/retryPolicy",
            json!({"enableRetry": true, "retryCount": 10, "retryIntervalInSeconds": 86_400}),
        ),
        (
            "/retryPolicy",
            json!({"enableRetry": false, "retryCount": 0, "retryIntervalInSeconds": 0}),
        ),
    ];
    for (pointer, value) in allowed {
        fleet.create(with(sample(), pointer, value)).await;
    }
    let entry = sample()["targetScope"]["targetDevices"][0].clone();
    fleet
        .create(with(sample(), "/targetScope/targetDevices", json!(vec![&entry; 1000])))
        .await;
    let body = with(sample(), "/targetScope/targetDevices", json!(vec![&entry; 1001]));
    refused(
        &fleet,
        body,
        99400,
        "targetScope.targetDevices: expected 1 to 1000 entries, found 1001",
    )
    .await;
}

#[tokio::test]
async fn unknown_targets_are_all_named_as_far_as_a_message_goes() {
    let fleet = Fleet::new().await;
    let foreign = json!({"productKey": "productKey", "deviceKey": "f", "timezone": "+08:00", "deviceName": {"defaultValue": "f"}});
    let target = "/connect-service/v2.1/devices?action=create&orgId=o1";
    fleet.world.post(target, foreign).await.data();
    let target = "/connect-service/v2.1/devices?action=delete&orgId=o1&productKey=productKey&deviceKey=f";
    fleet.world.post(target, json!({})).await.data();
    let targets = json!([{"assetId": "nobody"}, {"productKey": "productKey", "deviceKey": "d2"},
        {"productKey": "productKey", "deviceKey": "f"}, {"assetId": "asset-productKey-d2", "deviceKey": "d3"}]);
    let body = with(sample(), "/targetScope/targetDevices", targets);
    let message = "targetScope.targetDevices: expected existing devices, found unknown ones: [0] assetId nobody, \
        [2] productKey productKey deviceKey f, [3] assetId asset-productKey-d2 deviceKey d3";
    refused(&fleet, body, 99404, message).await;
    let many: Vec<Value> = (0..50).map(|_| json!({"assetId": "x".repeat(5000)})).collect();
    let body = with(sample(), "/targetScope/targetDevices", json!(many));
    let answer = fleet.call("createJob", body.clone()).await;
    answer.fails(200, 99404, "and 30 more");
    assert!(answer.body["msg"].as_str().unwrap().len() < 3000);
    fleet
        .world
        .post(&format!("{PATH}?action=createJob&orgId=o2"), sample())
        .await
        .fails(200, 99404, "[0] productKey");
    nothing_is_left(&fleet).await;
}

#[tokio::test]
async fn whole_products_have_to_exist_and_to_be_named() {
    let fleet = Fleet::new().await;
    let cases = [
        (
            json!({}),
            99400,
            "targetScope: expected key of a product in productKey, productKeys or an entry of targetDevices",
        ),
        (
            json!({"productKeys": []}),
            99400,
            "targetScope: expected key of a product",
        ),
        (
            json!({"productKeys": [3]}),
            99400,
            "targetScope.productKeys[0]: expected text",
        ),
        (
            json!({"targetDevices": [{"assetId": "x"}]}),
            99400,
            "targetScope.targetDevices[0].productKey: expected key of a product",
        ),
        (
            json!({"productKeys": ["productKey", "nope", "neither"]}),
            99404,
            "targetScope: expected existing products, found unknown ones: neither, nope",
        ),
    ];
    for (scope, code, message) in cases {
        let scope = with(scope, "/targetType", json!("PRODUCT_KEY"));
        refused(&fleet, with(brief(), "/targetScope", scope), code, message).await;
    }
    let foreign = with(
        brief(),
        "/targetScope",
        json!({"targetType": "PRODUCT_KEY", "productKey": "productKey"}),
    );
    fleet
        .world
        .post(&format!("{PATH}?action=createJob&orgId=o2"), foreign)
        .await
        .fails(200, 99404, "productKey");
    nothing_is_left(&fleet).await;
}

#[tokio::test]
async fn products_with_a_format_of_their_own_get_no_commands() {
    let fleet = Fleet::new().await;
    fleet.product("raw", "model", "Custom").await;
    let asset = fleet.device("raw", "r1").await;
    let targets = json!([{"productKey": "productKey", "deviceKey": "d2"}, {"assetId": asset}]);
    refused(
        &fleet,
        with(brief(), "/targetScope/targetDevices", targets),
        11810,
        "product raw",
    )
    .await;
    let scope = json!({"targetType": "PRODUCT_KEY", "productKeys": ["raw"]});
    refused(&fleet, with(brief(), "/targetScope", scope), 11810, "product raw").await;
    nothing_is_left(&fleet).await;
}

#[tokio::test]
async fn a_command_has_to_suit_every_model_and_mean_the_same_in_each() {
    let fleet = Fleet::new().await;
    let speed = |default: &str| {
        json!({"dataType": "ENUM", "dataDefinition":
        {"enumType": "INT", "enumDesc": {"1": {"defaultValue": "a"}, "2": {"defaultValue": "b"}}, "defaultValue": default}})
    };
    for (product, model, inputs) in [
        ("p1", "m1", json!({"speed": speed("1")})),
        ("p2", "m2", json!({"speed": speed("2")})),
        (
            "p3",
            "m3",
            json!({"input": {"dataType": "STRING", "dataDefinition": {"maxLength": 9}}}),
        ),
    ] {
        fleet.model(model, inputs, json!({})).await;
        fleet.product(product, model, "Json").await;
    }
    let (one, two, three) = (
        fleet.device("p1", "a").await,
        fleet.device("p2", "b").await,
        fleet.device("p3", "c").await,
    );
    let to = |assets: &[&str], input: Value| {
        let targets: Vec<Value> = assets.iter().map(|asset| json!({"assetId": asset})).collect();
        let body = with(brief(), "/targetScope/targetDevices", json!(targets));
        with(body, "/commandInfo/serviceInvokeInfo/inputData", input)
    };
    fleet.create(to(&[&one, &two], json!({"speed": 2}))).await;
    let message = "inputData.speed: expected a value (the thing models of the targets have no common default), \
        found nothing, and different defaults in m1 and m2";
    refused(&fleet, to(&[&one, &two], json!({})), 99400, message).await;
    let message = "inputData.speed: expected one of the parameters input, found \"speed\" (thing model m3, targetScope.targetDevices[1])";
    refused(&fleet, to(&[&one, &three], json!({"speed": 1})), 99400, message).await;
}

#[tokio::test]
async fn a_command_too_large_for_devices_is_refused() {
    let fleet = Fleet::new().await;
    let list = json!({"dataType": "ARRAY", "dataDefinition": {"itemType": "STRING"}});
    let inputs: serde_json::Map<String, Value> = (0..6).map(|index| (format!("l{index}"), list.clone())).collect();
    fleet.model("big", json!(inputs), json!({})).await;
    fleet.product("pb", "big", "Json").await;
    let asset = fleet.device("pb", "x").await;
    let body = with(brief(), "/targetScope/targetDevices", json!({"assetId": asset}));
    let input = |lists: usize| {
        let full = vec!["x".repeat(1000); 128];
        let lists: serde_json::Map<String, Value> =
            (0..lists).map(|index| (format!("l{index}"), json!(full))).collect();
        with(body.clone(), "/commandInfo/serviceInvokeInfo/inputData", json!(lists))
    };
    let message = "commandInfo.serviceInvokeInfo.inputData: expected at most 523264 bytes of JSON";
    refused(&fleet, input(5), 99400, message).await;
    nothing_is_left(&fleet).await;
    fleet.create(input(4)).await;
}
