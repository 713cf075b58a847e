//! Runs histories of the simulation: one again by its seed, shrunk if it fails, or many.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::process::ExitCode;

use aldis_tests::simulation::{Figures, Medium, Operation, draw, run, shrink};
use clap::Parser;

/// Operations of one history.
const OPERATIONS: usize = 400;

/// Histories of the simulation, drawn from seeds.
#[derive(Parser)]
struct Arguments {
    /// The (first) seed.
    #[arg(required_unless_present = "fresh")]
    seed: Option<u64>,
    /// Seeds that have not been played before, from the time of day on.
    #[arg(long, conflicts_with = "seed")]
    fresh: bool,
    /// How many histories; with one, a failure is shrunk.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Stop at the first that fails.
    #[arg(long)]
    first: bool,
    /// Over SQLite instead of the store in memory.
    #[arg(long)]
    sqlite: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let medium = if arguments.sqlite {
        Medium::Sqlite
    } else {
        Medium::Memory
    };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    if arguments.count == 1 {
        one(seed, medium)
    } else {
        many(seed, &arguments, medium)
    }
}

/// The seconds of the day in the upper bits leave room for 65,536 histories before the next second's.
fn fresh_seed() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()) << 16
}

/// What a history came to, with a panic as one more way to fail.
fn outcome(seed: u64, medium: Medium, operations: &[Operation]) -> Result<Figures, String> {
    match std::panic::catch_unwind(|| run(seed, medium, operations)) {
        Ok(Ok(figures)) => Ok(figures),
        Ok(Err((at, violation))) => Err(format!("{} after {at} operations: {}", violation.rule, violation.what)),
        Err(_) => Err("panic".to_owned()),
    }
}

fn rule(told: &str) -> &str {
    told.split(' ').next().unwrap_or_default()
}

fn one(seed: u64, medium: Medium) -> ExitCode {
    let operations = draw(seed, OPERATIONS);
    let told = match outcome(seed, medium, &operations) {
        Ok(figures) => {
            println!("seed {seed} holds: {figures:?}");
            return ExitCode::SUCCESS;
        }
        Err(told) => told,
    };
    println!("seed {seed}: {told}");
    std::panic::set_hook(Box::new(|_| {}));
    let same = |part: &[Operation]| outcome(seed, medium, part).is_err_and(|again| rule(&again) == rule(&told));
    let short = shrink(&operations, same);
    println!("{} of {OPERATIONS} operations suffice:", short.len());
    for operation in &short {
        println!("    {operation:?},");
    }
    if let Err(told) = outcome(seed, medium, &short) {
        println!("{told}");
    }
    ExitCode::FAILURE
}

fn many(first: u64, arguments: &Arguments, medium: Medium) -> ExitCode {
    let mut sum = Figures::default();
    let mut failed = 0;
    let mut played = 0;
    for seed in first..first + arguments.count {
        if arguments.first && failed > 0 {
            break;
        }
        played += 1;
        match outcome(seed, medium, &draw(seed, OPERATIONS)) {
            Ok(figures) => sum.add(&figures),
            Err(told) => {
                failed += 1;
                println!("seed {seed}: {told}");
            }
        }
    }
    println!("{played} seeds from {first}: {failed} failed; {sum:?}");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
