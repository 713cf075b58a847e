//! `/aldis/v1/keys`, an extension (docs/api.md, "Keys and organizations").

use aldis_core::secret::Secret;
use aldis_core::violation::Violation;
use aldis_store::rows::{AccessKey, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use aldis_app::keys::KeyDraft;
use aldis_app::organizations::PARAMETER;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/aldis/v1/keys"];

pub(super) fn actions() -> Vec<Action> {
    let named = |summary| Doc::new(summary).needs("appKey", "The access key");
    vec![
        Action::change(
            PATH,
            &["create"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Create an access key; its secret is shown this once")
                .body::<CreateKey>()
                .answer::<Key>(),
        ),
        Action::read(
            PATH,
            &["list"],
            |app, call| Box::pin(list(app, call)),
            Doc::new("Access keys")
                .takes(PARAMETER, "Only those of this organization")
                .answer::<Vec<Key>>(),
        ),
        Action::change(
            PATH,
            &["disable"],
            |app, call| Box::pin(disable(app, call, true)),
            named("Disable an access key"),
        ),
        Action::change(
            PATH,
            &["enable"],
            |app, call| Box::pin(disable(app, call, false)),
            named("Enable an access key"),
        ),
        Action::change(
            PATH,
            &["delete"],
            |app, call| Box::pin(delete(app, call)),
            named("Delete an access key"),
        ),
    ]
    .into_iter()
    .map(Action::for_signed_administrators)
    .collect()
}

/// The body of `create`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"role": "operator", "name": "night shift"}))]
struct CreateKey {
    /// The organization that it is to belong to; the caller's if absent.
    organization: Option<String>,
    /// `admin`, `operator` or `reader`.
    role: String,
    /// What its owner calls it.
    name: Option<String>,
    /// Its public half, if it has one already; generated if absent.
    app_key: Option<String>,
    /// Its secret half, if it has one already; generated if absent.
    #[schema(value_type = Option<String>)]
    app_secret: Option<Secret>,
}

/// An access key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"appKey": "0b8d0f6e-3c1e-4f52-9a65-6a3c0c9f1d11", "appSecret": null, "orgId": "o1", "role": "operator",
    "name": "night shift", "disabled": false, "createTime": 1_718_952_446_317_i64}))]
struct Key {
    app_key: String,
    /// Null except in the answer of `create`.
    #[schema(value_type = Option<String>)]
    app_secret: Option<Secret>,
    /// The organization that it belongs to.
    org_id: String,
    /// `admin`, `operator` or `reader`.
    role: &'static str,
    name: String,
    disabled: bool,
    /// Epoch milliseconds.
    create_time: i64,
}

impl Key {
    fn new(key: AccessKey, with_secret: bool) -> Self {
        Self {
            app_key: key.app_key.0,
            app_secret: with_secret.then_some(key.secret),
            org_id: key.org.0,
            role: role_word(key.role),
            name: key.name,
            disabled: key.disabled,
            create_time: key.created.0,
        }
    }
}

const ROLES: [Role; 3] = [Role::Admin, Role::Operator, Role::Reader];

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Operator => "operator",
        Role::Reader => "reader",
    }
}

fn read_role(text: &str) -> Result<Role, Violation> {
    let found = ROLES
        .into_iter()
        .find(|role| role_word(*role).eq_ignore_ascii_case(text));
    found.ok_or_else(|| Violation::of_text(text, "one of admin, operator, reader").within("role"))
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let body: CreateKey = call.decode()?;
    let draft = KeyDraft {
        org: body.organization,
        role: read_role(&body.role)?,
        name: body.name.unwrap_or_default(),
        app_key: body.app_key,
        secret: body.app_secret,
    };
    Answer::data(&Key::new(app.create_key(&call.caller, draft).await?, true))
}

async fn list(app: App, call: Call) -> Result<Answer, Error> {
    let keys = app.keys(call.get(PARAMETER)).await?;
    Answer::data(&keys.into_iter().map(|key| Key::new(key, false)).collect::<Vec<_>>())
}

async fn disable(app: App, call: Call, disabled: bool) -> Result<Answer, Error> {
    app.disable_key(&call.caller, call.required("appKey")?, disabled)
        .await?;
    Ok(Answer::done())
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_key(&call.caller, call.required("appKey")?).await?;
    Ok(Answer::done())
}
