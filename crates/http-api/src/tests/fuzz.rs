//! Bodies of `createJob` from strangers: whatever arrives is accepted or refused in the envelope, and the server goes
//! on. Seeds of the mutations: `crates/http-api/tests/corpus`; longer runs: docs/reliability.md, "Hostile input".

#[expect(unreachable_pub, reason = "the module is public where crates/tests uses it")]
#[path = "../../../tests/src/mutation.rs"]
mod mutation;

use std::path::Path;

use serde_json::json;

use super::fleet::{Fleet, PATH};

/// Mutated samples of an ordinary run: a second or two.
const TIMES: u32 = 2_000;

#[test]
fn any_body_of_create_job_is_accepted_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let samples = mutation::corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/create_job"));
    let mut fleet = runtime.block_on(Fleet::new());
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    let done = mutation::run(&samples, TIMES, |bytes| {
        runtime.block_on(async {
            let target = format!("{PATH}?orgId=o1&action=createJob");
            let answered = fleet.world.post_bytes(&target, bytes.to_vec()).await;
            fleet.turn();
            if answered.body["code"] == 0 {
                accepted += 1;
                let job = answered.data().as_str().unwrap();
                fleet.call(&format!("getJob&jobId={job}"), json!({})).await.data();
            } else {
                refused += 1;
                let status = answered.status.as_u16();
                assert!(status == 200 || status == 400, "{answered:?}");
            }
            // Jobs pile up, and the memory store looks at all of them.
            if accepted % 500 == 499 {
                fleet = Fleet::new().await;
                accepted += 1;
            }
        });
    });
    println!("{done} mutated samples");
    assert!(accepted > 10 && refused > 10, "{accepted} accepted, {refused} refused");
}
