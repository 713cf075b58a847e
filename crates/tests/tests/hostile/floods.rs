//! More calls than the operator allows.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aldis_client::{AccessKey, NewKey};
use serde_json::json;

use crate::harness::{Api, Start, World};

#[tokio::test]
async fn a_flood_above_the_rate_limit_is_turned_away_and_other_keys_are_unharmed() {
    let world = World::with(Start::flags(&["--rate-limit-per-second", "50"])).await;
    let made = world.client.create_key(&NewKey::new("reader")).await.unwrap().data;
    let key = AccessKey {
        org_id: "default".into(),
        app_key: made.app_key,
        app_secret: made.app_secret.unwrap(),
    };
    let other = Api::signed(world.server.http, key).await;
    let (taken, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let flood = async || {
        loop {
            let answer = world.api.command("searchJob", &json!({})).await;
            match answer.status {
                200 => taken.fetch_add(1, Ordering::Relaxed),
                429 => {
                    answer.fails(429, 429, "50 calls per second");
                    assert!(
                        answer.head.to_ascii_lowercase().contains("\r\nretry-after: 1"),
                        "{}",
                        answer.head
                    );
                    refused.fetch_add(1, Ordering::Relaxed)
                }
                status => panic!("{status}: {}", answer.body),
            };
        }
    };
    let calm = async {
        for _ in 0..60 {
            other.command("searchJob", &json!({})).await.data();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = calm => {}
        () = async { tokio::join!(flood(), flood(), flood(), flood()).0 } => {}
    }
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    assert!(taken >= 100 && refused > 0, "{taken} taken, {refused} refused");
    let log = world.server.log();
    assert!(
        log.len() < 64 * 1024,
        "a flood must not fill the log: {} bytes",
        log.len()
    );
}
