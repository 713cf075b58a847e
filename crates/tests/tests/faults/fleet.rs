//! A fleet under way, for tests that need one to be disturbed.

use std::collections::BTreeSet;
use std::time::Duration;

use aldis_simulator::{BackOff, Behaviour, DeviceIdentity, FleetHandle, FleetOptions, Journal, Received, Recipient};
use serde_json::{Value, json};

use crate::harness::{Answered, COMMANDS, Plan, World, eventually};

/// Devices of the fleet.
pub(crate) const DEVICES: usize = 60;

/// Devices that succeed after a moment, with everything that they have received.
pub(crate) struct Busy {
    pub(crate) devices: Vec<DeviceIdentity>,
    pub(crate) journal: Journal,
    pub(crate) jobs: Vec<String>,
    fleet: FleetHandle,
}

impl Busy {
    /// A fleet with this many jobs over all of it.
    pub(crate) async fn with_jobs(world: &World, jobs: usize) -> Self {
        let devices = world.many_devices(DEVICES).await;
        let journal = Journal::new();
        let slow = |_: &Recipient<'_>, _: &Received| Behaviour::success(json!({})).after(Duration::from_millis(30));
        let options = FleetOptions {
            journal: Some(journal.clone()),
            back_off: BackOff {
                first: Duration::from_millis(20),
                longest: Duration::from_millis(200),
            },
            ..FleetOptions::with(slow)
        };
        let fleet = world.fleet(devices.clone(), options).await;
        let mut busy = Self {
            devices,
            journal,
            jobs: Vec::new(),
            fleet,
        };
        for _ in 0..jobs {
            busy.jobs.push(world.create(&busy.plan()).await);
        }
        busy
    }

    /// A job over the whole fleet that waits for devices and for replies.
    pub(crate) fn plan(&self) -> Plan {
        Plan::devices(&self.devices).ttl(600).reply_within(60)
    }

    /// Waits until this many commands have arrived.
    pub(crate) async fn received(&self, count: usize) {
        eventually("commands under way", || async {
            (self.journal.len() >= count).then_some(())
        })
        .await;
    }

    /// Every job is done by every device, counters equal a recount, no attempt came twice, and every attempt that a
    /// device has received is known.
    pub(crate) async fn ends_well(self, world: &World) {
        for job in &self.jobs {
            world
                .count_when(job, "answered", |count| count.succeed == DEVICES as u64)
                .await;
            assert_eq!(world.recounted(job).await.succeed, DEVICES as u64);
        }
        assert_eq!(self.journal.delivered_twice(), BTreeSet::new());
        for record in self.journal.records() {
            let task = record.id.task().to_task_id();
            let attempts = world.client.task_attempts(&task).await.unwrap().data;
            let number = Some(u32::from(record.id.attempt().0));
            let known = attempts
                .iter()
                .any(|attempt| attempt.attempt == number && attempt.sent_timestamp.is_some());
            assert!(
                known,
                "attempt {} of task {task} was received and is not known",
                record.id
            );
        }
        self.fleet.stop().await;
    }
}

/// Creates a job under an idempotency key.
pub(crate) async fn create_as(world: &World, key: &str, plan: &Plan) -> Answered {
    let body = plan.0.to_string();
    let headers = [("Idempotency-Key", key)];
    world
        .api
        .send("POST", COMMANDS, "createJob", &headers, body.as_bytes())
        .await
}

/// How many jobs there are.
pub(crate) async fn jobs(world: &World) -> Value {
    world.api.command("searchJob", &json!({})).await.body["pagination"]["totalSize"].clone()
}
