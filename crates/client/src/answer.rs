//! The envelope that every answer comes in (docs/api.md, "Answers").

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;

/// A successful answer: the typed data, and beside it what the server wrote. Dereferences to the data.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The answer's `data`.
    pub data: T,
    /// `OK`, or what there is to say although everything went well.
    pub msg: String,
    /// The request's id.
    pub request_id: String,
    /// Where a page of a search stands among all matches.
    pub pagination: Option<PageInfo>,
    /// Of a batch: how many entries succeeded.
    pub success_size: Option<u64>,
    /// Of a batch: how many entries were meant.
    pub total_size: Option<u64>,
    raw: Option<Box<RawValue>>,
}

impl<T> Answer<T> {
    /// `data` exactly as the server wrote it, as JSON text.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.raw.as_deref().map_or("null", RawValue::get)
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

/// Where a page stands among all matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// From 1.
    pub page_no: u64,
    /// As asked for.
    pub page_size: u64,
    /// All matches.
    pub total_size: u64,
}

/// One entry's outcome of a batch call. The call itself succeeds even if every entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BatchEntry<T> {
    /// 0 if this entry was carried out.
    pub code: i64,
    /// The server's words.
    #[serde(default, deserialize_with = "crate::name::null_as_default")]
    pub msg: String,
    /// What the entry brought, or which thing it was about.
    #[serde(default = "Option::default")]
    pub data: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    code: i64,
    #[serde(default, deserialize_with = "crate::name::null_as_default")]
    msg: String,
    #[serde(default, deserialize_with = "crate::name::null_as_default")]
    request_id: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    pagination: Option<PageInfo>,
    #[serde(default)]
    success_size: Option<u64>,
    #[serde(default)]
    total_size: Option<u64>,
}

/// Reads an answer's body.
///
/// # Errors
/// The server's refusal, or a body that is no envelope or whose data has another shape.
pub(crate) fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<Answer<T>, Error> {
    let bad = |error: serde_json::Error| Error::BadAnswer {
        status,
        reason: error.to_string(),
    };
    let envelope: Envelope = serde_json::from_slice(body).map_err(bad)?;
    if envelope.code != 0 || status >= 400 {
        return Err(refusal(status, envelope));
    }
    let text = envelope.data.as_deref().map_or("null", RawValue::get);
    Ok(Answer {
        data: serde_json::from_str(text).map_err(bad)?,
        msg: envelope.msg,
        request_id: envelope.request_id,
        pagination: envelope.pagination,
        success_size: envelope.success_size,
        total_size: envelope.total_size,
        raw: envelope.data,
    })
}

fn refusal(status: u16, envelope: Envelope) -> Error {
    let Envelope {
        code,
        msg,
        request_id,
        field,
        ..
    } = envelope;
    if status == 401 {
        Error::Unauthorized { code, msg, request_id }
    } else {
        Error::Refused {
            code,
            msg,
            request_id,
            field,
        }
    }
}
