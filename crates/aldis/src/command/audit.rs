//! `aldis audit`: what was done, and who did it.

use aldis_client::{AuditFilter, AuditRecord};
use clap::Args;

use crate::context::Context;
use crate::exit::Outcome;
use crate::moment::{self, Moment, now_ms};
use crate::pick::Rows;
use crate::screen::{moment_ms, text};

/// What was done, newest first.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only from this moment on: 2030-01-31T12:00:00Z, '2030-01-31 12:00:00' (UTC) or epoch milliseconds
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    from: Option<Moment>,
    /// Only before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    to: Option<Moment>,
    /// Only this action, such as device.update or job.create
    #[arg(long)]
    action: Option<String>,
    /// Only what this access key did
    #[arg(long = "by", value_name = "APP_KEY")]
    app_key: Option<String>,
    /// Only what was done to this: an asset id, a product key, the id of a thing model, a job, an organization, an
    /// access key
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Of this organization; yours if absent. Another needs a key with the role admin
    #[arg(long = "of", value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    rows: Rows,
}

impl Audit {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let now = now_ms();
        let filter = AuditFilter {
            organization: self.organization,
            from: self.from.map(|moment| moment.resolve(now)),
            to: self.to.map(|moment| moment.resolve(now)),
            action: self.action,
            app_key: self.app_key,
            object: self.object,
        };
        let records = context.client()?.audit(&filter);
        self.rows.print(context.screen, records, &HEAD, row).await?;
        Ok(Outcome::Done)
    }
}

const HEAD: [&str; 7] = ["ID", "WHEN", "ACTION", "OBJECT", "APP KEY", "ADDRESS", "REQUEST"];

fn row(record: &AuditRecord) -> Vec<String> {
    vec![
        record.id.clone(),
        moment_ms(record.timestamp),
        record.action.clone(),
        record.object.clone(),
        text(record.app_key.as_deref()),
        text(record.address.as_deref()),
        record.request_id.clone(),
    ]
}
