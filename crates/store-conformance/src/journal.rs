//! Remembered answers, and who did what.

use aldis_core::ids::{DeviceNo, JobNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::{
    ANSWER_KEPT_MS, Action, ActionFilter, Actor, Idempotency, IdempotencyRecord, NewJob, PastAction, Proof,
};
use aldis_store::status_names::verb;
use aldis_store::{Done, Page, Refusal, Write};

use super::bench::{ALL, Bench, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, PRODUCT, device_job, idempotency, new_device, org};

fn remember(key: &str, digest: u8, answer: &str) -> Write {
    Write::Remember {
        idempotency: idempotency(key, digest),
        answer: answer.to_owned(),
    }
}

fn record(bench: &mut Bench, key: &str) -> Option<IdempotencyRecord> {
    let now = bench.now;
    bench.read().idempotency_record("wind/console", key, now).unwrap()
}

pub fn an_answer_is_remembered_until_it_is_forgotten(bench: &mut Bench) {
    assert_eq!(record(bench, "a"), None);
    bench.done(remember("a", 255, "the answer"));
    let first = bench.now;
    let expected = IdempotencyRecord {
        digest: [255; 32],
        answer: "the answer".to_owned(),
        at: first,
    };
    assert_eq!(record(bench, "a"), Some(expected.clone()));
    bench.refused(remember("a", 255, "another"), Refusal::Taken);
    assert_eq!(record(bench, "a"), Some(expected.clone()));
    let until = first.plus_ms(ANSWER_KEPT_MS);
    let at = |bench: &mut Bench, key: &str, now| bench.read().idempotency_record("wind/console", key, now).unwrap();
    assert_eq!(
        at(bench, "a", until),
        Some(expected),
        "it is kept to the last millisecond"
    );
    assert_eq!(
        at(bench, "a", until.plus_ms(1)),
        None,
        "it is too old without any write"
    );

    bench.pass_until(until);
    bench.refused(remember("a", 3, "again"), Refusal::Taken);
    bench.pass_until(until.plus_ms(1));
    bench.done(remember("b", 2, "later"));
    assert_eq!(at(bench, "a", first), None, "the next write with a key forgets it");
    bench.done(remember("a", 3, "again"));
    assert!(record(bench, "b").is_some());
}

pub fn a_job_is_created_anew_when_the_answer_is_forgotten(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let create = |digest| {
        Write::CreateJob(NewJob {
            idempotency: Some(idempotency("a", digest)),
            ..device_job(&devices)
        })
    };
    let created = |no, created| Done::Job { no: JobNo(no), created };
    assert_eq!(bench.one(create(1)), created(1, true));
    let until = bench.now.plus_ms(ANSWER_KEPT_MS);
    bench.pass_until(until);
    assert_eq!(bench.one(create(1)), created(1, false), "the last millisecond");
    bench.pass_until(until.plus_ms(1));
    assert_eq!(bench.one(create(2)), created(2, true));
}

pub fn a_used_proof_is_remembered_until_it_is_over(bench: &mut Bench) {
    let proof = |at, digest| Proof {
        at: Timestamp(at),
        digest: [digest; 16],
    };
    let use_up = |proofs: &[Proof], before, limit| Write::UseUp {
        proofs: proofs.to_vec(),
        before: Timestamp(before),
        limit,
    };
    let known = |bench: &mut Bench, limit| bench.read().proofs(limit).unwrap();
    assert_eq!(known(bench, 9), []);
    bench.done(use_up(&[proof(20, 1), proof(10, 255), proof(10, 0)], 0, 9));
    bench.done(use_up(&[proof(10, 0), proof(30, 0)], 10, 9));
    let all = [proof(30, 0), proof(20, 1), proof(10, 255), proof(10, 0)];
    assert_eq!(known(bench, 9), all, "the latest first, each once");
    assert_eq!(known(bench, 2), all[..2]);
    bench.done(use_up(&[], 31, 1));
    assert_eq!(known(bench, 9), all[..3], "one, the oldest");
    bench.done(use_up(&[proof(5, 7)], 20, 9));
    assert_eq!(known(bench, 9), all[..2], "not those at that very moment");
    bench.done(use_up(&[], 31, 0));
    assert_eq!(known(bench, 9), all[..2]);
}

pub fn the_same_key_of_another_caller_is_another_key(bench: &mut Bench) {
    bench.done(remember("a", 1, "first"));
    let elsewhere = Idempotency {
        scope: "wind".to_owned(),
        ..idempotency("a", 2)
    };
    bench.done(Write::Remember {
        idempotency: elsewhere,
        answer: "second".to_owned(),
    });
    assert_eq!(record(bench, "a").unwrap().answer, "first");
    let now = bench.now;
    let second = bench.read().idempotency_record("wind", "a", now).unwrap().unwrap();
    assert_eq!(second.answer, "second");
}

pub fn what_operators_did_is_kept(bench: &mut Bench) {
    let device = bench.with_devices(&["d1"])[0];
    let asset = new_device(ORG, PRODUCT, "d1").asset.to_string();
    let job = bench.create(device_job(&[device]));
    bench.one(Write::CancelJob { job, by: sample::by() });
    let unsigned = Actor {
        app_key: None,
        address: None,
        request_id: "r2".to_owned(),
    };
    bench.done(Write::Note(Action {
        org: org(),
        verb: "job.look",
        subject: job.to_job_id(),
        by: unsigned.clone(),
    }));
    bench.done(Write::DeleteJob { job, by: sample::by() });
    bench.disable(device, true);
    bench.refused(disable(device, true), Refusal::Unchanged);
    bench.disable(device, false);
    bench.done(Write::ReplaceDevice {
        device,
        key: "d2".into(),
        by: sample::by(),
    });
    bench.done(delete(device));
    let deleted_at = bench.now;

    let verbs = |actions: &[PastAction]| -> Vec<String> { actions.iter().map(|action| action.verb.clone()).collect() };
    let of_job = actions(bench, ORG, &job.to_job_id());
    let expected = [verb::CREATE_JOB, verb::CANCEL_JOB, "job.look", verb::DELETE_JOB];
    assert_eq!(verbs(&of_job), expected);
    assert_eq!((&of_job[0].by, &of_job[2].by), (&sample::by(), &unsigned));
    let of_device = actions(bench, ORG, &asset);
    let expected = [
        verb::DISABLE_DEVICE,
        verb::ENABLE_DEVICE,
        verb::REPLACE_DEVICE,
        verb::DELETE_DEVICE,
    ];
    assert_eq!(verbs(&of_device), expected);
    let last = PastAction {
        no: of_device.last().unwrap().no,
        org: org(),
        at: deleted_at,
        verb: verb::DELETE_DEVICE.to_owned(),
        subject: asset.clone(),
        by: sample::by(),
    };
    assert_eq!(of_device.last(), Some(&last));
    assert_eq!(actions(bench, OTHER_ORG, &asset), []);
    assert_eq!(device, DeviceNo(1));
}

/// What was done to a subject, oldest first.
fn actions(bench: &mut Bench, org: &str, subject: &str) -> Vec<PastAction> {
    let filter = ActionFilter {
        subject: Some(subject.to_owned()),
        ..ActionFilter::default()
    };
    let mut found = bench.read().search_actions(&org.into(), &filter, ALL).unwrap().rows;
    found.reverse();
    found
}

pub fn what_was_done_is_searched_newest_first(bench: &mut Bench) {
    let mut moments = Vec::new();
    for (verb, key, subject, of) in [
        ("a.one", Some("k1"), "s1", ORG),
        ("a.one", Some("k2"), "s2", ORG),
        ("b.two", None, "s1", ORG),
        ("b.two", Some("k1"), "s1", OTHER_ORG),
        ("b.two", Some("k1"), "s2", ORG),
    ] {
        bench.done(Write::Note(Action {
            org: of.into(),
            verb,
            subject: subject.to_owned(),
            by: Actor {
                app_key: key.map(Into::into),
                address: key.map(|_| std::net::IpAddr::from([127, 0, 0, 1])),
                request_id: subject.to_owned(),
            },
        }));
        moments.push(bench.now);
        bench.now = bench.now.plus_ms(10);
    }
    let all = ActionFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let mut found = |filter: ActionFilter, page| {
        let found = bench.read().search_actions(&org(), &filter, page).unwrap();
        let numbers: Vec<u64> = found.rows.iter().map(|action| action.no).collect();
        (numbers, found.total)
    };
    assert_eq!(found(all(), ALL), (vec![5, 3, 2, 1], 4));
    assert_eq!(found(all(), Page { skip: 1, take: 2 }), (vec![3, 2], 4));
    assert_eq!(found(all(), Page { skip: 0, take: 0 }), (vec![], 4));
    let cases = [
        (
            ActionFilter {
                from: Some(moments[1]),
                ..all()
            },
            vec![5, 3, 2],
        ),
        (
            ActionFilter {
                until: Some(moments[1]),
                ..all()
            },
            vec![1],
        ),
        (
            ActionFilter {
                verb: text("b.two"),
                ..all()
            },
            vec![5, 3],
        ),
        (
            ActionFilter {
                app_key: Some("k1".into()),
                ..all()
            },
            vec![5, 1],
        ),
        (
            ActionFilter {
                subject: text("s1"),
                ..all()
            },
            vec![3, 1],
        ),
        (
            ActionFilter {
                subject: text("s1"),
                verb: text("a.one"),
                from: Some(moments[0]),
                ..all()
            },
            vec![1],
        ),
        (
            ActionFilter {
                subject: text("unknown"),
                ..all()
            },
            vec![],
        ),
    ];
    for (filter, expected) in cases {
        let total = expected.len() as u64;
        assert_eq!(found(filter.clone(), ALL), (expected, total), "{filter:?}");
    }
}

pub fn who_asked_is_kept_with_what_was_done_and_with_that_alone(bench: &mut Bench) {
    let action = |subject: &str| Action {
        org: org(),
        verb: "device.create",
        subject: subject.to_owned(),
        by: sample::by(),
    };
    let noted = |write, subjects: &[&str]| Write::Noted {
        write: Box::new(write),
        actions: subjects.iter().map(|subject| action(subject)).collect(),
    };
    let devices = ["n1", "n2", "n1"].map(|key| new_device(ORG, PRODUCT, key)).to_vec();
    bench.with_devices(&["n2"]);
    let done = bench.one(noted(Write::register(devices), &["first", "taken", "twice"]));
    assert!(matches!(done, Done::Devices(entries) if entries.iter().filter(|entry| entry.is_ok()).count() == 1));
    let delete = || Write::DeleteModel {
        org: org(),
        id: "unknown".into(),
    };
    bench.refused(noted(delete(), &["refused"]), Refusal::Missing);
    let disable = Write::DisableOrganization {
        org: org(),
        disabled: false,
    };
    bench.done(noted(disable, &["whole", "whole too"]));
    let kept = |subject: &str| actions(bench, ORG, subject).len();
    let subjects = ["first", "taken", "twice", "refused", "whole", "whole too"];
    assert_eq!(subjects.map(kept), [1, 0, 0, 0, 1, 1]);
}
