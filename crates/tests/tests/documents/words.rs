//! Words that leave the reader to guess which component or client is meant.

use super::tracked;

const VAGUE: [&str; 4] = ["nobody", "whoever", "somebody", "so many"];
/// Test data such as keys of devices that do not exist may use them.
const VAGUE_MAX: usize = 39;

/// How often a line has one of the words on its own, not as part of a longer name.
fn vague(line: &str) -> usize {
    let line = line.to_lowercase();
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let line = format!(" {} ", words.join(" "));
    VAGUE
        .iter()
        .map(|word| line.matches(&format!(" {word} ")).count())
        .sum()
}

/// Names that were replaced by the field's terms. As parts of longer names they may stay.
const FORMER: [&str; 43] = [
    "Ask",
    "Asks",
    "Asked",
    "Breach",
    "Chance",
    "Doors",
    "End",
    "Ended",
    "Failure",
    "Fate",
    "Guest",
    "Heals",
    "Held",
    "How",
    "Known",
    "Line",
    "Manners",
    "Named",
    "Outward",
    "Pace",
    "Packing",
    "Place",
    "Remembered",
    "Seat",
    "Settling",
    "SickDisk",
    "Standing",
    "Takeovers",
    "Terms",
    "Unpackable",
    "Visit",
    "Visitors",
    "Way",
    "asks",
    "insist",
    "is_duel",
    "packing",
    "promises",
    "remembered",
    "settling",
    "takeovers",
    "tell",
    "too_often",
];
/// What begins the definition of a name.
const DEFINES: [&str; 7] = ["struct", "enum", "trait", "type", "mod", "fn", "union"];

/// The names that a line of Rust defines.
fn defined(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| DEFINES.contains(word))?;
    let name = words.next()?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn former_names_are_defined_nowhere() {
    let mut found = Vec::new();
    for (path, text) in tracked(&["*.rs"]) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let names = code.filter_map(defined).filter(|name| FORMER.contains(name));
        found.extend(names.map(|name| format!("{path}: {name}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(defined("pub(super) struct Outbox<'a> {"), Some("Outbox"));
}

#[test]
fn comments_and_documents_name_the_component() {
    let mut found = Vec::new();
    for (path, text) in tracked(&["*.rs", "*.md"]) {
        for (number, line) in text.lines().enumerate() {
            found.extend((0..vague(line)).map(|_| format!("{path}:{}", number + 1)));
        }
    }
    assert!(
        found.len() <= VAGUE_MAX,
        "{} of at most {VAGUE_MAX}:\n{}",
        found.len(),
        found.join("\n")
    );
}
