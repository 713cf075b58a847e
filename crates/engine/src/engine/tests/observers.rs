//! What a [`CommitObserver`] is called with, and when.

use aldis_core::ids::{JobNo, TaskNo};
use aldis_core::task::{State, Task};
use aldis_store::rows::CommitNo;
use aldis_store::{Committed, Error, Read, ReadJournal, Write};
use parking_lot::Mutex;

use super::bench::Bench;
use super::sample::WAITING;
use crate::observer::CommitObserver;

/// One call of the observer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    Committed {
        number: CommitNo,
        created_jobs: usize,
        ended: Vec<TaskNo>,
    },
    AnswerLost {
        jobs: Vec<JobNo>,
    },
    Stopping,
}

/// Records the calls, and checks that every write has a result.
#[derive(Default)]
pub(super) struct Recorder {
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    /// The calls since the last look.
    pub(super) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }
}

impl CommitObserver for Recorder {
    fn committed(&self, writes: &[Write], committed: &Committed) {
        assert_eq!(writes.len(), committed.done.len());
        let ends = |task: &Task| task.state.is_final();
        let steps = writes.iter().filter_map(|write| match write {
            Write::Steps(steps) => Some(steps),
            _ => None,
        });
        self.calls.lock().push(Call::Committed {
            number: committed.number,
            created_jobs: writes
                .iter()
                .filter(|write| matches!(write, Write::CreateJob(_)))
                .count(),
            ended: steps
                .flatten()
                .filter(|step| ends(&step.task))
                .map(|step| step.task.no)
                .collect(),
        });
    }

    fn answer_lost(&self, store: &dyn Read) -> Result<(), Error> {
        let jobs = store.jobs_at_work()?.into_iter().map(|job| job.no).collect();
        self.calls.lock().push(Call::AnswerLost { jobs });
        Ok(())
    }

    fn stopping(&self) {
        self.calls.lock().push(Call::Stopping);
    }
}

fn numbers(calls: &[Call]) -> Vec<u64> {
    let number = |call: &Call| match call {
        Call::Committed { number, .. } => Some(number.0),
        _ => None,
    };
    calls.iter().filter_map(number).collect()
}

#[test]
fn every_commit_is_observed_once_and_in_order() {
    let mut bench = Bench::online(1);
    let first = numbers(&bench.recorder.take());
    let task = bench.task_for(bench.devices[0], WAITING);
    let wire = bench.one_sent();
    bench.reply(wire, 200);
    let calls = bench.recorder.take();
    let all: Vec<u64> = first.into_iter().chain(numbers(&calls)).collect();
    let begin = all[0];
    assert_eq!(
        all,
        (begin..begin + all.len() as u64).collect::<Vec<_>>(),
        "none is missing"
    );
    assert_eq!(bench.store.last_commit().unwrap().0.0, *all.last().unwrap());
    let created = |call: &&Call| matches!(call, Call::Committed { created_jobs: 1, .. });
    assert_eq!(calls.iter().filter(created).count(), 1);
    let ended = |call: &&Call| matches!(call, Call::Committed { ended, .. } if *ended == [task]);
    assert_eq!(calls.iter().filter(ended).count(), 1);
    assert_eq!(bench.state(task), State::Succeeded);
}

#[test]
fn a_commit_that_failed_is_not_observed() {
    let mut bench = Bench::new(1);
    bench.recorder.take();
    bench.faults.lock().commits = 1;
    let new = Write::CreateJob(bench.new_job(&bench.devices.clone(), WAITING));
    let _answered = bench.request(|answer| crate::writer::WriterRequest::Write {
        writes: vec![new],
        answer,
    });
    bench.turn();
    assert_eq!(bench.recorder.take(), [Call::AnswerLost { jobs: Vec::new() }]);
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_in_the_store() {
    let mut bench = Bench::new(1);
    bench.recorder.take();
    bench.faults.lock().answers = 1;
    let new = Write::CreateJob(bench.new_job(&bench.devices.clone(), WAITING));
    let _answered = bench.request(|answer| crate::writer::WriterRequest::Write {
        writes: vec![new],
        answer,
    });
    bench.turn();
    let jobs = bench.jobs().into_iter().map(|job| job.no).collect();
    assert_eq!(bench.recorder.take(), [Call::AnswerLost { jobs }]);
}

#[test]
fn a_stop_reaches_observers_once() {
    let mut bench = Bench::new(1);
    bench.recorder.take();
    bench.stop();
    bench.stop();
    assert_eq!(bench.recorder.take(), [Call::Stopping]);
}
