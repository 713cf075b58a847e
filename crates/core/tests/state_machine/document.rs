//! Writes docs/state-machine.md around the tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::columns::{SECTIONS, Section};
use super::rows::{Row, state_name};
use super::table::{Cell, explore};

/// As in the column to the left.
const SAME: &str = "〃";
const HEAD: &str = include_str!("head.md");

/// The whole document.
pub(crate) fn write() -> String {
    let mut text = HEAD.to_owned();
    for section in &SECTIONS {
        write_section(&mut text, section);
    }
    text
}

fn write_section(text: &mut String, section: &Section) {
    let cells = explore(section);
    writeln!(text, "\n### {}\n\n{}\n", section.title, section.about).expect("a string takes all");
    let titles: Vec<&str> = section.columns.iter().map(|column| column.title).collect();
    writeln!(text, "| State | {} |", titles.join(" | ")).expect("a string takes all");
    writeln!(text, "|---|{}", "---|".repeat(titles.len())).expect("a string takes all");
    for (names, line) in alike(&cells) {
        writeln!(
            text,
            "| {} | {} |",
            names.join("<br>"),
            without_repeats(&line).join(" | ")
        )
        .expect("a string takes all");
    }
}

/// Rows with the same answers share a line, at the place of the first.
fn alike(cells: &[Vec<Cell>]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut place: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut lines: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (row, cells) in Row::all().into_iter().zip(cells) {
        let line: Vec<String> = cells.iter().map(Cell::text).collect();
        let at = *place.entry(line.clone()).or_insert_with(|| {
            lines.push((Vec::new(), line));
            lines.len() - 1
        });
        lines[at].0.push(name(row));
    }
    lines
}

/// What is said once is not said again in the next column.
fn without_repeats(line: &[String]) -> Vec<&str> {
    let repeated = |at: usize| at > 0 && !line[at].is_empty() && line[at] == line[at - 1];
    let cells = line.iter().enumerate();
    cells.map(|(at, cell)| if repeated(at) { SAME } else { cell }).collect()
}

fn name(row: Row) -> String {
    row.name()
        .replacen(state_name(row.state), &format!("**{}**", state_name(row.state)), 1)
}
