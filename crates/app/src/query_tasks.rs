//! Tasks as their owner sees them: one with its attempts, or those that a search finds.

use aldis_core::expression::{Filter, TaskField};
use aldis_core::ids::{AttemptNo, TaskNo};
use aldis_core::task::{AttemptOutcome, AttemptRecord, AttemptTimes, Outcome, State, Task};
use aldis_store::{Page, TaskInfo};

use super::{App, Caller, Error, Results};

/// One attempt of a task, or a late reply to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number.
    pub number: AttemptNo,
    /// When things happened to it.
    pub times: AttemptTimes,
    /// Where it stands.
    pub standing: AttemptStatus,
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptStatus {
    /// It is out; its reply or its deadline is awaited.
    Open {
        /// The device has acknowledged it.
        acked: bool,
    },
    /// It has ended, or this is a late reply to it.
    Ended(AttemptOutcome, Outcome),
}

impl App {
    /// A task of the caller's organization.
    ///
    /// # Errors
    /// There is none.
    pub async fn task(&self, caller: &Caller, id: &str) -> Result<TaskInfo, Error> {
        let missing = || Error::missing("task", id);
        let no = TaskNo::from_task_id(id).ok_or_else(missing)?;
        let mut found = self.read(move |store| store.task_infos(&[no])).await?;
        let found = found.pop().flatten();
        found
            .filter(|info| info.job.org == caller.org && !info.job.deleted)
            .ok_or_else(missing)
    }

    /// Tasks of the caller's organization, newest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search_tasks(
        &self,
        caller: &Caller,
        filter: Option<Filter<TaskField>>,
        page: Page,
    ) -> Result<Results<TaskInfo>, Error> {
        let org = caller.org.clone();
        self.search(caller, filter.is_some(), move |store| {
            store.search_tasks(&org, filter.as_ref(), page)
        })
        .await
    }

    /// A task with its attempts, by number; late replies after the attempt that they belong to.
    ///
    /// # Errors
    /// There is no such task.
    pub async fn task_attempts(&self, caller: &Caller, id: &str) -> Result<(TaskInfo, Vec<Attempt>), Error> {
        let info = self.task(caller, id).await?;
        let no = info.task.no;
        let history = self.read(move |store| store.history(no)).await?;
        let attempts = attempts(&info.task, history);
        Ok((info, attempts))
    }
}

/// The history leaves out what the task's own row tells: an attempt that is out, or one that succeeded in time.
pub(super) fn attempts(task: &Task, history: Vec<AttemptRecord>) -> Vec<Attempt> {
    let latest = own_attempt(task);
    let known = |ended: &AttemptRecord| ended.attempt == task.attempt && ended.how != AttemptOutcome::Late;
    let latest = latest.filter(|_| !history.iter().any(known));
    let ended = history.into_iter().map(|ended| Attempt {
        number: ended.attempt,
        times: ended.times,
        standing: AttemptStatus::Ended(ended.how, ended.outcome),
    });
    let mut attempts: Vec<Attempt> = ended.chain(latest).collect();
    attempts.sort_by_key(|attempt| {
        (
            attempt.number,
            matches!(attempt.standing, AttemptStatus::Ended(AttemptOutcome::Late, _)),
        )
    });
    attempts
}

fn own_attempt(task: &Task) -> Option<Attempt> {
    let standing = match (task.state, &task.result) {
        (State::Published, _) => AttemptStatus::Open { acked: false },
        (State::InProgress, _) => AttemptStatus::Open { acked: true },
        (State::Succeeded, Some(outcome)) => AttemptStatus::Ended(AttemptOutcome::Succeeded, outcome.clone()),
        _ => return None,
    };
    Some(Attempt {
        number: task.attempt,
        times: task.times,
        standing,
    })
}

#[cfg(test)]
mod tests {
    use aldis_core::ids::DeviceNo;
    use aldis_core::time::Timestamp;

    use aldis_core::task::OutcomeNotes;

    use super::*;

    fn outcome(code: i64) -> Outcome {
        Outcome {
            code,
            desc: String::new(),
            output: None,
            sent: true,
            notes: OutcomeNotes::default(),
        }
    }

    fn ended(attempt: u16, how: AttemptOutcome) -> AttemptRecord {
        AttemptRecord {
            attempt: AttemptNo(attempt),
            how,
            times: AttemptTimes::default(),
            outcome: outcome(if how == AttemptOutcome::Late { 0 } else { 500 }),
        }
    }

    fn task(state: State, attempt: u16) -> Task {
        Task {
            state,
            attempt: AttemptNo(attempt),
            result: Some(outcome(0)),
            ..Task::new(TaskNo(1), DeviceNo(1), Timestamp(0))
        }
    }

    fn summary(task: &Task, history: Vec<AttemptRecord>) -> Vec<(u16, Option<AttemptOutcome>)> {
        let how = |attempt: Attempt| match attempt.standing {
            AttemptStatus::Open { .. } => (attempt.number.0, None),
            AttemptStatus::Ended(how, _) => (attempt.number.0, Some(how)),
        };
        attempts(task, history).into_iter().map(how).collect()
    }

    #[test]
    fn the_attempt_that_the_row_tells_of_joins_the_history_in_its_place() {
        assert_eq!(summary(&task(State::Queued, 0), vec![]), []);
        assert_eq!(
            summary(&task(State::Succeeded, 1), vec![]),
            [(1, Some(AttemptOutcome::Succeeded))]
        );
        assert_eq!(
            summary(
                &task(State::InProgress, 2),
                vec![ended(1, AttemptOutcome::TimedOut), ended(1, AttemptOutcome::Late)]
            ),
            [
                (1, Some(AttemptOutcome::TimedOut)),
                (1, Some(AttemptOutcome::Late)),
                (2, None)
            ]
        );
        assert_eq!(
            summary(&task(State::Succeeded, 1), vec![ended(1, AttemptOutcome::Late)]),
            [(1, Some(AttemptOutcome::Succeeded)), (1, Some(AttemptOutcome::Late))],
            "a doubled reply"
        );
    }

    #[test]
    fn an_attempt_that_ended_badly_is_told_once() {
        assert_eq!(
            summary(
                &task(State::Succeeded, 1),
                vec![ended(1, AttemptOutcome::TimedOut), ended(1, AttemptOutcome::Late)]
            ),
            [(1, Some(AttemptOutcome::TimedOut)), (1, Some(AttemptOutcome::Late))],
            "succeeded by a late reply while its retry waited"
        );
        assert_eq!(
            summary(&task(State::Failed, 1), vec![ended(1, AttemptOutcome::Failed)]),
            [(1, Some(AttemptOutcome::Failed))]
        );
    }
}
