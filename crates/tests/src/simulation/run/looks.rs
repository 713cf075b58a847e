//! Looks at a job through the API, and at whether anything waits longer than it has to.

use std::collections::BTreeMap;

use aldis_core::ids::{DeviceNo, JobNo, TaskNo, WireId};
use aldis_core::task::State;
use aldis_engine::AFTER_START_MS;
use aldis_engine::link::Kinds;
use aldis_store::JobTasks;

use super::{AFTER_FAULTS_MS, History, nth};
use crate::simulation::operation::{Call, Choice};
use crate::simulation::operator::{Answered, Shown};
use crate::simulation::oracle::{Begun, Checked, broken};
use crate::simulation::world::SHARED_MAX;

impl History {
    pub(super) fn look(&mut self, choice: Choice) -> Checked {
        let Some(index) = nth(choice, self.oracle.jobs.len()) else {
            return Ok(());
        };
        if self.world.disk_is_failing() {
            return Ok(());
        }
        self.wait(AFTER_FAULTS_MS)?;
        self.note()?;
        self.look_at(index)
    }

    pub(super) fn look_at(&mut self, index: usize) -> Checked {
        self.find(index)?;
        let job = &self.oracle.jobs[index];
        let Some(no) = job.no else { return Ok(()) };
        if job.deleted {
            let gone = self.world.on_job(Call::Answered, "getJob", no, None);
            return match gone {
                Answered::Refused(24404, _) => Ok(()),
                other => broken("deleted_stays_deleted", format!("{}: {other:?}", no.to_job_id())),
            };
        }
        let Answered::Done(shown) = self.world.on_job(Call::Answered, "getJob", no, None) else {
            if self.oracle.jobs[index].maybe_deleted {
                self.oracle.jobs[index].deleted = true;
                return Ok(());
            }
            return broken("acknowledged_jobs_exist", no.to_job_id());
        };
        self.recount(index, no, shown["status"] == "FINISHED")?;
        self.look_deeper(no)
    }

    /// A job whose creation was not answered exists once or not at all.
    pub(super) fn find(&mut self, index: usize) -> Checked {
        let job = &self.oracle.jobs[index];
        let (name, acknowledged, deleted) = (job.name.clone(), job.acknowledged, job.deleted || job.maybe_deleted);
        let found = match job.draft.single {
            true => Some(self.world.singles_by(&name)),
            false => self.world.jobs_named(&name),
        };
        let Some(found) = found else { return Ok(()) };
        match found.as_slice() {
            [] if acknowledged && !deleted => broken("acknowledged_jobs_exist", name),
            [] => Ok(()),
            [only] => {
                self.oracle.jobs[index].no.get_or_insert(*only);
                Ok(())
            }
            several => broken("one_job_per_request", format!("{name}: {several:?}")),
        }
    }

    /// Statistics are what counting the tasks gives, and each task is what its history allows.
    pub(super) fn recount(&mut self, index: usize, no: JobNo, finished: bool) -> Checked {
        let Some(tasks) = self.world.tasks_of(no) else {
            return Ok(());
        };
        let Answered::Done(counts) = self.world.on_job(Call::Answered, "queryStatistics", no, None) else {
            return Ok(());
        };
        let mut recounted: BTreeMap<&str, u64> = BTreeMap::new();
        for task in &tasks {
            *recounted.entry(column(&task.status)).or_default() += 1;
        }
        for name in COLUMNS {
            let (said, found) = (
                counts[name].as_u64().unwrap_or(u64::MAX),
                recounted.get(name).copied().unwrap_or(0),
            );
            if said != found {
                let id = no.to_job_id();
                return broken(
                    "counters_equal_a_recount",
                    format!("{id}: {name} is {said}, and {found} are found"),
                );
            }
        }
        let keys = self.oracle.jobs[index].keys.len();
        if keys > 0 && tasks.len() != keys {
            return broken("every_target_has_a_task", format!("{} of {keys}", tasks.len()));
        }
        let time = Begun {
            clock: self.world.engine_now(),
            passed_ms: self.world.passed(),
            starts: self.world.starts,
            in_doubt: self.world.is_held(),
        };
        let triggered = self.oracle.jobs[index].has_triggered(time.clock) && !self.world.is_held();
        Self::ends_with(&tasks, finished, triggered)?;
        self.oracle.learn(no, &tasks);
        for task in &tasks {
            self.oracle.look_at(index, task, time)?;
        }
        match tasks.as_slice() {
            [only] if self.oracle.jobs[index].draft.single => self.is_told_the_same(only),
            _ => Ok(()),
        }
    }

    /// Both APIs say the same of a single command.
    fn is_told_the_same(&mut self, task: &Shown) -> Checked {
        let Some(told) = self.world.single_state(task.no) else {
            return Ok(());
        };
        let expected = match task.status.as_str() {
            "CANCELLED" => 2,
            "TTL_TIMEOUT" => 3,
            "PUBLISHED" | "IN_PROGRESS" => 4,
            "SUCCEED" => 5,
            "FAILED" => 6,
            "RSP_TIMEOUT" => 7,
            _ => 1,
        };
        if told == expected {
            return Ok(());
        }
        broken("both_apis_say_the_same", format!("{told}, and {task:?}"))
    }

    /// A job has ended exactly if its tasks have; before its trigger it cannot.
    fn ends_with(tasks: &[Shown], finished: bool, triggered: bool) -> Checked {
        let all_final = tasks.iter().all(Shown::is_final);
        if finished && !all_final || !finished && all_final && triggered && !tasks.is_empty() {
            return broken("jobs_end_with_their_tasks", format!("{finished}: {tasks:?}"));
        }
        Ok(())
    }

    /// Nothing waits longer than it has to.
    pub(super) fn look_deeper(&mut self, no: JobNo) -> Checked {
        // While the clock is in doubt nothing moves on.
        if self.world.is_held() {
            return Ok(());
        }
        let store = self.world.stored();
        let now = self.world.engine_now();
        let Some(detail) = store.job(no).expect("the observer's way never fails") else {
            return Ok(());
        };
        let rules = detail.job.rules();
        let tasks = store
            .job_tasks(&detail.job, JobTasks::All, None, usize::MAX)
            .expect("the observer's way never fails");
        for task in tasks {
            let id = WireId::new(task.no, task.attempt);
            let stuck = |why: &str| {
                broken(
                    "everything_moves_on",
                    format!("{id} is {:?} at {}: {why}", task.state, now.0),
                )
            };
            match task.state {
                State::Init if rules.release <= now => stuck("its job was to trigger")?,
                State::Queued if task.window_end(&rules) <= now => stuck("its window has ended")?,
                State::Queued if self.is_idle(task.device, detail.job.command.kind()) => stuck("its device is idle")?,
                State::RetryWait if task.due.is_none_or(|due| due <= now) => stuck("its retry is due")?,
                State::Published | State::InProgress if self.is_overdue(task.no) => stuck("its reply is overdue")?,
                _ if task.state.is_cancellable() && task.is_covered_by_mark(&rules) => stuck("its job was cancelled")?,
                _ => {}
            }
        }
        Ok(())
    }

    /// No slot is held for what the task awaits, or one that should be free by now.
    pub(super) fn is_overdue(&self, task: TaskNo) -> bool {
        let slots = self.world.held_slots();
        let held = slots.iter().find(|slot| slot.task == task);
        let put_off = self.world.started.plus_ms(AFTER_START_MS);
        held.is_none_or(|slot| slot.reply_deadline.max(put_off) < self.world.engine_now())
    }

    /// The device could take any command now. One that takes only some kinds may be waiting for another's turn, and one
    /// behind a gateway that has enough to do for its own.
    pub(super) fn is_idle(&self, device: DeviceNo, _kind: aldis_core::command::CommandKind) -> bool {
        let slots = self.world.held_slots();
        let held = slots.iter().any(|slot| slot.device == device);
        let out = slots.iter().map(|slot| WireId::new(slot.task, slot.attempt));
        let beside = self.world.link.out_beside(device, out);
        let has_turn = beside.is_none_or(|out| out < SHARED_MAX);
        !self.world.is_held() && !held && has_turn && self.world.link.kinds(device) == Some(Kinds::ALL)
    }
}

const COLUMNS: [&str; 8] = [
    "init",
    "published",
    "inProgress",
    "succeed",
    "failed",
    "canceled",
    "ttlTimeout",
    "rspTimeout",
];

fn column(status: &str) -> &'static str {
    match status {
        "INIT" | "QUEUED" => "init",
        "PUBLISHED" => "published",
        "IN_PROGRESS" => "inProgress",
        "SUCCEED" => "succeed",
        "FAILED" => "failed",
        "CANCELLED" => "canceled",
        "TTL_TIMEOUT" => "ttlTimeout",
        "RSP_TIMEOUT" => "rspTimeout",
        other => panic!("no status: {other}"),
    }
}
