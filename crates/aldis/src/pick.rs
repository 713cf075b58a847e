//! Which rows of a search are shown, and the printing of them.

use aldis_client::{PAGE_SIZE_MAX, Pages};
use anyhow::Context as _;
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::screen::{Screen, table};

/// Flags that every list has.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pick {
    /// Only rows that match this expression of the API
    #[arg(long = "where", value_name = "EXPRESSION")]
    pub(crate) expression: Option<String>,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

impl Pick {
    /// Walks through the rows and prints them, as [`Rows::print`] does.
    pub(crate) async fn print<T: DeserializeOwned>(
        &self,
        screen: Screen,
        pages: Pages<T>,
        head: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        self.rows.print(screen, pages, head, row).await
    }
}

/// How many rows are shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rows {
    /// Show at most this many rows
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// Show every row
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Rows {
    fn limit(&self) -> u64 {
        if self.all { u64::MAX } else { self.limit }
    }

    /// Walks through the rows and prints them: JSON as one array of what the server wrote, else one table.
    pub(crate) async fn print<T: DeserializeOwned>(
        &self,
        screen: Screen,
        pages: Pages<T>,
        head: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        let limit = self.limit();
        let mut pages = pages.page_size(limit.min(PAGE_SIZE_MAX));
        let (mut shown, mut total) = (0, None);
        let (mut rows, mut texts) = (Vec::new(), Vec::new());
        while shown < limit
            && let Some(page) = pages.next_page().await?
        {
            let left = usize::try_from(limit - shown).unwrap_or(usize::MAX);
            total = page.pagination.map(|info| info.total_size).or(total);
            shown += u64::try_from(page.len().min(left)).unwrap_or(u64::MAX);
            if screen.json {
                texts.extend(elements(page.raw())?.into_iter().take(left));
            } else {
                rows.extend(page.iter().take(left).map(&row));
            }
        }
        if screen.json {
            screen.line(format_args!("[{}]", texts.join(",")))?;
        } else {
            screen.line(table(head, rows))?;
        }
        match total {
            Some(total) if total > shown => {
                screen.note(format_args!("{shown} of {total} shown; --all shows every one"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// The elements of a JSON array, each as it was written.
pub(crate) fn elements(array: &str) -> anyhow::Result<Vec<String>> {
    let elements: Vec<&RawValue> = serde_json::from_str(array).context("reading a page")?;
    Ok(elements.into_iter().map(|element| element.get().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_out_as_they_were_written() {
        let found = elements(r#"[{"b":1,"a":1.50},  null,"x"]"#).unwrap();
        assert_eq!(found, [r#"{"b":1,"a":1.50}"#, "null", r#""x""#]);
    }
}
