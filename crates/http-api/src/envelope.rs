//! The one shape of every answer: `code`, `msg`, `requestId`, `data` and, where documented, pagination or sizes
//! (docs/api.md, "Envelope").

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::Failing;
use super::held;
use super::rate_limit::RETRY_AFTER_S;
use super::rooms::Room;
use aldis_app::Error;

/// The one content type.
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// What an action answers when it succeeds.
#[derive(Debug)]
pub(super) struct Answer {
    data: Option<Box<RawValue>>,
    pagination: Option<Pagination>,
    sizes: Option<Sizes>,
    /// What there is to say although everything went well.
    warning: Option<String>,
}

/// Where a page stands in the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    /// The page, from 1.
    pub(super) page_no: u64,
    /// Rows per page.
    pub(super) page_size: u64,
    /// All matches.
    pub(super) total_size: u64,
    /// Null, but for single commands: the order is fixed.
    pub(super) sorted_by: Option<Vec<SortedBy>>,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct SortedBy {
    /// The name of their moment of creation.
    pub(super) field: &'static str,
    /// `DESC`: the newest first.
    pub(super) order: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    success: usize,
    total: usize,
}

/// One entry of a batch answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct BatchEntry<T> {
    /// 0, or why this entry failed.
    pub(super) code: i32,
    /// `OK`, or why this entry failed.
    pub(super) msg: String,
    /// The entry's own data.
    pub(super) data: Option<T>,
}

impl<T> BatchEntry<T> {
    /// An entry that succeeded.
    pub(super) fn ok(data: T) -> Self {
        Self {
            code: 0,
            msg: OK.to_owned(),
            data: Some(data),
        }
    }

    /// An entry that failed.
    pub(super) fn failed(error: &Error) -> Self {
        let failing = Failing::from(error);
        Self {
            code: failing.code,
            msg: failing.message,
            data: None,
        }
    }
}

impl Answer {
    /// Nothing but success.
    pub(super) fn done() -> Self {
        Self {
            data: None,
            pagination: None,
            sizes: None,
            warning: None,
        }
    }

    /// Data.
    pub(super) fn data(data: &impl Serialize) -> Result<Self, Error> {
        let raw = serde_json::value::to_raw_value(data).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self {
            data: Some(raw),
            pagination: None,
            sizes: None,
            warning: None,
        })
    }

    /// Says something behind the `OK`, and behind what was said there before.
    pub(super) fn warned(self, warning: Option<String>) -> Self {
        let both = self
            .warning
            .into_iter()
            .chain(warning)
            .reduce(|one, other| format!("{one}; {other}"));
        Self { warning: both, ..self }
    }

    /// A page of a search, written row by row: none is held beside its text.
    pub(super) fn page<D: Serialize>(
        rows: impl Iterator<Item = Result<D, Error>>,
        pagination: Pagination,
    ) -> Result<Self, Error> {
        let internal = |error: serde_json::Error| Error::Internal(error.to_string());
        let mut text = b"[".to_vec();
        for row in rows {
            if text.len() > 1 {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &row?).map_err(internal)?;
        }
        text.push(b']');
        let text = String::from_utf8(text).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self {
            data: Some(RawValue::from_string(text).map_err(internal)?),
            pagination: Some(pagination),
            ..Self::done()
        })
    }

    /// The entries of a batch.
    pub(super) fn batch<T: Serialize>(entries: &[BatchEntry<T>]) -> Result<Self, Error> {
        let success = entries.iter().filter(|entry| entry.code == 0).count();
        Self::sized(&entries, success, entries.len())
    }

    /// Data with sizes of its own.
    pub(super) fn sized(data: &impl Serialize, success: usize, total: usize) -> Result<Self, Error> {
        Ok(Self {
            sizes: Some(Sizes { success, total }),
            ..Self::data(data)?
        })
    }

    pub(super) fn into_response(self, request_id: &str, room: &Room) -> Response {
        let warned = self.warning.map(|warning| format!("{OK}; {warning}"));
        let envelope = Envelope {
            code: 0,
            msg: warned.as_deref().unwrap_or(OK),
            request_id,
            data: self.data.as_deref(),
            field: None,
            pagination: self.pagination.as_ref(),
            success_size: self.sizes.map(|sizes| sizes.success),
            total_size: self.sizes.map(|sizes| sizes.total),
        };
        let length = self.data.as_ref().map_or(0, |data| data.get().len());
        match held::body(json(&envelope, length), room) {
            Some(body) => with_body(StatusCode::OK, body),
            None => failure(&Failing::overloaded(), request_id),
        }
    }
}

const OK: &str = "OK";
/// What stands around the data of an answer takes about this much.
const ENVELOPE_BYTES: usize = 512;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    code: i32,
    msg: &'a str,
    request_id: &'a str,
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<&'a Pagination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_size: Option<usize>,
}

/// The same with `status`, where clients of an older generation look.
pub(super) fn failure_with_status(failing: &Failing, request_id: &str) -> Response {
    let content = serde_json::json!({
        "code": failing.code,
        "msg": failing.message,
        "requestId": request_id,
        "data": null,
        "status": failing.code,
    });
    response(failing.status, &content)
}

/// The answer to a request that failed.
pub(super) fn failure(failing: &Failing, request_id: &str) -> Response {
    let envelope = Envelope {
        code: failing.code,
        msg: &failing.message,
        request_id,
        data: None,
        field: failing.field.as_deref(),
        pagination: None,
        success_size: None,
        total_size: None,
    };
    let mut response = response(failing.status, &envelope);
    if failing.status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    }
    response
}

/// Any JSON with a status.
pub(super) fn response(status: StatusCode, content: &impl Serialize) -> Response {
    with_body(status, Body::from(json(content, 0)))
}

/// `length` is about how long the largest part is: a buffer that grows step by step takes twice the memory for a
/// moment.
fn json(content: &impl Serialize, length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + ENVELOPE_BYTES);
    serde_json::to_writer(&mut text, content).expect("answers are texts, numbers and maps with text keys");
    text
}

fn with_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
