//! What an answer says behind its `OK`: members that were ignored, and such as have no effect.

use serde_json::{Value, json};

use super::fleet::{Fleet, PATH, brief, with};
use super::world::{ADMIN, World};

async fn said(fleet: &Fleet, body: Value) -> String {
    let answer = fleet.call("createJob", body).await;
    assert_eq!(answer.body["code"], 0, "{}", answer.body);
    answer.body["msg"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn members_of_a_job_that_mean_nothing_are_named() {
    let fleet = Fleet::new().await;
    let targets = json!([{"productKey": "productKey", "deviceKey": "deviceKey", "deviceName": "x"}]);
    for (place, value, words) in [
        (
            "/timeoutPolicy",
            json!({"ttlInSeconds": 60}),
            "timeoutPolicy.ttlInSeconds",
        ),
        ("/timeoutpolicy", json!({"ttlTimeoutInSeconds": 60}), "timeoutpolicy"),
        (
            "/commandInfo/serviceInvokeInfo/inputdata",
            json!({}),
            "commandInfo.serviceInvokeInfo.inputdata",
        ),
        (
            "/targetScope/targetDevices",
            targets,
            "targetScope.targetDevices[0].deviceName",
        ),
        ("/jobId", json!("1"), "jobId"),
        ("/name/en_US", json!("n"), "name.en_US"),
    ] {
        assert_eq!(
            said(&fleet, with(brief(), place, value)).await,
            format!("OK; ignored: {words}")
        );
    }
    let both = with(
        with(brief(), "/timeoutPolicy", json!({"ttlInSeconds": 60, "other": null})),
        "/retryPolicy",
        json!({"retries": 3}),
    );
    assert_eq!(
        said(&fleet, both).await,
        "OK; ignored: retryPolicy.retries, timeoutPolicy.ttlInSeconds"
    );
    assert_eq!(said(&fleet, with(brief(), "/other", Value::Null)).await, "OK");
}

#[tokio::test]
async fn retries_without_enable_retry_are_said_to_have_no_effect() {
    let fleet = Fleet::new().await;
    for (policy, words) in [
        (
            json!({"retryCount": 3}),
            "OK; retryCount has no effect without enableRetry",
        ),
        (
            json!({"enableRetry": false, "retryCount": "3", "retryIntervalInSeconds": 60}),
            "OK; retryCount and retryIntervalInSeconds have no effect without enableRetry",
        ),
        (
            json!({"enableRetry": false, "retryCount": 0, "retryIntervalInSeconds": 0}),
            "OK",
        ),
        (json!({"enableRetry": true, "retryCount": 3}), "OK"),
        (json!({}), "OK"),
    ] {
        assert_eq!(said(&fleet, with(brief(), "/retryPolicy", policy)).await, words);
    }
}

#[tokio::test]
async fn targets_and_commands_of_the_other_type_are_said_to_have_no_effect() {
    let fleet = Fleet::new().await;
    let point = json!({"measurepointId": "p", "value": 1});
    let device = json!({"targetType": "PRODUCT_KEY",
        "targetDevices": [{"productKey": "productKey", "deviceKey": "deviceKey", "assetId": ""}]});
    let product = json!({"targetType": "DEVICE_LIST", "productKey": "productKey", "productKeys": ["productKey"],
        "targetDevices": [{"productKey": "productKey", "deviceKey": "deviceKey"}]});
    for (place, value, words) in [
        (
            "/targetScope",
            device,
            "deviceKey has no effect with targetType PRODUCT_KEY, which means all devices of the products",
        ),
        (
            "/targetScope",
            product,
            "productKey and productKeys have no effect with targetType DEVICE_LIST",
        ),
        (
            "/commandInfo/setMeasurepointInfo",
            point,
            "setMeasurepointInfo has no effect with commandType SERVICE_INVOKE",
        ),
    ] {
        let typed = with(brief(), "/commandInfo/commandType", json!("SERVICE_INVOKE"));
        assert_eq!(said(&fleet, with(typed, place, value)).await, format!("OK; {words}"));
    }
}

#[tokio::test]
async fn members_of_a_thing_model_that_mean_nothing_are_named() {
    let fleet = Fleet::new().await;
    let models = "/model-service/v2.1/thing-models?orgId=o1&action=";
    let model = json!({"modelId": "w", "name": {"defaultValue": "w"}, "measurepoint": {}, "category": null,
        "measurepoints": {"p": {"dataType": "STRING", "dataDefinition": {"maxLength": 3}, "accessMode": "R", "units": 1}},
        "services": {"s": {"inputdata": [], "intputData": [{"identifier": "i", "dataType": "INT", "require": true}],
            "outputData": [{"identifier": "o", "dataType": "INT", "datatype": "INT"}]}}});
    let patch = json!({"modelId": "w", "names": {}, "events": {"e": {"outputdata": []}}, "services": {"s": null}});
    for (action, body, words) in [
        (
            "create",
            model,
            "measurepoint, measurepoints.p.units, services.s.inputdata, \
             services.s.intputData[0].require, services.s.outputData[0].datatype",
        ),
        ("update&modelId=w", patch, "events.e.outputdata, names"),
    ] {
        let answer = fleet.world.post(&format!("{models}{action}"), body).await;
        assert_eq!(answer.body["msg"], format!("OK; ignored: {words}"), "{}", answer.body);
    }
}

#[tokio::test]
async fn every_changing_call_names_what_it_ignores_and_a_search_does_not() {
    let fleet = Fleet::new().await;
    let world = &fleet.world;
    let devices = "/connect-service/v2.1/devices?orgId=o1&action=";
    let device = |key: &str| json!({"productKey": "productKey", "deviceKey": key, "deviceName": {"defaultValue": "d"}, "timezone": "+08:00", "name": 1});
    for (target, body, words) in [
        (format!("{devices}create"), device("w1"), "ignored: name"),
        (
            format!("{devices}batchCreate"),
            json!({"deviceList": [device("w2"), device("w3")], "devices": []}),
            "ignored: devices, deviceList[0].name, deviceList[1].name",
        ),
        // A parameter may stand in the body; what is none is named.
        (
            format!("{devices}disable"),
            json!({"productKey": "productKey", "deviceKey": "w1", "reason": "x"}),
            "ignored: reason",
        ),
    ] {
        let answer = world.post(&target, body).await;
        assert_eq!(answer.body["msg"], format!("OK; {words}"), "{target}: {}", answer.body);
    }
    let searched = world
        .post(&format!("{PATH}?action=searchJob&orgId=o1"), json!({"other": 1}))
        .await;
    assert_eq!(searched.body["msg"], "OK");
}

#[tokio::test]
async fn blank_names_are_refused_wherever_there_are_names() {
    let fleet = Fleet::new().await;
    let blank = json!({"defaultValue": " \u{200b}"});
    for (target, body, field) in [
        (
            "/connect-service/v2.1/devices?orgId=o1&action=create",
            json!({"productKey": "productKey", "deviceKey": "b1", "deviceName": blank, "timezone": "+08:00"}),
            "deviceName.defaultValue: expected text that is not blank",
        ),
        (
            "/connect-service/v2.1/devices?orgId=o1&action=create",
            json!({"productKey": "productKey", "deviceKey": "b1", "timezone": "+08:00",
                "deviceName": {"defaultValue": "x", "i18nValue": {"zh_CN": "\u{3000}"}}}),
            "deviceName.i18nValue.zh_CN: expected text that is not blank",
        ),
        (
            "/model-service/v2.1/thing-models?orgId=o1&action=create",
            json!({"modelId": "b", "name": {"defaultValue": "b"},
                "events": {"e": {"name": {"defaultValue": "\u{2003}"}}}}),
            "events.e.name.defaultValue: expected text that is not blank",
        ),
        (
            "/connect-service/v2.1/products?orgId=o1&action=create",
            json!({"productKey": "b", "productName": blank, "modelId": "m", "productType": "Device", "dataFormat": "Json",
                "biDirectionalAuth": false}),
            "productName.defaultValue: expected text that is not blank",
        ),
    ] {
        fleet.world.post(target, body).await.fails(200, 99_400, field);
    }
    let world = World::locked().await;
    for (path, body) in [
        ("/aldis/v1/organizations", json!({"organization": "b", "name": " "})),
        ("/aldis/v1/keys", json!({"role": "reader", "name": "\t"})),
    ] {
        let answer = world.signed(ADMIN, path, "action=create", body).await;
        answer.fails(200, 99_400, "name: expected text that is not blank");
    }
}
