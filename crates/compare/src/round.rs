//! What one round came to, and what all of them come to.

use std::fmt;

use serde::Serialize;

/// One side, one round.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Round {
    pub(crate) tasks: f64,
    pub(crate) seconds: f64,
    /// Processor time of a task in microseconds: of the server, or of the broker.
    pub(crate) server_us: f64,
    /// Of the controller; beside Aldis, of the program that creates the jobs.
    pub(crate) controller_us: f64,
    pub(crate) fleet_us: f64,
}

impl Round {
    pub(crate) const HEAD: &str = "\
                aldis                                    mosquitto
                 tasks/s  server us  caller us  fleet us  tasks/s  broker us  controller us  fleet us  ratio";

    fn rate(&self) -> f64 {
        self.tasks / self.seconds
    }

    /// Of everything but the devices.
    fn cost_us(&self) -> f64 {
        self.server_us + self.controller_us
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate();
        let Self {
            server_us,
            controller_us,
            fleet_us,
            ..
        } = self;
        write!(f, "{rate:8.0} {server_us:10.1} {controller_us:10.1} {fleet_us:9.1}")
    }
}

/// All rounds, in the order of their pairs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Comparison {
    pub(crate) ours: Vec<Round>,
    pub(crate) theirs: Vec<Round>,
}

/// Median, least and most.
struct Range([f64; 3]);

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Self([at(values.len() / 2), at(0), at(values.len().saturating_sub(1))])
    }

    fn show(&self, digits: usize) -> String {
        let Self([middle, least, most]) = self;
        format!("{middle:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

impl Comparison {
    fn pairs(&self) -> impl Iterator<Item = (&Round, &Round)> {
        self.ours.iter().zip(&self.theirs)
    }

    /// The latest pair.
    pub(crate) fn latest(&self) -> String {
        let Some((ours, theirs)) = self.pairs().last() else {
            return String::new();
        };
        let ratio = ours.rate() / theirs.rate();
        format!("                {ours} {theirs} {ratio:10.2}")
    }

    /// Medians with least and most, and how the sides compare.
    pub(crate) fn summary(&self) -> String {
        let rates = |rounds: &[Round]| Range::of(rounds.iter().map(Round::rate)).show(0);
        let costs = |rounds: &[Round]| Range::of(rounds.iter().map(Round::cost_us)).show(1);
        let (ours, theirs) = (&self.ours, &self.theirs);
        let rate = Range::of(self.pairs().map(|(ours, theirs)| ours.rate() / theirs.rate()));
        let server = Range::of(
            self.pairs()
                .map(|(ours, theirs)| 100.0 * ours.server_us / theirs.cost_us()),
        );
        format!(
            "aldis: {} tasks/s, {} us of CPU a task without the devices\n\
             mosquitto and controller: {} tasks/s, {} us\n\
             rate: {} times theirs\n\
             CPU of the server: {} % of broker and controller",
            rates(ours),
            costs(ours),
            rates(theirs),
            costs(theirs),
            rate.show(2),
            server.show(0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_pairs() {
        let round = |seconds, server_us| Round {
            tasks: 100.0,
            seconds,
            server_us,
            controller_us: 0.0,
            fleet_us: 0.0,
        };
        let comparison = Comparison {
            ours: vec![round(1.0, 10.0), round(1.0, 20.0), round(1.0, 30.0)],
            theirs: vec![round(2.0, 100.0), round(3.0, 100.0), round(4.0, 100.0)],
        };
        let summary = comparison.summary();
        assert!(summary.contains("rate: 3.00 (2.00–4.00) times"), "{summary}");
        assert!(summary.contains("20 (10–30) % of broker"), "{summary}");
    }
}
