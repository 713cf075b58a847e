//! What the program shows: data on stdout, as tables or as the API's own JSON; remarks on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use aldis_client::Answer;
use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use jiff::Timestamp;

/// Where output goes and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// JSON instead of tables.
    pub(crate) json: bool,
}

impl Screen {
    /// Shows an answer: its data as the server wrote it, or as told by `human`.
    pub(crate) fn answer<T>(self, answer: &Answer<T>, human: impl FnOnce(&T) -> String) -> io::Result<()> {
        self.warning(answer);
        if self.json {
            self.line(answer.raw())
        } else {
            self.line(human(&answer.data))
        }
    }

    /// What an answer has to say although everything went well.
    pub(crate) fn warning<T>(self, answer: &Answer<T>) {
        if let Some(remark) = remark(&answer.msg) {
            self.note(format_args!("note: {remark}"));
        }
    }

    /// One line, or several, on stdout.
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// A remark on stderr that is not part of the result. What has been begun goes on where stderr takes nothing: an
    /// import must not stop halfway because the reader of its remarks has gone.
    pub(crate) fn note(self, text: impl Display) {
        let _untold = writeln!(io::stderr().lock(), "{text}");
    }
}

/// What stands behind the `OK` of a success.
fn remark(msg: &str) -> Option<&str> {
    let remark = msg.strip_prefix("OK").unwrap_or(msg).trim_start_matches([';', ' ']);
    (!remark.is_empty()).then_some(remark)
}

/// A line below the head and none elsewhere, so that long lists stay short.
const UNDERLINED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with a head.
pub(crate) fn table<R>(head: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = plain(UNDERLINED);
    table.set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    // What stands first is an id, which is copied: it must not be folded.
    if let Some(id) = table.column_mut(0) {
        id.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.trim_fmt()
}

/// Names and values of one thing, those without a value left out.
pub(crate) fn facts(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let mut table = plain(TableStyle::new());
    for (name, value) in rows {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            table.add_row([name.to_owned(), value]);
        }
    }
    table.trim_fmt()
}

fn plain(style: TableStyle) -> Table {
    let mut table = Table::new();
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// A moment in epoch milliseconds, to the second, in UTC.
pub(crate) fn moment(ms: Option<i64>) -> Option<String> {
    let moment = Timestamp::from_millisecond(ms?).ok()?;
    Some(moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// A moment to the millisecond; nothing if there is no such moment.
pub(crate) fn moment_ms(ms: i64) -> String {
    let moment = Timestamp::from_millisecond(ms).ok();
    let shown = moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string());
    shown.unwrap_or_default()
}

/// A moment to the millisecond in ISO 8601; nothing if there is no such moment.
pub(crate) fn moment_iso(ms: i64) -> String {
    let moment = Timestamp::from_millisecond(ms).ok();
    let shown = moment.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    shown.unwrap_or_default()
}

/// A text, or nothing for none.
pub(crate) fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_without_a_value_are_left_out() {
        let shown = facts([
            ("id", Some("7".to_owned())),
            ("desc", None),
            ("tags", Some(String::new())),
        ]);
        assert!(
            shown.contains("id") && !shown.contains("desc") && !shown.contains("tags"),
            "{shown}"
        );
    }

    #[test]
    fn only_a_success_that_has_something_to_say_is_worth_a_remark() {
        assert_eq!([remark("OK"), remark("")], [None, None]);
        assert_eq!(remark("OK; the command is large"), Some("the command is large"));
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(moment(Some(1_718_952_446_317)).unwrap(), "2024-06-21 06:47:26 UTC");
        assert_eq!(moment(None), None);
    }
}
