//! What can go wrong with a call, told apart by what the caller can do about it.

/// Why a call brought no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server understood the call and says no. The code is explained in docs/api.md, "Codes".
    #[error("{msg} (code {code}, request {request_id})")]
    Refused {
        /// The answer's code, never 0.
        code: i64,
        /// The server's words.
        msg: String,
        /// The request's id, to be found in the server's log.
        request_id: String,
        /// The field of the request that is refused, if one is: `pagination.pageSize`.
        field: Option<String>,
    },
    /// The server does not accept the access key, its signature or this computer's clock.
    #[error("not authorized: {msg} (code {code}, request {request_id})")]
    Unauthorized {
        /// The answer's code or the token service's status.
        code: i64,
        /// The server's words.
        msg: String,
        /// The request's id; empty if the token service refused.
        request_id: String,
    },
    /// No answer: the server cannot be reached, or the connection broke. Whether the call was carried out is unknown,
    /// except for reads and for calls with an idempotency key, which may simply be repeated.
    #[error("no answer from {address}")]
    Transport {
        /// The server's base URL.
        address: String,
        /// What the connection met.
        #[source]
        source: reqwest::Error,
    },
    /// An answer came, but not from this API.
    #[error("the answer is not one of the Aldis API (HTTP status {status}): {reason}")]
    BadAnswer {
        /// HTTP status.
        status: u16,
        /// What did not fit.
        reason: String,
    },
    /// The base URL cannot be used.
    #[error("`{address}` is no usable base URL: {reason}")]
    BadAddress {
        /// The URL as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The field of the request that the server refuses, if it names one (docs/api.md, "Envelope").
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Refused { field, .. } => field.as_deref(),
            _ => None,
        }
    }

    /// The server's code, if the server spoke.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } | Self::Unauthorized { code, .. } => Some(*code),
            Self::Transport { .. } | Self::BadAnswer { .. } | Self::BadAddress { .. } => None,
        }
    }
}
