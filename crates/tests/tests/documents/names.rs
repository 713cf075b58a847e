//! Names in documents: commands, flags, fields, files and variables that are written there exist.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::binary::program;
use super::{listed, tracked};

/// What looks like a field and is none: (document, name).
const FOREIGN: [(&str, &str); 3] = [
    // A misspelt field, shown as one that is ignored.
    ("docs/api.md", "ttlInSeconds"),
    // Texts that are signed.
    ("docs/device-guide.md", "clientIdDEVICE"),
    ("docs/getting-started.md", "tokenactioncreateJoborgIddefault"),
];
/// Fewer are not found unless the search is broken.
const COMMANDS_MIN: usize = 40;
const FIELDS_MIN: usize = 100;
const FILES_MIN: usize = 40;

/// The documents that describe the product as it is: decisions and the changelog tell what was.
fn documents() -> Vec<(String, String)> {
    let all = tracked(&["*.md"]);
    let now = |path: &str| !path.starts_with("docs/decisions/") && path != "CHANGELOG.md";
    all.into_iter().filter(|(path, _)| now(path)).collect()
}

/// The texts between single backticks outside of code blocks, and the lines of code blocks.
fn code(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut spans, mut lines, mut in_block) = (Vec::new(), Vec::new(), false);
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            lines.push(line.to_owned());
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    for paragraph in prose.split("\n\n") {
        spans.extend(
            paragraph
                .split('`')
                .skip(1)
                .step_by(2)
                .map(|span| span.replace('\n', " ")),
        );
    }
    (spans, lines)
}

/// Help texts by subcommand path, as the program prints them.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    fn of(&mut self, path: &[String]) -> &str {
        self.0.entry(path.to_vec()).or_insert_with(|| {
            let shown = Command::new(program()).args(path).arg("--help").output().unwrap();
            assert!(shown.status.success(), "aldis {} --help", path.join(" "));
            String::from_utf8(shown.stdout).unwrap()
        })
    }

    fn has_subcommand(&mut self, path: &[String], word: &str) -> bool {
        let help = self.of(path);
        let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
        let listed = listed.split("\n\n").next().unwrap_or_default();
        listed.lines().any(|line| line.split_whitespace().next() == Some(word))
    }
}

/// What is wrong with the words behind `aldis`; `None` if all of them exist.
fn wrong_with(helps: &mut Helps, words: &[String]) -> Option<String> {
    let (mut path, mut words) = (Vec::new(), words.iter().peekable());
    while let Some(word) = words.next_if(|word| helps.has_subcommand(&path, word)) {
        path.push(word.clone());
    }
    let help = helps.of(&path).to_owned();
    let rest: Vec<&String> = words.collect();
    if let Some(first) = rest.first()
        && help.contains("\nCommands:\n")
        && first.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !first.starts_with('-')
    {
        return Some(format!("no subcommand {first} of aldis {}", path.join(" ")));
    }
    let flags = rest.iter().filter(|word| word.starts_with("--") && word.len() > 2);
    let known: BTreeSet<&str> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    let unknown = |flag: &&&String| !known.contains(flag.split('=').next().unwrap_or_default());
    flags
        .filter(|flag| flag.as_str() != "--help")
        .find(unknown)
        .map(|flag| format!("no flag {flag} of aldis {}", path.join(" ")))
}

/// The words behind each `aldis` that begins a command in a line.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for part in line.split(['|', ';', '&', '(', ')', '#']) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let at = words
            .iter()
            .position(|word| *word == "aldis" || word.ends_with("/aldis"));
        let Some(at) = at.filter(|at| {
            words[..*at]
                .iter()
                .all(|word| word.contains('=') || *word == "$" || *word == "sudo")
        }) else {
            continue;
        };
        let clean = |word: &&str| word.trim_matches(|c: char| "[],.:`'\"…".contains(c)).to_owned();
        found.push(
            words[at + 1..]
                .iter()
                .map(clean)
                .filter(|word| !word.is_empty())
                .collect(),
        );
    }
    found
}

#[test]
fn commands_and_flags_in_documents_exist() {
    let (mut helps, mut wrong, mut count) = (Helps::default(), Vec::new(), 0);
    for (path, text) in documents() {
        let (spans, lines) = code(&text);
        for line in spans.iter().chain(&lines) {
            for words in commands(line) {
                count += 1;
                wrong.extend(wrong_with(&mut helps, &words).map(|why| format!("{path}: {why}: {line}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= COMMANDS_MIN, "only {count} commands found");
}

#[test]
fn an_invented_command_or_flag_is_found() {
    let mut helps = Helps::default();
    for (line, right) in [
        ("aldis job create --ttl 60", true),
        ("aldis job create --time-to-live 60", false),
        ("aldis job invent", false),
        ("ALDIS_URL=x target/release/aldis device search --json", true),
    ] {
        let words = commands(line).pop().unwrap();
        assert_eq!(wrong_with(&mut helps, &words).is_none(), right, "{line}");
    }
}

/// Whole words of the product's sources, of its examples and of the vendor's clients in tests.
fn words_of_sources() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for (path, text) in tracked(&[
        "crates/*.rs",
        "crates/*.py",
        "crates/*.sql",
        "examples/*",
        "scripts/*",
        "config/*",
    ]) {
        if path.contains("tests/documents") || path.contains("/src/tests/") {
            continue;
        }
        words.extend(
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .map(str::to_owned),
        );
    }
    words
}

/// `ttlTimeoutInSeconds` as a field of a structure: `ttl_timeout_in_seconds`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

fn is_field_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().any(|c| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric())
}

#[test]
fn fields_in_documents_exist() {
    let words = words_of_sources();
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for (path, text) in documents() {
        let (spans, lines) = code(&text);
        let json = lines.iter().filter(|line| line.contains('"'));
        for span in spans.iter().chain(json) {
            for name in span
                .split(|c: char| !c.is_alphanumeric())
                .filter(|name| is_field_name(name))
            {
                count += 1;
                let known = words.contains(name) || words.contains(&snake_case(name));
                if !known && !FOREIGN.contains(&(&*path, name)) {
                    wrong.insert(format!("{path}: {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(count >= FIELDS_MIN, "only {count} fields found");
    assert!(
        !words.contains("ttlInSeconds") && !words.contains("ttl_in_seconds"),
        "a field that does not exist"
    );
}

#[test]
fn files_and_variables_in_documents_exist() {
    let files = listed(&["*"]);
    let words = words_of_sources();
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    for (path, text) in documents() {
        let (spans, lines) = code(&text);
        for word in spans
            .iter()
            .chain(&lines)
            .flat_map(|span| span.split(|c: char| c.is_whitespace() || "()\"'=:,;".contains(c)))
        {
            let word = word.trim_end_matches(['.', '/']).trim_start_matches("./");
            let tracked_folder = ["crates/", "docs/", "examples/", "scripts/", "config/", ".ci/"];
            if tracked_folder.iter().any(|folder| word.starts_with(folder)) || word.ends_with(".rs") {
                count += 1;
                let is_there = |file: &String| {
                    file == word || file.ends_with(&format!("/{word}")) || file.starts_with(&format!("{word}/"))
                };
                if !word.contains(['*', '<', '{', '…']) && !files.iter().any(is_there) {
                    wrong.insert(format!("{path}: {word}"));
                }
            }
            if word.starts_with("ALDIS_") && !words.contains(word) {
                wrong.insert(format!("{path}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(count >= FILES_MIN, "only {count} files found");
}
