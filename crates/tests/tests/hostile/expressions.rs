//! Searches that would look at everything for a long time: they end within their budget, and everyone else is served
//! meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answered, Api, World};

const DEVICES: &str = "/connect-service/v2.1/devices";
/// Devices to look at: far more than a fast machine looks at within the budget.
const REGISTERED: usize = 100_000;
/// Conditions of the expression, near the most that it may have.
const CONDITIONS: usize = 299;
/// Searches at a time.
const SEARCHES: usize = 8;
/// A search may take two seconds, on a machine that does other things besides.
const SEARCHED_WITHIN: Duration = Duration::from_secs(8);
/// A device is in, and a stop has ended, within this time.
const DONE_WITHIN: Duration = Duration::from_secs(6);

/// Registers devices with long names in several languages.
async fn register(world: &World) {
    let long = "x".repeat(60);
    let name = json!({"defaultValue": long, "i18nValue": {"en_US": long, "zh_CN": long, "de_DE": long}});
    for batch in 0..REGISTERED / 1000 {
        let devices: Vec<Value> = (0..1000)
            .map(|n| {
                let key = format!("many{batch}x{n}");
                json!({"productKey": "pump", "deviceKey": key, "timezone": "+00:00", "deviceName": name})
            })
            .collect();
        let answer = world
            .api
            .post(DEVICES, "batchCreate", &json!({"deviceList": devices}))
            .await;
        assert_eq!(answer.body["successSize"], 1000, "{}", answer.body["msg"]);
    }
}

fn expression() -> String {
    let conditions: Vec<String> = (0..CONDITIONS).map(|n| format!("deviceName like 'y{n}'")).collect();
    conditions.join(" or ")
}

async fn search(api: Api) -> Answered {
    api.post(DEVICES, "search", &json!({"expression": expression()})).await
}

#[tokio::test]
async fn search_that_takes_too_long_is_refused_and_keeps_no_device_out() {
    let mut world = World::new().await;
    register(&world).await;
    let begun = Instant::now();
    search(world.api.clone()).await.fails(200, 99400, "narrow it");
    assert!(begun.elapsed() < SEARCHED_WITHIN, "{:?}", begun.elapsed());

    let mut searches = JoinSet::new();
    for _ in 0..SEARCHES {
        searches.spawn(search(world.api.clone()));
    }
    for n in 0..5 {
        let begun = Instant::now();
        drop(world.connected(&format!("late{n}")).await);
        assert!(begun.elapsed() < DONE_WITHIN, "{:?}", begun.elapsed());
    }
    assert!(!searches.is_empty());
    let (status, took) = world.server.terminate();
    assert!(status.success() && took < DONE_WITHIN, "{status} after {took:?}");
    searches.abort_all();
}
