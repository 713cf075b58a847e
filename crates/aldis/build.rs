//! Puts the pages of docs/errors into the program, for `aldis explain`: a page that is added needs no second place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut pages: Vec<(i64, PathBuf)> = Vec::new();
    for file in fs::read_dir(&directory)? {
        let path = file?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        // README.md is about all of them.
        if let Ok(code) = name.parse() {
            pages.push((code, path.canonicalize()?));
        }
    }
    pages.sort();
    let mut text = "&[\n".to_owned();
    for (code, path) in pages {
        writeln!(text, "    ({code}, include_str!({path:?})),")?;
    }
    text.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("pages.rs"), text)?;
    Ok(())
}
