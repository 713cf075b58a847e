//! Some tasks of one job, its counters as the store keeps them, and what a watcher remembers beside them.

use aldis_core::ids::{ATTEMPT_MAX, AttemptNo, DeviceNo, TaskNo};
use aldis_core::job::{Counters, JobState, roll_up};
use aldis_core::policy::Rules;
use aldis_core::task::{AttemptOutcome, Event, State, Step, Task, step};
use aldis_core::time::Timestamp;

use super::happening::Happening;
use crate::support::{RELEASE, new_task};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) now: Timestamp,
    pub(crate) tasks: Vec<Watched>,
    counters: Counters,
}

/// A task, and what has been seen of it.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) task: Task,
    /// Attempts that were published, ever.
    published: Vec<AttemptNo>,
    /// A success of one of them has come, and no other round has been requested since.
    success_known: bool,
}

impl World {
    /// `latest` is what the tasks' attempts begin with, as if they had had many.
    pub(crate) fn new(rules: Rules, tasks: u64, latest: AttemptNo) -> Self {
        let born = (0..tasks).map(|no| Task {
            no: TaskNo(no),
            device: DeviceNo(no),
            attempt: latest,
            ..new_task()
        });
        let mut counters = Counters::default();
        counters.add(State::Init, i64::try_from(tasks).expect("a few"));
        Self {
            rules,
            now: RELEASE,
            tasks: born.map(Watched::new).collect(),
            counters,
        }
    }

    /// Something happens to one of the tasks; everything that must hold is checked.
    pub(crate) fn happens(&mut self, which: usize, happening: &Happening) {
        let which = which % self.tasks.len();
        let watched = &mut self.tasks[which];
        let before = watched.task.clone();
        let event = happening.event(before.attempt);
        if let Ok(step) = step(&before, &self.rules, event, self.now) {
            watched.follow(&step, event, &self.rules, self.now);
            self.counters.add(before.state, -1);
            self.counters.add(watched.task.state, 1);
        }
        self.check_counters();
    }

    fn check_counters(&self) {
        let mut recount = Counters::default();
        for watched in &self.tasks {
            recount.add(watched.task.state, 1);
        }
        assert_eq!(self.counters, recount);
        let total = self.tasks.len() as u64;
        assert_eq!(self.counters.written(), total);
        let ended = self.tasks.iter().all(|watched| watched.task.state.is_final());
        let expected = if ended {
            JobState::Finished
        } else {
            JobState::InProgress
        };
        assert_eq!(roll_up(Some(total), &self.counters, false), expected);
        assert_ne!(
            roll_up(Some(total + 1), &self.counters, false),
            JobState::Finished,
            "a row is missing"
        );
    }
}

impl Watched {
    fn new(task: Task) -> Self {
        Self {
            task,
            published: Vec::new(),
            success_known: false,
        }
    }

    fn follow(&mut self, step: &Step, event: Event<'_>, rules: &Rules, now: Timestamp) {
        let before = std::mem::replace(&mut self.task, step.task.clone());
        let asked = matches!(event, Event::RetryAsked(_)) && step.declined.is_none();
        if asked {
            self.success_known = false;
        }
        self.check_end(&before, asked);
        self.check_attempts(&before, step, rules, now);
        self.check_retries(&before, event, rules);
        self.check_success(&before, event, step);
        self.check_reason(rules);
        assert!(
            self.task.updated == now || self.task.state == before.state,
            "a change of state tells when"
        );
    }

    /// Nothing but a retry by hand moves what has ended.
    fn check_end(&self, before: &Task, asked: bool) {
        if before.state.is_final() && !asked {
            assert_eq!(self.task.state, before.state);
            assert_eq!(self.task.result, before.result);
        }
        assert!(
            !before.state.is_final() || before.state != State::Succeeded || !asked,
            "a success is not retried"
        );
        assert!(
            before.state != State::Cancelled || !asked,
            "what was cancelled is not retried"
        );
    }

    /// Numbers only grow, one is out at a time, and none leaves at or after the end of its window.
    fn check_attempts(&mut self, before: &Task, step: &Step, rules: &Rules, now: Timestamp) {
        assert!(self.task.attempt.0 <= ATTEMPT_MAX);
        let Some(publish) = step.publish else {
            assert_eq!(self.task.attempt, before.attempt);
            assert!(
                !self.task.state.is_out() || before.state.is_out(),
                "out without having been sent"
            );
            return;
        };
        assert_eq!((before.state, self.task.state), (State::Queued, State::Published));
        assert_eq!(publish.attempt, self.task.attempt);
        assert_eq!(self.task.attempt.0, before.attempt.0 + 1);
        assert!(!self.published.contains(&publish.attempt), "sent twice");
        assert!(now < before.window_end(rules) && publish.window_end == before.window_end(rules));
        assert!(!before.is_covered_by_mark(rules), "sent though its job was cancelled");
        assert!(!self.success_known, "sent though it had succeeded");
        self.published.push(publish.attempt);
    }

    /// An automatic retry is counted when it becomes due and at no other moment; the budget is never exceeded.
    fn check_retries(&self, before: &Task, event: Event<'_>, rules: &Rules) {
        let (old, new) = (before.retries, self.task.retries);
        let became_due = matches!(event, Event::Due(_)) && before.state == State::RetryWait;
        let cancelled = self.task.state == State::Cancelled;
        assert_eq!(new.auto - old.auto, u16::from(became_due && !cancelled));
        assert!(new.used <= rules.policy.retry.map_or(0, |retry| retry.count));
        assert!(new.manual == old.manual || matches!(event, Event::RetryAsked(_)));
    }

    /// A success of any attempt that was out ends the task well, or waits beside a newer one.
    fn check_success(&mut self, before: &Task, event: Event<'_>, step: &Step) {
        if let Event::Replied { attempt, reply, .. } = event {
            let counts = reply.is_success() && self.published.contains(&attempt);
            if counts && self.task.state != State::Cancelled {
                self.success_known = true;
                let open = before.state.is_out() && before.attempt == attempt;
                let waiting = matches!(before.state, State::Queued | State::RetryWait);
                assert!(!(open || waiting) || self.task.state == State::Succeeded);
            }
            let awaited = before.state.is_out() && before.attempt != attempt && self.task.state != State::Cancelled;
            assert!(
                !awaited || self.task.state == before.state,
                "only its own reply ends an attempt"
            );
            let late = step.ended.iter().any(|ended| ended.how == AttemptOutcome::Late);
            assert!(
                late || before.state.is_out() || !self.published.contains(&attempt),
                "a late reply is kept"
            );
        }
        if self.success_known {
            let bad_end_now = self.task.state.is_final() && !before.state.is_final();
            let well = matches!(self.task.state, State::Succeeded | State::Cancelled);
            assert!(!bad_end_now || well, "ended badly though it had succeeded");
            assert!(
                !matches!(self.task.state, State::Queued | State::RetryWait),
                "waits though it has succeeded"
            );
        }
    }

    /// A task that is not final has a stored reason to move.
    fn check_reason(&self, rules: &Rules) {
        let task = &self.task;
        match task.state {
            State::Init => assert_eq!(task.due, None, "its job's trigger"),
            State::Queued => assert_eq!(task.wake_at(rules), task.due.map(|_| task.window_end(rules))),
            State::RetryWait => assert!(task.wake_at(rules).is_some() && task.wake_at(rules) == task.due),
            State::Published | State::InProgress => assert!(task.times.intent.is_some(), "its reply deadline"),
            State::Succeeded | State::Failed | State::Cancelled | State::ResponseTimedOut | State::TtlTimedOut => {
                assert_eq!(task.wake_at(rules), None);
                assert!(task.result.is_some(), "an end has a reason");
            }
        }
    }
}
