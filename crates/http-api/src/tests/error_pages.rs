//! docs/errors has a page for every code that docs/api.md lists, and docs/api.md lists every code that the server
//! emits.

use std::collections::BTreeSet;
use std::path::PathBuf;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Codes in the first column of the tables below a heading, down to the next of the same rank.
fn listed(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split(heading).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let first = |line: &str| line.strip_prefix("| ")?.split(" |").next().map(str::to_owned);
    let is_code = |cell: &String| cell != "0" && cell.bytes().all(|byte| byte.is_ascii_digit());
    section.lines().filter_map(first).filter(is_code).collect()
}

#[test]
fn every_code_has_a_page() {
    let api = std::fs::read_to_string(docs().join("api.md")).unwrap();
    let mut codes = listed(&api, "### Result codes");
    codes.extend(listed(&api, "### Task result codes"));
    assert!(codes.len() > 20, "{codes:?}");
    let index = std::fs::read_to_string(docs().join("errors/README.md")).unwrap();
    for code in &codes {
        let page = std::fs::read_to_string(docs().join(format!("errors/{code}.md")));
        let page = page.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(
            page.starts_with(&format!("# {code}: ")) && page.contains("## What to do"),
            "{code}"
        );
        assert!(index.contains(&format!("[{code}]({code}.md)")), "{code}");
    }
}

#[test]
fn every_code_of_the_code_is_listed() {
    let api = std::fs::read_to_string(docs().join("api.md")).unwrap();
    let mut listed_codes = listed(&api, "### Result codes");
    listed_codes.extend(listed(&api, "### Task result codes"));
    for source in [
        include_str!("../error.rs"),
        include_str!("../task_entries.rs"),
        include_str!("../../../core/src/task/mod.rs"),
    ] {
        let words = source.split(|c: char| !c.is_ascii_digit() && c != '_');
        let codes = words.filter(|word| word.len() == 5 && !word.contains('_'));
        for code in codes {
            assert!(listed_codes.contains(code), "{code}");
        }
    }
}
