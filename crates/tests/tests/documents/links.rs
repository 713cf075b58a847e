//! Links between documents, and the width of their lines.

use std::path::Path;

use super::{ROOT, tracked};

/// Columns of a line that is no table, no code and no long link.
const WIDTH_MAX: usize = 120;
/// Written by a test from the code.
const GENERATED: &str = "docs/state-machine.md";

/// The Markdown files, by their path from the root.
fn documents() -> Vec<(String, String)> {
    let found = tracked(&["*.md"]);
    assert!(found.len() > 40, "only {} documents found", found.len());
    found
}

/// The lines outside of code blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    };
    text.lines().filter(keep).collect()
}

/// The anchors that a document's headings give, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn links(text: &str) -> Vec<String> {
    let text = prose(text).join("\n");
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = ends.map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn relative_links_lead_to_files_and_headings_that_exist() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let here = Path::new(ROOT).join(&path);
            let target = if file.is_empty() {
                here
            } else {
                here.parent().unwrap().join(file)
            };
            let is_there = match anchor {
                "" => target.exists(),
                anchor => std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).iter().any(|a| a == anchor)),
            };
            if !is_there {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn lines_of_documents_wrap() {
    let mut long = Vec::new();
    for (path, text) in documents() {
        if path == GENERATED {
            continue;
        }
        let too_long =
            |line: &&str| line.chars().count() > WIDTH_MAX && !line.starts_with('|') && !line.contains("://");
        long.extend(
            prose(&text)
                .into_iter()
                .filter(too_long)
                .map(|line| format!("{path}: {line}")),
        );
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
