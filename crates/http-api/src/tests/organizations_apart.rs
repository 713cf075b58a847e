//! Nothing crosses an organization: every action there is, called with everything that another organization owns.
//!
//! The table below has to know each action of the server, so that a new one is walked over too. Each call is first made
//! by the owner, where it has to succeed: what the stranger is refused is refused for being a stranger's.

use serde_json::{Value, json};

use super::fleet::{Fleet, PATH as COMMANDS, brief, with};
use super::world::{ADMIN, Answered, Key, STRANGER};
use crate::action::Action;
use crate::entry::TABLE;

const COMMANDS_21: &str = "/connect-service/v2.1/commands";
const TOPOLOGY: &str = "/connect-service/v2.1/device-topos";

/// Is part of everything that only the owner may read, and of no request.
const MARK: &str = "hush";

/// What an action is called with: query and body.
type Called = (String, Value);

/// An organization with one of everything.
struct Owner {
    fleet: Fleet,
    /// A job that can be deleted and cancelled, and one whose task has failed.
    waiting: String,
    failed: String,
    task: String,
    /// A single command that waits for its device.
    command: String,
}

impl Owner {
    async fn new() -> Self {
        let fleet = Fleet::new().await;
        let job = |trigger_in_ms: i64| {
            let at = json!({"triggerTs": fleet.world.now() + trigger_in_ms});
            let body = with(brief(), "/schedulePolicy/disposableSchedulePolicy", at);
            let body = with(body, "/name/defaultValue", json!(MARK));
            let body = with(body, "/commandInfo/serviceInvokeInfo/inputData", json!({"input": 1}));
            with(body, "/desc", json!(MARK))
        };
        let model = json!({"modelId": "unused", "name": {"defaultValue": MARK}});
        of_owner(&fleet, "/model-service/v2.1/thing-models", "create", model).await;
        fleet.product("empty", "model", "Json").await;
        let device = json!({"deviceName": {"defaultValue": MARK}, "deviceDesc": MARK});
        of_owner(
            &fleet,
            "/connect-service/v2.1/devices",
            "update&productKey=productKey&deviceKey=deviceKey",
            device,
        )
        .await;
        let disable = "disable&productKey=productKey&deviceKey=d3";
        of_owner(&fleet, "/connect-service/v2.1/devices", disable, json!({})).await;
        let gateway = json!({"productKey": "boxes", "productName": {"defaultValue": MARK}, "modelId": "model",
            "productType": "Gateway", "dataFormat": "Json", "biDirectionalAuth": false});
        of_owner(&fleet, "/connect-service/v2.1/products", "create", gateway).await;
        fleet.device("boxes", "box").await;
        of_owner(&fleet, TOPOLOGY, "addSubDevice", under_box("d2")).await;
        let waiting = fleet.create(job(3_600_000)).await;
        let failed = fleet.create(job(0)).await;
        let task = fleet.tasks(&failed).await[0]["taskId"].as_str().unwrap().to_owned();
        let query = "invokeService&productKey=productKey&deviceKey=d2&serviceId=serviceId&pendingTtl=600";
        let command = json!({"inputData": {"input": 1}});
        let command = of_owner(&fleet, COMMANDS_21, query, command).await["commandId"].clone();
        fleet.turn();
        Self {
            fleet,
            waiting,
            failed,
            task,
            command: command.as_str().unwrap().to_owned(),
        }
    }

    /// How an action is called so that it succeeds for the owner.
    fn call(&self, path: &str, action: &str) -> Called {
        let named = json!({"defaultValue": "n"});
        // On v2.4 secrets are for key pairs, which no caller has.
        let secret = if path.contains("/v2.4/") {
            ""
        } else {
            "&requireSecret=true"
        };
        // Changes take no parameter that they do not know.
        let reads = matches!(action, "get" | "trace" | "latest" | "queryLatest");
        let device = format!(
            "&productKey=productKey&deviceKey=deviceKey{}",
            if reads { secret } else { "" }
        );
        let new_device =
            json!({"productKey": "productKey", "deviceKey": "new", "timezone": "+00:00", "deviceName": named});
        let resource = path.rsplit('/').next().unwrap();
        let (query, body) = match (resource, action) {
            ("thing-models", "create") => (String::new(), json!({"modelId": "new", "name": named})),
            ("thing-models", "get") => ("&modelId=model".into(), json!({})),
            ("thing-models", "update") => ("&modelId=model".into(), json!({"modelId": "model", "name": named})),
            ("thing-models", "delete") => ("&modelId=unused".into(), json!({})),
            ("products", "create") => {
                let body = json!({"productKey": "new", "productName": named, "modelId": "model",
                    "productType": "Device", "dataFormat": "Json", "biDirectionalAuth": false});
                (String::new(), body)
            }
            ("products", "get") => (format!("&productKey=productKey{secret}"), json!({})),
            ("products", "update") => ("&productKey=productKey".into(), json!({"productName": named})),
            ("products", "delete") => ("&productKey=empty".into(), json!({})),
            ("devices", "create") => (String::new(), new_device),
            ("devices", "batchCreate") => (String::new(), json!({"deviceList": [new_device]})),
            ("devices", "get" | "delete" | "disable" | "trace" | "latest") | ("measurepoints", "queryLatest") => {
                (device, json!({}))
            }
            ("devices", "getStats") => ("&productKey=productKey".into(), json!({})),
            ("devices", "rotateSecret") => (device, json!({})),
            ("products", "rotateSecret") => ("&productKey=productKey".into(), json!({})),
            ("audit", "search") => ("&organization=o1".into(), json!({})),
            ("devices", "enable") => ("&productKey=productKey&deviceKey=d3".into(), json!({})),
            ("devices", "update") => (device, json!({"deviceName": named})),
            ("devices", "replace" | "replaceDevice") => (device, json!({"newDeviceKey": "new"})),
            ("thing-models" | "products" | "devices", "search") => (secret.into(), json!({})),
            ("commands", "createJob") => (
                String::new(),
                with(brief(), "/commandInfo/serviceInvokeInfo/inputData", json!({"input": 1})),
            ),
            ("commands", "invokeService") => (
                format!("{device}&serviceId=serviceId&pendingTtl=600"),
                json!({"inputData": {"input": 1}}),
            ),
            ("commands", "setMeasurepoint") => (
                format!("{device}&measurepointId=temperature&pendingTtl=600"),
                json!({"value": 1.5}),
            ),
            ("commands", "search") => ("&productKey=productKey&deviceKey=d2".into(), json!({})),
            ("commands", "get" | "cancel") => (format!("&commandId={}", self.command), json!({})),
            ("commands", "searchJob") => (
                String::new(),
                json!({"expression": format!("jobId = '{}'", self.waiting)}),
            ),
            ("commands", "searchTask") => (
                String::new(),
                json!({"expression": format!("jobId = '{}'", self.failed)}),
            ),
            ("commands", "getJob" | "deleteJob" | "queryStatistics" | "queryJobStatistics" | "cancelTask") => {
                (format!("&jobId={}", self.waiting), json!({}))
            }
            ("commands", "retryTask") => (format!("&jobId={}", self.failed), json!({"taskIds": [self.task]})),
            ("commands", "getTask" | "getTaskAttempts") => (format!("&taskId={}", self.task), json!({})),
            ("device-topos", "addSubDevice") => (String::new(), under_box("deviceKey")),
            ("device-topos", "removeSubDevice") => (String::new(), under_box("d2")),
            ("device-topos", "searchSubDevice") => (secret.into(), under_box("d2")),
            ("device-topos", "getGateway") => (
                secret.into(),
                json!({"subDevice": {"productKey": "productKey", "deviceKey": "d2"}}),
            ),
            ("keys", "create") => (String::new(), json!({"role": "reader", "organization": "o1"})),
            ("keys", "list") => ("&organization=o1".into(), json!({})),
            ("keys", "delete" | "enable" | "disable") => ("&appKey=operator-key".into(), json!({})),
            ("organizations", "create") => (String::new(), json!({"organization": "o3"})),
            ("organizations", "list") => (String::new(), json!({})),
            // The owner would lock itself out with its own.
            ("organizations", "delete" | "enable" | "disable") => ("&organization=o1".into(), json!({})),
            _ => panic!("{path}?action={action} is new: say here how its owner calls it"),
        };
        (format!("action={action}{query}"), body)
    }

    async fn called_by(&self, key: Key, path: &str, (query, body): &Called) -> Answered {
        let answered = self.fleet.world.signed(key, path, query, body.clone()).await;
        self.fleet.turn();
        answered
    }

    /// What was done in any organization.
    async fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for org in ["o1", "o3"] {
            let query = format!("search&organization={org}");
            let body = json!({"pagination": {"pageSize": 1000}});
            let found = of_owner(&self.fleet, "/aldis/v1/audit", &query, body).await;
            records.extend(found.as_array().unwrap().iter().cloned());
        }
        records
    }

    /// Everything that the owner has.
    async fn belongings(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for (path, query) in [
            ("/model-service/v2.1/thing-models", "search".to_owned()),
            ("/connect-service/v2.1/products", "search&requireSecret=true".to_owned()),
            ("/connect-service/v2.1/devices", "search&requireSecret=true".to_owned()),
            (TOPOLOGY, "searchSubDevice&requireSecret=true".to_owned()),
            (COMMANDS, "searchJob".to_owned()),
            (COMMANDS, "searchTask".to_owned()),
            (COMMANDS_21, "search&productKey=productKey&deviceKey=d2".to_owned()),
            (COMMANDS, format!("getTaskAttempts&taskId={}", self.task)),
            ("/aldis/v1/keys", "list".to_owned()),
            ("/aldis/v1/organizations", "list".to_owned()),
        ] {
            let body = json!({"pagination": {"pageNo": 1, "pageSize": 1000},
                "gateway": {"productKey": "boxes", "deviceKey": "box"}});
            seen.push(of_owner(&self.fleet, path, &query, body).await);
        }
        seen
    }
}

/// A device under the owner's gateway.
fn under_box(key: &str) -> Value {
    json!({"gateway": {"productKey": "boxes", "deviceKey": "box"},
        "subDevices": [{"productKey": "productKey", "deviceKey": key}]})
}

async fn of_owner(fleet: &Fleet, path: &str, query: &str, body: Value) -> Value {
    let answered = fleet.world.signed(ADMIN, path, &format!("action={query}"), body).await;
    answered.data().clone()
}

/// What a stranger may be told: a refusal, nothing found, or entries that are all refused.
fn is_nothing(answered: &Answered) -> bool {
    let entry_refused = |entry: &Value| entry["code"].as_i64().is_some_and(|code| code != 0);
    answered.body["code"] != 0
        || answered.body["data"]
            .as_array()
            .is_some_and(|entries| entries.iter().all(entry_refused))
}

/// Path and name of every action, in all spellings.
fn every_action() -> impl Iterator<Item = (&'static str, &'static str)> {
    let spellings = |action: &'static Action| {
        let names = |path: &'static str| action.names.iter().map(move |name| (path, *name));
        action.paths.iter().copied().flat_map(names)
    };
    TABLE.actions.iter().flat_map(spellings)
}

#[tokio::test]
async fn no_action_gives_or_does_anything_with_what_another_organization_owns() {
    let mut refused_to_owners = Vec::new();
    for (path, name) in every_action() {
        let owner = Owner::new().await;
        let called = owner.call(path, name);
        let before = owner.belongings().await;
        let answered = owner.called_by(STRANGER, path, &called).await;
        // A thing model's id is each organization's own affair.
        let own_model = path.ends_with("/thing-models") && name == "create";
        assert!(
            own_model || is_nothing(&answered),
            "{path} {called:?}: {}",
            answered.body
        );
        assert!(
            !answered.body.to_string().contains(MARK),
            "{path} {called:?}: {}",
            answered.body
        );
        assert_eq!(owner.belongings().await, before, "{path} {called:?}");

        let refused_to_all = path.ends_with("/organizations") && !matches!(name, "create" | "list");
        let answered = owner.called_by(ADMIN, path, &called).await;
        if !refused_to_all && answered.body["code"] != 0 {
            refused_to_owners.push(format!("{path} {called:?}: {}", answered.body));
        }
    }
    assert!(refused_to_owners.is_empty(), "{refused_to_owners:#?}");
}

#[tokio::test]
async fn every_changing_action_leaves_a_record_of_who_did_it() {
    for action in TABLE.actions.iter().filter(|action| !action.reads) {
        let (path, name) = (action.paths[0], action.names[0]);
        let owner = Owner::new().await;
        let (mut query, body) = owner.call(path, name);
        if path.ends_with("/organizations") && name != "create" {
            let other = json!({"organization": "o3"});
            of_owner(&owner.fleet, path, "create", other).await;
            query = format!("action={name}&organization=o3");
        }
        let answered = owner.called_by(ADMIN, path, &(query, body)).await;
        answered.data();
        let request = answered.body["requestId"].as_str().unwrap();
        let records = owner.records().await;
        let own: Vec<&Value> = records.iter().filter(|record| record["requestId"] == request).collect();
        assert!(!own.is_empty(), "{path}?action={name} leaves no record");
        assert!(own.iter().all(|record| record["appKey"] == ADMIN.app_key), "{own:?}");
    }
}

#[tokio::test]
async fn no_action_is_carried_out_for_an_organization_that_is_not_the_callers() {
    let owner = Owner::new().await;
    let token = owner.fleet.world.token(STRANGER).await["data"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let before = owner.belongings().await;
    for (path, name) in every_action() {
        let (query, body) = owner.call(path, name);
        for org in ["o1", "nowhere"] {
            let query = format!("{query}&orgId={org}");
            let now = owner.fleet.world.now();
            let request = super::world::signed_request(now, STRANGER, &token, path, &query, &body.to_string());
            owner.fleet.world.send(request).await.fails(200, 99403, "orgId");
        }
    }
    assert_eq!(owner.belongings().await, before);
}
