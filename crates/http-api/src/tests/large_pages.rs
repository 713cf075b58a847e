//! Pages of large rows: bounded by what their rows hold together, not only by how many they are.

use serde_json::{Value, json};

use super::fleet::{Fleet, brief, with};

/// Bytes of each command: about as many as one may have.
const EACH: usize = 500_000;
/// More commands than have room on one page.
const COMMANDS: usize = 40;

async fn page(fleet: &Fleet, path: &str, action: &str, size: usize, more: Value) -> super::world::Answered {
    let mut body = json!({"pagination": {"pageNo": 1, "pageSize": size}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fleet
        .world
        .post(&format!("{path}?orgId=o1&action={action}"), body)
        .await
}

#[tokio::test]
async fn a_page_that_would_be_too_large_is_refused_and_none_of_its_rows_is_left_out() {
    let fleet = Fleet::new().await;
    fleet
        .model("files", json!({"file": {"dataType": "FILE"}}), json!({}))
        .await;
    fleet.product("files", "files", "Json").await;
    fleet.device("files", "deviceKey").await;
    let single = "/connect-service/v2.1/commands";
    let device = "productKey=files&deviceKey=deviceKey";
    let input = json!({"file": "x".repeat(EACH)});
    let send = format!("{single}?orgId=o1&action=invokeService&{device}&serviceId=serviceId&pendingTtl=600");
    let target = json!([{"productKey": "files", "deviceKey": "deviceKey"}]);
    let job = with(brief(), "/targetScope/targetDevices", target);
    let job = with(job, "/commandInfo/serviceInvokeInfo/inputData", input.clone());
    for _ in 0..COMMANDS {
        fleet.world.post(&send, json!({"inputData": input})).await.data();
        fleet.create(job.clone()).await;
    }
    let search = format!("search&{device}");
    for (path, action) in [
        (single, search.as_str()),
        (super::fleet::PATH, "searchJob"),
        (super::fleet::PATH, "searchTask"),
    ] {
        let refused = page(&fleet, path, action, COMMANDS, json!({})).await;
        refused.fails(200, 99400, "pagination.pageSize: expected page of at most 16 MiB");
        let cropped = page(&fleet, path, action, COMMANDS, json!({"projection": ["jobId"]})).await;
        assert_eq!(cropped.body["code"], 99400, "all of it is read first");
        let half = page(&fleet, path, action, COMMANDS / 2, json!({})).await;
        assert_eq!(half.data().as_array().unwrap().len(), COMMANDS / 2, "{action}");
        assert!(half.body.to_string().len() > COMMANDS / 2 * EACH);
        let total = page(&fleet, path, action, 0, json!({})).await;
        assert!(total.body["pagination"]["totalSize"].as_u64().unwrap() >= COMMANDS as u64);
    }
}
