//! `aldis org`: organizations.

use aldis_client::{NewOrganization, OrganizationInfo};
use clap::Subcommand;

use super::access_key::state;
use crate::context::Context;
use crate::exit::Outcome;
use crate::screen::{moment, table, text};

/// What can be done with organizations.
#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
    /// Create an organization
    Create {
        /// Its id
        id: String,
        /// Its name; the id if absent
        #[arg(long)]
        name: Option<String>,
    },
    /// All organizations
    List,
    /// Refuse all keys of an organization
    Disable {
        /// The organization's id
        id: String,
    },
    /// Accept the keys of a disabled organization again
    Enable {
        /// The organization's id
        id: String,
    },
    /// Delete an organization that has nothing left
    Delete {
        /// The organization's id
        id: String,
    },
}

impl Organization {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Create { id, name } => {
                let new = NewOrganization { organization: id, name };
                let created = client.create_organization(&new).await?;
                screen.answer(&created, |created| format!("{} created", created.org_id))?;
            }
            Self::List => {
                let all = client.organizations().await?;
                screen.answer(&all, |all| table(&HEAD, all.iter().map(row)))?;
            }
            Self::Disable { id } => {
                screen.answer(&client.disable_organization(&id).await?, |()| format!("{id} disabled"))?;
            }
            Self::Enable { id } => {
                screen.answer(&client.enable_organization(&id).await?, |()| format!("{id} enabled"))?;
            }
            Self::Delete { id } => {
                screen.answer(&client.delete_organization(&id).await?, |()| format!("{id} deleted"))?;
            }
        }
        Ok(Outcome::Done)
    }
}

const HEAD: [&str; 4] = ["ORGANIZATION", "NAME", "STATE", "CREATED"];

fn row(organization: &OrganizationInfo) -> Vec<String> {
    vec![
        organization.org_id.clone(),
        text(organization.name.as_deref()),
        state(organization.disabled),
        moment(organization.create_time).unwrap_or_default(),
    ]
}
