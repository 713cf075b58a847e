//! The demo's devices: which of them does what, decided by its place in the list, so that it can be said beforehand how
//! every task has to end.

use std::time::Duration;

use aldis_client::{StatusCount, TaskStatus};
use aldis_simulator::{Behaviour, Handler, Received, Recipient};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// How a device takes the whole-product job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceKind {
    /// Answers soon.
    Prompt,
    /// Answers late, and in time.
    Slow,
    /// Fails the first attempt and succeeds with the second.
    Flaky,
    /// Fails every attempt.
    Broken,
    /// Acknowledges every attempt and never answers.
    Silent,
    /// Has left before the job.
    Offline,
}

/// All kinds, in the order in which they are shown.
pub(super) const KINDS: [DeviceKind; 6] = [
    DeviceKind::Prompt,
    DeviceKind::Slow,
    DeviceKind::Flaky,
    DeviceKind::Broken,
    DeviceKind::Silent,
    DeviceKind::Offline,
];
/// The first devices, one of each kind, so that a small fleet shows them too.
const FIRST: [DeviceKind; 6] = [
    DeviceKind::Prompt,
    DeviceKind::Flaky,
    DeviceKind::Slow,
    DeviceKind::Offline,
    DeviceKind::Silent,
    DeviceKind::Broken,
];
/// What failing devices report; codes from 2000 on are free for a device's own errors.
const FAILURE: i64 = 2001;

impl DeviceKind {
    /// The kind of the device at this place, from 0: nine of ten are prompt or slow.
    pub(super) fn of(index: usize) -> Self {
        match (FIRST.get(index), index % 100) {
            (Some(kind), _) => *kind,
            (None, 20) => Self::Offline,
            (None, 40) => Self::Silent,
            (None, 60) => Self::Broken,
            (None, place) if place % 20 == 7 => Self::Flaky,
            (None, place) if place % 10 == 3 => Self::Slow,
            _ => Self::Prompt,
        }
    }

    /// How its tasks must end.
    pub(super) fn ending(self) -> Ending {
        let (status, code) = match self {
            Self::Prompt | Self::Slow | Self::Flaky => (TaskStatus::Succeed, 0),
            Self::Broken => (TaskStatus::Failed, FAILURE),
            Self::Silent => (TaskStatus::RspTimeout, 11915),
            Self::Offline => (TaskStatus::TtlTimeout, 11904),
        };
        let retries = u32::from(self.attempts() == 2);
        Ending { status, code, retries }
    }

    /// How many attempts must reach it. The job allows one retry, and what was never sent is not retried.
    pub(super) fn attempts(self) -> u16 {
        match self {
            Self::Prompt | Self::Slow => 1,
            Self::Flaky | Self::Broken | Self::Silent => 2,
            Self::Offline => 0,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Prompt => "answer at once",
            Self::Slow => "answer slowly",
            Self::Flaky => "fail, then succeed",
            Self::Broken => "always fail",
            Self::Silent => "never answer",
            Self::Offline => "are offline",
        }
    }

    fn behaviour(self, index: usize, attempt: u16) -> Behaviour {
        let done = Behaviour::success(json!({}));
        let failed = Behaviour::code(FAILURE);
        // A multiplication with a number prime to the span spreads neighbours all over it.
        let spread = |from: u64, to: u64| {
            let index = u64::try_from(index).unwrap_or(0);
            Duration::from_millis(from + index.wrapping_mul(7919) % (to - from))
        };
        match (self, attempt) {
            (Self::Slow, _) => done.after(spread(900, 1800)),
            (Self::Flaky, 1) | (Self::Broken, _) => failed.after(spread(20, 900)),
            (Self::Silent, _) => Behaviour::silent(),
            _ => done.after(spread(20, 900)),
        }
    }
}

/// How a task ended, or must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) status: TaskStatus,
    pub(super) code: i64,
    pub(super) retries: u32,
}

/// The statistics that a job over this many devices must end with.
pub(super) fn expected(devices: usize) -> StatusCount {
    let mut count = StatusCount::default();
    for index in 0..devices {
        count.total += 1;
        match DeviceKind::of(index).ending().status {
            TaskStatus::Succeed => count.succeed += 1,
            TaskStatus::Failed => count.failed += 1,
            TaskStatus::RspTimeout => count.rsp_timeout += 1,
            _ => count.ttl_timeout += 1,
        }
    }
    count
}

/// What the device of the specification page's request tells of its one invocation.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) reply_topic: String,
    pub(super) output: Value,
}

/// Everything that the devices do.
pub(super) struct Devices {
    /// The place in the product's list of each device of the fleet.
    pub(super) places: Vec<usize>,
    /// Gets what arrives for the service `serviceId`.
    pub(super) heard: UnboundedSender<Heard>,
}

/// Long enough to see the task being executed.
const SERVICE_TAKES: Duration = Duration::from_millis(250);

impl Devices {
    /// `serviceId` doubles its input.
    fn invoke(&self, command: &Received) -> Behaviour {
        let input = command.params().get("input").and_then(Value::as_i64).unwrap_or(0);
        let output = json!({"output": input.saturating_mul(2)});
        let heard = Heard {
            topic: command.topic().to_owned(),
            payload: String::from_utf8_lossy(command.payload()).into_owned(),
            reply_topic: command.reply_topic(),
            output: output.clone(),
        };
        // With --keep the receiver has gone.
        drop(self.heard.send(heard));
        Behaviour::success(output).after(SERVICE_TAKES)
    }
}

impl Handler for Devices {
    fn handle(&mut self, recipient: &Recipient<'_>, command: &Received) -> Behaviour {
        if command.service() == "serviceId" {
            return self.invoke(command);
        }
        let place = self.places.get(recipient.index).copied().unwrap_or(0);
        let attempt = command.wire_id().map_or(0, |id| id.attempt().0);
        DeviceKind::of(place).behaviour(place, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_devices_have_a_few_of_every_kind() {
        let of = |wanted| (0..1000).filter(|&index| DeviceKind::of(index) == wanted).count();
        assert_eq!(KINDS.map(of), [816, 100, 51, 11, 11, 11]);
        let count = expected(1000);
        assert_eq!(count.total, count.ended());
    }

    #[test]
    fn six_devices_are_one_of_each_kind_and_the_first_is_prompt() {
        let mut kinds: Vec<_> = (0..6).map(DeviceKind::of).collect();
        assert_eq!(kinds.first(), Some(&DeviceKind::Prompt));
        kinds.sort_by_key(|kind| KINDS.iter().position(|known| known == kind));
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn a_flaky_device_succeeds_with_its_second_attempt() {
        let first = DeviceKind::Flaky.behaviour(1, 1);
        let second = DeviceKind::Flaky.behaviour(1, 2);
        assert_ne!(first.reply, second.reply);
        assert_eq!(second.reply, DeviceKind::Prompt.behaviour(1, 1).reply);
    }
}
