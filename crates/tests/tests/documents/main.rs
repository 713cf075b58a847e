//! What documents say of the code is there.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../end_to_end/harness/binary.rs"]
mod binary;
mod blocks;
mod links;
mod names;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Each has a row of its own.
const RULES: usize = 26;
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The tracked files that match one of the patterns, by their path from the root.
fn listed(patterns: &[&str]) -> Vec<String> {
    let listed = Command::new("git")
        .arg("ls-files")
        .args(patterns)
        .current_dir(ROOT)
        .output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    // A file that was moved and not added yet is listed under its former name.
    let there = listed.lines().filter(|path| Path::new(ROOT).join(path).exists());
    there.map(str::to_owned).collect()
}

/// The same with their text.
fn tracked(patterns: &[&str]) -> Vec<(String, String)> {
    let read = |path: String| {
        let text = std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
        (path, text)
    };
    listed(patterns).into_iter().map(read).collect()
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "py") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_the_protocols_page_names_exists() {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/device-protocol.md")).unwrap();
    let (_, table) = page.split_once("## What shows it").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .collect();
    assert!(rows.len() == RULES, "{} rows", rows.len());
    let mut files = Vec::new();
    files_below(Path::new(&format!("{ROOT}/crates")), &mut files);
    let code: String = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for row in rows {
        let tests = row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2);
        let mut count = 0;
        for test in tests {
            let (rust, python) = (format!("fn {test}("), format!("def {test}("));
            assert!(
                code.contains(&rust) || code.contains(&python),
                "{test} is not there: {row}"
            );
            count += 1;
        }
        assert!(count > 0, "{row}");
    }
}
