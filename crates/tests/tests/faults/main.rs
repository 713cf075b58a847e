//! The real `aldis serve` on a disk that fails, with data that is damaged, foreign, old or in use, and stopped under
//! load (docs/reliability.md, "Faults of the machine").

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has to end")]
#![expect(clippy::print_stderr, reason = "a failing test shows the log of its server")]

#[expect(dead_code, unused_imports, reason = "shared with `end_to_end`, which uses all of it")]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;

mod disk;
mod failing_disk;
mod few_files;
mod fleet;
mod locked;
mod log;
mod older_schema;
mod refusals;
mod removed;
mod restored;
mod stopped;
