//! What happened between a device and the server: what is noted beside the store, and what the store's rows tell.

use std::cmp::Reverse;

use aldis_core::ids::{DeviceNo, TaskNo, WireId};
use aldis_core::task::{AttemptOutcome, AttemptTimes, Outcome};
use aldis_core::time::Timestamp;
use aldis_store::{DeviceRef, Error as StoreError, Read};

use super::devices::DeviceName;
use super::query_tasks::{Attempt, AttemptStatus, attempts};
use super::{App, Caller, Error};
use aldis_engine::trace::Event;

/// Tasks of a device whose attempts are shown: those that were sent last.
const TASKS_MAX: usize = 20;
/// Tasks among which they are looked for. A retry of an older one is passed over, unless it is out.
const LOOKED_AT_MAX: usize = 100;

/// Something that happened, how often and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When for the first time.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How often.
    pub times: u32,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something about the device's logins or replies.
    Noted(Event),
    /// Something about an attempt of a command.
    Command(WireId, Step),
}

/// What an attempt went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It was decided to send it.
    Decided,
    /// The network had taken all of it.
    HandedOver,
    /// The device has acknowledged it.
    Acknowledged,
    /// It has ended.
    Ended(AttemptOutcome, Outcome),
}

impl What {
    /// Its place among what happened in the same millisecond.
    fn place(&self) -> u8 {
        match self {
            Self::Noted(Event::Ended(_)) => 4,
            Self::Command(_, Step::Ended(..)) => 3,
            Self::Noted(Event::ReplyDropped { .. }) => 2,
            Self::Command(..) => 1,
            Self::Noted(_) => 0,
        }
    }
}

impl App {
    /// Takes note of a refused login, if there is a device with these keys.
    pub async fn note_refused(&self, product_key: &str, device_key: &str, why: String) {
        let keys = DeviceRef::Keys(product_key.into(), device_key.into());
        let found = self.read_for_devices(move |store| store.devices(&[keys])).await;
        if let Some(device) = found.ok().and_then(|mut found| found.pop().flatten()) {
            self.shared().traces.note(device.no, self.now(), Event::Refused(why));
        }
    }

    /// What happened to a device of the caller's organization lately, by when it happened last.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn trace(&self, caller: &Caller, name: &DeviceName) -> Result<Vec<Happened>, Error> {
        let device = self.find_device(caller, name).await?;
        let noted = self.shared().traces.of(device.no).into_iter();
        let noted = noted.map(|entry| Happened {
            first: entry.first,
            last: entry.last,
            times: entry.times,
            what: What::Noted(entry.event),
        });
        let mut all: Vec<Happened> = noted.collect();
        all.extend(self.read(move |store| commands(store, device.no)).await?);
        all.sort_by_key(|happened| (happened.last, happened.what.place()));
        Ok(all)
    }
}

/// What the rows tell of the tasks that a device was sent last. However much waits behind it, the one that is out is
/// among them.
fn commands(store: &dyn Read, device: DeviceNo) -> Result<Vec<Happened>, StoreError> {
    let mut sent = store.attempted(device, LOOKED_AT_MAX)?;
    sent.sort_by_key(|task| Reverse((task.state.is_out(), task.times.intent, task.no)));
    sent.truncate(TASKS_MAX);
    let mut all = Vec::new();
    for task in sent {
        for attempt in attempts(&task, store.history(task.no)?) {
            all.extend(steps(task.no, &attempt));
        }
    }
    Ok(all)
}

fn steps(task: TaskNo, attempt: &Attempt) -> impl Iterator<Item = Happened> {
    let AttemptTimes {
        intent,
        handed,
        acked,
        ended,
    } = attempt.times;
    let end = match &attempt.standing {
        AttemptStatus::Open { .. } => None,
        AttemptStatus::Ended(how, outcome) => Some(Step::Ended(*how, outcome.clone())),
    };
    let late = matches!(attempt.standing, AttemptStatus::Ended(AttemptOutcome::Late, _));
    let wire = WireId::new(task, attempt.number);
    let way = [
        (intent, Step::Decided),
        (handed, Step::HandedOver),
        (acked, Step::Acknowledged),
    ];
    // A late reply is an entry beside its attempt's, which tells the way already.
    let way = way.into_iter().filter(move |_| !late);
    let way = way.map(|(at, step)| (at, Some(step))).chain([(ended, end)]);
    way.filter_map(move |(at, step)| {
        let at = at?;
        Some(Happened {
            first: at,
            last: at,
            times: 1,
            what: What::Command(wire, step?),
        })
    })
}
