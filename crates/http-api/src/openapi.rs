//! `/openapi.json`: the API's description (OpenAPI 3.1), generated from the list of actions and their types.
//!
//! Actions of one resource share a path and differ in the query, which OpenAPI has no word for: each gets a path key of
//! its own that includes `?action=…`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
};

use super::action::{Action, Doc, Shape};
use super::entry::TABLE;
use super::envelope::{Pagination, SortedBy};
use super::health;
use super::tokens::{self, TokenAnswer, TokenRequest};
use aldis_app::access::Needs;

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(serde_json::to_vec(&document()).expect("the document is made of texts and maps")));

pub(super) fn response() -> Response {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json;charset=UTF-8"),
    );
    response
}

/// The whole document.
pub(super) fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    schemas.insert("Pagination".to_owned(), Pagination::schema());
    schemas.insert("SortedBy".to_owned(), SortedBy::schema());
    for action in &TABLE.actions {
        schemas.extend(action.doc.schemas.iter().cloned());
        for path in action.paths {
            for name in action.names {
                paths = paths.path(format!("{path}?action={name}"), item(action, name, path));
            }
        }
    }
    let ready = "Whether changes are stored and commands leave; for anyone";
    for (path, name, summary, answer, failure) in [
        (
            "/openapi.json",
            "describe",
            "This description",
            "An OpenAPI document",
            None,
        ),
        (
            health::LIVE,
            "live",
            "Whether the process answers; for anyone",
            "It does",
            None,
        ),
        (
            health::READY,
            "ready",
            ready,
            "They are",
            Some("They are not: `reasons`"),
        ),
        (
            health::HEALTH,
            "health",
            ready,
            "They are",
            Some("They are not: `reasons`"),
        ),
    ] {
        let operation = open_operation(name, summary, answer, failure);
        paths = paths.path(path, PathItem::new(HttpMethod::Get, operation));
    }
    let token = Doc::new("Get an access token")
        .body::<TokenRequest>()
        .answer::<TokenAnswer>();
    schemas.extend(token.schemas.iter().cloned());
    for (path, name, summary) in [
        (tokens::GET, "getToken", "Get the current access token, or a new one"),
        (tokens::REFRESH, "refreshToken", "Replace an access token by a new one"),
    ] {
        paths = paths.path(
            path,
            PathItem::new(HttpMethod::Post, token_operation(name, summary, &token)),
        );
    }
    let components = ["apim-accesstoken", "apim-signature", "apim-timestamp"]
        .into_iter()
        .fold(
            ComponentsBuilder::new().schemas_from_iter(schemas),
            |components, name| {
                components.security_scheme(name, SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name))))
            },
        );
    let info = InfoBuilder::new()
        .title("Aldis")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description()));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// What the API is, and every code with its meaning, from the index of their pages.
fn description() -> String {
    const PAGES: &str = include_str!("../../../docs/errors/README.md");
    let row = |line: &str| {
        let (code, meaning) = line.strip_prefix("| [")?.split_once("](")?;
        let meaning = meaning.split_once(" | ")?.1;
        Some(format!("| {code} | {meaning}\n"))
    };
    let codes: String = PAGES.lines().filter_map(row).collect();
    format!(
        "Device command jobs over an API that EnOS clients know. Words, rules and limits: docs/api.md.\n\n\
         Codes of answers, of entries of batches and of `taskResult`; others come from devices:\n\n\
         | code | Meaning |\n|---|---|\n| 0 | Success |\n{codes}"
    )
}

fn open_operation(id: &str, summary: &str, answer: &str, failure: Option<&str>) -> Operation {
    let response = |description: &str| {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Object)));
        let response = ResponseBuilder::new().description(description);
        response.content("application/json", content.build()).build()
    };
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("server")
        .response("200", response(answer));
    match failure {
        Some(failure) => operation.response("503", response(failure)).build(),
        None => operation.build(),
    }
}

fn item(action: &Action, name: &str, path: &str) -> PathItem {
    let post = operation(action, name, path);
    if !action.reads {
        return PathItem::new(HttpMethod::Post, post);
    }
    let mut get = post.clone();
    get.request_body = None;
    get.operation_id = get.operation_id.map(|id| format!("{id}_get"));
    let mut item = PathItem::new(HttpMethod::Post, post);
    item.get = Some(get);
    item
}

fn operation(action: &Action, name: &str, path: &str) -> Operation {
    let doc = &action.doc;
    let id: String = path
        .chars()
        .chain(['_'])
        .chain(name.chars())
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id.trim_matches('_')))
        .summary(Some(doc.summary))
        .description(Some(role(action.needs)))
        .tag(path.rsplit('/').next().unwrap_or_default())
        .parameter(fixed_action(name))
        .parameter(query("orgId", true, "The caller's organization"))
        .security(
            SecurityRequirement::new("apim-accesstoken", [] as [&str; 0])
                .add("apim-signature", [] as [&str; 0])
                .add("apim-timestamp", [] as [&str; 0]),
        );
    for parameter in &doc.parameters {
        operation = operation.parameter(query(parameter.name, parameter.required, parameter.text));
    }
    if doc.idempotent {
        operation = operation.parameter(idempotency_key());
    }
    if let Some(body) = &doc.body {
        operation = operation.request_body(Some(request_body(doc, body.clone())));
    }
    operation
        .response("200", answer(envelope(doc)))
        .response("default", refusal())
        .build()
}

fn role(needs: Needs) -> &'static str {
    match needs {
        Needs::Read => "Every role.",
        Needs::Change => "Roles operator and admin.",
        Needs::Admin => "Role admin.",
        Needs::SignedAdmin => "Role admin; signed calls only.",
    }
}

fn token_operation(id: &str, summary: &str, doc: &Doc) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("token");
    if let (Some(body), Some(data)) = (&doc.body, &doc.answer) {
        operation = operation
            .request_body(Some(request_body(doc, body.clone())))
            .response("200", answer(data.clone()))
            .response("default", answer(data.clone()));
    }
    operation.build()
}

fn fixed_action(name: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([name]));
    let parameter = ParameterBuilder::new()
        .name("action")
        .parameter_in(ParameterIn::Query)
        .required(Required::True);
    parameter
        .description(Some("What is to be done"))
        .schema(Some(schema))
        .build()
}

fn query(name: &str, required: bool, text: &str) -> Parameter {
    let required = if required { Required::True } else { Required::False };
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(required);
    parameter
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn idempotency_key() -> Parameter {
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header);
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(aldis_app::idempotency::KEY_CHARS_MAX));
    let text = "A repetition with the same key within 24 h does nothing and is answered as the first request was";
    parameter
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}

/// A body has to be there if something in it has to.
fn request_body(doc: &Doc, schema: RefOr<Schema>) -> utoipa::openapi::request_body::RequestBody {
    let needs =
        |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if !object.required.is_empty());
    let is_meant =
        |name: &str| matches!(&schema, RefOr::Ref(reference) if reference.ref_location.ends_with(&format!("/{name}")));
    let needed = doc.schemas.iter().any(|(name, of)| is_meant(name) && needs(of));
    let needed = if needed { Required::True } else { Required::False };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(needed))
        .build()
}

fn answer(schema: RefOr<Schema>) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description("Success if `code` is 0; else `data` is null")
        .content("application/json", content)
        .build()
}

/// Every answer that is not 200: the request did not get as far as its action, or the server failed.
fn refusal() -> utoipa::openapi::Response {
    let retry_after = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
        .description(Some("With 429 only: seconds until the next call will be taken"));
    let content = ContentBuilder::new().schema(Some(fields_of_all(null()))).build();
    ResponseBuilder::new()
        .description("400, 401, 403, 404, 405, 413, 415, 429, 500 or 503; docs/api.md, \"Errors\", tells them apart")
        .content("application/json", content)
        .header("Retry-After", retry_after.build())
        .build()
}

fn null() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)).into()
}

fn envelope(doc: &Doc) -> RefOr<Schema> {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    // A business refusal is a 200 without data.
    let data = match doc.answer.clone() {
        Some(data) => OneOfBuilder::new().item(data).item(null()).into(),
        None => null(),
    };
    let object = fields_of_all(data);
    let object = match doc.shape {
        Shape::Plain => object,
        Shape::Page => object.property("pagination", Ref::from_schema_name("Pagination")),
        Shape::Batch => object
            .property("successSize", of(Type::Integer))
            .property("totalSize", of(Type::Integer)),
    };
    object.into()
}

fn fields_of_all(data: RefOr<Schema>) -> ObjectBuilder {
    let of = |kind: Type| ObjectBuilder::new().schema_type(kind);
    let object = ObjectBuilder::new()
        .property(
            "code",
            of(Type::Integer).description(Some(
                "0, or what went wrong: the codes stand at the top of this document",
            )),
        )
        .property(
            "msg",
            of(Type::String).description(Some("`OK`, or what went wrong and where")),
        )
        .property(
            "requestId",
            of(Type::String).description(Some("Names this request in the server's log")),
        )
        .property("data", data)
        .property(
            "field",
            of(Type::String).description(Some(
                "Of a refusal: the field of the request that it is about, if it is about one",
            )),
        );
    ["code", "msg", "requestId", "data"]
        .into_iter()
        .fold(object, ObjectBuilder::required)
}
