//! Connected devices that get one job after another while something else is measured.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

use super::fleets::Fleets;
use super::load::Answers;
use super::world::{PRODUCT, World, product_job};

/// Jobs that they get at a time: the most that the workloads allow to be outstanding.
const JOBS: u16 = 20;
/// So that what is to disturb has begun.
const AHEAD: Duration = Duration::from_millis(300);

pub(super) struct Busy {
    fleets: Fleets,
}

impl Busy {
    /// Connects this many devices.
    pub(super) async fn start(world: &World, devices: usize) -> anyhow::Result<Self> {
        let devices = world.register(PRODUCT, devices).await?;
        let mut fleets = Fleets::connect(devices, 1, &world.plan(&Answers::default())).await?;
        fleets.settle().await?;
        Ok(Self { fleets })
    }

    /// Gives them jobs, for ever.
    pub(super) async fn keep_busy(&mut self, world: &World) -> anyhow::Result<()> {
        let job = product_job(&Answers::default());
        loop {
            self.fleets.mark().await?;
            for _ in 0..JOBS {
                world.client.create_job(&job).await?;
            }
            self.fleets.acknowledged(JOBS.into()).await?;
        }
    }
}

/// Measures while something else goes on and on.
pub(super) async fn beside<T>(
    others: impl Future<Output = anyhow::Result<()>>,
    measured: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let measured = async {
        sleep(AHEAD).await;
        measured.await
    };
    tokio::select! {
        ended = others => {
            ended?;
            anyhow::bail!("there was nothing to do any more")
        }
        measured = measured => measured,
    }
}
