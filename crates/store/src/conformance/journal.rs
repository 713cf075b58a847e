//! Remembered answers, and who did what.

use aldis_core::ids::{DeviceNo, OrgId};

use super::bench::{Bench, delete, disable};
use super::sample::{self, ORG, OTHER_ORG, PRODUCT, device_job, idempotency, new_device, org};
use crate::rows::{Action, Actor, Idempotency, PastAction, Remembered};
use crate::words::verb;
use crate::{Done, Refusal, Write};

fn remember(key: &str, digest: u8, answer: &str) -> Write {
    Write::Remember {
        idempotency: idempotency(key, digest),
        answer: answer.to_owned(),
    }
}

fn remembered(bench: &mut Bench, key: &str) -> Option<Remembered> {
    bench.read().remembered("wind/console", key).unwrap()
}

pub fn an_answer_is_remembered_until_it_is_forgotten(bench: &mut Bench) {
    assert_eq!(remembered(bench, "a"), None);
    bench.done(remember("a", 255, "the answer"));
    let first = bench.now;
    let expected = Remembered {
        digest: [255; 32],
        answer: "the answer".to_owned(),
        at: first,
    };
    assert_eq!(remembered(bench, "a"), Some(expected.clone()));
    bench.refused(remember("a", 255, "another"), Refusal::Taken);
    assert_eq!(remembered(bench, "a"), Some(expected.clone()));
    bench.done(remember("b", 2, "later"));
    bench.done(Write::Forget { before: first });
    assert_eq!(remembered(bench, "a"), Some(expected), "it is not older than that");
    bench.done(Write::Forget {
        before: first.plus_ms(1),
    });
    assert_eq!(remembered(bench, "a"), None);
    assert!(remembered(bench, "b").is_some());
    bench.done(remember("a", 3, "again"));
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
    assert_eq!(remembered(bench, "a").unwrap().answer, "first");
    let second = bench.read().remembered("wind", "a").unwrap().unwrap();
    assert_eq!(second.answer, "second");
}

pub fn what_operators_did_is_kept(bench: &mut Bench) {
    let device = bench.with_devices(&["d1"])[0];
    let asset = new_device(ORG, PRODUCT, "d1").asset.to_string();
    let job = bench.create(device_job(&[device]));
    bench.one(Write::CancelJob { job, by: sample::by() });
    let unsigned = Actor {
        app_key: None,
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
    let of_job = bench.read().actions(&org(), &job.to_job_id()).unwrap();
    let expected = [verb::CREATE_JOB, verb::CANCEL_JOB, "job.look", verb::DELETE_JOB];
    assert_eq!(verbs(&of_job), expected);
    assert_eq!((&of_job[0].by, &of_job[2].by), (&sample::by(), &unsigned));
    let of_device = bench.read().actions(&org(), &asset).unwrap();
    let expected = [
        verb::DISABLE_DEVICE,
        verb::ENABLE_DEVICE,
        verb::REPLACE_DEVICE,
        verb::DELETE_DEVICE,
    ];
    assert_eq!(verbs(&of_device), expected);
    let last = PastAction {
        at: deleted_at,
        verb: verb::DELETE_DEVICE.to_owned(),
        subject: asset.clone(),
        by: sample::by(),
    };
    assert_eq!(of_device.last(), Some(&last));
    assert_eq!(bench.read().actions(&OrgId::from(OTHER_ORG), &asset).unwrap(), []);
    assert_eq!(device, DeviceNo(1));
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
    let done = bench.one(noted(Write::CreateDevices(devices), &["first", "taken", "twice"]));
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
    let kept = |subject: &str| bench.read().actions(&org(), subject).unwrap().len();
    let subjects = ["first", "taken", "twice", "refused", "whole", "whole too"];
    assert_eq!(subjects.map(kept), [1, 0, 0, 0, 1, 1]);
}
