//! `aldis explain`: the page about a code of the API, as it stands in docs/errors.

use clap::Args;

use crate::context::Context;
use crate::exit::{Outcome, usage};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code of an answer or of a task's result
    #[arg(value_name = "CODE", allow_hyphen_values = true)]
    code: i64,
}

/// The codes that have a page, and the pages: all of docs/errors, put together by the build script.
const PAGES: &[(i64, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page about a code.
pub(crate) fn page(code: i64) -> Option<&'static str> {
    let found = PAGES.iter().find(|(known, _)| *known == code);
    found.map(|(_, page)| *page)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_about_its_code() {
        assert!(PAGES.iter().any(|(code, _)| *code == 24404));
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}")), "{code}");
        }
    }
}
