//! How often simulated devices do what, from flags.

use std::ops::RangeInclusive;

use aldis_simulator::{DEFAULT_FAILURE_CODE, FaultModel};
use clap::Args;

use crate::exit::usage;

/// Probabilities run from 0 (never) to 1 (always).
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults (probabilities from 0 to 1)")]
pub(super) struct Odds {
    /// Milliseconds until the reply: 50, or 50..500 at random
    #[arg(long, value_name = "MS", default_value = "0", value_parser = span)]
    latency: RangeInclusive<u64>,
    /// How often the reply reports a failure
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    failure: f64,
    /// A code that failures report; repeatable
    #[arg(long = "failure-code", value_name = "CODE", default_values_t = [DEFAULT_FAILURE_CODE])]
    failure_codes: Vec<i64>,
    /// How often no reply comes
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    silence: f64,
    /// How often the link is lost over a command
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    lost_link: f64,
    /// How often the reply comes twice
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    doubled: f64,
    /// How often the reply is late
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    late: f64,
    /// Milliseconds by which late replies are late
    #[arg(long, value_name = "MS", default_value = "30000..60000", value_parser = span)]
    late_by: RangeInclusive<u64>,
    /// How often the PUBACK is left out
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    no_puback: f64,
    /// How often the reply is no JSON
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    rubbish: f64,
    /// Reproduces the behaviour
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Odds {
    /// The simulator's fault model, checked.
    pub(super) fn model(&self) -> anyhow::Result<FaultModel> {
        let model = FaultModel {
            seed: self.seed,
            latency_ms: self.latency.clone(),
            failure: self.failure,
            failure_codes: self.failure_codes.clone(),
            silence: self.silence,
            lost_link: self.lost_link,
            doubled: self.doubled,
            late: self.late,
            late_by_ms: self.late_by.clone(),
            no_puback: self.no_puback,
            rubbish: self.rubbish,
        };
        model.check().map_err(|error| usage(error.to_string()))?;
        Ok(model)
    }
}

fn span(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        let text = text.trim().trim_end_matches("ms");
        text.parse::<u64>()
            .map_err(|error| format!("expected milliseconds such as 50 or 50..500: {error}"))
    };
    match text.split_once("..") {
        Some((first, last)) => Ok(number(first)?..=number(last.trim_start_matches('='))?),
        None => number(text).map(|one| one..=one),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct OddsLine {
        #[command(flatten)]
        odds: Odds,
    }

    fn model(line: &[&str]) -> anyhow::Result<FaultModel> {
        let words = ["simulate"].into_iter().chain(line.iter().copied());
        OddsLine::try_parse_from(words)?.odds.model()
    }

    #[test]
    fn without_flags_devices_are_perfect() {
        assert_eq!(model(&[]).unwrap(), FaultModel::default());
    }

    #[test]
    fn every_flag_reaches_the_fault_model() {
        let line = "--latency 5..50 --failure 0.1 --failure-code 7 --failure-code 8 --silence 0.2 --lost-link 0.3 \
                    --doubled 0.4 --late 0.5 --late-by 10 --no-puback 0.6 --rubbish 0.7 --seed 9";
        let expected = FaultModel {
            seed: 9,
            latency_ms: 5..=50,
            failure: 0.1,
            failure_codes: vec![7, 8],
            silence: 0.2,
            lost_link: 0.3,
            doubled: 0.4,
            late: 0.5,
            late_by_ms: 10..=10,
            no_puback: 0.6,
            rubbish: 0.7,
        };
        assert_eq!(model(&line.split_whitespace().collect::<Vec<_>>()).unwrap(), expected);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for line in [["--failure", "1.5"], ["--latency", "9..5"], ["--latency", "soon"]] {
            assert!(model(&line).is_err(), "{line:?}");
        }
    }
}
