//! What a job needs around it: thing models, products, devices, keys and organizations, each through its whole life.

use aldis_client::{
    AccessKey, DeviceRef, DeviceUpdate, NewDevice, NewKey, NewOrganization, NewProduct, ProductChange, Search,
    TaskStatus, ThingModel,
};
use serde_json::json;

use crate::harness::{Api, Plan, World};

#[tokio::test]
async fn a_thing_model_is_created_shown_changed_found_and_deleted() {
    let world = World::new().await;
    let client = &world.client;
    assert_eq!(
        client.create_model(&ThingModel::new("m2", "Fan")).await.unwrap().data,
        "m2"
    );
    assert_eq!(
        client
            .create_model(&ThingModel::new("m2", "Fan"))
            .await
            .unwrap_err()
            .code(),
        Some(99400)
    );
    let service =
        json!({"services": {"spin": {"identifier": "spin", "name": {"defaultValue": "Spin"}, "inputData": []}}});
    client.update_model("m2", &service).await.unwrap();
    let shown = client.get_model("m2").await.unwrap().data;
    assert_eq!(shown.name.unwrap().default_value, "Fan");
    assert!(shown.services.unwrap().contains_key("spin"));
    let found = client
        .search_models(&Search::page(Some("modelId like 'm2'"), 1, 10))
        .await
        .unwrap();
    assert_eq!(found.pagination.unwrap().total_size, 1);
    client.delete_model("m2").await.unwrap();
    assert_eq!(client.get_model("m2").await.unwrap_err().code(), Some(99404));
    assert_eq!(
        client.delete_model("pump-model").await.unwrap_err().code(),
        Some(99400),
        "a product has it"
    );
}

#[tokio::test]
async fn a_product_is_created_shown_changed_found_and_deleted() {
    let world = World::new().await;
    let client = &world.client;
    let key = client
        .create_product(&NewProduct::new("Valve", "pump-model"))
        .await
        .unwrap()
        .data;
    assert_eq!(
        client
            .create_product(&NewProduct::new("No", "no-model"))
            .await
            .unwrap_err()
            .code(),
        Some(11699)
    );
    client
        .update_product(
            &key,
            &ProductChange {
                product_name: Some("Valves".into()),
                product_desc: Some("d".into()),
                ..ProductChange::default()
            },
        )
        .await
        .unwrap();
    let shown = client.get_product(&key).await.unwrap().data;
    assert_eq!(
        (shown.product_name.default_value.as_str(), shown.product_desc.as_deref()),
        ("Valves", Some("d"))
    );
    let found = client
        .search_products(&Search::page(Some("productName like 'valve'"), 1, 10))
        .await
        .unwrap();
    assert_eq!(found.data[0].product_key, key);
    client.delete_product(&key).await.unwrap();
    assert_eq!(client.get_product(&key).await.unwrap_err().code(), Some(11611));
    world.device("d1").await;
    assert_eq!(client.delete_product("pump").await.unwrap_err().code(), Some(11619));
}

#[tokio::test]
async fn products_that_speak_no_json_take_no_commands() {
    let world = World::new().await;
    let custom = NewProduct {
        data_format: Some("Custom".into()),
        product_key: Some("raw".into()),
        ..NewProduct::new("Raw", "pump-model")
    };
    world.client.create_product(&custom).await.unwrap();
    let device = world.register("raw", &["d1".to_owned()]).await.remove(0);
    for plan in [Plan::device(&device), Plan::product("raw")] {
        world.api.command("createJob", &plan.0).await.fails(200, 11810, "");
    }
}

#[tokio::test]
async fn a_device_is_registered_shown_changed_found_disabled_enabled_and_deleted() {
    let world = World::new().await;
    let client = &world.client;
    let made = client
        .create_device(&NewDevice::new("pump", "No 1"))
        .await
        .unwrap()
        .data;
    assert_eq!(made.device_secret.as_ref().unwrap().len(), 32);
    let by_keys = DeviceRef::keys("pump", made.device_key.as_str());
    let by_asset = DeviceRef::Asset(made.asset_id.clone());
    let change = DeviceUpdate {
        device_name: Some("Number one".into()),
        device_tags: Some([("floor".into(), "1".into())].into()),
        ..DeviceUpdate::default()
    };
    client.update_device(&by_asset, &change).await.unwrap();
    let shown = client.get_device(&by_keys).await.unwrap().data;
    assert_eq!(shown, client.get_device(&by_asset).await.unwrap().data);
    assert_eq!(
        (shown.device_name.default_value.as_str(), shown.status.as_deref()),
        ("Number one", Some("inactive"))
    );
    assert_eq!(
        (shown.device_secret, shown.model_id.as_deref()),
        (made.device_secret.clone(), Some("pump-model"))
    );
    for expression in [
        "deviceTags.floor = '1'",
        "deviceName like 'number'",
        "status = 'inactive' and productKey = 'pump'",
    ] {
        let found = client
            .search_devices(&Search::page(Some(expression), 1, 10))
            .await
            .unwrap();
        assert_eq!(found.data[0].asset_id, made.asset_id, "{expression}");
    }
    client.disable_device(&by_keys).await.unwrap();
    assert_eq!(client.disable_device(&by_keys).await.unwrap_err().code(), Some(11721));
    client.enable_device(&by_asset).await.unwrap();
    client.delete_device(&by_keys).await.unwrap();
    assert_eq!(client.get_device(&by_asset).await.unwrap_err().code(), Some(99404));
}

#[tokio::test]
async fn of_a_batch_each_device_has_its_own_answer() {
    let world = World::new().await;
    world.device("d1").await;
    let named = |product: &str, key: &str| NewDevice {
        device_key: Some(key.into()),
        ..NewDevice::new(product, key)
    };
    let batch = [named("pump", "d2"), named("pump", "d1"), named("ghost", "d3")];
    let answer = world.client.create_devices(&batch).await.unwrap();
    assert_eq!((answer.success_size, answer.total_size), (Some(1), Some(3)));
    assert_eq!((answer.data[0].code, answer.data[1].code), (0, 11702));
    assert_ne!(answer.data[2].code, 0);
}

#[tokio::test]
async fn new_hardware_takes_a_devices_place_and_its_waiting_commands() {
    let world = World::new().await;
    let mut old = world.connected("old").await;
    old.disconnect().await.unwrap();
    world.until_presence(old.identity(), "offline").await;
    let job = world.create(&Plan::device(old.identity()).ttl(600)).await;
    world
        .client
        .replace_device(&DeviceRef::keys("pump", "old"), "new")
        .await
        .unwrap();
    assert_eq!(old.try_connect(world.server.mqtt).await.unwrap(), 5);
    let secret = old.identity().device_secret.clone();
    let mut new = world
        .connect(&aldis_simulator::DeviceIdentity::new("pump", "new", secret))
        .await;
    let command = new.next_command().await.unwrap();
    new.answer(&command, 200, json!({})).await.unwrap();
    let task = world.task(&job).await;
    assert_eq!(
        (task.status, task.device_key.as_deref()),
        (TaskStatus::Succeed, Some("new"))
    );
}

#[tokio::test]
async fn what_waits_for_a_deleted_device_fails_and_a_namesake_gets_none_of_it() {
    let world = World::new().await;
    let identity = world.device("d1").await;
    let job = world.create(&Plan::device(&identity).ttl(600)).await;
    world
        .client
        .delete_device(&DeviceRef::keys("pump", "d1"))
        .await
        .unwrap();
    let task = world.task_in(&job, TaskStatus::Failed).await;
    assert_eq!(task.task_result.unwrap().code, Some(99404));
    let mut namesake = world.connected("d1").await;
    namesake
        .no_command_within(std::time::Duration::from_millis(1300))
        .await
        .unwrap();
    let retried = world.client.retry_tasks(&job, Some(&[task.task_id])).await.unwrap();
    assert_eq!(retried.data[0].code, 99404);
}

#[tokio::test]
async fn keys_and_organizations_are_made_listed_disabled_and_deleted() {
    let world = World::new().await;
    let client = &world.client;
    client
        .create_organization(&NewOrganization {
            organization: "o2".into(),
            name: None,
        })
        .await
        .unwrap();
    let new = NewKey {
        organization: Some("o2".into()),
        ..NewKey::new("operator")
    };
    let made = client.create_key(&new).await.unwrap().data;
    let key = AccessKey {
        org_id: "o2".into(),
        app_key: made.app_key.clone(),
        app_secret: made.app_secret.unwrap(),
    };
    let other = Api::signed(world.server.http, key).await;
    assert_eq!(other.command("searchJob", &json!({})).await.code(), 0);
    let listed = client.keys(Some("o2")).await.unwrap().data;
    assert_eq!(
        (listed.len(), listed[0].app_secret.as_deref()),
        (1, None),
        "secrets are shown once"
    );

    client.disable_organization("o2").await.unwrap();
    other.command("searchJob", &json!({})).await.fails(401, 401, "");
    client.enable_organization("o2").await.unwrap();
    assert_eq!(other.command("searchJob", &json!({})).await.code(), 0);
    assert_eq!(
        client.delete_organization("o2").await.unwrap_err().code(),
        Some(99400),
        "it still has a key"
    );
    client.delete_key(&made.app_key).await.unwrap();
    other.command("searchJob", &json!({})).await.fails(401, 401, "");
    client.delete_organization("o2").await.unwrap();
    assert_eq!(client.organizations().await.unwrap().len(), 1);
    // A caller cannot lock itself out.
    let own = world.server.admin_key().app_key;
    assert!(client.delete_key(&own).await.is_err() && client.disable_key(&own).await.is_err());
    assert!(client.disable_organization("default").await.is_err());
}
