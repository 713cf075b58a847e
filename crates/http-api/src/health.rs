//! `/health`, `/health/live`, `/health/ready`: whether this process lives, and whether it can do its work
//! (docs/api.md, "Health"). For anyone: reasons carry no names.

use std::time::Duration;

use aldis_core::ids::AppKey;
use aldis_store::Write;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::envelope;
use aldis_app::App;
use aldis_engine::writer::WriterError;

/// The same as [`READY`].
pub(super) const HEALTH: &str = "/health";
/// Whether the process answers.
pub(super) const LIVE: &str = "/health/live";
/// Whether changes are stored and commands leave.
pub(super) const READY: &str = "/health/ready";

/// How long a turn of the writer may take before it counts as silent: longer than the slowest commit of a loaded disk,
/// shorter than the time limits of common probes.
const TURN_WITHIN: Duration = Duration::from_secs(2);
/// For so long the answer of one turn serves all callers: anyone may ask, and each turn asked for costs a commit.
const ANSWER_SERVES: Duration = Duration::from_secs(1);

/// Asks the writer for turns on behalf of all who want to know.
#[derive(Default)]
pub(super) struct Probe(Mutex<Option<(Instant, Turn)>>);

/// What came of asking for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Committed,
    StoreFailing,
    TurnedAway,
    Silent,
}

impl Turn {
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Committed => None,
            Self::StoreFailing => Some("store failing"),
            Self::TurnedAway => Some("the writer takes no more work"),
            Self::Silent => Some("the writer does not answer"),
        }
    }
}

/// The process answers: nothing else is said by this.
pub(super) fn live() -> Response {
    envelope::response(StatusCode::OK, &json!({"status": "up"}))
}

impl Probe {
    /// 200 if a turn has just been committed and nothing holds the server up; otherwise 503 with the reasons.
    pub(super) async fn ready(&self, app: &App) -> Response {
        let turn = self.turn(app).await;
        let mut reasons = app.shared().health.reasons();
        if let Some(reason) = turn
            .reason()
            .filter(|reason| !reasons.iter().any(|known| known == reason))
        {
            reasons.push(reason.to_owned());
        }
        if reasons.is_empty() {
            return live();
        }
        let content = json!({"status": "down", "reasons": reasons});
        envelope::response(StatusCode::SERVICE_UNAVAILABLE, &content)
    }

    async fn turn(&self, app: &App) -> Turn {
        let mut last = self.0.lock().await;
        if let Some((at, turn)) = *last
            && at.elapsed() < ANSWER_SERVES
        {
            return turn;
        }
        let turn = ask(app).await;
        *last = Some((Instant::now(), turn));
        turn
    }
}

/// A commit that changes nothing, and a question as each call has one: a store that fails shows it only when it is
/// used, and the writer's own connection may work where those of the callers do not.
async fn ask(app: &App) -> Turn {
    let nothing = Write::Activity(Vec::new());
    match timeout(TURN_WITHIN, app.writer().write(vec![nothing])).await {
        Ok(Ok(_)) => match app.look_up(|store| store.access_key(&AppKey::from(""))).await {
            Ok(_) => Turn::Committed,
            Err(_) => Turn::StoreFailing,
        },
        Ok(Err(WriterError::Overloaded | WriterError::TooManyWait)) => Turn::TurnedAway,
        Ok(Err(WriterError::Unavailable | WriterError::Refused(_))) => Turn::StoreFailing,
        Err(_) => Turn::Silent,
    }
}
