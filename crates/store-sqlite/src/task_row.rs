//! A task as its row: small numbers, and NULL wherever the usual success has nothing to say.
//!
//! Moments are kept as the time since the job's release, and those of the attempt as the time since its intent, because
//! SQLite keeps small numbers in few bytes. Retry counts, cancel mark and flags share one number, which is mostly 0.

use aldis_core::ids::{AttemptNo, DeviceNo, TaskNo};
use aldis_core::task::{AttemptTimes, Outcome, OutcomeNotes, Retries, State, Task};
use aldis_core::time::Timestamp;
use rusqlite::{Statement, params};
use serde::{Deserialize, Serialize};

use crate::cells::{Cells, int, json};
use crate::driver_error::{DriverError, Result};

/// The columns that [`read`] takes, in its order.
pub(crate) const COLUMNS: &str = "task.id, task.device, task.state, task.attempt, task.intent, task.handed, task.acked, \
     task.ended, task.updated, task.due, task.code, task.desc, task.output, task.late, task.tally";

pub(crate) const INSERT: &str = "INSERT INTO task (id, device, state, attempt, intent, handed, acked, ended, updated, \
     due, wake, code, desc, output, late, tally) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Changes the row only if it is still in the state and attempt that the step saw. The device never changes, so that
/// the index over it is left alone.
pub(crate) const UPDATE: &str = "UPDATE task SET state = ?2, attempt = ?3, intent = ?4, handed = ?5, acked = ?6, \
     ended = ?7, updated = ?8, due = ?9, wake = ?10, code = ?11, desc = ?12, output = ?13, late = ?14, tally = ?15 \
     WHERE id = ?1 AND state = ?16 AND attempt = ?17";

/// The description that goes without saying.
const USUAL: &str = "OK";

/// A late success, as JSON.
#[derive(Serialize, Deserialize)]
struct Late {
    code: i64,
    desc: String,
    output: Option<String>,
    sent: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    output_dropped: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    repeats_earlier: bool,
}

/// Reads the row; `release` is its job's.
pub(crate) fn read(cells: &mut Cells<'_, '_>, release: Timestamp) -> Result<Task> {
    let cells = cells.table("task");
    let no = TaskNo(cells.number("id")?);
    let device = DeviceNo(cells.number("device")?);
    let state = cells.choice("state", &State::ALL)?;
    let attempt = AttemptNo(cells.number("attempt")?);
    let times = read_times(cells, release)?;
    let updated = match (cells.get::<Option<i64>>("updated")?, times.ended) {
        (Some(ms), _) => after(release, ms),
        (None, Some(ended)) => ended,
        (None, None) => return Err(cells.unfit("updated", "nothing to take it from")),
    };
    let due = cells.get::<Option<i64>>("due")?.map(|ms| after(release, ms));
    let code: Option<i64> = cells.get("code")?;
    let desc: Option<String> = cells.get("desc")?;
    let output = cells.get("output")?;
    let late: Option<String> = cells.get("late")?;
    let tally = Tally::unpack(cells.get("tally")?);
    let result = code.map(|code| Outcome {
        code,
        desc: desc.unwrap_or_else(|| USUAL.to_owned()),
        output,
        sent: !tally.unsent,
        notes: tally.notes,
    });
    let late_success = late.map(|text| read_late(&text)).transpose()?;
    let Tally {
        retries,
        mark,
        disarmed,
        ..
    } = tally;
    Ok(Task {
        no,
        device,
        state,
        attempt,
        due,
        retries,
        disarmed,
        mark,
        times,
        result,
        late_success,
        updated,
    })
}

fn read_times(cells: &mut Cells<'_, '_>, release: Timestamp) -> Result<AttemptTimes> {
    let intent = cells.get::<Option<i64>>("intent")?.map(|ms| after(release, ms));
    let base = intent.unwrap_or(release);
    Ok(AttemptTimes {
        intent,
        handed: cells.get::<Option<i64>>("handed")?.map(|ms| after(base, ms)),
        acked: cells.get::<Option<i64>>("acked")?.map(|ms| after(base, ms)),
        ended: cells.get::<Option<i64>>("ended")?.map(|ms| after(base, ms)),
    })
}

fn read_late(text: &str) -> Result<Outcome> {
    let late: Late = serde_json::from_str(text).map_err(|error| DriverError::corrupt("task", "late", error))?;
    Ok(Outcome {
        code: late.code,
        desc: late.desc,
        output: late.output,
        sent: late.sent,
        notes: OutcomeNotes {
            output_dropped: late.output_dropped,
            repeats_earlier: late.repeats_earlier,
        },
    })
}

/// Writes a new row with [`INSERT`].
pub(crate) fn insert(
    statement: &mut Statement<'_>,
    task: &Task,
    wake: Option<Timestamp>,
    release: Timestamp,
) -> Result<()> {
    let row = Narrow::of(task, release);
    let result = task.result.as_ref();
    statement.execute(params![
        int(task.no.0),
        int(task.device.0),
        state_number(task.state),
        task.attempt.0,
        row.intent,
        row.handed,
        row.acked,
        row.ended,
        row.updated,
        row.due,
        wake.map(|at| at.0),
        result.map(|result| result.code),
        row.desc,
        result.and_then(|result| result.output.as_deref()),
        row.late,
        row.tally,
    ])?;
    Ok(())
}

/// Writes a step with [`UPDATE`]; whether the row was still as the step saw it.
pub(crate) fn update(
    statement: &mut Statement<'_>,
    from: (State, AttemptNo),
    task: &Task,
    wake: Option<Timestamp>,
    release: Timestamp,
) -> Result<bool> {
    let row = Narrow::of(task, release);
    let result = task.result.as_ref();
    let changed = statement.execute(params![
        int(task.no.0),
        state_number(task.state),
        task.attempt.0,
        row.intent,
        row.handed,
        row.acked,
        row.ended,
        row.updated,
        row.due,
        wake.map(|at| at.0),
        result.map(|result| result.code),
        row.desc,
        result.and_then(|result| result.output.as_deref()),
        row.late,
        row.tally,
        state_number(from.0),
        from.1.0,
    ])?;
    Ok(changed == 1)
}

/// A state as it is stored.
pub(crate) fn state_number(state: State) -> i64 {
    int(state.index() as u64)
}

/// What has to be worked out before a row can be bound.
struct Narrow<'a> {
    intent: Option<i64>,
    handed: Option<i64>,
    acked: Option<i64>,
    ended: Option<i64>,
    updated: Option<i64>,
    due: Option<i64>,
    desc: Option<&'a str>,
    late: Option<String>,
    tally: i64,
}

impl<'a> Narrow<'a> {
    fn of(task: &'a Task, release: Timestamp) -> Self {
        let base = task.times.intent.unwrap_or(release);
        let result = task.result.as_ref();
        let tally = Tally {
            retries: task.retries,
            mark: task.mark,
            disarmed: task.disarmed,
            unsent: result.is_some_and(|result| !result.sent),
            notes: result.map(|result| result.notes).unwrap_or_default(),
        };
        let late = task.late_success.as_ref().map(|late| {
            let Outcome {
                code,
                desc,
                output,
                sent,
                notes,
            } = late.clone();
            json(&Late {
                code,
                desc,
                output,
                sent,
                output_dropped: notes.output_dropped,
                repeats_earlier: notes.repeats_earlier,
            })
        });
        Self {
            intent: task.times.intent.map(|at| since(release, at)),
            handed: task.times.handed.map(|at| since(base, at)),
            acked: task.times.acked.map(|at| since(base, at)),
            ended: task.times.ended.map(|at| since(base, at)),
            updated: (task.times.ended != Some(task.updated)).then(|| since(release, task.updated)),
            due: task.due.map(|at| since(release, at)),
            desc: result.map(|result| result.desc.as_str()).filter(|desc| *desc != USUAL),
            late,
            tally: tally.pack(),
        }
    }
}

/// What most tasks have nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tally {
    retries: Retries,
    mark: u16,
    disarmed: bool,
    unsent: bool,
    notes: OutcomeNotes,
}

/// Where the parts of a packed [`Tally`] begin, in bits; the smallest and most frequent first.
mod bit {
    pub(super) const DISARMED: u32 = 0;
    pub(super) const UNSENT: u32 = 1;
    pub(super) const USED: u32 = 2;
    pub(super) const AUTO: u32 = 10;
    pub(super) const MANUAL: u32 = 26;
    pub(super) const MARK: u32 = 42;
    pub(super) const OUTPUT_DROPPED: u32 = 58;
    pub(super) const REPEATS_EARLIER: u32 = 59;
}

impl Tally {
    fn pack(self) -> i64 {
        i64::from(self.disarmed) << bit::DISARMED
            | i64::from(self.unsent) << bit::UNSENT
            | i64::from(self.retries.used) << bit::USED
            | i64::from(self.retries.auto) << bit::AUTO
            | i64::from(self.retries.manual) << bit::MANUAL
            | i64::from(self.mark) << bit::MARK
            | i64::from(self.notes.output_dropped) << bit::OUTPUT_DROPPED
            | i64::from(self.notes.repeats_earlier) << bit::REPEATS_EARLIER
    }

    fn unpack(packed: i64) -> Self {
        let word = |from: u32| u16::try_from(packed >> from & i64::from(u16::MAX)).unwrap_or(u16::MAX);
        let byte = |from: u32| u8::try_from(packed >> from & i64::from(u8::MAX)).unwrap_or(u8::MAX);
        Self {
            retries: Retries {
                auto: word(bit::AUTO),
                used: byte(bit::USED),
                manual: word(bit::MANUAL),
            },
            mark: word(bit::MARK),
            disarmed: packed >> bit::DISARMED & 1 == 1,
            unsent: packed >> bit::UNSENT & 1 == 1,
            notes: OutcomeNotes {
                output_dropped: packed >> bit::OUTPUT_DROPPED & 1 == 1,
                repeats_earlier: packed >> bit::REPEATS_EARLIER & 1 == 1,
            },
        }
    }
}

/// The column `sent` of an attempt's record: whether it was sent, and the notes.
pub(crate) fn to_flags(outcome: &Outcome) -> i64 {
    let notes = outcome.notes;
    i64::from(outcome.sent) | i64::from(notes.output_dropped) << 1 | i64::from(notes.repeats_earlier) << 2
}

/// Reads what [`to_flags`] has written.
pub(crate) fn from_flags(flags: i64) -> (bool, OutcomeNotes) {
    let notes = OutcomeNotes {
        output_dropped: flags >> 1 & 1 == 1,
        repeats_earlier: flags >> 2 & 1 == 1,
    };
    (flags & 1 == 1, notes)
}

/// Wrapping, so that what was written comes back, however absurd.
fn since(base: Timestamp, at: Timestamp) -> i64 {
    at.0.wrapping_sub(base.0)
}

fn after(base: Timestamp, ms: i64) -> Timestamp {
    Timestamp(base.0.wrapping_add(ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment() -> impl Strategy<Value = Option<Timestamp>> {
        proptest::option::of(prop_oneof![any::<i64>(), 1_700_000_000_000_i64..1_800_000_000_000])
            .prop_map(|at| at.map(Timestamp))
    }

    fn outcome() -> impl Strategy<Value = Option<Outcome>> {
        let desc = prop_oneof![Just("OK".to_owned()), Just(String::new()), ".*"];
        let whole = (
            prop_oneof![Just(0), any::<i64>()],
            desc,
            proptest::option::of(".*"),
            any::<[bool; 3]>(),
        );
        proptest::option::of(whole.prop_map(
            |(code, desc, output, [sent, output_dropped, repeats_earlier])| Outcome {
                code,
                desc,
                output,
                sent,
                notes: OutcomeNotes {
                    output_dropped,
                    repeats_earlier,
                },
            },
        ))
    }

    prop_compose! {
        fn task()(
            state in 0..State::COUNT, attempt in 0..=4095_u16, due in moment(),
            retries in (any::<u16>(), any::<u8>(), any::<u16>()), disarmed: bool, mark: u16,
            times in (moment(), moment(), moment(), moment()), result in outcome(), late_success in outcome(),
            updated in moment(), ends_now: bool,
        ) -> Task {
            let times = AttemptTimes { intent: times.0, handed: times.1, acked: times.2, ended: times.3 };
            Task {
                no: TaskNo(1), device: DeviceNo(2), state: State::ALL[state], attempt: AttemptNo(attempt), due,
                retries: Retries { auto: retries.0, used: retries.1, manual: retries.2 }, disarmed, mark, times, result,
                late_success,
                updated: times.ended.filter(|_| ends_now).or(updated).unwrap_or_default(),
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_gives_back_the_task_it_was_written_from(first in task(), second in task(), release in any::<i64>()) {
            let release = Timestamp(release);
            let conn = rusqlite::Connection::open_in_memory().unwrap();
            conn.execute_batch(include_str!("../migrations/0010_start.sql")).unwrap();
            let stored = || crate::sql::first(&conn, &format!("SELECT {COLUMNS} FROM task"), [], |row| {
                read(&mut Cells::new(row, "task"), release)
            }).unwrap().unwrap();
            insert(&mut conn.prepare(INSERT).unwrap(), &first, first.due, release).unwrap();
            prop_assert_eq!(&stored(), &first);
            let mut statement = conn.prepare(UPDATE).unwrap();
            prop_assert!(update(&mut statement, (first.state, first.attempt), &second, None, release).unwrap());
            prop_assert_eq!(&stored(), &second);
            let other = AttemptNo(second.attempt.0 + 1);
            prop_assert!(!update(&mut statement, (second.state, other), &first, None, release).unwrap());
            prop_assert_eq!(&stored(), &second);
        }
    }
}
