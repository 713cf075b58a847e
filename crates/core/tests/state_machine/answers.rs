//! What `step` answers, reduced to what the table tells.

use aldis_core::task::{AttemptOutcome, Refused, State, Step, Task, code};

use super::rows::state_name;

/// An answer without the words that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused(Refused),
    Moved(Box<Moved>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) state: State,
    /// The new result's code, if there is a new result.
    pub(crate) code: Option<Code>,
    sends: bool,
    history: Vec<AttemptOutcome>,
    counts: Vec<&'static str>,
    disarms: bool,
    records_success: bool,
    declined: Option<Refused>,
}

/// A result's code; the device's own ones are all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Ours(i64),
    Devices,
}

impl Answer {
    pub(crate) fn of(task: &Task, stepped: Result<Step, Refused>, said: Option<i64>) -> Self {
        match stepped {
            Err(refused) => Self::Refused(refused),
            Ok(step) => Self::Moved(Box::new(Moved::of(task, &step, said))),
        }
    }

    pub(crate) fn state(&self) -> Option<State> {
        match self {
            Self::Refused(_) => None,
            Self::Moved(moved) => Some(moved.state),
        }
    }

    /// `marks` stand behind the state: how a bad end can still turn out.
    pub(crate) fn text(&self, marks: &str) -> String {
        match self {
            Self::Refused(Refused::WrongState) => "–".to_owned(),
            Self::Refused(refused) => format!("– *{refused}*"),
            Self::Moved(moved) => moved.text(marks),
        }
    }
}

impl Moved {
    fn of(before: &Task, step: &Step, said: Option<i64>) -> Self {
        let after = &step.task;
        let mut counts = Vec::new();
        if after.retries.auto > before.retries.auto {
            counts.push("auto +1");
        }
        if after.retries.manual > before.retries.manual {
            counts.push("manual +1");
        }
        let code = after.result.as_ref().filter(|_| after.result != before.result);
        Self {
            state: after.state,
            code: code.map(|result| match said {
                Some(said) if said == result.code && said != 0 => Code::Devices,
                _ => Code::Ours(result.code),
            }),
            sends: step.publish.is_some(),
            history: step.ended.iter().map(|ended| ended.how).collect(),
            counts,
            disarms: after.disarmed && !before.disarmed,
            records_success: keeps_success(step),
            declined: step.declined,
        }
    }

    fn text(&self, marks: &str) -> String {
        let mut text = format!("**{}**", state_name(self.state));
        match self.code {
            Some(Code::Ours(code)) => text += &format!(" {code}"),
            Some(Code::Devices) => text += " *its code*",
            None => {}
        }
        if !marks.is_empty() {
            text += &format!(" {marks}");
        }
        let mut notes: Vec<String> = Vec::new();
        notes.extend(self.sends.then(|| "sends".to_owned()));
        notes.extend(self.counts.iter().map(|count| (*count).to_owned()));
        notes.extend(self.disarms.then(|| "no more retries".to_owned()));
        notes.extend(self.records_success.then(|| "success kept".to_owned()));
        notes.extend(self.declined.map(|why| format!("declined: {why}")));
        notes.extend(self.history.iter().map(|how| format!("history: {}", how_name(*how))));
        if !notes.is_empty() {
            text += &format!("; {}", notes.join("; "));
        }
        text
    }
}

/// A late success is kept beside the state, whether or not it is the first. It means nothing any more for a task that
/// is done with for good.
fn keeps_success(step: &Step) -> bool {
    let mut late = step.ended.iter().filter(|ended| ended.how == AttemptOutcome::Late);
    let for_good = matches!(step.task.state, State::Succeeded | State::Cancelled);
    !for_good && step.task.late_success.is_some() && late.any(|ended| ended.outcome.code == code::OK)
}

fn how_name(how: AttemptOutcome) -> &'static str {
    match how {
        AttemptOutcome::Succeeded => "succeeded",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::TimedOut => "timed out",
        AttemptOutcome::NotSent => "not sent",
        AttemptOutcome::Cancelled => "cancelled",
        AttemptOutcome::Late => "late",
    }
}
