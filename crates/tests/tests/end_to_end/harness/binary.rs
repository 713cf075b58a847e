//! Finds the program under test, and builds it if need be.
//!
//! `ALDIS_BIN` names it. Without that variable it is `aldis` beside this test's own target directory and profile; if it
//! is missing there or older than a source file, `cargo build -p aldis --locked` makes it, once per run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of the program `aldis`.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("ALDIS_BIN") {
        Some(path) => std::path::absolute(path).unwrap(),
        None => built_beside_this_test(),
    })
}

fn built_beside_this_test() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/end_to_end-<hash>
    let profile = this.ancestors().nth(2).unwrap();
    let program = profile.join("aldis");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let built = program.metadata().and_then(|found| found.modified());
    if built.is_ok_and(|built| built >= newest_source(workspace)) {
        return program;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "aldis", "--locked"]).current_dir(workspace);
    cargo.env("CARGO_TARGET_DIR", profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "`aldis` does not build");
    program
}

fn newest_source(workspace: &Path) -> SystemTime {
    let crates = std::fs::read_dir(workspace.join("crates")).unwrap();
    let sources = crates
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| ["src", "migrations"].map(|part| path.join(part)));
    sources
        .filter(|path| path.exists())
        .map(|path| newest_in(&path))
        .max()
        .unwrap()
}

fn newest_in(path: &Path) -> SystemTime {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries
            .map(|entry| newest_in(&entry.unwrap().path()))
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH);
    }
    path.metadata().unwrap().modified().unwrap()
}
