//! `job export`.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{DONE, REFUSED, Served, USAGE, read};

/// More than one page.
const TASKS: usize = 2500;

fn job_of_absent_devices(devices: usize) -> (Served, String) {
    let served = Served::with_devices(devices);
    let job = served.job(&[
        "--point",
        "brightness",
        "--value",
        "3",
        "--product",
        "lamp",
        "--ttl",
        "3600",
    ]);
    (served, job)
}

#[test]
fn every_task_is_exported_once_right_after_the_job_was_made() {
    let (served, job) = job_of_absent_devices(TASKS);
    let exported = served.run(&["job", "export", &job]).code(DONE);
    let tasks: Vec<Value> = exported
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let devices: BTreeSet<_> = tasks.iter().map(|task| task["deviceKey"].as_str().unwrap()).collect();
    assert_eq!((tasks.len(), devices.len()), (TASKS, TASKS));
    let known = served.json(&["task", "show", tasks[7]["taskId"].as_str().unwrap()]);
    assert_eq!(tasks[7], known, "the API's own object");
    exported.complains("2500 tasks exported");

    let file = served.path("tasks.csv");
    served
        .run(&["job", "export", &job, "--format", "csv", "--output", &file])
        .code(DONE);
    let text = read(&file);
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("\u{feff}taskId,jobId,assetId,productKey,deviceKey,deviceName,deviceTags,status,code,")
    );
    let ids: BTreeSet<_> = lines.map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids.len(), TASKS);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let (served, job) = job_of_absent_devices(TASKS);
    for format in ["ndjson", "csv"] {
        let mut command = served.command(&["job", "export", &job, "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ended = child.wait_with_output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), told.as_str()), (Some(DONE), ""), "{format}");
    }
}

#[test]
fn a_job_without_tasks_has_an_empty_export_and_an_unknown_one_none() {
    let served = Served::with_devices(0);
    let job = served.job(&["--point", "brightness", "--value", "3", "--product", "lamp"]);
    assert_eq!(served.run(&["job", "export", &job]).code(DONE).out, "");
    assert_eq!(
        served
            .run(&["job", "export", &job, "--format", "csv"])
            .code(DONE)
            .out
            .lines()
            .count(),
        1
    );
    served
        .run(&["job", "export", "8000000000000009999"])
        .code(REFUSED)
        .complains("24404");
    served
        .run(&["job", "export", &job, "--output", "/nowhere/x"])
        .code(USAGE)
        .complains("/nowhere/x");
    served
        .run(&["job", "export", &job, "--format", "xml"])
        .code(USAGE)
        .complains("ndjson");
}

#[test]
fn a_table_for_spreadsheets_runs_nothing_and_keeps_every_id() {
    let served = Served::with_devices(0);
    let csv = served.file(
        "d.csv",
        "deviceKey,deviceName,deviceTags.place\nd0,=HYPERLINK(1),水泵房\n",
    );
    let all = served.path("identities.csv");
    served
        .run(&["device", "import", &csv, "--product", "lamp", "--output", &all])
        .code(DONE);
    let job = served.job(&["--point", "brightness", "--value", "3", "--product", "lamp"]);
    served.run(&["job", "watch", &job]).code(REFUSED);
    let table = served.run(&["job", "export", &job, "--format", "csv"]).code(DONE).out;
    let line = table.lines().nth(1).unwrap();
    assert!(line.starts_with('\'') && line.contains(&format!(",'{job},")), "{table}");
    assert!(line.contains(",'=HYPERLINK(1),place=水泵房,FAILED,"), "{table}");
    assert!(line.contains("T") && line.contains("Z,"), "{table}");
}

#[test]
fn an_export_that_fails_leaves_the_old_file_as_it_was() {
    let served = Served::with_devices(0);
    let file = served.file("tasks.csv", "old");
    served
        .run(&[
            "job",
            "export",
            "8000000000000009999",
            "--format",
            "csv",
            "--output",
            &file,
        ])
        .code(REFUSED);
    assert_eq!(read(&file), "old");
    let job = served.job(&["--point", "brightness", "--value", "3", "--product", "lamp"]);
    served.run(&["job", "export", &job, "--output", &file]).code(DONE);
    assert_eq!(read(&file), "");
}
