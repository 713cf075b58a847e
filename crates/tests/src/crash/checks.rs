//! Three accounts of the same course of things, compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use aldis_client::{Client, DeviceRef, TaskStatus};
use aldis_core::ids::{AttemptNo, TaskNo, WireId};
use aldis_core::task::State;
use rusqlite::{Connection, OpenFlags, Row};

use super::accounts::{Accounts, Acts, Arrivals, KnownOutcome, Targets, Told};
use super::newcomers;
use super::operators::PRODUCT;

/// The state of a single command that was carried out.
const CANCELLED: u8 = 2;
const SUCCEEDED: u8 = 5;
/// What `core` says of a cancelled attempt that never left.
const WITHDRAWN: &str = "withdrawn before sending";
/// Of a retry that never left it also names the last attempt that did: the latest one there is, or one before that.
const LAST: &str = "not sent; attempt ";
const BEFORE: &str = "before ";

/// A task as the API shows it at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub job: String,
    pub device: String,
    pub status: TaskStatus,
    pub retried_by_hand: u32,
    pub desc: String,
}

impl Shown {
    /// The latest attempt was taken back: it was not the wait for a next one that ended.
    fn says_withdrawn(&self) -> bool {
        let withdrawn = self.status == TaskStatus::Cancelled && self.desc.contains(WITHDRAWN);
        let last = self.desc.split_once(LAST).map(|(_, last)| last);
        withdrawn && last.is_none_or(|last| last.starts_with(BEFORE))
    }
}

/// A single command as the API shows it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleShown {
    pub id: String,
    pub device: String,
    pub state: u8,
}

/// What the database says.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The latest attempt of each task.
    pub attempts: BTreeMap<u64, u16>,
    /// Attempts whose success is in the history.
    pub successes: BTreeSet<WireId>,
    /// First and last number of the tasks of each job that is there.
    pub ranges: Vec<(u64, u64)>,
    /// Jobs whose counters differ from a recount, in words.
    pub miscounted: Vec<String>,
    /// What SQLite finds wrong.
    pub damage: Option<String>,
}

/// Everything that is compared.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub told: Told,
    pub acts: Acts,
    pub newcomers: Arrivals,
    /// Newcomers that have never been in, as the API shows it.
    pub inactive: BTreeSet<String>,
    /// Every command that arrived, in order, and at which device.
    pub received: Vec<(String, WireId)>,
    pub devices: BTreeSet<String>,
    pub jobs: BTreeSet<String>,
    pub tasks: BTreeMap<WireId, Shown>,
    /// Single commands by what they were told apart by.
    pub commands: BTreeMap<String, Vec<SingleShown>>,
    pub stored: Stored,
}

/// Two accounts that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Which promise is broken.
    pub rule: &'static str,
    pub what: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

impl Evidence {
    pub(super) async fn gather(client: &Client, accounts: &Accounts, data: &Path) -> anyhow::Result<Self> {
        let mut evidence = Self {
            told: accounts.told.lock().clone(),
            acts: accounts.acts.lock().clone(),
            newcomers: accounts.newcomers.lock().clone(),
            stored: Stored::read(&data.join("aldis.db"))?,
            ..Self::default()
        };
        for record in accounts.journal.records() {
            evidence.received.push((record.device.device_key.clone(), record.id));
        }
        let of_product = format!("productKey = '{PRODUCT}'");
        let mut devices = client.devices(Some(&of_product));
        while let Some(device) = devices.next().await? {
            evidence.devices.insert(device.device_key);
        }
        let inactive = format!("productKey = '{}' and status = 'inactive'", newcomers::PRODUCT);
        let mut devices = client.devices(Some(&inactive));
        while let Some(device) = devices.next().await? {
            evidence.inactive.insert(device.device_key);
        }
        let mut jobs = client.jobs(None);
        while let Some(job) = jobs.next().await? {
            evidence.jobs.insert(job.job_id);
        }
        let mut tasks = client.tasks(None);
        while let Some(task) = tasks.next().await? {
            let shown = Shown {
                job: task.job_id,
                device: task.device_key.unwrap_or_default(),
                status: task.status,
                retried_by_hand: task.manual_retry_count,
                desc: task.task_result.and_then(|result| result.desc).unwrap_or_default(),
            };
            evidence.tasks.insert(task.task_id.parse()?, shown);
        }
        evidence.gather_commands(client).await?;
        Ok(evidence)
    }

    async fn gather_commands(&mut self, client: &Client) -> anyhow::Result<()> {
        for key in &self.devices {
            let mut commands = client.single_commands(&DeviceRef::keys(PRODUCT, key), None);
            while let Some(command) = commands.next().await? {
                let by = command.input_data["by"].as_str().unwrap_or_default().to_owned();
                self.commands.entry(by).or_default().push(SingleShown {
                    id: command.command_id,
                    device: command.device_key,
                    state: command.state,
                });
            }
        }
        Ok(())
    }

    fn task_of(&self, id: WireId) -> Option<&Shown> {
        self.tasks.get(&WireId::new(id.task(), AttemptNo(0)))
    }
}

impl Stored {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut stored = Self::default();
        let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        stored.damage = (found != "ok").then_some(found);
        let mut rows = conn.prepare("SELECT id, attempt FROM task")?;
        for row in rows.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))? {
            let (id, attempt) = row?;
            stored.attempts.insert(id, attempt);
        }
        let mut rows = conn.prepare("SELECT task, attempt FROM history WHERE code = 0")?;
        for row in rows.query_map([], |row| Ok((number(row, 0)?, row.get(1)?)))? {
            let (task, attempt) = row?;
            stored.successes.insert(WireId::new(TaskNo(task), AttemptNo(attempt)));
        }
        stored.recount(&conn)?;
        Ok(stored)
    }

    fn recount(&mut self, conn: &Connection) -> anyhow::Result<()> {
        let mut jobs = conn.prepare(
            "SELECT no, first_task, allocated, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 FROM job
             JOIN job_counter ON job_counter.job = job.no AND job_counter.shard = 0 WHERE deleted = 0 AND first_task IS NOT NULL",
        )?;
        let mut count = conn.prepare("SELECT state, count(*) FROM task WHERE id >= ?1 AND id < ?2 GROUP BY state")?;
        let mut jobs = jobs.query([])?;
        while let Some(job) = jobs.next()? {
            let (no, first, end) = (number(job, 0)?, number(job, 1)?, number(job, 1)? + number(job, 2)?);
            self.ranges.push((first, end));
            let mut counters: BTreeMap<usize, u64> = BTreeMap::new();
            for state in 0..State::COUNT {
                counters.insert(state, number(job, state + 3)?);
            }
            let mut recounted: BTreeMap<usize, u64> = (0..State::COUNT).map(|state| (state, 0)).collect();
            let rows = count.query_map([int(first)?, int(end)?], |row| Ok((number(row, 0)?, number(row, 1)?)))?;
            for row in rows {
                let (state, tasks) = row?;
                recounted.insert(usize::try_from(state)?, tasks);
            }
            if counters != recounted {
                self.miscounted
                    .push(format!("job {no}: {counters:?}, recounted {recounted:?}"));
            }
        }
        Ok(())
    }
}

fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(index)?.unsigned_abs())
}

fn int(number: u64) -> anyhow::Result<i64> {
    Ok(i64::try_from(number)?)
}

/// All contradictions.
#[must_use]
pub fn check(evidence: &Evidence) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut broken = |rule, what: String| found.push(Contradiction { rule, what });
    jobs(evidence, &mut broken);
    commands(evidence, &mut broken);
    confirmed(evidence, &mut broken);
    received(evidence, &mut broken);
    replies(evidence, &mut broken);
    arrivals(evidence, &mut broken);
    for miscounted in &evidence.stored.miscounted {
        broken("counters_equal_recounts", miscounted.clone());
    }
    if let Some(damage) = &evidence.stored.damage {
        broken("the_database_is_sound", damage.clone());
    }
    found
}

/// What was answered is there, whole, once; what was deleted is not.
fn jobs(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    let mut of_job: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in evidence.tasks.values() {
        of_job.entry(&task.job).or_default().push(&task.device);
    }
    for (job, targets) in &evidence.told.created {
        if evidence.told.deleted.contains(job) {
            continue;
        }
        if !evidence.jobs.contains(job) {
            if !evidence.told.perhaps_deleted.contains(job) {
                broken("answered_jobs_are_there", job.clone());
            }
            continue;
        }
        let wanted: BTreeSet<&str> = match targets {
            Targets::Product => &evidence.devices,
            Targets::Devices(keys) => keys,
        }
        .iter()
        .map(String::as_str)
        .collect();
        let tasks = of_job.get(job.as_str()).cloned().unwrap_or_default();
        let reached: BTreeSet<&str> = tasks.iter().copied().collect();
        if reached != wanted || tasks.len() != wanted.len() {
            broken(
                "jobs_are_whole",
                format!("{job}: {} tasks, {} targets", tasks.len(), wanted.len()),
            );
        }
    }
    for job in evidence
        .jobs
        .iter()
        .filter(|job| !evidence.told.created.contains_key(*job))
    {
        broken("no_job_comes_from_a_repeated_call", job.clone());
    }
    for job in evidence.told.deleted.intersection(&evidence.jobs) {
        broken("deleted_jobs_are_gone", job.clone());
    }
}

/// A single command is there once, for its device, and with the result that its caller was told; a cancelled one never
/// arrived.
fn commands(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    for (by, several) in evidence.commands.iter().filter(|(_, found)| found.len() > 1) {
        broken("no_command_comes_from_a_repeated_call", format!("{by}: {several:?}"));
    }
    let arrived = evidence.received.iter().map(|(_, id)| id.task().to_task_id());
    let arrived: BTreeSet<String> = arrived.collect();
    for (by, told) in &evidence.told.commands {
        let found = evidence.commands.get(by).and_then(|found| found.first());
        match found {
            Some(shown) if shown.id == told.id && shown.device == told.device => {
                let held = match told.known {
                    KnownOutcome::Kept => true,
                    KnownOutcome::CarriedOut => shown.state == SUCCEEDED,
                    KnownOutcome::Cancelled => shown.state == CANCELLED,
                };
                if !held {
                    broken("told_results_hold", format!("{told:?} is {shown:?}"));
                }
                if told.known == KnownOutcome::Cancelled && arrived.contains(told.id.as_str()) {
                    broken("cancelled_commands_never_arrive", format!("{told:?}"));
                }
            }
            other => broken("answered_commands_are_there", format!("{told:?} is {other:?}")),
        }
    }
}

/// Confirmed cancellations and retries hold, and everything has ended.
fn confirmed(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    let named = |text: &String| text.parse().ok().and_then(|id| evidence.tasks.get(&id));
    for task in &evidence.told.cancelled {
        if let Some(shown) = named(task).filter(|shown| shown.status != TaskStatus::Cancelled) {
            broken("confirmed_cancellations_hold", format!("{task} is {:?}", shown.status));
        }
    }
    for task in &evidence.told.retried {
        if named(task).is_some_and(|shown| shown.retried_by_hand == 0) {
            broken("confirmed_retries_count", task.clone());
        }
    }
    for (id, shown) in &evidence.tasks {
        if !shown.status.is_final() {
            broken("everything_ends", format!("{id} is {:?}", shown.status));
        }
    }
}

/// No attempt arrives twice, or anywhere but at its device, or without being known, or after a newer one.
fn received(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    for id in &evidence.acts.astray {
        broken("commands_go_where_their_device_is_in", id.to_string());
    }
    let mut latest: BTreeMap<u64, WireId> = BTreeMap::new();
    for (device, id) in &evidence.received {
        match latest.insert(id.task().0, *id) {
            Some(before) if before == *id => broken("no_attempt_arrives_twice", format!("{id} at {device}")),
            Some(before) if before > *id => broken("attempts_grow", format!("{id} after {before} at {device}")),
            Some(_) | None => {}
        }
        if let Some(shown) = evidence.task_of(*id) {
            if shown.device != *device {
                broken(
                    "commands_reach_their_own_device",
                    format!("{id} of {} at {device}", shown.device),
                );
            }
            if shown.says_withdrawn() && evidence.stored.attempts.get(&id.task().0) == Some(&id.attempt().0) {
                broken(
                    "what_was_withdrawn_never_arrives",
                    format!("{id} at {device}: {}", shown.desc),
                );
            }
        }
        let no = id.task().0;
        let owned = evidence
            .stored
            .ranges
            .iter()
            .any(|(first, end)| (*first..*end).contains(&no));
        let known = evidence
            .stored
            .attempts
            .get(&no)
            .is_some_and(|attempt| *attempt >= id.attempt().0);
        if owned && !known {
            broken("every_attempt_is_stored_before_it_leaves", format!("{id} at {device}"));
        }
    }
}

/// Who was told to be in has been in, and who was cut off before that is told its secret again.
fn arrivals(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    for device in evidence.newcomers.let_in.intersection(&evidence.inactive) {
        broken("whoever_was_in_is_never_inactive_again", device.clone());
    }
    for device in &evidence.newcomers.shut_out {
        broken("a_secret_is_told_until_it_was_used", device.clone());
    }
}

/// Success is never made up, and an acknowledged one is never forgotten.
fn replies(evidence: &Evidence, broken: &mut impl FnMut(&'static str, String)) {
    let said: BTreeSet<u64> = evidence.acts.succeeded.iter().map(|id| id.task().0).collect();
    for (id, shown) in &evidence.tasks {
        if shown.status == TaskStatus::Succeed && !said.contains(&id.task().0) {
            broken("success_is_never_made_up", id.to_string());
        }
    }
    for id in &evidence.acts.acknowledged {
        let Some(shown) = evidence.task_of(*id) else { continue };
        if shown.status != TaskStatus::Succeed && !evidence.stored.successes.contains(id) {
            broken(
                "acknowledged_replies_are_recorded",
                format!("{id} is {:?}", shown.status),
            );
        }
    }
}
