//! `aldis bench`: first figures of this machine, measured from outside: a server of its own as a child process, simulated
//! devices on real MQTT sockets, calls over HTTP. docs/benchmarks.md says what they mean.
//!
//! Server and devices share the machine, so that the figures are a lower bound of what the server alone can do.

mod dispatch;
mod figures;
mod idle;
mod large;
mod place;
mod single;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Outcome;
use crate::interrupt::interrupted;
use crate::open_files::make_room_for;
use crate::screen::facts;

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(after_help = "\
Each part has a server of its own with fresh data, removed afterwards; 0 leaves a part out. --url and --key-file play no part.
The data lie in --dir: choose a directory on the disk that you want to know about, /tmp may be memory.")]
pub(crate) struct Bench {
    /// Connected devices that a job is dispatched to
    #[arg(long, value_name = "N", default_value_t = 5000)]
    devices: usize,
    /// How many jobs they get, one after another
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many jobs for one device, one after another
    #[arg(long, value_name = "N", default_value_t = 200)]
    single: u32,
    /// Offline devices of a product that a job is created for
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    offline: usize,
    /// How often the statistics of that job are asked for
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    /// Connected devices that do nothing
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    idle: usize,
    /// Where the servers' data lie; the directory for temporary files if absent
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    place: place::Place,
    dispatch: Option<dispatch::Dispatch>,
    single: Option<single::Single>,
    large: Option<large::Large>,
    idle: Option<idle::Idle>,
}

impl Bench {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<Outcome> {
        make_room_for(self.devices.max(self.idle))?;
        let interrupted = interrupted()?;
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        let report = tokio::select! {
            biased;
            () = interrupted => None,
            report = self.measure(&bar) => Some(report),
        };
        bar.finish_and_clear();
        let Some(report) = report.transpose()? else {
            context.screen.note("stopped before the end")?;
            return Ok(Outcome::NotAll);
        };
        if context.screen.json {
            context.screen.line(serde_json::to_string(&report)?)?;
        } else {
            context.screen.line(facts(report.lines()))?;
        }
        Ok(Outcome::Done)
    }

    async fn measure(&self, bar: &ProgressBar) -> anyhow::Result<Report> {
        let dir = self.dir.as_deref();
        let step = |text: String| {
            bar.set_message(text);
        };
        let mut report = Report {
            place: place::Place::look(dir),
            dispatch: None,
            single: None,
            large: None,
            idle: None,
        };
        if self.devices > 0 {
            step(format!("{} jobs for {} connected devices", self.rounds, self.devices));
            report.dispatch = Some(dispatch::measure(dir, self.devices, self.rounds).await?);
        }
        if self.single > 0 {
            step(format!("{} jobs for one device", self.single));
            report.single = Some(single::measure(dir, self.single).await?);
        }
        if self.offline > 0 {
            step(format!("a job for {} offline devices", self.offline));
            report.large = Some(large::measure(dir, self.offline, self.calls).await?);
        }
        if self.idle > 0 {
            step(format!("{} idle connections", self.idle));
            report.idle = Some(idle::measure(dir, self.idle).await?);
        }
        Ok(report)
    }
}

impl Report {
    fn lines(&self) -> Vec<(&'static str, Option<String>)> {
        let mut lines = self.place.lines();
        lines.extend(self.dispatch.iter().flat_map(dispatch::Dispatch::lines));
        lines.extend(self.single.iter().flat_map(single::Single::lines));
        lines.extend(self.large.iter().flat_map(large::Large::lines));
        lines.extend(self.idle.iter().flat_map(idle::Idle::lines));
        lines
    }
}
