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

macro_rules! pages {
    ($($code:literal),* $(,)?) => {
        /// The codes that have a page, and the pages.
        const PAGES: &[(i64, &str)] = &[$((
            $code,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors/", $code, ".md")),
        )),*];
    };
}

pages![
    401, 413, 429, 499, 1203, 11611, 11619, 11651, 11699, 11702, 11704, 11714, 11721, 11738, 11739, 11795, 11810,
    11858, 11888, 11900, 11902, 11904, 11915, 24404, 24618, 24620, 24621, 99400, 99403, 99404, 99500,
];

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
    fn every_page_about_a_code_is_in_the_program() {
        let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors")).unwrap();
        let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
        let mut codes: Vec<i64> = names
            .filter_map(|name| name.strip_suffix(".md")?.parse().ok())
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, PAGES.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}")), "{code}");
        }
    }
}
