//! One job after another for one connected device of an idle server: what a single command costs in time.

use std::path::Path;
use std::time::Instant;

use aldis_client::{NewJob, Target, TargetScope, TimeoutPolicy};
use aldis_simulator::{FleetOptions, Journal};
use anyhow::Context as _;
use serde::Serialize;

use super::figures::Spread;
use super::world::{World, acknowledged, ping};

/// What was measured, from the moment before the call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Single {
    jobs: u32,
    /// Until the call is answered: the job is durable.
    answered: Option<Spread>,
    /// Until the device has the command.
    delivered: Option<Spread>,
    /// Until the device has the acknowledgement of its reply: the success is durable.
    durable: Option<Spread>,
}

pub(super) async fn measure(dir: Option<&Path>, jobs: u32) -> anyhow::Result<Single> {
    let world = World::start(dir).await?;
    let identities = world.register(1).await?;
    let device = identities.first().context("no device")?;
    let target = Target::keys(&device.product_key, &device.device_key);
    let journal = Journal::new();
    let options = FleetOptions {
        journal: Some(journal.clone()),
        ..FleetOptions::default()
    };
    let fleet = world.connect(identities, options).await?;
    let request = NewJob {
        timeout_policy: Some(TimeoutPolicy {
            in_progress_timeout_in_seconds: Some(60),
            ttl_timeout_in_seconds: Some(60),
        }),
        ..NewJob::new("benchmark", TargetScope::devices([target]), ping())
    };
    let (mut answered, mut delivered, mut durable) = (Vec::new(), Vec::new(), Vec::new());
    // The first job is not counted: the device settles for a second after its connection.
    for job in 0..=jobs {
        let begun = Instant::now();
        let answer = async {
            world.client.create_job(&request).await?;
            anyhow::Ok(begun.elapsed())
        };
        let reply = async {
            acknowledged(&fleet, u64::from(job) + 1).await?;
            anyhow::Ok(begun.elapsed())
        };
        let (answer, reply) = tokio::try_join!(answer, reply)?;
        let arrived = journal.records().last().map(|record| record.at - begun);
        if job > 0 {
            answered.push(answer);
            durable.push(reply);
            delivered.extend(arrived);
        }
    }
    fleet.stop().await;
    Ok(Single {
        jobs,
        answered: Spread::of(answered),
        delivered: Spread::of(delivered),
        durable: Spread::of(durable),
    })
}

impl Single {
    pub(super) fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let text = |spread: Option<Spread>| spread.map(|spread| spread.to_string());
        vec![
            (
                "one job, one device",
                Some(format!("{} jobs, one after another", self.jobs)),
            ),
            ("  call answered", text(self.answered)),
            ("  command delivered", text(self.delivered)),
            ("  success durable", text(self.durable)),
        ]
    }
}
