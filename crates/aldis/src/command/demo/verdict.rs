//! Whether everything ended as it must: every task, the statistics, and what the devices themselves have noted.

use std::collections::BTreeMap;

use aldis_client::{StatusCount, Task};
use aldis_core::ids::WireId;
use aldis_simulator::{DeviceIdentity, Record};

use super::fleet::{DeviceKind, Ending, KINDS, expected};
use crate::command::task::status_word;
use crate::screen::table;

/// How the devices of one kind fared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Fared {
    devices: usize,
    as_planned: usize,
    attempts_due: u64,
    attempts_seen: u64,
}

/// The whole-product job, compared with the plan.
#[derive(Debug)]
pub(super) struct Verdict {
    fared: Vec<(DeviceKind, Fared)>,
    /// What is not as it must be.
    pub(super) wrong: Vec<String>,
}

/// What the devices have noted: the numbers of the attempts that arrived, by device and task.
struct Noted<'r>(BTreeMap<(&'r str, String), Vec<u16>>);

impl<'r> Noted<'r> {
    fn new(records: &'r [Record]) -> Self {
        let mut noted = BTreeMap::<_, Vec<u16>>::new();
        for Record { id, device, .. } in records {
            let key = (device.device_key.as_str(), task_id(*id));
            noted.entry(key).or_default().push(id.attempt().0);
        }
        Self(noted)
    }

    fn take(&mut self, device: &'r str, task: &str) -> Vec<u16> {
        let mut attempts = self.0.remove(&(device, task.to_owned())).unwrap_or_default();
        attempts.sort_unstable();
        attempts
    }
}

fn task_id(id: WireId) -> String {
    id.task().to_task_id()
}

/// Compares the job's tasks, its statistics and the devices' records with the plan. `before` are jobs whose one attempt
/// went to the first device.
pub(super) fn judge(
    devices: &[DeviceIdentity],
    tasks: &[Task],
    count: StatusCount,
    records: &[Record],
    before: usize,
) -> Verdict {
    let mut wrong = Vec::new();
    let mut fared = KINDS.map(|kind| (kind, Fared::default()));
    let mut noted = Noted::new(records);
    let mut by_device: BTreeMap<&str, &Task> = BTreeMap::new();
    for task in tasks {
        if by_device
            .insert(task.device_key.as_deref().unwrap_or_default(), task)
            .is_some()
        {
            wrong.push(format!("task {}: its device has another one", task.task_id));
        }
    }
    for (place, device) in devices.iter().enumerate() {
        let kind = DeviceKind::of(place);
        let key = device.device_key.as_str();
        let Some(task) = by_device.remove(key) else {
            wrong.push(format!("{key} has no task"));
            continue;
        };
        let attempts = noted.take(key, &task.task_id);
        let told = differences(kind, task, &attempts);
        if let Some((_, fared)) = fared.iter_mut().find(|(known, _)| *known == kind) {
            fared.devices += 1;
            fared.as_planned += usize::from(told.is_empty());
            fared.attempts_due += u64::from(kind.attempts());
            fared.attempts_seen += u64::try_from(attempts.len()).unwrap_or(u64::MAX);
        }
        wrong.extend(told.into_iter().map(|told| format!("{key}: {told}")));
    }
    wrong.extend(
        by_device
            .keys()
            .map(|key| format!("{key}: a task for a device that is none")),
    );
    let others: usize = noted.0.values().map(Vec::len).sum();
    if others != before {
        wrong.push(format!(
            "devices received {others} commands besides the job's, not {before}"
        ));
    }
    if count != expected(devices.len()) {
        wrong.push(format!("statistics {count:?}, expected {:?}", expected(devices.len())));
    }
    Verdict {
        fared: fared.to_vec(),
        wrong,
    }
}

fn differences(kind: DeviceKind, task: &Task, attempts: &[u16]) -> Vec<String> {
    let ended = Ending {
        status: task.status,
        code: task.task_result.as_ref().and_then(|result| result.code).unwrap_or(-1),
        retries: task.auto_retry_count,
    };
    let mut wrong = Vec::new();
    if ended != kind.ending() {
        wrong.push(format!("{ended:?}, expected {:?}", kind.ending()));
    }
    if !attempts.iter().copied().eq(1..=kind.attempts()) {
        wrong.push(format!(
            "attempts {attempts:?} arrived, expected 1 to {}",
            kind.attempts()
        ));
    }
    wrong
}

impl Verdict {
    /// How many commands the devices received for this job.
    pub(super) fn attempts(&self) -> u64 {
        self.fared.iter().map(|(_, fared)| fared.attempts_seen).sum()
    }

    /// One line a kind.
    pub(super) fn table(&self) -> String {
        let head = [
            "DEVICES THAT",
            "HOW MANY",
            "MUST END AS",
            "ENDED SO",
            "ATTEMPTS DUE",
            "ARRIVED",
        ];
        let rows = self
            .fared
            .iter()
            .filter(|(_, fared)| fared.devices > 0)
            .map(|(kind, fared)| {
                let Ending { status, code, .. } = kind.ending();
                vec![
                    kind.text().to_owned(),
                    fared.devices.to_string(),
                    match code {
                        0 => status_word(status).to_owned(),
                        code => format!("{} ({code})", status_word(status)),
                    },
                    fared.as_planned.to_string(),
                    fared.attempts_due.to_string(),
                    fared.attempts_seen.to_string(),
                ]
            });
        table(&head, rows)
    }
}
