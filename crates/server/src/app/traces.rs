//! What happened between a device and the server: what is noted beside the store, and what the store's rows tell.

use aldis_core::expression::{Comparison, Filter, TaskField, Value};
use aldis_core::ids::{TaskNo, WireId};
use aldis_core::task::{AttemptTimes, How, Outcome};
use aldis_core::time::Timestamp;
use aldis_store::rows::Device;
use aldis_store::{DeviceRef, Error as StoreError, Page, Read};

use super::devices::DeviceName;
use super::query_tasks::{Attempt, Standing, attempts};
use super::{App, Caller, Error};
use crate::trace::Event;

/// The newest tasks of a device that are looked at.
const TASKS_MAX: u64 = 20;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
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
    Ended(How, Outcome),
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
        let found = self.read(move |store| store.devices(&[keys])).await;
        if let Some(device) = found.ok().and_then(|mut found| found.pop().flatten()) {
            self.writer().traces().note(device.no, self.now(), Event::Refused(why));
        }
    }

    /// What happened to a device of the caller's organization lately, oldest first.
    ///
    /// # Errors
    /// As [`App::find_device`].
    pub async fn trace(&self, caller: &Caller, name: &DeviceName) -> Result<Vec<Happened>, Error> {
        let device = self.find_device(caller, name).await?;
        let noted = self.writer().traces().of(device.no).into_iter();
        let noted = noted.map(|entry| Happened {
            at: entry.at,
            what: What::Noted(entry.event),
        });
        let mut all: Vec<Happened> = noted.collect();
        all.extend(self.read(move |store| commands(store, &device)).await?);
        all.sort_by_key(|happened| (happened.at, happened.what.place()));
        Ok(all)
    }
}

/// What the rows of a device's newest tasks tell.
fn commands(store: &dyn Read, device: &Device) -> Result<Vec<Happened>, StoreError> {
    let page = Page {
        skip: 0,
        take: TASKS_MAX,
    };
    let is = |field, value: &str| Filter::Compare {
        field,
        sub: None,
        op: Comparison::Eq,
        value: Value::from(value),
    };
    let of_device = Filter::And(vec![
        is(TaskField::ProductKey, device.is.product.as_str()),
        is(TaskField::DeviceKey, device.is.key.as_str()),
    ]);
    let mut all = Vec::new();
    for info in store.search_tasks(&device.is.org, Some(&of_device), page)?.rows {
        let task = &info.task;
        for attempt in attempts(task, store.history(task.no)?) {
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
        Standing::Open { .. } => None,
        Standing::Ended(how, outcome) => Some(Step::Ended(*how, outcome.clone())),
    };
    let late = matches!(attempt.standing, Standing::Ended(How::Late, _));
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
        Some(Happened {
            at: at?,
            what: What::Command(wire, step?),
        })
    })
}
