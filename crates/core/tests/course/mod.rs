//! One task moved on event by event.

use aldis_core::ids::AttemptNo;
use aldis_core::policy::Rules;
use aldis_core::task::{Condition, Event, Link, Presence, Refused, Step, Task, step};
use aldis_core::time::Timestamp;

use crate::support::{PRESENT, RELEASE, new_task, reply};

/// A device that has been here and is not now.
pub(crate) const ABSENT: Condition = Condition {
    presence: Presence::Absent { since: None },
    ..PRESENT
};

/// One task under one job.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) task: Task,
    pub(crate) rules: Rules,
    pub(crate) now: Timestamp,
}

impl Course {
    /// Before the trigger.
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            task: new_task(),
            rules,
            now: RELEASE,
        }
    }

    /// Triggered, waiting for its turn.
    pub(crate) fn queued(rules: Rules) -> Self {
        let mut course = Self::new(rules);
        course.apply(Event::Due(&PRESENT));
        course
    }

    /// Its first attempt is out.
    pub(crate) fn published(rules: Rules) -> Self {
        let mut course = Self::queued(rules);
        course.apply(Event::Claimed);
        course
    }

    /// What the event would do.
    pub(crate) fn try_step(&self, event: Event<'_>) -> Result<Step, Refused> {
        step(&self.task, &self.rules, event, self.now)
    }

    /// Applies an event that must not be refused.
    pub(crate) fn apply(&mut self, event: Event<'_>) -> Step {
        let step = self.try_step(event);
        let step = step.unwrap_or_else(|refused| panic!("{event:?} refused: {refused}; {:?}", self.task));
        self.task = step.task.clone();
        step
    }

    /// The device replies with a code to one of the attempts.
    pub(crate) fn replied(&mut self, attempt: u16, code: i64) -> Step {
        let (attempt, reply) = (AttemptNo(attempt), reply(Some(code)));
        self.apply(Event::Replied {
            attempt,
            handed: None,
            reply: &reply,
        })
    }

    pub(crate) fn acked(&mut self) -> Step {
        let attempt = self.task.attempt;
        self.apply(Event::Acked { attempt, handed: None })
    }

    /// The open attempt's reply deadline passes.
    pub(crate) fn silent(&mut self) -> Step {
        let attempt = self.task.attempt;
        self.apply(Event::ReplyDeadline {
            attempt,
            handed: None,
            link: Link::Up,
            unreadable: false,
        })
    }

    /// The open attempt never left.
    pub(crate) fn not_sent(&mut self) -> Step {
        let attempt = self.task.attempt;
        self.apply(Event::NotSent(attempt, &PRESENT))
    }

    /// The moment of the planned retry comes.
    pub(crate) fn retry_due(&mut self, condition: &Condition) -> Step {
        self.now = self.now.max(self.task.due_at(&self.rules));
        self.apply(Event::Due(condition))
    }

    /// The present round's window ends.
    pub(crate) fn window_ended(&mut self, condition: &Condition) -> Step {
        self.now = self.now.max(self.task.window_end(&self.rules));
        self.apply(Event::WindowEnded(condition))
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    /// The code of the task's result.
    pub(crate) fn code(&self) -> Option<i64> {
        self.task.result.as_ref().map(|result| result.code)
    }
}
