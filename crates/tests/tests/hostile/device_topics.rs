//! Every topic there is, with another device's keys: nothing is done in its name, and it hears nothing.

use std::time::Duration;

use aldis_client::{NewProduct, ThingModel};
use aldis_simulator::{Device, DeviceIdentity};
use serde_json::{Value, json};

use crate::harness::{Api, Plan, World};

/// What follows the keys in every topic of docs/device-protocol.md, and some that do not exist.
const PATHS: &[&str] = &[
    "thing/service/multiply",
    "thing/service/multiply_reply",
    "thing/service/measurepoint/set",
    "thing/service/measurepoint/set_reply",
    "thing/service/measurepoint/get_reply",
    "thing/measurepoint/post",
    "thing/measurepoint/post/batch",
    "thing/measurepoint/resume",
    "thing/event/overheated/post",
    "thing/attribute/update",
    "thing/attribute/query",
    "thing/attribute/delete",
    "thing/tag/update",
    "thing/tag/query",
    "thing/tag/delete",
    "thing/tsltemplate/get",
    "thing/topo/add",
    "thing/topo/get",
    "thing/topo/delete",
    "thing/device/register",
    "thing/model/up_raw",
    "thing/model/down_raw",
    "thing/enable_reply",
    "thing/disable",
    "thing/delete",
    "thing/activate/info",
    "ota/device/getversion",
    "ota/device/inform",
    "ota/device/progress",
    "ota/device/upgrade",
    "rrpc/request/1",
    "thing/something/new",
];
/// Messages in another's name that one connection may send before it is ended.
const PER_CONNECTION: usize = 10;

/// Publishes to every topic with `victim`'s keys in it as `by`, as if it answered the command with this id.
async fn impersonate(world: &World, by: &DeviceIdentity, victim: &DeviceIdentity, id: &str) {
    let payload = json!({"id": id, "version": "1.0", "method": "m", "code": 200, "params": {}, "data": {}}).to_string();
    let (pk, dk) = (&victim.product_key, &victim.device_key);
    let own = PATHS.iter().map(|path| format!("/sys/{pk}/{dk}/{path}"));
    let session = ["combine/login", "combine/logout"].map(|path| format!("/ext/session/{pk}/{dk}/{path}"));
    let integration = ["measurepoint/post", "event/post", "attribute/post", "model/up_raw"];
    let integration = integration.map(|path| format!("/sys/{pk}/integration/{path}"));
    let topics: Vec<String> = own.chain(session).chain(integration).collect();
    for topics in topics.chunks(PER_CONNECTION) {
        let mut device = world.connect(by).await;
        for topic in topics {
            let sent = device.publish(topic, payload.clone()).await.unwrap();
            device.acknowledged(sent).await.unwrap();
        }
        device.disconnect().await.unwrap();
    }
}

/// A device with a command out, which no other device may settle.
async fn is_left_alone(world: &World, api: &Api, by: &DeviceIdentity, mut victim: Device) {
    let created = api
        .command("createJob", &Plan::device(victim.identity()).reply_within(600).0)
        .await;
    let job = created.data().as_str().unwrap().to_owned();
    let command = victim.next_command().await.unwrap();
    impersonate(world, by, victim.identity(), command.id()).await;
    victim.no_command_within(Duration::from_millis(200)).await.unwrap();
    victim.ping().await.unwrap();
    let expression = json!({"expression": format!("jobId = '{job}'")});
    let task = async || api.command("searchTask", &expression).await.data()[0].clone();
    let before = task().await;
    assert_eq!(
        (&before["status"], &before["taskResult"]),
        (&json!("PUBLISHED"), &Value::Null),
        "{before}"
    );
    victim.answer(&command, 500, json!({})).await.unwrap();
    let after = crate::harness::eventually("the device's own answer", || async {
        let task = task().await;
        (task["status"] == "FAILED").then_some(task)
    });
    assert_eq!(after.await["taskResult"]["code"], 500);
}

#[tokio::test]
async fn no_topic_lets_a_device_act_or_listen_as_another_one() {
    let world = World::open().await;
    let by = world.device("d1").await;
    let victim = world.connected("d2").await;
    is_left_alone(&world, &world.api.clone(), &by, victim).await;
}

#[tokio::test]
async fn no_topic_lets_a_device_act_or_listen_in_another_organization() {
    let world = World::open().await;
    let by = world.device("d1").await;
    let other = world
        .server
        .client(aldis_client::Credentials::Unsigned { org_id: "o2".into() });
    let model = json!({"modelId": "m2", "name": {"defaultValue": "m"}, "services": {"multiply": {"identifier": "multiply",
        "name": {"defaultValue": "m"}, "inputData": [
            {"identifier": "left", "name": {"defaultValue": "l"}, "dataType": "INT"},
            {"identifier": "right", "name": {"defaultValue": "r"}, "dataType": "INT"}], "outputData": []}}});
    let model: ThingModel = serde_json::from_value(model).unwrap();
    other.create_model(&model).await.unwrap();
    let product = NewProduct {
        product_key: Some("theirs".into()),
        ..NewProduct::new("theirs", "m2")
    };
    other.create_product(&product).await.unwrap();
    let device = aldis_client::NewDevice {
        device_key: Some("d9".into()),
        ..aldis_client::NewDevice::new("theirs", "d9")
    };
    let made = other.create_device(&device).await.unwrap().data;
    let victim = DeviceIdentity::new("theirs", "d9", made.device_secret.unwrap());
    let victim = world.connect(&victim).await;
    is_left_alone(&world, &Api::unsigned(world.server.http, "o2"), &by, victim).await;
}
