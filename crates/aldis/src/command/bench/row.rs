//! What was measured, in one shape for all scenarios: a row of the table, an object of the JSON.

use std::time::Duration;

use serde::Serialize;

use super::figures::{Range, Spread, number};
use crate::screen::table;

/// One round of a measurement: how much in how long, and what each process used for it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    /// How many tasks, calls or connections.
    pub(super) count: u64,
    pub(super) seconds: f64,
    /// Processor time of each for one of `count`, in microseconds.
    pub(super) server_us: f64,
    pub(super) fleet_us: f64,
    pub(super) caller_us: f64,
}

impl Round {
    pub(super) fn rate(&self) -> f64 {
        number(self.count) / self.seconds
    }
}

/// One row: a measurement and all of its rounds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rounds: Vec<Round>,
    /// Over all rounds: how many a second, and the processor time of one. The middle is the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_second: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_us: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fleet_us: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller_us: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) latency: Option<Spread>,
    /// The most memory that the server had resident meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_peak_kib: Option<u64>,
    /// By how much the server's files have grown for one of `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disk_bytes_each: Option<f64>,
    /// A figure that only this scenario has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remark: Option<String>,
}

const HEAD: [&str; 9] = [
    "",
    "a second (least–most)",
    "half",
    "99 %",
    "slowest",
    "server µs",
    "fleet µs",
    "caller µs",
    "peak MiB",
];

impl Row {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// Something that takes time and is done once.
    pub(super) fn once(what: impl Into<String>, took: Duration) -> Self {
        Self {
            latency: Spread::of(vec![took]),
            ..Self::new(what)
        }
    }

    /// Calls of one kind, one after another.
    pub(super) fn calls(what: impl Into<String>, durations: Vec<Duration>) -> Self {
        Self {
            latency: Spread::of(durations),
            ..Self::new(what)
        }
    }

    /// Work that was done in rounds.
    pub(super) fn of(what: impl Into<String>, rounds: Vec<Round>) -> Self {
        let range = |figure: fn(&Round) -> f64| Range::of(rounds.iter().map(figure));
        let used = |figure: fn(&Round) -> f64| range(figure).filter(|range| range.most > 0.0);
        Self {
            per_second: range(Round::rate),
            server_us: used(|round| round.server_us),
            fleet_us: used(|round| round.fleet_us),
            caller_us: used(|round| round.caller_us),
            rounds,
            ..Self::new(what)
        }
    }

    pub(super) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    fn cells(&self) -> Vec<String> {
        let rate = self.per_second.map(|range| {
            if self.rounds.len() > 1 {
                format!("{:.0} ({:.0}–{:.0})", range.middle, range.least, range.most)
            } else {
                format!("{:.0}", range.middle)
            }
        });
        let us = |range: Option<Range>| range.map(|range| format!("{:.1}", range.middle));
        let ms = |of: fn(&Spread) -> f64| self.latency.as_ref().map(|spread| duration(of(spread)));
        let cells = [
            Some(self.what.clone()),
            rate,
            ms(|spread| spread.p50_ms),
            ms(|spread| spread.p99_ms),
            ms(|spread| spread.max_ms),
            us(self.server_us),
            us(self.fleet_us),
            us(self.caller_us),
            self.server_peak_kib.map(|kib| format!("{}", kib.div_ceil(1024))),
        ];
        cells.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn below(&self) -> Option<String> {
        let disk = self
            .disk_bytes_each
            .map(|bytes| format!("{bytes:.1} bytes of disk each"));
        let parts: Vec<_> = [disk, self.remark.clone()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("{}: {}", self.what, parts.join("; ")))
    }
}

fn duration(ms: f64) -> String {
    if ms < 10_000.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

/// The rows as a table, with what does not fit into it below. Columns that no row fills are left out.
pub(super) fn shown(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let filled = |column: usize| column == 0 || cells.iter().any(|row| !row[column].is_empty());
    let columns: Vec<usize> = (0..HEAD.len()).filter(|column| filled(*column)).collect();
    let head: Vec<&str> = columns.iter().map(|column| HEAD[*column]).collect();
    let narrowed = cells
        .iter()
        .map(|row| columns.iter().map(|column| row[*column].clone()).collect::<Vec<_>>());
    let mut text = table(&head, narrowed);
    for line in rows.iter().filter_map(Row::below) {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_a_figure_are_left_out() {
        let text = shown(&[Row::once("start", Duration::from_millis(12)).remark("twice as fast")]);
        assert!(text.contains("12.0 ms") && !text.contains("fleet"), "{text}");
        assert!(text.ends_with("start: twice as fast"), "{text}");
    }

    #[test]
    fn a_row_shows_the_median_of_its_rounds() {
        let round = |seconds| Round {
            count: 100,
            seconds,
            ..Round::default()
        };
        let text = shown(&[Row::of("tasks", vec![round(1.0), round(2.0), round(4.0)])]);
        assert!(text.contains("50 (25–100)"), "{text}");
    }
}
