//! Requests and answers have the documented shapes.

use aldis_client::{
    CommandInfo, DeviceIds, Job, JobStatus, KeyInfo, Name, NewDevice, NewJob, Product, StatusCount, Target,
    TargetScope, Task, TaskStatus, quoted,
};
use serde_json::{Value, json};

fn documented_job() -> Value {
    json!({
        "timeoutPolicy": {"inProgressTimeoutInSeconds": 30, "ttlTimeoutInSeconds": 20},
        "retryPolicy": {"enableRetry": true, "retryCount": 3, "retryIntervalInSeconds": 300},
        "name": {"defaultValue": "commandJobName", "i18nValue": {"en_US": "name", "zh_CN": "中文名"}},
        "schedulePolicy": {"disposableSchedulePolicy": {"triggerTs": 1_718_952_446_317_i64}, "scheduleType": "DISPOSABLE"},
        "commandInfo": {
            "commandType": "SERVICE_INVOKE",
            "serviceInvokeInfo": {"inputData": {"input": 22}, "serviceId": "serviceId"}
        },
        "targetScope": {
            "targetDevices": [{"deviceKey": "deviceKey", "productKey": "productKey"}],
            "targetType": "DEVICE_LIST"
        },
        "desc": "commandJobDescription"
    })
}

/// Null and absent mean the same on this API.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            present.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[test]
fn the_documented_job_survives_being_read_and_written() {
    let job: NewJob = serde_json::from_value(documented_job()).unwrap();
    assert_eq!(without_nulls(serde_json::to_value(job).unwrap()), documented_job());
}

#[test]
fn a_job_from_the_constructors_has_the_documented_fields() {
    let scope = TargetScope::devices([Target::keys("pk", "dk"), Target::asset("a1")]);
    let job = NewJob::new("set", scope, CommandInfo::measurepoint("temperature", json!(30.5)));
    let expected = json!({
        "name": {"defaultValue": "set", "i18nValue": {}},
        "desc": "set",
        "targetScope": {
            "targetType": "DEVICE_LIST",
            "targetDevices": [{"productKey": "pk", "deviceKey": "dk"}, {"assetId": "a1"}]
        },
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {}},
        "commandInfo": {
            "commandType": "MEASUREPOINT_SET",
            "setMeasurepointInfo": {"measurepointId": "temperature", "value": 30.5}
        }
    });
    assert_eq!(without_nulls(serde_json::to_value(job).unwrap()), expected);
}

#[test]
fn a_product_job_names_its_products_in_target_entries() {
    let scope = serde_json::to_value(TargetScope::products(["p1", "p2"])).unwrap();
    let expected = json!({"targetType": "PRODUCT_KEY", "targetDevices": [{"productKey": "p1"}, {"productKey": "p2"}]});
    assert_eq!(without_nulls(scope), expected);
}

#[test]
fn a_job_is_read_with_every_documented_field() {
    let mut answer = documented_job();
    let more = json!({"orgId": "o1", "jobId": "j1", "status": "IN_PROGRESS", "createTimestamp": 1_718_952_446_317_i64});
    answer
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let job: Job = serde_json::from_value(answer).unwrap();
    assert_eq!((job.job_id.as_str(), job.status), ("j1", JobStatus::InProgress));
    assert_eq!(job.timeout_policy.unwrap().ttl_timeout_in_seconds, Some(20));
}

#[test]
fn a_job_of_which_only_the_required_is_there_is_read() {
    let job: Job = serde_json::from_value(json!({
        "orgId": "o1", "jobId": "j1", "name": {"defaultValue": "n", "i18nValue": null},
        "targetScope": {"targetType": "PRODUCT_KEY", "targetDevices": null},
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": null},
        "timeoutPolicy": null, "retryPolicy": null, "status": "SOMETHING_NEW", "desc": null,
        "commandInfo": {"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": {"serviceId": "s", "inputData": null}},
        "createTimestamp": 1
    }))
    .unwrap();
    assert_eq!((job.status, job.name), (JobStatus::Unknown, Name::plain("n")));
}

#[test]
fn a_task_is_read_before_and_after_its_result() {
    let element = json!({
        "taskId": "66754c0e9f1b2a0001c0ffee", "orgId": "o1", "assetId": "AbCd1234", "productKey": "pk1",
        "deviceKey": "dk1", "jobId": "66754c0e9f1b2a0001c0ff00", "status": "SUCCEED",
        "commandInfo": {
            "commandType": "SERVICE_INVOKE",
            "serviceInvokeInfo": {"serviceId": "speedup", "inputData": {"delta": 3}},
            "setMeasurepointInfo": null
        },
        "taskResult": {"code": 0, "desc": "OK", "outputData": {"delta": 3}},
        "createTimestamp": 1_718_952_446_317_i64, "updateTimestamp": 1_718_952_447_001_i64,
        "autoRetryCount": 0, "manualRetryCount": 0
    });
    let task: Task = serde_json::from_value(element.clone()).unwrap();
    assert!(task.status.is_final());
    assert_eq!(serde_json::to_value(&task).unwrap(), element);
    let mut waiting = element;
    waiting["taskResult"] = Value::Null;
    waiting["status"] = "QUEUED".into();
    let task: Task = serde_json::from_value(waiting).unwrap();
    assert_eq!((task.status, task.task_result), (TaskStatus::Queued, None));
}

#[test]
fn statistics_have_exactly_the_documented_counters() {
    let documented = json!({"total": 9, "init": 1, "published": 1, "inProgress": 1, "succeed": 2, "failed": 1,
        "canceled": 1, "ttlTimeout": 1, "rspTimeout": 1});
    let count: StatusCount = serde_json::from_value(documented.clone()).unwrap();
    assert_eq!(serde_json::to_value(count).unwrap(), documented);
    assert_eq!(count.ended(), 6);
}

#[test]
fn things_without_their_optional_fields_are_read() {
    serde_json::from_value::<Product>(
        json!({"orgId": "o", "productKey": "p", "productName": {"defaultValue": "n"}, "productTags": null}),
    )
    .unwrap();
    serde_json::from_value::<DeviceIds>(json!({"assetId": "a", "productKey": "p", "deviceKey": "d"})).unwrap();
    serde_json::from_value::<KeyInfo>(json!({"appKey": "k", "orgId": "o", "role": "reader", "disabled": true}))
        .unwrap();
}

#[test]
fn a_device_is_registered_with_the_mandatory_fields() {
    let device = serde_json::to_value(NewDevice::new("pk", "pump")).unwrap();
    let expected = json!({"productKey": "pk", "timezone": "+00:00",
        "deviceName": {"defaultValue": "pump", "i18nValue": {}}});
    assert_eq!(without_nulls(device), expected);
}

#[test]
fn quoting_keeps_a_value_one_value() {
    assert_eq!(quoted("j1"), "'j1'");
    assert_eq!(quoted(r"it's \ odd"), r"'it''s \\ odd'");
}
