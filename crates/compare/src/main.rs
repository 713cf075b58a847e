//! Aldis beside a plain broker that passes the same messages around: Mosquitto, with a lean controller that keeps
//! nothing.
//!
//! Both get the same fleet (`aldis bench fleet`: one thread, real sockets, QoS 1 both ways, in a process of its own) on
//! the same machine, in turn; the rounds alternate, so that whatever else the machine does meets both.
//! docs/benchmarks.md says how that is fair, and where it is not.
#![expect(clippy::print_stdout, reason = "a program for people who measure")]

mod controller;
mod ours;
mod round;
mod theirs;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

use round::{Comparison, Round};

/// Sends the same commands to the same simulated devices, through Aldis and through Mosquitto with a controller, in
/// turn.
#[derive(Debug, Parser)]
struct Args {
    /// Connected devices
    #[arg(long, value_name = "N", default_value_t = 5000)]
    devices: usize,
    /// Jobs in a row over all devices
    #[arg(long, value_name = "N", default_value_t = 20)]
    jobs: usize,
    /// Rounds of each
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Milliseconds until a device answers: 50, or 0..200 at random
    #[arg(long, value_name = "MS", default_value = "0")]
    pause: String,
    /// The share of commands that devices answer with a failure, and that are sent again
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    failing: f64,
    /// The program `aldis`; beside this one if absent
    #[arg(long, value_name = "FILE")]
    aldis: Option<PathBuf>,
    /// The program `mosquitto`
    #[arg(long, value_name = "FILE", default_value = "mosquitto")]
    mosquitto: PathBuf,
    /// Where the server's data lie; the directory for temporary files if absent
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    fn aldis(&self) -> anyhow::Result<PathBuf> {
        let beside = || Ok::<PathBuf, std::io::Error>(std::env::current_exe()?.with_file_name("aldis"));
        let program = self.aldis.clone().map_or_else(beside, Ok)?;
        program.canonicalize().with_context(|| {
            format!(
                "there is no {}: build it with `cargo build --release`, or say --aldis",
                program.display()
            )
        })
    }

    /// From, and up to.
    fn pause_ms(&self) -> anyhow::Result<(u64, u64)> {
        let (first, last) = self.pause.split_once("..").unwrap_or((&self.pause, &self.pause));
        Ok((first.parse()?, last.parse()?))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if !args.json {
        println!("{}", Round::HEAD);
    }
    let mut comparison = Comparison::default();
    for _ in 0..args.rounds {
        comparison.ours.push(ours::round(&args).await?);
        comparison.theirs.push(theirs::round(&args).await?);
        if !args.json {
            println!("{}", comparison.latest());
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        println!("{}", comparison.summary());
    }
    Ok(())
}
