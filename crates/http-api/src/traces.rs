//! `/aldis/v1/devices`, an extension: what happened between a device and the server (docs/api.md, "Traces").

use aldis_core::ids::WireId;
use aldis_core::task::AttemptOutcome;
use serde::Serialize;
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use aldis_app::traces::{Happened, Step, What};
use aldis_app::{App, Error};
use aldis_engine::trace::Event;

const PATH: &[&str] = &["/aldis/v1/devices"];

pub(super) fn actions() -> Vec<Action> {
    vec![Action::read(
        PATH,
        &["trace"],
        |app, call| Box::pin(trace(app, call)),
        Doc::new("What happened between a device and the server lately, by when it happened last")
            .takes("assetId", "The device's asset id; or both keys")
            .takes("productKey", "The device's product, together with deviceKey")
            .takes("deviceKey", "The device's key, together with productKey")
            .answer::<Vec<TraceEntry>>(),
    )]
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "timestamp": 1_718_952_446_317_i64, "count": 3, "lastTimestamp": 1_718_952_506_317_i64, "event": "REFUSED",
    "detail": "the device is disabled", "taskId": null, "attempt": null, "code": null
}))]
struct TraceEntry {
    /// Epoch milliseconds; when for the first time.
    timestamp: i64,
    /// How often.
    count: u32,
    /// Epoch milliseconds; when last.
    last_timestamp: i64,
    /// Which kind of thing.
    event: &'static str,
    /// In words.
    detail: String,
    /// The task, if it is about a command.
    task_id: Option<String>,
    /// Its attempt.
    attempt: Option<u16>,
    /// What came of it.
    code: Option<i64>,
}

impl From<Happened> for TraceEntry {
    fn from(happened: Happened) -> Self {
        let Words {
            event,
            detail,
            wire,
            code,
        } = match happened.what {
            What::Noted(event) => noted(event),
            What::Command(wire, step) => stepped(wire, step),
        };
        Self {
            timestamp: happened.first.0,
            count: happened.times,
            last_timestamp: happened.last.0,
            event,
            detail,
            task_id: wire.map(|wire| wire.task().to_task_id()),
            attempt: wire.map(|wire| wire.attempt().0),
            code,
        }
    }
}

struct Words {
    event: &'static str,
    detail: String,
    wire: Option<WireId>,
    code: Option<i64>,
}

fn noted(event: Event) -> Words {
    let (event, detail, wire) = match event {
        Event::Refused(why) => ("REFUSED", why, None),
        Event::ToldSecret(to) => ("ACTIVATION", format!("it was told its secret, at {to}"), None),
        Event::Connected(from) => ("CONNECTED", format!("from {from}"), None),
        Event::LoggedIn(gateway) => ("CONNECTED", format!("over the connection of gateway {gateway}"), None),
        Event::Replaced => ("REPLACED", "a second login has ended the session".to_owned(), None),
        Event::Ended(why) => ("ENDED", why, None),
        Event::ReplyDropped { wire, why, topic } => {
            let topic = topic.map(|topic| format!(": {topic}")).unwrap_or_default();
            ("REPLY_DROPPED", format!("{why}{topic}"), wire)
        }
    };
    Words {
        event,
        detail,
        wire,
        code: None,
    }
}

fn stepped(wire: WireId, step: Step) -> Words {
    let (event, detail, code) = match step {
        Step::Decided => ("COMMAND", "decided and stored".to_owned(), None),
        Step::HandedOver => ("SENT", "the network has taken all of it".to_owned(), None),
        Step::Acknowledged => ("ACKNOWLEDGED", "PUBACK".to_owned(), None),
        Step::Ended(how, outcome) => (ended(how), outcome.desc, Some(outcome.code)),
    };
    Words {
        event,
        detail,
        wire: Some(wire),
        code,
    }
}

fn ended(how: AttemptOutcome) -> &'static str {
    match how {
        AttemptOutcome::Succeeded | AttemptOutcome::Failed => "REPLIED",
        AttemptOutcome::Late => "REPLIED_LATE",
        _ => "ATTEMPT_ENDED",
    }
}

async fn trace(app: App, call: Call) -> Result<Answer, Error> {
    let happened = app.trace(&call.caller, &call.device_name()).await?;
    Answer::data(&happened.into_iter().map(TraceEntry::from).collect::<Vec<_>>())
}
