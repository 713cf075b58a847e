//! `aldis key`: access keys.

use std::path::PathBuf;

use aldis_client::{KeyInfo, NewKey, Secret};
use aldis_server::config::Given;
use aldis_server::wiring::reset_admin;
use aldis_store_sqlite::SqliteDriver;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::context::Context;
use crate::exit::{Outcome, usage};
use crate::screen::{Screen, facts, moment, table, text};

/// What can be done with access keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Create an access key; its secret is shown this once
    Create(Create),
    /// Access keys
    List {
        /// Only those of this organization
        #[arg(long, value_name = "ID")]
        of: Option<String>,
    },
    /// Refuse an access key
    Disable {
        /// The access key's public half
        app_key: String,
    },
    /// Accept a disabled access key again
    Enable {
        /// The access key's public half
        app_key: String,
    },
    /// Delete an access key
    Delete {
        /// The access key's public half
        app_key: String,
    },
    /// Make a new admin key in the data directory of a stopped server, where the old one is lost
    ResetAdmin(ResetAdmin),
}

#[derive(Debug, Args)]
pub(crate) struct ResetAdmin {
    /// The server's data directory [default: ./aldis-data]
    #[arg(long, value_name = "DIR", env = "ALDIS_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The server's file with the key that encrypts secrets [default: DIR/secret.key]
    #[arg(long, value_name = "FILE", env = "ALDIS_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
    /// The organization the key is to belong to [default: `default`, or else the oldest]
    #[arg(long = "for", value_name = "ID")]
    organization: Option<String>,
}

impl ResetAdmin {
    fn run(self, screen: Screen) -> anyhow::Result<Outcome> {
        let given = Given {
            data_dir: self.data_dir,
            secret_key_file: self.secret_key_file,
            ..Given::default()
        };
        let settings = given.settle().map_err(|error| usage(error.to_string()))?;
        let driver = SqliteDriver::new(settings.data_dir.clone(), settings.secret_key.map(|key| key.0));
        let made = reset_admin(&settings, &driver, self.organization.as_deref())?;
        if screen.json {
            screen.line(json!({"appKey": made.app_key, "orgId": made.org.as_str(), "keyFile": made.file}))?;
            return Ok(Outcome::Done);
        }
        screen.line(facts([
            ("appKey", Some(made.app_key)),
            ("organization", Some(made.org.to_string())),
            ("key file", Some(made.file.display().to_string())),
        ]))?;
        Ok(Outcome::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it may do
    #[arg(long, value_enum)]
    role: Role,
    /// What you call it
    #[arg(long)]
    name: Option<String>,
    /// The organization it is to belong to; yours if absent
    #[arg(long = "for", value_name = "ID")]
    organization: Option<String>,
    /// A key that is in use elsewhere already
    #[arg(long, requires = "app_secret")]
    app_key: Option<String>,
    /// The secret of --app-key
    #[arg(long, requires = "app_key")]
    app_secret: Option<Secret>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Everything, also the keys and organizations of all tenants: only for who runs the installation
    Admin,
    /// Everything in its organization but keys and organizations
    Operator,
    /// Only what changes nothing in its organization; secrets of devices and products are not shown
    Reader,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Reader => "reader",
        }
    }
}

impl Create {
    fn request(&self) -> NewKey {
        NewKey {
            organization: self.organization.clone(),
            name: self.name.clone(),
            app_key: self.app_key.clone(),
            app_secret: self.app_secret.clone(),
            ..NewKey::new(self.role.word())
        }
    }
}

impl Key {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let screen = context.screen;
        let client = || context.client();
        match self {
            // The server is stopped: there is nothing to call.
            Self::ResetAdmin(reset) => return reset.run(screen),
            Self::Create(create) => screen.answer(&client()?.create_key(&create.request()).await?, whole)?,
            Self::List { of } => {
                let keys = client()?.keys(of.as_deref()).await?;
                screen.answer(&keys, |keys| table(&HEAD, keys.iter().map(row)))?;
            }
            Self::Disable { app_key } => {
                screen.answer(&client()?.disable_key(&app_key).await?, |()| {
                    format!("{app_key} disabled")
                })?;
            }
            Self::Enable { app_key } => {
                screen.answer(&client()?.enable_key(&app_key).await?, |()| {
                    format!("{app_key} enabled")
                })?;
            }
            Self::Delete { app_key } => {
                screen.answer(&client()?.delete_key(&app_key).await?, |()| {
                    format!("{app_key} deleted")
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

const HEAD: [&str; 6] = ["APP KEY", "ORGANIZATION", "ROLE", "NAME", "STATE", "CREATED"];

fn row(key: &KeyInfo) -> Vec<String> {
    vec![
        key.app_key.clone(),
        key.org_id.clone(),
        key.role.clone(),
        text(key.name.as_deref()),
        state(key.disabled),
        moment(key.create_time).unwrap_or_default(),
    ]
}

fn whole(key: &KeyInfo) -> String {
    facts([
        ("appKey", Some(key.app_key.clone())),
        ("appSecret", key.app_secret.clone().map(String::from)),
        ("organization", Some(key.org_id.clone())),
        ("role", Some(key.role.clone())),
        ("name", key.name.clone()),
    ])
}

/// Whether keys, or those of an organization, are accepted.
pub(super) fn state(disabled: bool) -> String {
    if disabled { "disabled" } else { "enabled" }.to_owned()
}
