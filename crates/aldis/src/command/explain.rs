//! `aldis explain`: the page about a code of the API, as it stands in docs/errors.

use clap::Args;

use crate::context::Context;
use crate::error_pages::{PAGES, page};
use crate::exit::{Outcome, usage};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code of an answer or of a task's result
    #[arg(value_name = "CODE", allow_hyphen_values = true)]
    code: i64,
}

impl Explain {
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<Outcome> {
        let Some(page) = page(self.code) else {
            let known: Vec<_> = PAGES.iter().map(|(code, _)| code.to_string()).collect();
            return Err(usage(format!(
                "{} is no code of this server; it comes from a device's own program, or is one of another service. There \
                 are pages about {}",
                self.code,
                known.join(", ")
            )));
        };
        context.screen.line(page.trim_end())?;
        Ok(Outcome::Done)
    }
}
