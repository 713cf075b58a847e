//! Who did something is stored in the commit that did it: a crash right after it loses neither.

use std::sync::Arc;

use aldis_core::command::Qos;
use aldis_core::time::{Clock as _, Timestamp};
use aldis_store::rows::{Model, NewDevice, Product, Secret};
use aldis_store::{Store as _, Write};
use aldis_store_memory::MemoryStore;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{ADMIN, Hands, NOW, World};
use aldis_app::Settings;
use aldis_engine::writer::{Inbox, Writer, WriterRequest};

const KEYS: &str = "/aldis/v1/keys";
const ORGANIZATIONS: &str = "/aldis/v1/organizations";
const MODELS: &str = "/model-service/v2.1/thing-models";
const PRODUCTS: &str = "/connect-service/v2.1/products";
const DEVICES: &str = "/connect-service/v2.1/devices";

/// A writer that carries out one question, and is gone.
fn one_commit(mut store: MemoryStore, clock: Arc<Hands>) -> Writer {
    store.commit(store.epoch(), Timestamp(NOW), &rows()).unwrap();
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    let inbox = Inbox::new(move || wake.notify_one());
    let writer = Writer::new(Arc::clone(&inbox));
    tokio::spawn(async move {
        woken.notified().await;
        inbox.close();
        for request in inbox.take(usize::MAX, |_| false).requests {
            let WriterRequest::Write { writes, answer } = request else {
                panic!("a plain write: {request:?}")
            };
            drop(answer.send(Ok(store.commit(store.epoch(), clock.now(), &writes).unwrap().done)));
        }
    });
    writer
}

fn rows() -> Vec<Write> {
    let at = Timestamp(NOW);
    let name = || aldis_core::i18n::I18nText::plain("n");
    let model = |id: &str| Model {
        org: "o1".into(),
        id: id.into(),
        document: json!({"modelId": id, "name": {"defaultValue": "n"}}),
        created: at,
        updated: at,
    };
    let product = |key: &str| Product {
        org: "o1".into(),
        key: key.into(),
        name: name(),
        secret: Secret("s".to_owned()),
        desc: String::new(),
        gateway: false,
        json: true,
        tags: [].into(),
        model: "m".into(),
        dynamic_activation: false,
        certificates: false,
        gateway_registers: false,
        former_secret: None,
        command_qos: Qos::default(),
        created: at,
        created_by: None,
        updated: at,
        updated_by: None,
    };
    let device = NewDevice {
        org: "o1".into(),
        product: "pk".into(),
        key: "dk".into(),
        asset: "asset".into(),
        secret: Secret("s".to_owned()),
        name: name(),
        desc: String::new(),
        timezone: "+00:00".to_owned(),
        attributes: [].into(),
        tags: [].into(),
    };
    vec![
        Write::CreateModel(model("m")),
        Write::CreateModel(model("unused")),
        Write::CreateProduct(product("pk")),
        Write::CreateProduct(product("empty")),
        Write::register(vec![device]),
    ]
}

#[tokio::test]
async fn every_change_is_stored_together_with_who_made_it() {
    let new_name = json!({"defaultValue": "new"});
    let product = json!({"productName": new_name, "modelId": "m", "productType": "Device", "dataFormat": "Json",
        "biDirectionalAuth": false, "productKey": "p2"});
    let device =
        |asset: &str| json!({"productKey": "pk", "timezone": "+00:00", "deviceName": new_name, "assetId": asset});
    let cases: [(&str, &str, Value, &str, &str); 16] = [
        (
            KEYS,
            "create",
            json!({"role": "reader", "appKey": "k2"}),
            "key.create",
            "k2",
        ),
        (
            KEYS,
            "disable&appKey=reader-key",
            json!({}),
            "key.disable",
            "reader-key",
        ),
        (KEYS, "enable&appKey=reader-key", json!({}), "key.enable", "reader-key"),
        (KEYS, "delete&appKey=reader-key", json!({}), "key.delete", "reader-key"),
        (
            ORGANIZATIONS,
            "disable&organization=o2",
            json!({}),
            "organization.disable",
            "o2",
        ),
        (
            ORGANIZATIONS,
            "enable&organization=o2",
            json!({}),
            "organization.enable",
            "o2",
        ),
        (
            MODELS,
            "create",
            json!({"modelId": "m2", "name": new_name}),
            "model.create",
            "m2",
        ),
        (MODELS, "update&modelId=m", json!({"desc": "d"}), "model.update", "m"),
        (MODELS, "delete&modelId=unused", json!({}), "model.delete", "unused"),
        (PRODUCTS, "create", product, "product.create", "p2"),
        (
            PRODUCTS,
            "update&productKey=pk",
            json!({"productName": new_name}),
            "product.update",
            "pk",
        ),
        (
            PRODUCTS,
            "delete&productKey=empty",
            json!({}),
            "product.delete",
            "empty",
        ),
        (DEVICES, "create", device("a2"), "device.create", "a2"),
        (
            DEVICES,
            "batchCreate",
            json!({"deviceList": [device("a2"), device("a3")]}),
            "device.create",
            "a3",
        ),
        (
            DEVICES,
            "update&assetId=asset",
            json!({"deviceName": new_name}),
            "device.update",
            "asset",
        ),
        (
            DEVICES,
            "batchCreate",
            json!({"deviceList": [device("a2"), device("asset")]}),
            "device.create",
            "a2",
        ),
    ];
    for (path, query, body, verb, subject) in cases {
        let settings = Settings {
            no_auth: true,
            ..Settings::default()
        };
        let world = World::built(settings, |store, clock, _shared| one_commit(store, clock));
        // Keys and organizations are for signed calls only.
        let answered = match path.starts_with("/aldis/") {
            true => world.signed(ADMIN, path, &format!("action={query}"), body).await,
            false => world.post(&format!("{path}?orgId=o1&action={query}"), body).await,
        };
        answered.data();
        let actions = world.actions("o1", subject);
        let kept: Vec<(&str, &str)> = actions
            .iter()
            .map(|action| (action.verb.as_str(), action.by.request_id.as_str()))
            .collect();
        assert_eq!(
            kept,
            [(verb, answered.body["requestId"].as_str().unwrap())],
            "{path} {query}"
        );
    }
}

#[tokio::test]
async fn who_was_refused_is_not_remembered_to_have_done_it() {
    let world = World::locked().await;
    for _ in 0..2 {
        let key = json!({"role": "reader", "appKey": "k2"});
        world.signed(ADMIN, KEYS, "action=create", key).await;
    }
    assert_eq!(world.actions("o1", "k2").len(), 1);
}
