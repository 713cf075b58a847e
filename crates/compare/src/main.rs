//! Aldis beside a plain broker that passes the same messages around: Mosquitto, with a lean controller that keeps nothing.
//!
//! Both get the same fleet (one thread, real sockets, QoS 1 both ways) on the same machine, in turn; the rounds alternate, so
//! that whatever else the machine does meets both. docs/benchmarks.md says how that is fair, and where it is not.
#![expect(clippy::print_stdout, reason = "a program for people who measure")]

mod cpu;
mod fleet;
mod ours;
mod round;
mod theirs;

use std::path::PathBuf;

use clap::Parser;

use round::{Round, summary};

/// Sends the same commands to the same simulated devices, through Aldis and through Mosquitto with a controller, in turn.
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
    /// Devices answer after a random pause of up to so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pause_ms: u64,
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
    /// Measure Aldis alone
    #[arg(long)]
    alone: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    fleet::make_room()?;
    println!("{}", Round::HEAD);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        ours.push(ours::round(&args).await?);
        println!("{}", ours[ours.len() - 1]);
        if !args.alone {
            theirs.push(theirs::round(&args).await?);
            println!("{}", theirs[theirs.len() - 1]);
        }
    }
    println!("{}", summary(&ours, &theirs));
    Ok(())
}
