//! Kills the program again and again under load, starts it on the same data, and compares what everybody saw.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::PathBuf;

use aldis_tests::crash::{Options, run};
use clap::Parser;

/// Kills `aldis serve` while commands are moving, and checks that nothing is lost and nothing doubled.
#[derive(Debug, Parser)]
struct Args {
    /// How often
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u32,
    /// Simulated devices
    #[arg(long, value_name = "N", default_value_t = 300)]
    devices: usize,
    /// Where chance begins
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// The program `aldis`; beside this one if absent
    #[arg(long, value_name = "FILE", env = "ALDIS_BIN")]
    aldis: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let beside = || Ok::<PathBuf, std::io::Error>(std::env::current_exe()?.with_file_name("aldis"));
    let options = Options {
        program: args.aldis.map_or_else(beside, Ok)?,
        kills: args.kills,
        devices: args.devices,
        seed: args.seed,
    };
    println!("{}", run(&options).await?);
    Ok(())
}
