//! A whole product of 100,000 devices that are all offline: accepted, created, counted, cancelled, deleted.

use std::time::Instant;

use aldis_client::{JobStatus, Search};

use crate::harness::{Plan, World, eventually};

const DEVICES: u64 = 100_000;

#[tokio::test]
async fn a_job_for_a_hundred_thousand_devices() {
    let world = World::open().await;
    let begun = Instant::now();
    world.many_devices(usize::try_from(DEVICES).unwrap()).await;
    println!("registered {DEVICES} devices in {:?}", begun.elapsed());

    let begun = Instant::now();
    let job = world.create(&Plan::product("pump").ttl(3600)).await;
    let accepted = begun.elapsed();
    let queued = Search::page(Some(&format!("jobId = '{job}' and status = 'QUEUED'")), 1, 0);
    eventually("all tasks written", || async {
        let count = world.client.statistics(&job).await.unwrap().data;
        // Nothing before the trigger; from then on all, written or not.
        assert!(
            count.init == count.total && [0, DEVICES].contains(&count.total),
            "{count:?}"
        );
        let written = world
            .client
            .search_tasks(&queued)
            .await
            .unwrap()
            .pagination
            .unwrap()
            .total_size;
        (written == DEVICES).then_some(())
    })
    .await;
    println!("accepted in {accepted:?}, created in {:?}", begun.elapsed());

    let begun = Instant::now();
    let cancelled = world.client.cancel_tasks(&job, None).await.unwrap();
    let answered = begun.elapsed();
    assert_eq!((cancelled.total_size, cancelled.data.len()), (Some(DEVICES), 200));
    world
        .count_when(&job, "cancelled", |count| count.canceled == DEVICES)
        .await;
    println!("cancelled in {answered:?}, settled in {:?}", begun.elapsed());
    let count = world.recounted(&job).await;
    assert_eq!((count.total, count.canceled), (DEVICES, DEVICES));
    assert_eq!(world.client.get_job(&job).await.unwrap().status, JobStatus::Finished);
    world.client.delete_job(&job).await.unwrap();
    println!("peak memory {} MB", world.server.peak_memory() >> 20);
}
