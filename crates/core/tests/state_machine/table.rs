//! Asks `step` about everything that can happen to every task, and finds that each answer depends on nothing but the
//! row, the column, whether a success is recorded, and whether an automatic retry is left.

use aldis_core::policy::Rules;
use aldis_core::task::{Condition, Event, Reply, State, Task, step};
use aldis_core::time::Timestamp;

use super::answers::Answer;
use super::columns::{Section, Situation, conditions, replies};
use super::rows::{Mark, Row, tasks};
use crate::support::{PRESENT, TTL_MS, rules};

/// The answers of one row in one column: by recorded success, then by a retry that is left.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cell([[Option<Answer>; 2]; 2]);

impl Cell {
    fn note(&mut self, recorded: bool, retry_left: bool, answer: Answer, situation: &Situation<'_>) {
        let known = self.0[usize::from(recorded)][usize::from(retry_left)].get_or_insert_with(|| answer.clone());
        assert_eq!(
            *known, answer,
            "the columns do not tell this apart: {:?} at {:?} with {:?} under {:?}",
            situation.event, situation.now, situation.task, situation.rules
        );
    }

    /// The answer to a task without a recorded success and without a retry, with marks for what those change.
    pub(crate) fn text(&self) -> String {
        let [[Some(plain), Some(retry)], recorded] = &self.0 else {
            return String::new();
        };
        let mut marks = String::new();
        if let Some(success) = recorded[0].as_ref().filter(|answer| *answer != plain) {
            assert_eq!(
                success.state(),
                Some(State::Succeeded),
                "a recorded success decides: {success:?} instead of {plain:?}"
            );
            assert_eq!(recorded[1], recorded[0], "a recorded success leaves nothing to retry");
            marks.push('✓');
        }
        if retry != plain {
            assert_eq!(
                retry.state(),
                Some(State::RetryWait),
                "a retry that is left is waited for"
            );
            marks.push('↻');
        }
        plain.text(&marks)
    }
}

/// One event's answers: a line per row of [`Row::all`], a cell per column.
pub(crate) fn explore(section: &Section) -> Vec<Vec<Cell>> {
    let rows = Row::all();
    let mut cells = vec![vec![Cell::default(); section.columns.len()]; rows.len()];
    let mut note = |task: &Task, mark: Mark, rules: &Rules, event: Event<'_>, now: Timestamp| {
        let situation = Situation {
            task,
            rules,
            event,
            now,
        };
        let row = rows.iter().position(|row| *row == Row::of(task, mark));
        let column = section.columns.iter().position(|column| (column.holds)(&situation));
        let (Some(row), Some(column)) = (row, column) else {
            panic!("no place in the table for {event:?} with {task:?}");
        };
        let answer = Answer::of(task, step(task, rules, event, now), said(event));
        let recorded = task.late_success.is_some();
        cells[row][column].note(recorded, retry_left(task, rules, event), answer, &situation);
    };
    let (conditions, replies) = (conditions(), replies());
    let conditions = if section.sees_device {
        &conditions[..]
    } else {
        &[PRESENT]
    };
    for state in State::ALL {
        for mark in [Mark::None, Mark::Covered, Mark::Exempt] {
            for task in tasks(state, mark) {
                each_setting(&task, mark, &mut |rules, now| {
                    each_event(section, &task, conditions, &replies, &mut |event| {
                        note(&task, mark, rules, event, now);
                    });
                });
            }
        }
    }
    cells
}

/// Every policy, at the moments around which answers change.
fn each_setting(task: &Task, mark: Mark, visit: &mut dyn FnMut(&Rules, Timestamp)) {
    for ttl_ms in [0, TTL_MS] {
        for retries in [0, 1, 2] {
            let rules = Rules {
                cancel_mark: u16::from(mark != Mark::None),
                ..rules(ttl_ms, retries)
            };
            let (due, end) = (task.due_at(&rules), task.window_end(&rules));
            for now in [due.plus_ms(-1), due, end.plus_ms(-1), end] {
                visit(&rules, now);
            }
        }
    }
}

fn each_event(
    section: &Section,
    task: &Task,
    conditions: &[Condition],
    replies: &[Reply],
    visit: &mut dyn FnMut(Event<'_>),
) {
    for condition in conditions {
        for event in (section.events)(task, condition, replies) {
            visit(event);
        }
    }
}

fn said(event: Event<'_>) -> Option<i64> {
    match event {
        Event::Replied { reply, .. } => reply.code,
        _ => None,
    }
}

/// Once the event has happened: becoming due uses one up, a retry by hand renews them all.
fn retry_left(task: &Task, rules: &Rules, event: Event<'_>) -> bool {
    let used = match event {
        Event::Due(_) if task.state == State::RetryWait => task.retries.used + 1,
        Event::RetryAsked(_) => 0,
        _ => task.retries.used,
    };
    rules.policy.retry.is_some_and(|retry| used < retry.count)
}
