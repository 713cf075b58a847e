//! Twenty kills of the real program under load, and a comparison that has to notice every kind of contradiction.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aldis_client::TaskStatus;
use aldis_core::ids::{AttemptNo, TaskNo, WireId};
use aldis_tests::crash::{CommandTold, Evidence, KnownOutcome, Options, Shown, SingleShown, Targets, check, run};

const JOB: &str = "8000000000000000001";

fn wire(task: u64, attempt: u16) -> WireId {
    WireId::new(TaskNo(task), AttemptNo(attempt))
}

fn single(id: &str) -> SingleShown {
    SingleShown {
        id: id.to_owned(),
        device: "a".to_owned(),
        state: 5,
    }
}

/// A single command, and one job for two devices: one did it, one was cancelled before its command left.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    let devices: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
    evidence
        .told
        .created
        .insert(JOB.to_owned(), Targets::Devices(devices.clone()));
    evidence.told.cancelled.insert(wire(2, 0).to_string());
    evidence.acts.succeeded.insert(wire(1, 2));
    evidence.acts.acknowledged.insert(wire(1, 2));
    evidence.received = vec![("a".to_owned(), wire(1, 1)), ("a".to_owned(), wire(1, 2))];
    evidence.devices = devices;
    evidence.jobs.insert(JOB.to_owned());
    let shown = |device: &str, status, desc: &str| Shown {
        job: JOB.to_owned(),
        device: device.to_owned(),
        status,
        retried_by_hand: 0,
        desc: desc.to_owned(),
    };
    let withdrawn = shown("b", TaskStatus::Cancelled, "withdrawn before sending");
    evidence.tasks.insert(wire(1, 0), shown("a", TaskStatus::Succeed, "OK"));
    evidence.tasks.insert(wire(2, 0), withdrawn);
    evidence.stored.attempts.extend([(1, 2), (2, 1)]);
    evidence.stored.ranges.push((1, 3));
    let told = CommandTold {
        id: "3".to_owned(),
        device: "a".to_owned(),
        known: KnownOutcome::CarriedOut,
    };
    evidence.told.commands.insert("one".to_owned(), told);
    evidence.commands.insert("one".to_owned(), vec![single("3")]);
    evidence
}

fn rules(spoil: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = sound();
    spoil(&mut evidence);
    check(&evidence).into_iter().map(|one| one.rule).collect()
}

#[test]
fn accounts_that_agree_are_left_alone() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn an_attempt_whose_retry_was_withdrawn_may_have_arrived() {
    let arrived = |desc: &'static str| {
        rules(move |evidence| {
            let task = evidence.tasks.get_mut(&wire(2, 0)).expect("the task is there");
            task.desc = desc.to_owned();
            evidence.received.push(("b".to_owned(), wire(2, 1)));
        })
    };
    assert_eq!(
        arrived("withdrawn before sending; retry 1 not sent; attempt 1: 500 no"),
        [""; 0]
    );
    assert_eq!(
        arrived("withdrawn before sending; retry 1 not sent; attempt before 1: 500 no"),
        ["what_was_withdrawn_never_arrives"]
    );
}

#[test]
fn a_job_whose_deletion_was_not_answered_is_there_or_gone() {
    let asked = |evidence: &mut Evidence| evidence.told.perhaps_deleted.extend([JOB.to_owned()]);
    assert_eq!(rules(asked), [""; 0]);
    let gone = rules(|evidence| {
        asked(evidence);
        evidence.jobs.clear();
        evidence.tasks.clear();
        evidence.stored.ranges.clear();
    });
    assert_eq!(gone, [""; 0]);
}

#[test]
fn every_kind_of_contradiction_is_noticed() {
    let set = |evidence: &mut Evidence, task, status| evidence.tasks.get_mut(&wire(task, 0)).unwrap().status = status;
    let cases: Vec<(&str, Vec<&'static str>)> = vec![
        ("answered_jobs_are_there", rules(|e| e.jobs.clear())),
        (
            "jobs_are_whole",
            rules(|e| {
                e.tasks.remove(&wire(2, 0));
            }),
        ),
        (
            "no_job_comes_from_a_repeated_call",
            rules(|e| {
                e.jobs.insert("another".to_owned());
            }),
        ),
        (
            "no_command_comes_from_a_repeated_call",
            rules(|e| e.commands.get_mut("one").unwrap().push(single("4"))),
        ),
        ("answered_commands_are_there", rules(|e| e.commands.clear())),
        (
            "told_results_hold",
            rules(|e| e.commands.get_mut("one").unwrap()[0].state = 6),
        ),
        (
            "cancelled_commands_never_arrive",
            rules(|e| {
                let sent = wire(3, 1);
                let told = e.told.commands.get_mut("one").unwrap();
                (told.id, told.known) = (sent.task().to_task_id(), KnownOutcome::Cancelled);
                e.commands.insert(
                    "one".to_owned(),
                    vec![SingleShown {
                        state: 2,
                        ..single(&told.id)
                    }],
                );
                e.received.push(("a".to_owned(), sent));
            }),
        ),
        (
            "deleted_jobs_are_gone",
            rules(|e| {
                e.told.deleted.insert(JOB.to_owned());
            }),
        ),
        (
            "confirmed_cancellations_hold",
            rules(|e| set(e, 2, TaskStatus::TtlTimeout)),
        ),
        (
            "confirmed_retries_count",
            rules(|e| {
                e.told.retried.insert(wire(1, 0).to_string());
            }),
        ),
        ("everything_ends", rules(|e| set(e, 1, TaskStatus::Published))),
        (
            "no_attempt_arrives_twice",
            rules(|e| e.received.push(("a".to_owned(), wire(1, 2)))),
        ),
        (
            "attempts_grow",
            rules(|e| e.received.push(("a".to_owned(), wire(1, 1)))),
        ),
        (
            "commands_go_where_their_device_is_in",
            rules(|e| {
                e.acts.astray.insert(wire(1, 2));
            }),
        ),
        (
            "commands_reach_their_own_device",
            rules(|e| e.received[0].0 = "b".to_owned()),
        ),
        (
            "what_was_withdrawn_never_arrives",
            rules(|e| e.received.push(("b".to_owned(), wire(2, 1)))),
        ),
        (
            "every_attempt_is_stored_before_it_leaves",
            rules(|e| {
                e.stored.attempts.insert(1, 1);
            }),
        ),
        ("success_is_never_made_up", rules(|e| e.acts.succeeded.clear())),
        (
            "acknowledged_replies_are_recorded",
            rules(|e| set(e, 1, TaskStatus::RspTimeout)),
        ),
        (
            "whoever_was_in_is_never_inactive_again",
            rules(|e| {
                e.newcomers.let_in.insert("n".to_owned());
                e.inactive.insert("n".to_owned());
            }),
        ),
        (
            "a_secret_is_told_until_it_was_used",
            rules(|e| {
                e.newcomers.shut_out.insert("n".to_owned());
            }),
        ),
        (
            "counters_equal_recounts",
            rules(|e| e.stored.miscounted.push("job 1".to_owned())),
        ),
        (
            "the_database_is_sound",
            rules(|e| e.stored.damage = Some("a page is missing".to_owned())),
        ),
    ];
    for (rule, found) in cases {
        assert!(found.contains(&rule), "{rule} is not noticed: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_under_load_lose_nothing_and_double_nothing() {
    let options = Options {
        program: program(),
        kills: 20,
        devices: 200,
        seed: 20,
    };
    let figures = run(&options).await.unwrap_or_else(|error| panic!("{error:?}"));
    println!("{figures}");
}

/// `ALDIS_BIN`, or the program beside this test.
fn program() -> PathBuf {
    let beside = || {
        let this = std::env::current_exe().expect("this test is a file");
        this.ancestors().nth(2).expect("a target directory").join("aldis")
    };
    let program = std::env::var_os("ALDIS_BIN").map_or_else(beside, PathBuf::from);
    assert!(
        program.exists(),
        "{} is missing: cargo build -p aldis",
        program.display()
    );
    program
}
