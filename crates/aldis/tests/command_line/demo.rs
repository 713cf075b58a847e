//! `demo`: it needs nothing, and leaves nothing behind.

use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use rustix::process::Signal;

use crate::harness::{Background, DONE, Finished, REFUSED, line_after, program, until};

/// The program with a directory for temporary files of its own.
fn in_folder(folder: &Path, words: &[&str]) -> Command {
    let mut command = program();
    command.env("TMPDIR", folder).current_dir(folder).args(words);
    command
}

fn left_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_demo_shows_the_main_job_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let shown: Finished = in_folder(folder.path(), &["demo", "--devices", "20"])
        .output()
        .unwrap()
        .into();
    let shown = shown.code(DONE);
    for text in [
        "action=createJob",
        r#""triggerTs": 1718952446317"#,
        r#""requestId":""#,
        r#""params":{"input":22}"#,
        r#"{"output":44}"#,
        "→ SUCCEED",
        "20 devices registered",
        "RSP_TIMEOUT",
        "TTL_TIMEOUT",
        "All 21 tasks ended as they must",
    ] {
        assert!(shown.out.contains(text), "`{text}` is missing: {}", shown.out);
    }
    assert!(!shown.out.contains('\u{1b}'), "no colours in a file");
    assert_eq!(left_in(folder.path()), 0);
}

#[test]
fn one_device_is_enough_for_a_demo_and_json_is_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let shown: Finished = in_folder(folder.path(), &["demo", "--devices", "1", "--json"])
        .output()
        .unwrap()
        .into();
    let told = shown.code(DONE).json();
    assert_eq!(
        (&told["asPlanned"], &told["statistics"]["succeed"]),
        (&true.into(), &1.into())
    );
}

#[test]
fn a_demo_that_is_stopped_takes_its_server_along() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = started(folder.path(), &["demo", "--devices", "20"]);
        let mut lines = BufReader::new(demo.0.stdout.take().unwrap());
        let mqtt = line_after(&mut lines, "devices");
        line_after(&mut lines, "prepared");
        demo.signal(signal);
        if signal == Signal::KILL {
            assert_eq!(demo.ended(), None);
        } else {
            assert_eq!(demo.ended(), Some(REFUSED));
            assert_eq!(left_in(folder.path()), 0);
        }
        until("the server to be gone", || {
            std::net::TcpStream::connect(&mqtt).is_err().then_some(())
        });
    }
}

#[test]
fn a_kept_demo_can_be_looked_at_and_its_data_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = started(folder.path(), &["demo", "--devices", "6", "--keep"]);
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap());
    let environment = line_after(&mut lines, "export");
    let mut list = program();
    for (name, value) in environment.split(' ').map(|pair| pair.split_once('=').unwrap()) {
        list.env(name, value);
    }
    let listed: Finished = list.args(["job", "list", "--json"]).output().unwrap().into();
    assert_eq!(listed.code(DONE).json().as_array().unwrap().len(), 2);
    demo.signal(Signal::INT);
    assert_eq!(demo.ended(), Some(DONE));
    let rest = rest_of(lines);
    let data = rest.trim().rsplit(' ').next().unwrap();
    assert!(Path::new(data).join("aldis.db").exists(), "{rest}");
}

fn started(folder: &Path, words: &[&str]) -> Background {
    let mut command = in_folder(folder, words);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    Background(command.spawn().unwrap())
}

fn rest_of(mut lines: BufReader<ChildStdout>) -> String {
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    rest
}
