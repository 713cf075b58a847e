//! Runs the simulation: `simulate SEED` replays one history and shrinks it if it fails; `simulate --seeds N` runs many.

use std::process::ExitCode;

use aldis_tests::simulation::{Figures, Medium, Operation, draw, run, shrink};

/// Operations of one history.
const OPERATIONS: usize = 400;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    let medium = if words.iter().any(|word| word == "--sqlite") { Medium::Sqlite } else { Medium::Memory };
    match words.first().map(String::as_str) {
        Some("--seeds") => many(number(1).unwrap_or(100), number(2).unwrap_or(1), medium),
        Some(_) if number(0).is_some() => one(number(0).unwrap_or(0), medium),
        _ => {
            eprintln!("usage: simulate SEED [--sqlite] | simulate --seeds COUNT FIRST [--sqlite]");
            ExitCode::from(2)
        }
    }
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

fn many(count: u64, first: u64, medium: Medium) -> ExitCode {
    let mut sum = Figures::default();
    let mut failed = 0;
    for seed in first..first + count {
        match outcome(seed, medium, &draw(seed, OPERATIONS)) {
            Ok(figures) => sum.add(&figures),
            Err(told) => {
                failed += 1;
                println!("seed {seed}: {told}");
            }
        }
    }
    println!("{count} seeds from {first}: {failed} failed; {sum:?}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
