//! The walls between the crates: who knows whom, and what the pure ones must not touch.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PURE: [&str; 2] = ["aldis-core", "aldis-protocol"];

/// Crates that do I/O, read clocks, draw random numbers, start threads or log.
const IMPURE: [&str; 24] = [
    "async-std",
    "axum",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "hyper",
    "libc",
    "mio",
    "nix",
    "parking_lot",
    "polling",
    "rand",
    "rayon",
    "reqwest",
    "rmqtt-codec",
    "rusqlite",
    "rustix",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tracing",
    "windows-sys",
];

/// Not even for tests: these speak with the server as strangers do.
const NEVER: [(&str, &str); 2] = [("aldis-client", "aldis-server"), ("aldis-simulator", "aldis-server")];

/// Crates that decide.
const DECIDING: [&str; 2] = ["aldis-engine", "aldis-app"];
/// Sockets, TLS, HTTP and SQL: none of these may come into crates that decide, however indirectly.
const OUTSIDE: [&str; 5] = ["axum", "hyper", "rustls", "rusqlite", "rmqtt-codec"];

/// What the sources of pure crates must not name.
const FORBIDDEN: [&str; 12] = [
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync::mpsc",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
];

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    for name in PURE {
        depends_on_none_of(name, &IMPURE);
    }
}

#[test]
fn crates_that_decide_reach_no_socket_and_no_database() {
    for name in DECIDING {
        depends_on_none_of(name, &OUTSIDE);
    }
}

fn depends_on_none_of(name: &str, forbidden: &[&str]) {
    let known = dependencies(name);
    assert!(
        known.contains("serde_json"),
        "{name}: the list is not to be trusted: {known:?}"
    );
    let found: Vec<&&str> = forbidden.iter().filter(|other| known.contains(**other)).collect();
    assert!(found.is_empty(), "{name} must not depend on {found:?}");
}

#[test]
fn pure_sources_name_no_io_no_clock_no_thread() {
    for directory in ["core", "protocol"] {
        for file in sources(&workspace().join("crates").join(directory).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                let found = FORBIDDEN.into_iter().find(|word| names(code_of(line), word));
                assert_eq!(found, None, "{}:{}", file.display(), number + 1);
            }
        }
    }
}

/// The crates that each crate depends on, as ARCHITECTURE.md's table of the crates has them. Dependencies of tests
/// alone are not part of it.
#[test]
fn dependencies_between_crates_equal_the_table_of_the_architecture() {
    let packages = packages();
    let actual: Edges = packages.iter().map(edges_of).collect();
    let documented = documented_edges();
    assert_eq!(
        documented,
        actual,
        "ARCHITECTURE.md, \"The crates\", should have these edges:\n{}",
        table(&actual)
    );
    for package in &packages {
        let name = text(package, "name");
        for (known, _) in inner_dependencies(package) {
            assert!(
                !NEVER.contains(&(name.as_str(), known.as_str())),
                "{name} must not know {known}"
            );
        }
    }
}

/// Per crate, without the common prefix, the crates that it depends on.
type Edges = BTreeMap<String, BTreeSet<String>>;

fn edges_of(package: &Value) -> (String, BTreeSet<String>) {
    let known = inner_dependencies(package).into_iter();
    let known = known.filter(|(_, is_for_tests)| !is_for_tests);
    (
        short(&text(package, "name")),
        known.map(|(name, _)| short(&name)).collect(),
    )
}

fn short(name: &str) -> String {
    name.strip_prefix("aldis-").unwrap_or(name).to_owned()
}

/// The first and the last cell of each row of the table; names stand in backticks.
fn documented_edges() -> Edges {
    let document = std::fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap();
    let section = document.split_once("\n## The crates\n").unwrap().1;
    let rows = section.lines().skip_while(|line| !line.starts_with("|--"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let in_backticks = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let name = in_backticks(cells[0]).remove(0);
        (name, in_backticks(cells[cells.len() - 1]).into_iter().collect())
    })
    .collect()
}

fn table(edges: &Edges) -> String {
    let row = |(name, known): (&String, &BTreeSet<String>)| {
        let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
        format!("| `{name}` | … | {} |", known.join(", "))
    };
    edges.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// What can hold a secret in clear; a path, a flag or a moment cannot.
const CLEAR: [&str; 4] = ["String", "str", "u8", "Bytes"];

#[test]
fn fields_that_hold_secrets_have_a_type_that_debug_does_not_show() {
    let mut shown = Vec::new();
    let crates = std::fs::read_dir(workspace().join("crates")).unwrap();
    for source in crates.flat_map(|member| sources(&member.unwrap().path().join("src"))) {
        if source.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&source).unwrap();
        let mut derives = "";
        for line in text.lines().map(str::trim) {
            match line {
                line if line.starts_with("#[derive(") => derives = line,
                "}" => derives = "",
                line if names(derives, "Debug") && holds_a_secret(line) => {
                    shown.push(format!("{}: {line}", source.display()));
                }
                _ => {}
            }
        }
    }
    assert!(
        shown.is_empty(),
        "wrap these in core::secret::Secret:\n{}",
        shown.join("\n")
    );
}

/// Whether a line declares a field whose name says that it holds a secret, of a type that prints it.
fn holds_a_secret(line: &str) -> bool {
    let declared = code_of(line)
        .trim_start_matches("pub(super) ")
        .trim_start_matches("pub(crate) ");
    let Some((name, kind)) = declared.trim_start_matches("pub ").split_once(": ") else {
        return false;
    };
    let is_field = line.ends_with(',') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let secret = ["secret", "token", "password", "encryption"];
    is_field
        && secret.iter().any(|word| name.contains(word))
        && CLEAR.iter().any(|clear| names(kind, clear))
        && !names(kind, "Secret")
}

/// A crate's own dependencies and theirs, as they are built here, without those of tests and build scripts.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree", "-p", crate_name, "-e", "normal", "--prefix", "none", "--format", "{p}",
    ]);
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The crates of this workspace that a package names, and whether for its tests alone.
fn inner_dependencies(package: &Value) -> Vec<(String, bool)> {
    let all = package["dependencies"].as_array().unwrap().iter();
    let inner = all.filter(|dependency| dependency["path"].is_string());
    inner
        .map(|dependency| (text(dependency, "name"), dependency["kind"] == "dev"))
        .collect()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{}", directory.display());
    found
}

fn code_of(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The word stands there on its own, not as part of a longer name.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        ![before, after]
            .into_iter()
            .flatten()
            .any(|next| next.is_alphanumeric() || next == '_')
    })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
