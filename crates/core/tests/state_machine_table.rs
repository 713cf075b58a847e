//! docs/state-machine.md tells what `task::step` does, all of it, and nothing else.

mod state_machine {
    mod answers;
    mod columns;
    pub(crate) mod document;
    mod rows;
    mod table;
}
mod support;

use std::path::Path;

/// Set to anything, this makes the test write the document instead of comparing it.
const BLESS: &str = "ALDIS_BLESS";

#[test]
fn the_document_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/state-machine.md");
    let told = state_machine::document::write();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(told.lines()).find(|(kept, told)| kept != told);
    assert!(
        kept == told,
        "docs/state-machine.md is not what task::step does; {BLESS}=1 writes it anew.\nFirst difference: {differs:#?}"
    );
}
