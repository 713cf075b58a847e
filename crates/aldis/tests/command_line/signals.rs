//! Signals to clients of the command line.

use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::{Background, DONE, Served, until};

/// Whether a process does something of its own at SIGHUP, the first of the signals.
fn catches_hangup(process: &Background) -> Option<()> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    (u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1).then_some(())
}

#[test]
fn clients_ignore_the_signal_that_has_a_server_read_its_certificates() {
    let served = Served::with_devices(1);
    let blink = ["--service", "blink", "--input", r#"{"times": 3}"#];
    let waits = ["--product", "lamp", "--ttl", "600", "--at", "+1h"];
    let job = served.job(&[&blink[..], &waits[..]].concat());
    let mut watch = served.command(&["job", "watch", &job]);
    let mut watching = Background(watch.stdout(Stdio::null()).spawn().unwrap());
    let fleet = served.simulate(1, &[]);
    for client in [&watching, &fleet] {
        until("the client to catch SIGHUP", || catches_hangup(client));
        client.signal(Signal::HUP);
    }
    served.run(&["job", "cancel", &job]).code(DONE);
    assert!(watching.ended().is_some(), "it ends by itself, with a code");
    let online = served.json(&["device", "list", "--status", "online", "--all"]);
    assert_eq!(online.as_array().unwrap().len(), 1, "the simulated device stays");
}
