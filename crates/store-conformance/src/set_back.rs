//! A clock that was ahead is set right.

use aldis_core::reported::ReportKind;
use aldis_core::task::{Event, State};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Reported};
use aldis_store::{Done, Write};

use super::bench::Bench;
use super::sample::{self, device_job};

const YEAR_MS: i64 = 365 * 86_400_000;

/// The clock is set right after it was ahead by so much; the moment of the commit that says so.
fn set_right(bench: &mut Bench, ahead_ms: i64) -> Timestamp {
    let stored = bench.now;
    bench.now = stored.plus_ms(-ahead_ms);
    let by_ms = stored.ms_since(bench.next_moment());
    bench.done(Write::SetClockBack { by_ms });
    bench.now
}

pub fn what_a_clock_that_was_ahead_has_stored_keeps_the_time_it_has_left(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2"]);
    bench.now = bench.now.plus_ms(YEAR_MS);
    let mut new = device_job(&devices);
    new.policy = sample::retrying();
    new.release = bench.next_moment();
    let (job, tasks) = bench.running(new);
    let failed = bench.fail(tasks[0]);
    assert_eq!(failed.state, State::RetryWait);
    let (before, stored) = (bench.job(job), bench.now);
    let history = bench.read().history(tasks[0]).unwrap();
    let now = set_right(bench, YEAR_MS);
    let by_ms = stored.ms_since(now);
    let after = bench.job(job);
    assert_eq!(after.created, before.created.plus_ms(-by_ms));
    assert_eq!(after.release, before.release.plus_ms(-by_ms));
    assert_eq!(after.tasks_created, before.tasks_created.plus_ms(-by_ms));
    let task = bench.task(tasks[0]);
    assert_eq!(task.due, failed.due.map(|at| at.plus_ms(-by_ms)));
    assert_eq!(task.updated, failed.updated.plus_ms(-by_ms));
    assert_eq!(task.times.ended, failed.times.ended.map(|at| at.plus_ms(-by_ms)));
    assert_eq!(bench.read().next_due(now).unwrap(), task.due, "it is looked at then");
    let moved = bench.read().history(tasks[0]).unwrap();
    for (before, after) in history.iter().zip(&moved) {
        assert_eq!(after.times.ended, before.times.ended.map(|at| at.plus_ms(-by_ms)));
    }
    assert!(moved.len() == history.len());
}

pub fn rows_from_before_a_clock_went_ahead_have_no_moments_after_now(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1", "d2", "d3"]);
    let mut new = device_job(&devices);
    new.policy = sample::retrying();
    let interval_ms = new.policy.retry.as_ref().map_or(0, |retry| retry.interval_ms);
    let (job, tasks) = bench.running(new);
    let before = bench.job(job);
    bench.publish(tasks[0]);
    let attempt = bench.publish(tasks[1]).attempt;
    bench.now = bench.now.plus_ms(YEAR_MS);
    bench.reply(tasks[0], 500);
    let handed = Some(bench.now);
    bench.step(tasks[1], Event::Acked { attempt, handed });
    let online = Some(bench.now);
    let activity = |device| Activity {
        device,
        online,
        offline: online,
    };
    bench.done(Write::Activity(vec![activity(devices[0])]));
    let now = set_right(bench, YEAR_MS);
    let after = bench.job(job);
    assert_eq!((after.created, after.release), (before.created, before.release));
    let retried = bench.task(tasks[0]);
    assert_eq!(retried.due, Some(now.plus_ms(interval_ms)));
    assert_eq!(retried.times.ended, Some(now));
    assert!(retried.times.intent.is_some_and(|at| at < now));
    assert_eq!(bench.read().next_due(now).unwrap(), retried.due);
    let out = bench.task(tasks[1]);
    assert_eq!(
        (out.state, out.times.handed, out.times.acked, out.updated),
        (State::InProgress, Some(now), Some(now), now)
    );
    let device = bench.device(devices[0]);
    assert_eq!((device.last_online, device.last_offline), (Some(now), Some(now)));
    let waits = bench.task(tasks[2]);
    assert!(waits.updated < now);
    assert!(
        bench
            .read()
            .history(tasks[0])
            .unwrap()
            .iter()
            .all(|ended| ended.times.ended <= Some(now))
    );
}

pub fn a_reported_moment_that_has_not_come_hides_nothing(bench: &mut Bench) {
    let device = bench.with_devices(&["d1"])[0];
    let report = |value: Option<&str>, at: Timestamp| Write::Report {
        values: vec![(
            device,
            vec![Reported {
                kind: ReportKind::Measurepoint,
                name: "t".to_owned(),
                value: value.map(str::to_owned),
                at,
            }],
        )],
        names_max: 8,
    };
    let ahead = bench.now.plus_ms(YEAR_MS);
    bench.done(report(Some("1"), ahead));
    let now = bench.next_moment();
    bench.done(report(Some("2"), now));
    let known = bench.read().reported(device).unwrap();
    assert_eq!((known[0].value.as_deref(), known[0].at), (Some("2"), now));
    bench.done(report(Some("3"), ahead));
    let now = bench.next_moment();
    bench.done(report(None, now));
    assert_eq!(bench.read().reported(device).unwrap(), []);
    assert!(matches!(bench.one(report(Some("4"), now)), Done::Yes));
}
