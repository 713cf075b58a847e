//! `/aldis/v1/organizations`, an extension (docs/api.md, "Keys and organizations").

use aldis_store::rows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::action::{Action, Doc};
use super::call::Call;
use super::envelope::Answer;
use aldis_app::organizations::PARAMETER;
use aldis_app::{App, Error};

const PATH: &[&str] = &["/aldis/v1/organizations"];

pub(super) fn actions() -> Vec<Action> {
    let named = |summary| Doc::new(summary).needs(PARAMETER, "The organization's id");
    vec![
        Action::change(
            PATH,
            &["create"],
            |app, call| Box::pin(create(app, call)),
            Doc::new("Create an organization")
                .body::<CreateOrganization>()
                .answer::<Organization>(),
        ),
        Action::read(
            PATH,
            &["list"],
            |app, call| Box::pin(list(app, call)),
            Doc::new("All organizations").answer::<Vec<Organization>>(),
        ),
        Action::change(
            PATH,
            &["disable"],
            |app, call| Box::pin(disable(app, call, true)),
            named("Disable an organization, and with it all its keys"),
        ),
        Action::change(
            PATH,
            &["enable"],
            |app, call| Box::pin(disable(app, call, false)),
            named("Enable an organization"),
        ),
        Action::change(
            PATH,
            &["delete"],
            |app, call| Box::pin(delete(app, call)),
            named("Delete an organization without keys, thing models, products and jobs"),
        ),
    ]
    .into_iter()
    .map(Action::for_signed_administrators)
    .collect()
}

/// The body of `create`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"organization": "wind", "name": "Wind farms"}))]
struct CreateOrganization {
    /// Its id.
    #[schema(max_length = 64)]
    organization: String,
    /// Its name; the id if absent.
    name: Option<String>,
}

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"orgId": "wind", "name": "Wind farms", "disabled": false, "createTime": 1_718_952_446_317_i64}))]
struct Organization {
    org_id: String,
    name: String,
    disabled: bool,
    /// Epoch milliseconds.
    create_time: i64,
}

impl From<rows::Organization> for Organization {
    fn from(row: rows::Organization) -> Self {
        Self {
            org_id: row.id.0,
            name: row.name,
            disabled: row.disabled,
            create_time: row.created.0,
        }
    }
}

async fn create(app: App, call: Call) -> Result<Answer, Error> {
    let body: CreateOrganization = call.decode()?;
    let name = body.name.unwrap_or_else(|| body.organization.clone());
    let created = app.create_organization(&call.caller, &body.organization, name).await?;
    Answer::data(&Organization::from(created))
}

async fn list(app: App, _call: Call) -> Result<Answer, Error> {
    let organizations = app.organizations().await?;
    Answer::data(&organizations.into_iter().map(Organization::from).collect::<Vec<_>>())
}

async fn disable(app: App, call: Call, disabled: bool) -> Result<Answer, Error> {
    app.disable_organization(&call.caller, call.required(PARAMETER)?, disabled)
        .await?;
    Ok(Answer::done())
}

async fn delete(app: App, call: Call) -> Result<Answer, Error> {
    app.delete_organization(&call.caller, call.required(PARAMETER)?).await?;
    Ok(Answer::done())
}
