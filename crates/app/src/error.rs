//! Why the application refuses or fails. `api::error` gives each its code, message and HTTP status.

use aldis_core::expression;
use aldis_core::violation::Violation;
use aldis_store::Refusal;

use aldis_engine::writer::WriterError;

/// A refusal or a failure. `Display` is for the log; what a caller may read is made in `api::error`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is missing or has a value that it cannot have.
    #[error("{0}")]
    Invalid(#[from] Violation),
    /// A search expression does not hold.
    #[error(transparent)]
    Expression(#[from] expression::Error),
    /// The caller cannot be identified.
    #[error("not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// The access token was ours but is no longer valid.
    #[error("the access token has expired")]
    TokenExpired,
    /// The caller does not belong to that organization, or there is none of that name.
    #[error("organization {0} is not the caller's")]
    ForeignOrganization(String),
    /// The caller's role does not cover the action.
    #[error("the role does not cover {0}")]
    RoleTooLow(String),
    /// The action is for signed calls only.
    #[error("{0} needs a signature")]
    SignatureNeeded(String),
    /// Something that was named does not exist.
    #[error("no {what} {id}")]
    Missing {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        id: String,
    },
    /// A product that was asked for does not exist.
    #[error("no product {0}")]
    NoProduct(String),
    /// A product that was to be changed does not exist.
    #[error("no product {0} to change")]
    NoProductToUpdate(String),
    /// The thing model of a new product does not exist.
    #[error("no thing model {0}")]
    NoModel(String),
    /// A product still has devices.
    #[error("product {0} has devices")]
    ProductHasDevices(String),
    /// The device key is in use.
    #[error("device key {0} is in use")]
    DeviceKeyTaken(String),
    /// A device is to get the key that it has.
    #[error("device key {0} is the device's own")]
    SameDeviceKey(String),
    /// Something was changed by others again and again while this change was prepared.
    #[error("{0} was changed again and again meanwhile")]
    ChangedMeanwhile(String),
    /// No unused key was found.
    #[error("no unused key was found")]
    NoFreeKey,
    /// A device already is as wanted.
    #[error("the device already is {0}")]
    DeviceAlready(&'static str),
    /// A product has as many devices as the operator allows.
    #[error("product {product} has {max} devices")]
    TooManyDevices {
        /// The product.
        product: String,
        /// How many it may have.
        max: u64,
    },
    /// A device is to have sub-devices and is no gateway.
    #[error("device {0} is no gateway")]
    NotAGateway(String),
    /// A device cannot be put under a gateway, or taken away from it.
    #[error("topology: {0}")]
    Topology(&'static str),
    /// A gateway has as many sub-devices as it can have.
    #[error("a gateway has {0} sub-devices")]
    TooManySubDevices(usize),
    /// Secrets were asked for in a form that needs the caller's public key.
    #[error("no public key is known for the caller")]
    NoPublicKey,
    /// A command for devices that speak a format of their own.
    #[error("product {0} has a custom format")]
    CustomFormat(String),
    /// Targets of a new job that do not exist; the violation names them.
    #[error("{0}")]
    UnknownTargets(Violation),
    /// A job would have more tasks than the operator allows.
    #[error("{tasks} tasks, more than {max}")]
    TooManyTasks {
        /// How many it would have.
        tasks: u64,
        /// How many it may have.
        max: u64,
    },
    /// A command that is to wait for its device would fail at once.
    #[error("the command would end with {code}: {why}")]
    CommandRefused {
        /// With which code.
        code: i64,
        /// Why.
        why: String,
    },
    /// An instant command has ended, and not well.
    #[error("command {id} ended with {code}")]
    CommandEnded {
        /// Its id.
        id: String,
        /// The device's code, or one of `core::task::code`.
        code: i64,
        /// What happened, in words.
        desc: String,
    },
    /// An instant command goes on, but its caller no longer waits for its end.
    #[error("command {0} goes on")]
    CommandUnsettled(String),
    /// A command that is to be cancelled is not kept for its device, or not any more.
    #[error("command {0} is not cached")]
    CommandNotCached(String),
    /// A job does not exist.
    #[error("no job {0}")]
    NoJob(String),
    /// A job is being carried out.
    #[error("job {0} is running")]
    JobRunning(String),
    /// As many callers wait for devices as may.
    #[error("too many callers wait")]
    TooManyWait,
    /// The server takes no more work at the moment.
    #[error("overloaded or stopping")]
    Overloaded,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] aldis_store::Error),
    /// The rows of a page would be too much for one answer.
    #[error("the page is too large")]
    PageTooLarge,
    /// A search would take longer than a search may.
    #[error("the search takes too long")]
    SearchTooLong,
    /// The caller hung up before it had its answer.
    #[error("the caller has gone")]
    CallerGone,
    /// Other searches of the caller's key run and wait.
    #[error("too many searches of one key")]
    TooManySearches,
    /// The writer could not say whether something was done.
    #[error("the store is unavailable")]
    Unavailable,
    /// A promise inside the server was broken.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// A thing that does not exist.
    #[must_use]
    pub fn missing(what: &'static str, id: impl Into<String>) -> Self {
        Self::Missing { what, id: id.into() }
    }

    /// A value is in use that has to be unique.
    #[must_use]
    pub fn taken(field: &str, value: &str) -> Self {
        Self::Invalid(Violation::of_text(value, "value that is not in use").within(field))
    }

    /// Something cannot go because something else needs it.
    #[must_use]
    pub fn in_use(field: &str, id: &str, expected: &str) -> Self {
        Self::Invalid(Violation::of_text(id, expected).within(field))
    }

    /// A refusal that the asked-for write cannot meet.
    #[must_use]
    pub fn unexpected(refusal: Refusal) -> Self {
        Self::Internal(format!("refused: {refusal:?}"))
    }
}

impl From<aldis_store::Error> for Error {
    fn from(error: aldis_store::Error) -> Self {
        match error {
            aldis_store::Error::PageTooLarge => Self::PageTooLarge,
            aldis_store::Error::GivenUp => Self::SearchTooLong,
            failed @ (aldis_store::Error::Unavailable { .. }
            | aldis_store::Error::Corrupt { .. }
            | aldis_store::Error::Replaced { .. }
            | aldis_store::Error::StaleEpoch { .. }) => Self::Store(failed),
        }
    }
}

impl From<WriterError> for Error {
    fn from(failure: WriterError) -> Self {
        match failure {
            WriterError::Refused(refusal) => Self::unexpected(refusal),
            WriterError::Unavailable => Self::Unavailable,
            WriterError::Overloaded => Self::Overloaded,
            WriterError::TooManyWait => Self::TooManyWait,
        }
    }
}
