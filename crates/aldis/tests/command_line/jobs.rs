//! Jobs and tasks.

use serde_json::json;

use crate::harness::{DONE, REFUSED, Served, USAGE, until};

const BLINK: [&str; 4] = ["--service", "blink", "--input", r#"{"times": 3}"#];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    BLINK.iter().chain(more).copied().collect()
}

#[test]
fn a_job_from_flags_is_executed_watched_and_shown() {
    let served = Served::with_devices(3);
    let _fleet = served.simulate(3, &[]);
    let words = with(&["--product", "lamp", "--ttl", "20", "--name", "Evening", "--watch"]);
    let words: Vec<_> = ["job", "create"].iter().chain(&words).copied().collect();
    let watched = served.run(&words).code(DONE).says("SUCCEEDED").complains("job ");
    let job = watched.err.trim().strip_prefix("job ").unwrap().to_owned();
    served
        .run(&["job", "show", &job])
        .code(DONE)
        .says("Evening")
        .says("FINISHED")
        .says("blink({\"times\":3})");
    assert_eq!(served.json(&["job", "show", &job])["status"], "FINISHED");
    assert_eq!(served.json(&["job", "statistics", &job])["succeed"], 3);
    served
        .run(&["job", "list", "--name", "Even", "--status", "finished"])
        .code(DONE)
        .says(&job);
    served.run(&["job", "watch", &job]).code(DONE);

    let tasks = served.json(&["task", "list", "--job", &job, "--device", "d1"]);
    let task = tasks[0]["taskId"].as_str().unwrap();
    served
        .run(&["task", "list", "--job", &job, "--status", "succeed"])
        .code(DONE)
        .says(task)
        .says("lamp/d1");
    served
        .run(&["task", "show", task])
        .code(DONE)
        .says("SUCCEED")
        .says("lamp/d1");
    assert_eq!(served.json(&["task", "show", task])["jobId"], job.as_str());
    served.run(&["task", "attempts", task]).code(DONE).says("SUCCEED");
    assert_eq!(served.json(&["task", "attempts", task])[0]["attempt"], 1);

    served.run(&["job", "delete", &job]).code(DONE).says("deleted");
    served
        .run(&["job", "show", &job])
        .code(REFUSED)
        .complains("24404")
        .complains("aldis explain 24404");
}

#[test]
fn a_job_from_a_file_is_sent_as_it_stands() {
    let served = Served::with_devices(1);
    let request = json!({
        "name": {"defaultValue": "From a file", "i18nValue": {"zh_CN": "文件"}}, "desc": "d",
        "targetScope": {"targetType": "DEVICE_LIST", "targetDevices": [{"productKey": "lamp", "deviceKey": "d0"}]},
        "schedulePolicy": {"scheduleType": "DISPOSABLE", "disposableSchedulePolicy": {"triggerTs": 4_000_000_000_000_i64}},
        "commandInfo": {"commandType": "MEASUREPOINT_SET",
                        "setMeasurepointInfo": {"measurepointId": "brightness", "value": 7}},
    });
    let late = served.file("job.json", &request.to_string());
    served
        .run(&["job", "create", "--file", &late])
        .code(REFUSED)
        .complains("triggerTs");
    let mut now = request;
    now["schedulePolicy"]["disposableSchedulePolicy"]["triggerTs"] = json!(null);
    let created = served
        .run_with_input(&["job", "create", "--file", "-", "--json"], &now.to_string())
        .code(DONE);
    let job = created.json().as_str().unwrap().to_owned();
    let shown = served.json(&["job", "get", &job]);
    assert_eq!(
        (
            &shown["name"]["i18nValue"]["zh_CN"],
            &shown["commandInfo"]["setMeasurepointInfo"]["value"]
        ),
        (&json!("文件"), &json!(7))
    );
}

#[test]
fn a_job_that_does_not_succeed_everywhere_ends_watch_with_code_1() {
    let served = Served::with_devices(2);
    let failing = served.simulate(2, &["--failure", "1", "--failure-code", "2077"]);
    let job = served.job(&with(&["--device", "lamp/d0", "--device", "lamp/d1", "--ttl", "20"]));
    served.run(&["job", "watch", &job]).code(REFUSED).says("FAILED");
    served.run(&["task", "list", "--job", &job]).code(DONE).says("2077");

    // No device fails any more, and a retry by hand succeeds.
    drop(failing);
    let _fleet = served.simulate(2, &[]);
    served
        .run(&["job", "retry", &job])
        .code(DONE)
        .says("2 of 2 tasks retried");
    served.run(&["job", "watch", &job]).code(DONE);
    served
        .run(&["job", "retry", &job])
        .code(DONE)
        .says("0 of 0 tasks retried");
}

#[test]
fn waiting_tasks_are_cancelled_one_by_one_and_all_together() {
    let served = Served::with_devices(3);
    let job = served.job(&with(&["--product", "lamp", "--ttl", "3600", "--at", "+1h"]));
    served.run(&["job", "show", &job]).code(DONE).says("INIT");
    served.run(&["job", "cancel", &job]).code(DONE);
    served.run(&["job", "watch", &job]).code(REFUSED);

    let targets = served.file("targets.txt", "\u{feff}# two of them\nlamp/d0 # spare\nlamp,d1\n");
    let job = served.job(&with(&[
        "--devices-file",
        &targets,
        "--device",
        "lamp/d2",
        "--ttl",
        "3600",
    ]));
    let tasks = served.json(&["task", "list", "--job", &job, "--device", "d0"]);
    let task = tasks[0]["taskId"].as_str().unwrap();
    served
        .run(&["job", "cancel", &job, "--task", task])
        .code(DONE)
        .says("1 of 1 tasks cancelled");
    served
        .run(&["job", "cancel", &job, "--task", task])
        .code(REFUSED)
        .complains("24620")
        .says("0 of 1");
    served.run(&["job", "delete", &job]).code(REFUSED).complains("24618");
    served
        .run(&["job", "cancel", &job])
        .code(DONE)
        .says("2 of 2 tasks cancelled");
    served.run(&["job", "watch", &job]).code(REFUSED).says("CANCELLED");
    assert_eq!(served.json(&["job", "statistics", &job])["canceled"], 3);
}

#[test]
fn what_the_server_refuses_is_told_with_its_code_and_leaves_no_job() {
    let served = Served::with_devices(1);
    let unknown = ["job", "create", "--service", "explode", "--device", "lamp/d0"];
    served
        .run(&unknown)
        .code(REFUSED)
        .complains("explode")
        .complains("aldis explain ");
    let bad_input = [
        "job",
        "create",
        "--service",
        "blink",
        "--input",
        r#"{"times": "often"}"#,
        "--device",
        "lamp/d0",
    ];
    served.run(&bad_input).code(REFUSED).complains("times");
    let nobody = [
        "job",
        "create",
        "--point",
        "brightness",
        "--value",
        "1",
        "--device",
        "lamp/nobody",
    ];
    served.run(&nobody).code(REFUSED).complains("nobody");
    assert_eq!(served.json(&["job", "list"]), json!([]));
}

#[test]
fn a_command_for_one_device_is_sent_kept_shown_and_cancelled() {
    let served = Served::with_devices(1);
    let _fleet = served.simulate(1, &[]);
    served
        .run(&["device", "create", "--product", "lamp", "--key", "away"])
        .code(DONE);
    served
        .run(&["command", "invoke", "lamp/d0", "blink", "--input", r#"{"times": 3}"#])
        .code(DONE)
        .says("command");
    let shown = served.json(&["command", "list", "lamp/d0"]);
    assert_eq!(
        (&shown[0]["state"], &shown[0]["inputData"]),
        (&json!(5), &json!({"times": 3}))
    );
    let refused = served.run(&["command", "invoke", "lamp/away", "blink", "--input", r#"{"times": 3}"#]);
    refused
        .code(REFUSED)
        .complains("11888")
        .complains("aldis explain 11888");
    let kept = served.json(&[
        "command",
        "invoke",
        "lamp/away",
        "blink",
        "--input",
        r#"{"times": 3}"#,
        "--ttl",
        "600",
    ]);
    let id = kept["commandId"].as_str().unwrap();
    served
        .run(&["command", "show", id])
        .code(DONE)
        .says("lamp/away")
        .says("created");
    served
        .run(&["command", "list", "lamp/away", "--where", "state = 1"])
        .code(DONE)
        .says(id);
    served
        .run(&["command", "cancel", "lamp/away"])
        .code(DONE)
        .says(id)
        .says("cancelled");
    let late = served.run(&["command", "cancel", "lamp/away", id]);
    late.code(REFUSED).complains("24620");
}

#[test]
fn a_job_that_reached_no_device_ends_watch_with_code_1() {
    let served = Served::with_devices(0);
    let job = served.job(&with(&["--product", "lamp", "--at", "+1h"]));
    served.run(&["job", "cancel", &job]).code(DONE);
    served.run(&["job", "watch", &job]).code(REFUSED).says("TOTAL");
}

#[test]
fn watch_counts_every_task_of_a_job_that_was_cancelled_before_its_trigger() {
    let served = Served::with_devices(1000);
    let targets: String = (0..1000).map(|n| format!("lamp/d{n}\n")).collect();
    let targets = served.file("targets.txt", &targets);
    let job = served.job(&with(&["--devices-file", &targets, "--at", "+1h"]));
    served.run(&["job", "cancel", &job]).code(DONE);
    let counts = served.run(&["job", "watch", &job, "--json"]).code(REFUSED).json();
    assert_eq!((&counts["canceled"], &counts["init"]), (&json!(1000), &json!(0)));
}

#[test]
fn json_of_cancel_and_retry_has_totals_and_every_task_that_was_named() {
    let served = Served::with_devices(250);
    let job = served.job(&with(&["--product", "lamp", "--ttl", "3600"]));
    let tasks = until("all tasks to be written", || {
        let tasks = served.json(&["task", "list", "--job", &job, "--all"]);
        (tasks.as_array().unwrap().len() == 250).then_some(tasks)
    });
    let ids: Vec<_> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["taskId"].as_str().unwrap())
        .collect();
    let mut words = vec!["job", "cancel", &job];
    words.extend(ids[..230].iter().flat_map(|id| ["--task", id]));
    let done = served.json(&words);
    assert_eq!((&done["successSize"], &done["totalSize"]), (&json!(230), &json!(230)));
    assert_eq!(done["data"].as_array().unwrap().len(), 230);
    let rest = served.run(&["job", "cancel", &job, "--json"]).code(DONE).json();
    assert_eq!((&rest["successSize"], &rest["totalSize"]), (&json!(20), &json!(20)));
}

#[test]
fn only_tasks_in_the_wanted_state_are_retried() {
    let served = Served::with_devices(3);
    let _failing = served.simulate(2, &["--failure", "1", "--count", "2"]);
    let job = served.job(&with(&["--product", "lamp", "--ttl", "1"]));
    served.run(&["job", "watch", &job]).code(REFUSED);
    let counts = served.json(&["job", "statistics", &job]);
    assert_eq!((&counts["failed"], &counts["ttlTimeout"]), (&json!(2), &json!(1)));
    served
        .run(&["job", "retry", &job, "--status", "ttl_timeout"])
        .code(DONE)
        .says("1 of 1 tasks retried");
    served
        .run(&["job", "retry", &job, "--status", "FAILED", "--status", "RSP_TIMEOUT"])
        .code(DONE)
        .says("2 of 2 tasks retried");
    served
        .run(&["job", "retry", &job, "--status", "SUCCEED"])
        .code(USAGE)
        .complains("TTL_TIMEOUT");
    served
        .run(&["job", "retry", "8000000000000009999", "--status", "FAILED"])
        .code(REFUSED)
        .complains("24404");
}

#[test]
fn a_value_is_read_as_the_model_has_it_and_every_digit_arrives() {
    let served = Served::with_devices(1);
    let model = r#"{"modelId": "sim", "name": {"defaultValue": "Sim"}, "attributes": {}, "services": {}, "events": {},
        "measurepoints": {
            "iccid": {"identifier": "iccid", "name": {"defaultValue": "iccid"}, "dataType": "STRING"},
            "level": {"identifier": "level", "name": {"defaultValue": "level"}, "dataType": "DOUBLE"}}}"#;
    let model = served.file("sim.json", &format!("\u{feff}{model}"));
    served.run(&["model", "create", &model]).code(DONE);
    served
        .run(&["product", "create", "--name", "Sim", "--model", "sim", "--key", "sim"])
        .code(DONE);
    served
        .run(&["device", "create", "--product", "sim", "--key", "s0"])
        .code(DONE);
    let value = |point: &str, value: &str| {
        let job = served.job(&["--point", point, "--value", value, "--device", "sim/s0", "--at", "+1h"]);
        let shown = served.run(&["job", "show", &job, "--json"]).code(DONE);
        shown.out.replace(' ', "")
    };
    assert!(value("iccid", "89860012345678901234").contains(r#""value":"89860012345678901234""#));
    assert!(value("level", "12E4").contains(r#""value":12e+4"#));
    assert!(value("level", "-0.1234567890123456789").contains(r#""value":-0.1234567890123456789"#));
    served
        .run(&[
            "job", "create", "--point", "level", "--value", "high", "--device", "sim/s0",
        ])
        .code(USAGE)
        .complains("DOUBLE");
    served
        .run(&[
            "job", "create", "--point", "level", "--value", "1e999", "--device", "sim/s0",
        ])
        .code(REFUSED)
        .complains("DOUBLE");
}

#[test]
fn a_refused_field_is_named_by_its_flag() {
    let served = Served::with_devices(1);
    for (flag, value) in [("--timeout", "0"), ("--ttl", "9999999"), ("--retry", "99")] {
        let words = with(&["--device", "lamp/d0", flag, value]);
        let words: Vec<_> = ["job", "create"].iter().chain(&words).copied().collect();
        served.run(&words).code(REFUSED).complains(&format!("{flag}:"));
    }
}
