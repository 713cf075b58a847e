//! `aldis bench`: figures of this machine, measured from outside, one scenario at a time: a server of its own as a
//! child process, simulated devices on real MQTT sockets in further processes, calls over HTTP. docs/benchmarks.md says
//! what the figures mean.
//!
//! All of them share the machine, so that rates are a lower bound of what the server alone can do; processor time is
//! told apart by process.

mod absent;
mod busy;
mod caller;
mod create;
mod dispatch;
mod figures;
mod fleets;
mod idle;
mod large;
mod load;
mod machine;
mod meter;
mod row;
mod search;
mod single;
mod world;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde::Serialize;

use self::large::Part;
use crate::context::Context;
use crate::exit::Outcome;
use crate::interrupt::interrupted;
use crate::open_files::make_room_for;
use crate::screen::facts;

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(after_help = "\
Each scenario has a server of its own with fresh data, removed afterwards; --url and --key-file play no part.
The data lie in --dir: choose a directory on the disk that you want to know about, /tmp may be memory.")]
pub(crate) struct Bench {
    #[command(subcommand)]
    scenario: Scenario,
    /// Where the server's data lie; the directory for temporary files if absent
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Subcommand)]
enum Scenario {
    /// One job for all connected devices
    Job(dispatch::Size),
    /// Many jobs in a row for all connected devices
    Jobs(dispatch::Jobs),
    /// Many jobs for one absent device each, from one caller and from many, with and without signatures
    Create(create::Create),
    /// One job for very many absent devices: until it is answered, until all tasks are durable
    Large(large::Size),
    /// Statistics and searches while such a job exists, idle and while others run
    Search(large::Size),
    /// Cancelling such a job
    Cancel(large::Size),
    /// The end of such a job's time to live
    Expire(large::Size),
    /// A restart while such a job waits
    Restart(large::Size),
    /// All five of these on the same devices
    Absent(large::Size),
    /// Memory of idle connections, and all of them coming back at once
    Idle(idle::Idle),
    /// One command for one device: alone, and while the server is busy
    Single(single::Single),
    /// The devices of another scenario
    #[command(hide = true)]
    Fleet,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: machine::Machine,
    rows: Vec<row::Row>,
}

impl Bench {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<Outcome> {
        if matches!(self.scenario, Scenario::Fleet) {
            // It blocks, and has a runtime of its own.
            return tokio::task::spawn_blocking(fleets::serve).await?;
        }
        make_room_for(0)?;
        let interrupted = interrupted()?;
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        let dir = self.dir.as_deref();
        let report = tokio::select! {
            biased;
            () = interrupted => None,
            rows = self.scenario.measure(dir) => Some(rows),
        };
        bar.finish_and_clear();
        let Some(rows) = report.transpose()? else {
            context.screen.note("stopped before the end");
            return Ok(Outcome::NotAll);
        };
        let machine = machine::Machine::look(dir);
        if context.screen.json {
            context.screen.line(serde_json::to_string(&Report { machine, rows })?)?;
        } else {
            context.screen.line(facts(machine.lines()))?;
            context.screen.line(row::shown(&rows))?;
        }
        Ok(Outcome::Done)
    }
}

impl Scenario {
    async fn measure(&self, dir: Option<&Path>) -> anyhow::Result<Vec<row::Row>> {
        match self {
            Self::Job(size) => {
                let size = size.clone();
                dispatch::Jobs { jobs: 1, size }.measure(dir).await
            }
            Self::Jobs(jobs) => jobs.measure(dir).await,
            Self::Create(create) => create.measure(dir).await,
            Self::Large(size) => size.measure(dir, &[Part::Create]).await,
            Self::Search(size) => size.measure(dir, &[Part::Search]).await,
            Self::Cancel(size) => size.measure(dir, &[Part::Cancel]).await,
            Self::Expire(size) => size.measure(dir, &[Part::Expire]).await,
            Self::Restart(size) => size.measure(dir, &[Part::Restart]).await,
            Self::Absent(size) => size.measure(dir, &Part::ALL).await,
            Self::Idle(idle) => idle.measure(dir).await,
            Self::Single(single) => single.measure(dir).await,
            Self::Fleet => Ok(Vec::new()),
        }
    }
}
