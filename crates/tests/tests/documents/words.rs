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
