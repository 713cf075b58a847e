//! `/apim-token-service/v2.0/token/get` and `/refresh`, which have an envelope of their own (docs/api.md, "Access").

use aldis_core::ids::AppKey;
use aldis_core::number;
use aldis_core::secret::Secret;
use aldis_core::violation::Violation;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Budget;
use super::decode::decode;
use super::entry::idle_while;
use super::error::{self, Failing};
use super::socket::Peer;
use super::{body, envelope};
use aldis_app::tokens::{Denied, Granted};
use aldis_app::{App, Error, tokens};

pub(super) const GET: &str = "/apim-token-service/v2.0/token/get";
pub(super) const REFRESH: &str = "/apim-token-service/v2.0/token/refresh";

/// The body of both.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"appKey": "demo-app-key", "timestamp": 1_700_000_000_000_i64,
    "encryption": "aa3dbd256274525928efdc00818d2254c70e20945bd4b5d93dce11c31aecf403"}))]
pub(super) struct TokenRequest {
    /// The application's access key.
    app_key: Option<String>,
    /// Lower-case hex SHA-256 over appKey, timestamp and appSecret, one after another.
    encryption: Option<String>,
    /// The caller's time, epoch milliseconds.
    #[schema(value_type = i64)]
    timestamp: Option<Value>,
    /// With `refresh`: the token that is to be replaced.
    access_token: Option<String>,
}

/// The answer of both.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenAnswer {
    /// 0, or why there is no token: 1001, 1003 to 1005, 1202 to 1204.
    status: i32,
    /// `SUCCESS`, or why there is no token.
    msg: String,
    /// Always `apim-token-service`.
    business: &'static str,
    /// The token.
    data: Option<Token>,
}

/// A token and its remaining time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Token {
    /// Goes into the header `apim-accesstoken`.
    #[schema(value_type = String)]
    access_token: Secret,
    /// Seconds.
    expire: i64,
}

/// Why there is no token.
enum NoToken {
    Denied(Denied),
    /// A parameter is absent.
    Absent(&'static str),
    /// A parameter cannot have its value.
    Invalid(Violation),
    /// The request never became one.
    Unreadable(Failing),
}

pub(super) async fn answer(app: &App, request: Request, refresh: bool) -> Response {
    let (peer, path) = (
        request.extensions().get().and_then(Peer::address),
        request.uri().path().to_owned(),
    );
    let (http, status, msg, data) = match grant(app, request, refresh).await {
        Ok(granted) => {
            let token = Token {
                access_token: granted.token,
                expire: granted.expires_in_s,
            };
            (StatusCode::OK, 0, "SUCCESS".to_owned(), Some(token))
        }
        Err(none) => {
            let failing = none.describe();
            error::log(&failing, &path, "", peer);
            (failing.status, failing.code, failing.message, None)
        }
    };
    envelope::response(
        http,
        &TokenAnswer {
            status,
            msg,
            business: "apim-token-service",
            data,
        },
    )
}

async fn grant(app: &App, request: Request, refresh: bool) -> Result<Granted, NoToken> {
    if request.method() != Method::POST {
        let failing = Failing::gateway(StatusCode::METHOD_NOT_ALLOWED, "method: expected POST");
        return Err(NoToken::Unreadable(failing));
    }
    let unreadable = |unreadable: body::Unreadable| NoToken::Unreadable(Failing::from(&unreadable));
    body::check_encoding(request.headers()).map_err(NoToken::Unreadable)?;
    let (parts, body) = request.into_parts();
    let received = idle_while(parts.extensions.get(), body::receive(body, &Budget::Stranger));
    let held = received.await.map_err(unreadable)?;
    let body = body::parse(&held.bytes).map_err(unreadable)?;
    let request = read(decode(&body).map_err(NoToken::Invalid)?, refresh)?;
    app.grant_token(request).await.map_err(NoToken::Denied)
}

fn read(request: TokenRequest, refresh: bool) -> Result<tokens::Request, NoToken> {
    let given = |field, value: Option<String>| value.filter(|text| !text.is_empty()).ok_or(NoToken::Absent(field));
    let timestamp = match request.timestamp.ok_or(NoToken::Absent("timestamp"))? {
        Value::Number(number) => number::whole(&Value::Number(number.clone())).ok_or(Value::Number(number)),
        Value::String(digits) => digits.parse().map_err(|_no_number| Value::String(digits)),
        other => Err(other),
    };
    let wrong = |value| NoToken::Invalid(Violation::of(&value, "epoch milliseconds").within("timestamp"));
    Ok(tokens::Request {
        app_key: AppKey(given("appKey", request.app_key)?),
        encryption: given("encryption", request.encryption)?,
        timestamp: timestamp.map_err(wrong)?,
        refresh: refresh
            .then(|| given("accessToken", request.access_token))
            .transpose()?,
    })
}

impl NoToken {
    fn describe(self) -> Failing {
        let status = match &self {
            Self::Absent(_) => 1202,
            Self::Invalid(_) | Self::Denied(Denied::WrongTime) | Self::Unreadable(_) => 1004,
            Self::Denied(Denied::Repeated) => 1001,
            Self::Denied(Denied::WrongCredentials) => 1003,
            Self::Denied(Denied::Expired) => 1203,
            Self::Denied(Denied::ForeignToken) => 1204,
            Self::Denied(Denied::Failed(_)) => 1005,
        };
        match self {
            Self::Absent(field) => Failing::new(
                StatusCode::OK,
                status,
                format!("{field}: expected a value, found nothing"),
            ),
            Self::Invalid(violation) => Failing::new(StatusCode::OK, status, violation.to_string()),
            Self::Unreadable(failing) => Failing {
                code: status,
                ..failing
            },
            Self::Denied(Denied::Failed(error)) => Failing {
                code: status,
                ..Failing::caused_by(&error)
            },
            Self::Denied(denied) => Failing::new(StatusCode::OK, status, denied.to_string()),
        }
    }
}

impl From<Error> for NoToken {
    fn from(error: Error) -> Self {
        Self::Denied(Denied::Failed(error))
    }
}
