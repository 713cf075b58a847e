//! An operator at the API: requests as JSON, answers as JSON.

use aldis_core::ids::{JobNo, TaskNo};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::operation::{Call, Draft};
use super::world::{Came, World};

pub(super) const PRODUCT: &str = "p";
const SINGLE_COMMANDS: &str = "/connect-service/v2.1/commands";
const COMMANDS: &str = "/connect-service/v2.5/commands";
const DEVICES: &str = "/connect-service/v2.1/devices";
const TOPOLOGY: &str = "/connect-service/v2.1/device-topos";
/// The product of gateways.
pub(super) const BOXES: &str = "g";
const MS: i64 = 1_000;

/// What a call was answered with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answered {
    /// Done, with `data`.
    Done(Value),
    /// Refused, with its code and the whole body: nothing has changed, as far as the answer says so.
    Refused(i64, Value),
    /// The server failed, died, or its answer was lost: it may have been done.
    Unknown,
}

/// A task as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) no: TaskNo,
    pub(super) device: String,
    pub(super) status: String,
    pub(super) auto: u64,
    pub(super) manual: u64,
    pub(super) code: Option<i64>,
    pub(super) whole: Value,
}

impl Shown {
    pub(super) fn is_final(&self) -> bool {
        !matches!(self.status.as_str(), "INIT" | "QUEUED" | "PUBLISHED" | "IN_PROGRESS")
    }
}

impl World {
    /// A call with a body, and an idempotency key if there is one.
    pub(super) fn call(&mut self, call: Call, target: &str, body: &Value, key: Option<&str>) -> Answered {
        let Some(router) = self.router() else {
            return Answered::Unknown;
        };
        let mut request = Request::post(target).header("Content-Type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let came = self.carry_out(call, async move {
            let Ok(response) = router.oneshot(request).await;
            let status = response.status().as_u16();
            let bytes = response
                .into_body()
                .collect()
                .await
                .expect("a body in memory")
                .to_bytes();
            (
                status,
                serde_json::from_slice::<Value>(&bytes).expect("answers are JSON"),
            )
        });
        match came {
            Came::Down => Answered::Unknown,
            Came::To(_) if call == Call::AnswerLost => Answered::Unknown,
            Came::To((500.., _)) => Answered::Unknown,
            Came::To((_, mut body)) => match body["code"].as_i64() {
                Some(0) => Answered::Done(body["data"].take()),
                code => Answered::Refused(code.unwrap_or(-1), body),
            },
        }
    }

    fn must(&mut self, target: &str, body: &Value) -> Value {
        match self.call(Call::Answered, target, body, None) {
            Answered::Done(data) => data,
            other => panic!("{target}: {other:?}"),
        }
    }

    /// A thing model, a product, and its devices.
    pub(super) fn register(&mut self, devices: &[String]) {
        let named = json!({"identifier": "by", "name": {"defaultValue": "by"}, "dataType": "STRING"});
        let service = json!({"identifier": "s", "name": {"defaultValue": "s"}, "inputData": [named], "outputData": []});
        let point = json!({"identifier": "t", "name": {"defaultValue": "t"}, "dataType": "DOUBLE"});
        let model = json!({"modelId": "m", "name": {"defaultValue": "m"}, "services": {"s": service},
            "measurepoints": {"t": point}});
        self.must("/model-service/v2.1/thing-models?action=create&orgId=o", &model);
        let product = json!({"productName": {"defaultValue": PRODUCT}, "modelId": "m", "productType": "Device",
            "dataFormat": "Json", "biDirectionalAuth": false, "productKey": PRODUCT});
        self.must("/connect-service/v2.1/products?action=create&orgId=o", &product);
        for key in devices {
            self.must(&format!("{DEVICES}?action=create&orgId=o"), &new_device(key));
        }
    }

    /// A product of gateways, and these of it.
    pub(super) fn register_gateways(&mut self, gateways: &[String]) {
        let product = json!({"productName": {"defaultValue": BOXES}, "modelId": "m", "productType": "Gateway",
            "dataFormat": "Json", "biDirectionalAuth": false, "productKey": BOXES});
        self.must("/connect-service/v2.1/products?action=create&orgId=o", &product);
        for key in gateways {
            let mut gateway = new_device(key);
            gateway["productKey"] = BOXES.into();
            self.must(&format!("{DEVICES}?action=create&orgId=o"), &gateway);
        }
    }

    /// Puts a device under a gateway, or takes it away from there.
    pub(super) fn arrange(&mut self, call: Call, action: &str, gateway: &str, key: &str) -> Answered {
        let body = json!({"gateway": {"productKey": BOXES, "deviceKey": gateway},
            "subDevices": [{"productKey": PRODUCT, "deviceKey": key}]});
        self.call(call, &format!("{TOPOLOGY}?action={action}&orgId=o"), &body, None)
    }

    /// Deletes a device; true if it is known to be gone.
    pub(super) fn delete_device(&mut self, call: Call, key: &str) -> Answered {
        let target = format!("{DEVICES}?action=delete&orgId=o&productKey={PRODUCT}&deviceKey={key}");
        self.call(call, &target, &json!({}), None)
    }

    pub(super) fn create_device(&mut self, key: &str) -> Answered {
        self.call(
            Call::Answered,
            &format!("{DEVICES}?action=create&orgId=o"),
            &new_device(key),
            None,
        )
    }

    pub(super) fn disable_device(&mut self, call: Call, key: &str, disabled: bool) -> Answered {
        let action = if disabled { "disable" } else { "enable" };
        let target = format!("{DEVICES}?action={action}&orgId=o&productKey={PRODUCT}&deviceKey={key}");
        self.call(call, &target, &json!({}), None)
    }

    pub(super) fn create_job(&mut self, call: Call, draft: &Draft, keys: &[&str], desc: &str) -> Answered {
        let body = job(draft, keys, desc, self.planning_clock().0);
        let target = format!("{COMMANDS}?action=createJob&orgId=o");
        self.create(call, &target, &body, draft.repeated.then_some(desc))
    }

    /// Keeps a command for a device: the service is told by whom it is invoked, and that is how it is found again.
    pub(super) fn send_single(&mut self, call: Call, draft: &Draft, key: &str, by: &str) -> Answered {
        let target = format!(
            "{SINGLE_COMMANDS}?action=invokeService&orgId=o&productKey={PRODUCT}&deviceKey={key}&serviceId=s&pendingTtl={}&timeout={}",
            draft.ttl_s, draft.reply_s
        );
        let body = json!({"inputData": {"by": by}});
        self.create(call, &target, &body, draft.repeated.then_some(by))
    }

    /// A client that repeats its request with the same key gets the one job that came of it.
    fn create(&mut self, call: Call, target: &str, body: &Value, key: Option<&str>) -> Answered {
        match self.call(call, target, body, key) {
            Answered::Unknown if key.is_some() && self.router().is_some() => {
                self.call(Call::Answered, target, body, key)
            }
            answered => answered,
        }
    }

    /// The state of a single command as the older API says it; `None` if the server fails.
    pub(super) fn single_state(&mut self, task: TaskNo) -> Option<u64> {
        let target = format!("{SINGLE_COMMANDS}?action=get&orgId=o&commandId={}", task.to_task_id());
        match self.call(Call::Answered, &target, &json!({}), None) {
            Answered::Done(command) => command["state"].as_u64(),
            Answered::Unknown => None,
            other => panic!("get: {other:?}"),
        }
    }

    /// Cancels a single command over the older API, which does so only before it is sent.
    pub(super) fn cancel_single(&mut self, call: Call, task: TaskNo) -> Answered {
        let target = format!(
            "{SINGLE_COMMANDS}?action=cancel&orgId=o&commandId={}",
            task.to_task_id()
        );
        self.call(call, &target, &json!({}), None)
    }

    /// An action on a job, on all of its tasks or on some.
    pub(super) fn on_job(&mut self, call: Call, action: &str, job: JobNo, tasks: Option<&[TaskNo]>) -> Answered {
        let target = format!("{COMMANDS}?action={action}&orgId=o&jobId={}", job.to_job_id());
        let ids: Option<Vec<String>> = tasks.map(|tasks| tasks.iter().map(|task| task.to_task_id()).collect());
        self.call(call, &target, &json!({"taskIds": ids}), None)
    }

    /// The tasks of a job; `None` if the server fails.
    pub(super) fn tasks_of(&mut self, job: JobNo) -> Option<Vec<Shown>> {
        let body = json!({"expression": format!("jobId = '{}'", job.to_job_id()),
            "pagination": {"pageNo": 1, "pageSize": 1000}});
        match self.call(
            Call::Answered,
            &format!("{COMMANDS}?action=searchTask&orgId=o"),
            &body,
            None,
        ) {
            Answered::Done(data) => Some(data.as_array().expect("a list").iter().map(shown).collect()),
            Answered::Unknown => None,
            other => panic!("searchTask: {other:?}"),
        }
    }

    /// The jobs with this description.
    pub(super) fn jobs_named(&mut self, desc: &str) -> Option<Vec<JobNo>> {
        let body = json!({"expression": format!("name.default like '{desc}'")});
        match self.call(
            Call::Answered,
            &format!("{COMMANDS}?action=searchJob&orgId=o"),
            &body,
            None,
        ) {
            Answered::Done(data) => {
                let ids = data
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|job| job["jobId"].as_str().unwrap_or_default());
                Some(ids.map(|id| JobNo::from_job_id(id).expect("an id of ours")).collect())
            }
            Answered::Unknown => None,
            other => panic!("searchJob: {other:?}"),
        }
    }
}

fn new_device(key: &str) -> Value {
    json!({"productKey": PRODUCT, "deviceKey": key, "timezone": "+08:00", "deviceName": {"defaultValue": key}})
}

fn shown(task: &Value) -> Shown {
    let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
    Shown {
        no: TaskNo::from_task_id(&text("taskId")).expect("an id of ours"),
        device: text("deviceKey"),
        status: text("status"),
        auto: task["autoRetryCount"].as_u64().expect("a count"),
        manual: task["manualRetryCount"].as_u64().expect("a count"),
        code: task["taskResult"]["code"].as_i64(),
        whole: task.clone(),
    }
}

fn job(draft: &Draft, keys: &[&str], desc: &str, now: i64) -> Value {
    let targets: Vec<Value> = if keys.is_empty() {
        vec![json!({"productKey": PRODUCT})]
    } else {
        keys.iter()
            .map(|key| json!({"productKey": PRODUCT, "deviceKey": key}))
            .collect()
    };
    let trigger = (draft.trigger_s > 0).then(|| now + i64::from(draft.trigger_s) * MS);
    let command = if draft.point {
        json!({"commandType": "MEASUREPOINT_SET", "setMeasurepointInfo": {"measurepointId": "t", "value": 1.5}})
    } else {
        json!({"commandType": "SERVICE_INVOKE", "serviceInvokeInfo": {"serviceId": "s"}})
    };
    json!({
        "name": {"defaultValue": desc}, "desc": desc,
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": trigger}},
        "timeoutPolicy": {"inProgressTimeoutInSeconds": draft.reply_s, "ttlTimeoutInSeconds": draft.ttl_s},
        "retryPolicy": {"enableRetry": draft.retries > 0, "retryCount": draft.retries,
            "retryIntervalInSeconds": draft.interval_s},
        "commandInfo": command,
        "targetScope": {"targetType": if keys.is_empty() { "PRODUCT_KEY" } else { "DEVICE_LIST" },
            "targetDevices": targets},
    })
}
