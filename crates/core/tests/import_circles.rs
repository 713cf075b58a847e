//! Modules of a crate that import each other: only the circles listed here may exist.
//!
//! A module is a file or a folder directly under `src`. A circle means that its modules can only be read together.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// One idea cut into files, or a dispatcher and its leaves.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("aldis", &["cli", "command"]),
    ("gateway", &["mqtt5", "packets", "properties"]),
    ("http-api", &["body", "error"]),
    ("http-api", &["devices", "products"]),
    ("http-api", &["entry", "openapi", "tokens"]),
    ("protocol", &["lenient", "scan"]),
    ("store-sqlite", &["database", "lock", "open"]),
];

type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn modules_import_each_other_only_in_the_circles_listed() {
    let allowed: BTreeSet<(String, Vec<String>)> = ALLOWED
        .iter()
        .map(|(name, modules)| {
            (
                (*name).to_owned(),
                modules.iter().map(|module| (*module).to_owned()).collect(),
            )
        })
        .collect();
    let mut found = BTreeSet::new();
    for member in fs::read_dir(crates()).unwrap() {
        let member = member.unwrap().path();
        let name = member.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(
            circles(&imports(&member.join("src")))
                .into_iter()
                .map(|circle| (name.clone(), circle)),
        );
    }
    assert_eq!(found, allowed);
}

#[test]
fn a_circle_over_three_modules_is_found() {
    let import = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let imports = Imports::from([import("a", "b"), import("b", "c"), import("c", "a"), import("d", "a")]);
    assert_eq!(circles(&imports), [["a", "b", "c"]]);
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Which modules import which, tests and the crate's root left out.
fn imports(src: &Path) -> Imports {
    let mut imports = Imports::new();
    for (file, depth) in files(src, 0) {
        let module = module_of(&file, src);
        if ["lib", "main", "tests"].contains(&module.as_str()) || file.to_string_lossy().contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        imports.entry(module).or_default().extend(named(code, depth));
    }
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for (module, imported) in &mut imports {
        imported.retain(|other| other != module && modules.contains(other));
    }
    imports
}

fn files(folder: &Path, depth: usize) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, depth + 1));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path, depth));
        }
    }
    found
}

fn module_of(file: &Path, src: &Path) -> String {
    let inside = file.strip_prefix(src).unwrap();
    let first = inside.iter().next().unwrap().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that the `use` lines of a file name from the crate's root. `depth` folders lie between it and `src`.
fn named(code: &str, depth: usize) -> BTreeSet<String> {
    let from_root = format!("{}{}", "super::".repeat(depth), "super::");
    let mut named = BTreeSet::new();
    for statement in code
        .split("\nuse ")
        .skip(1)
        .chain(code.split("\npub(super) use ").skip(1))
    {
        let statement = statement.split(';').next().unwrap_or_default();
        let Some(path) = statement
            .strip_prefix("crate::")
            .or_else(|| statement.strip_prefix(&*from_root))
        else {
            continue;
        };
        let first = |path: &str| path.trim().split("::").next().unwrap_or_default().to_owned();
        match path.strip_prefix('{') {
            Some(list) => named.extend(list.trim_end_matches('}').split(',').map(first)),
            None => _ = named.insert(first(path)),
        }
    }
    named
}

/// Groups of modules of which each reaches all others.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|module| (module, reach(imports, module))).collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let circle: Vec<String> = others
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reach<'i>(imports: &'i Imports, from: &String) -> BTreeSet<&'i String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = imports.get(from).into_iter().flatten().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(imports.get(module).into_iter().flatten());
        }
    }
    reached
}
