//! The scenarios of `aldis bench`, small: they have to work and to check what they measure. No figure is asserted.

use std::process::Command;

use serde_json::Value;

use crate::harness::program;

fn measured(arguments: &str) -> Vec<Value> {
    let data = tempfile::tempdir().unwrap();
    let run = Command::new(program())
        .args(["bench", "--json", "--dir"])
        .arg(data.path())
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{arguments}: {said}");
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let left = std::fs::read_dir(data.path()).unwrap().count();
    assert_eq!(left, 0, "{arguments}: the server's data are removed");
    report["rows"].as_array().unwrap().clone()
}

fn assert_counts(rows: &[Value], what: &str, count: u64) {
    let row = rows.iter().find(|row| row["what"].as_str().unwrap().contains(what));
    let row = row.unwrap_or_else(|| panic!("no {what} in {rows:?}"));
    assert_eq!(row["rounds"][0]["count"], count, "{row}");
    assert!(row["perSecond"]["middle"].as_f64().unwrap() > 0.0, "{row}");
}

#[test]
fn jobs_for_connected_devices() {
    let rows = measured("jobs --devices 40 --jobs 3 --rounds 2 --fleets 2");
    assert_counts(&rows, "3 jobs, 40 devices", 120);
    let rows = measured("job --devices 30 --rounds 1 --pause 0..50 --failing 0.3");
    assert_counts(&rows, "1 job, 30 devices", 30);
}

#[test]
fn creation_for_absent_devices() {
    let rows = measured("create --devices 100 --calls 200 --callers 1,8 --rounds 1");
    assert_counts(&rows, "8 callers", 200);
}

#[test]
fn a_large_job_and_what_becomes_of_it() {
    let rows = measured("absent --devices 3000 --calls 5 --busy 20 --ttl 2");
    for what in ["all 3000 tasks durable", "all tasks cancelled", "all tasks expired"] {
        assert_counts(&rows, what, 3000);
    }
}

#[test]
fn idle_connections_that_all_come_back() {
    let rows = measured("idle --devices 100");
    assert_counts(&rows, "connecting 100", 100);
    assert_counts(&rows, "all their commands done", 100);
}

#[test]
fn single_commands_beside_others() {
    let rows = measured("single --commands 5 --devices 20 --absent 2000");
    assert_eq!(rows.len(), 9, "three figures, alone and beside two loads: {rows:?}");
}
