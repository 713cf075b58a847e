//! What one round came to, and what all of them come to.

use std::fmt;

use crate::cpu::Used;

/// One side, one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) side: &'static str,
    pub(crate) tasks: f64,
    pub(crate) seconds: f64,
    /// The server; or the broker.
    pub(crate) server: Used,
    /// Of the controller, which only a broker needs.
    pub(crate) controller: Used,
    pub(crate) fleet: Used,
}

impl Round {
    pub(crate) const HEAD: &str = "side        tasks/s   server us  controller us  fleet us  (CPU a task)";

    fn rate(&self) -> f64 {
        self.tasks / self.seconds
    }

    /// Of everything but the devices.
    fn cost_us(&self) -> f64 {
        (self.server + self.controller).us() / self.tasks
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |used: Used| used.us() / self.tasks;
        write!(
            f,
            "{:10} {:8.0} {:11.1} {:14.1} {:9.1}",
            self.side,
            self.rate(),
            us(self.server),
            us(self.controller),
            us(self.fleet)
        )
    }
}

/// Medians, and how the sides compare.
pub(crate) fn summary(ours: &[Round], theirs: &[Round]) -> String {
    let rates = |rounds: &[Round]| median(rounds.iter().map(Round::rate).collect());
    let costs = |rounds: &[Round]| median(rounds.iter().map(Round::cost_us).collect());
    let mut text = format!("aldis: {:.0} tasks/s, {:.1} us of CPU a task", rates(ours), costs(ours));
    if !theirs.is_empty() {
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours.rate() / theirs.rate())
            .collect();
        let (least, most) = ratios.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), ratio| {
            (least.min(*ratio), most.max(*ratio))
        });
        text += &format!(
            "\nmosquitto and controller: {:.0} tasks/s, {:.1} us\nrate {:.2} times theirs (pairs of rounds {least:.2} to {most:.2}), CPU {:.0} % of theirs",
            rates(theirs),
            costs(theirs),
            median(ratios),
            100.0 * costs(ours) / costs(theirs)
        );
    }
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
