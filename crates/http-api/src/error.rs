//! The one place where a refusal or a failure gets its code, its public message and its HTTP status
//! (docs/api.md, "Errors").

use std::fmt;
use std::net::SocketAddr;

use aldis_core::violation::Violation;
use aldis_store::PAGE_BYTES_MAX;
use axum::http::StatusCode;

use super::body::Unreadable;
use aldis_app::{Error, SEARCH_MAX};
use aldis_telemetry::{TEXT_MAX_BYTES, cut};

/// A parameter is missing or wrong.
pub(super) const INVALID: i32 = 99400;
/// The caller may not.
pub(super) const DENIED: i32 = 99403;
/// Something named does not exist.
pub(super) const NOT_FOUND: i32 = 99404;
/// The server failed.
pub(super) const INTERNAL: i32 = 99500;

/// How a request fails, as its sender sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) status: StatusCode,
    pub(super) code: i32,
    pub(super) message: String,
    /// The field of the request that is the reason, if one is.
    pub(super) field: Option<String>,
    /// What the log says instead of the message, if the caller is not told everything.
    pub(super) cause: Option<String>,
}

impl Failing {
    pub(super) fn new(status: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            cause: None,
        }
    }

    /// An error of the application, with what only the log may say about it.
    pub(super) fn caused_by(error: &Error) -> Self {
        Self {
            cause: cause(error),
            ..Self::from(error)
        }
    }

    /// A failure whose code is its HTTP status: the request never reached an action.
    pub(super) fn gateway(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, i32::from(status.as_u16()), message)
    }

    fn refusal(code: i32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, code, message)
    }

    /// A refusal because of one field of the request.
    fn about(code: i32, field: &str, why: impl fmt::Display) -> Self {
        Self::refusal(code, format!("{field}: {why}")).on(field)
    }

    fn broken(code: i32, violation: &Violation) -> Self {
        Self::refusal(code, violation.to_string()).on(&violation.path)
    }

    fn on(self, field: &str) -> Self {
        let field = Some(field.to_owned()).filter(|field| !field.is_empty());
        Self { field, ..self }
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            INTERNAL,
            "internal server error; the server's log says more",
        )
    }
}

/// What the caller is not told, in the log's words.
fn cause(error: &Error) -> Option<String> {
    match error {
        Error::Unauthenticated(why) => Some((*why).to_owned()),
        Error::Store(source) => {
            let below = std::error::Error::source(source);
            Some(below.map_or_else(|| source.to_string(), |below| format!("{source}: {below}")))
        }
        Error::Unavailable | Error::Internal(_) => Some(error.to_string()),
        _ => None,
    }
}

/// A device may answer with any code; what does not fit is shown as the nearest that does.
fn shown(code: i64) -> i32 {
    let fits = code.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    i32::try_from(fits).unwrap_or(INTERNAL)
}

impl From<&Error> for Failing {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(violation) => Self::broken(INVALID, violation),
            Error::Expression(error) => Self::refusal(INVALID, error.to_string()).on("expression"),
            // One answer for all of them: what was wrong with it would help someone who guesses.
            Error::Unauthenticated(_) => Self::gateway(StatusCode::UNAUTHORIZED, "invalid authentication credentials"),
            Error::TokenExpired => Self::new(StatusCode::UNAUTHORIZED, 1203, "the access token has expired"),
            Error::ForeignOrganization(org) => Self::about(
                DENIED,
                "orgId",
                format!("expected organization of the caller, found \"{org}\""),
            ),
            Error::RoleTooLow(action) => {
                Self::refusal(DENIED, format!("the access key's role does not permit {action}"))
            }
            Error::SignatureNeeded(action) => Self::refusal(
                DENIED,
                format!(
                    "{action}: expected call signed by an administrator, found one without a signature; a server without \
                     authentication manages no keys and organizations for unsigned calls"
                ),
            ),
            Error::Missing { what, id } => Self::refusal(NOT_FOUND, format!("{what} {id} does not exist")),
            Error::NoProduct(key) => Self::about(11611, "productKey", format!("product {key} does not exist")),
            Error::NoProductToUpdate(key) => Self::about(11651, "productKey", format!("product {key} does not exist")),
            Error::NoModel(id) => Self::about(11699, "modelId", format!("thing model {id} does not exist")),
            Error::ProductHasDevices(key) => {
                Self::about(11619, "productKey", format!("product {key} still has devices"))
            }
            Error::DeviceKeyTaken(key) => Self::about(11702, "deviceKey", format!("{key} is in use in this product")),
            Error::SameDeviceKey(key) => Self::about(
                11704,
                "newDeviceKey",
                format!("{key} is the device's present key; name another one"),
            ),
            Error::NoFreeKey => Self::refusal(11714, "no unused key could be generated; try again"),
            Error::ChangedMeanwhile(id) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                INTERNAL,
                format!("{id} is being changed by too many callers at once; nothing was changed; try again"),
            ),
            Error::DeviceAlready(state) => Self::refusal(11721, format!("the device already is {state}")),
            Error::TooManyDevices { product, max } => Self::about(
                11739,
                "productKey",
                format!("at most {max} devices are allowed in product {product}"),
            ),
            Error::NotAGateway(id) => Self::about(
                11738,
                "gateway",
                format!("{id} is not a device of a product with productType Gateway"),
            ),
            Error::Topology(why) => Self::about(11795, "subDevices", why),
            Error::TooManySubDevices(max) => Self::about(
                11739,
                "subDevices",
                format!("at most {max} devices are allowed under one gateway"),
            ),
            Error::CustomFormat(product) => Self::refusal(
                11810,
                format!("product {product} has dataFormat Custom; commands can be sent to products with Json only"),
            ),
            Error::NoPublicKey => Self::about(11858, "requireSecret", "no public key is known for this access key"),
            Error::UnknownTargets(violation) => Self::broken(NOT_FOUND, violation),
            Error::TooManyTasks { tasks, max } => Self::about(
                11739,
                "targetScope",
                format!("at most {max} tasks are allowed in a job, found {tasks}"),
            ),
            Error::CommandRefused { code, why } => Self::refusal(shown(*code), why),
            Error::CommandEnded { id, code, desc } => Self::refusal(shown(*code), format!("command {id}: {desc}")),
            Error::CommandUnsettled(id) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                INTERNAL,
                format!(
                    "command {id} is stored, and the server does not wait for its end any more; get it to see how it ended"
                ),
            ),
            Error::CommandNotCached(id) => Self::refusal(
                24620,
                format!("command {id}: only commands with a pendingTtl that have not been sent can be cancelled"),
            ),
            Error::NoJob(id) => Self::refusal(24404, format!("job {id} does not exist")),
            Error::JobRunning(id) => Self::refusal(24618, format!("job {id} is running; cancel it first")),
            Error::PageTooLarge => Self::about(
                INVALID,
                "pagination.pageSize",
                format!(
                    "expected page of at most {} MiB, found larger rows; ask for fewer of them",
                    PAGE_BYTES_MAX >> 20
                ),
            ),
            Error::SearchTooLong => Self::about(
                INVALID,
                "expression",
                format!(
                    "expected search of at most {} s, found one that takes longer; narrow it",
                    SEARCH_MAX.as_secs()
                ),
            ),
            Error::CallerGone => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                INTERNAL,
                "the call was given up because its connection was closed",
            ),
            Error::TooManySearches => Self::gateway(
                StatusCode::TOO_MANY_REQUESTS,
                "expression: expected one search at a time for an access key, found too many; try again later",
            )
            .on("expression"),
            Error::TooManyWait => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                INTERNAL,
                "too many callers wait for devices; nothing was sent; try again later, or give the command a pendingTtl",
            ),
            Error::Overloaded => Self::overloaded(),
            Error::Unavailable => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                INTERNAL,
                "the server's store failed; whether the change was made is not known; the server's log says more",
            ),
            Error::Store(_) | Error::Internal(_) => Self::internal(),
        }
    }
}

impl Failing {
    /// There is no room at the moment.
    pub(super) fn overloaded() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            INTERNAL,
            "the server is overloaded or stopping; try again later",
        )
    }
}

impl From<&Unreadable> for Failing {
    fn from(unreadable: &Unreadable) -> Self {
        let message = unreadable.to_string();
        match unreadable {
            Unreadable::TooLarge(_) => Self::gateway(StatusCode::PAYLOAD_TOO_LARGE, message),
            Unreadable::Overloaded => Self::overloaded(),
            Unreadable::TooSlow(_) | Unreadable::BrokenOff | Unreadable::TooDeep | Unreadable::NotJson(_) => {
                Self::new(StatusCode::BAD_REQUEST, INVALID, message)
            }
        }
    }
}

/// Writes the log line of a call that was not done: of the server's own failures as errors, of refusals as information.
/// One address is not heard of more than once a second (`telemetry`).
pub(super) fn log(failing: &Failing, path: &str, request_id: &str, peer: Option<SocketAddr>) {
    let why = cut(failing.cause.as_ref().unwrap_or(&failing.message), TEXT_MAX_BYTES);
    let (path, code) = (cut(path, TEXT_MAX_BYTES), failing.code);
    let peer = peer.map(tracing::field::display);
    match failing.status {
        StatusCode::INTERNAL_SERVER_ERROR => {
            tracing::error!(peer, path, code, request = request_id, why, "a call failed");
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            tracing::warn!(peer, path, code, request = request_id, why, "a call was turned away");
        }
        _ => tracing::info!(peer, path, code, request = request_id, why, "a call was refused"),
    }
}
