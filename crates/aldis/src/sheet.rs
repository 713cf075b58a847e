//! CSV that goes through a spreadsheet unharmed, and is read back as it was.
//!
//! A spreadsheet runs a cell that begins like a formula, and shortens ids and numbers that it takes for figures. Such a cell
//! gets an apostrophe in front, which [`unmarked`] takes away again. A byte order mark tells the spreadsheet that the text
//! is UTF-8.

use std::io::Write;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// What a spreadsheet takes as the begin of a formula, or passes over before one; the wide forms are those of East Asian
/// keyboards.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// Digits that a spreadsheet keeps.
const DIGITS_KEPT: usize = 15;
const MARK: char = '\'';

/// A CSV file for spreadsheets, being written.
pub(crate) struct Sheet<W: Write>(csv::Writer<W>);

impl<W: Write> Sheet<W> {
    /// Begins one with these column names.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn new<S: AsRef<str>>(mut sink: W, head: impl IntoIterator<Item = S>) -> anyhow::Result<Self> {
        sink.write_all(BYTE_ORDER_MARK)?;
        let mut sheet = Self(csv::Writer::from_writer(sink));
        sheet.row(head)?;
        Ok(sheet)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) -> anyhow::Result<()> {
        for cell in cells {
            let cell = cell.as_ref();
            if needs_mark(cell) {
                self.0.write_field(format!("{MARK}{cell}"))?;
            } else {
                self.0.write_field(cell)?;
            }
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    /// Ends it and gives the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn finish(self) -> anyhow::Result<W> {
        Ok(self.0.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }
}

/// A cell as it was before [`Sheet::row`] marked it.
pub(crate) fn unmarked(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|rest| needs_mark(rest)).unwrap_or(cell)
}

/// Whether a spreadsheet would change the cell. A text that looks marked already is marked once more, so that it comes back.
fn needs_mark(cell: &str) -> bool {
    let shown = cell.trim_start_matches(' ');
    if let Some(number) = Figure::read(cell) {
        return number.is_changed();
    }
    match cell.strip_prefix(MARK) {
        Some(rest) => needs_mark(rest),
        None => shown.starts_with(FORMULA) || is_like_a_date(shown),
    }
}

/// A cell that a spreadsheet takes for a number.
struct Figure<'a> {
    whole: &'a str,
    fraction: &'a str,
    has_exponent: bool,
}

impl<'a> Figure<'a> {
    fn read(cell: &'a str) -> Option<Self> {
        let cell = cell.strip_prefix('-').unwrap_or(cell);
        let (number, exponent) = cell.split_once(['e', 'E']).map_or((cell, None), |(n, e)| (n, Some(e)));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let exponent_fits = exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
        (digits(whole) && (fraction.is_empty() || digits(fraction)) && exponent_fits).then_some(Self {
            whole,
            fraction,
            has_exponent: exponent.is_some(),
        })
    }

    fn is_changed(&self) -> bool {
        let leading_zero = self.whole.len() > 1 && self.whole.starts_with('0');
        leading_zero || self.has_exponent || self.whole.len() + self.fraction.len() > DIGITS_KEPT
    }
}

/// Groups of digits between `-`, `/` and `:`.
fn is_like_a_date(cell: &str) -> bool {
    let separator = |c: char| matches!(c, '-' | '/' | ':');
    cell.starts_with(|c: char| c.is_ascii_digit())
        && cell.contains(separator)
        && cell.chars().all(|c| c.is_ascii_digit() || c == ' ' || separator(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cell: &str) -> String {
        let mut sheet = Sheet::new(Vec::new(), ["a", "b"]).unwrap();
        sheet.row([cell, ""]).unwrap();
        let bytes = sheet.finish().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let mut reader = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
        reader.records().next().unwrap().unwrap()[0].to_owned()
    }

    #[test]
    fn cells_that_a_spreadsheet_would_change_are_marked() {
        for cell in [
            "=HYPERLINK(\"http://x\",\"y\")",
            "+1+1",
            "-1+1",
            "-cmd",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "＝1",
            "+08:00",
            "8000000000000000017",
            "89860012345678901234",
            "12E4",
            "-1e5",
            "007",
            "0.1234567890123456789",
            "2026-12-01",
            "1-2",
            "12:30",
            "'=1",
            "''=1",
        ] {
            assert_eq!(written(cell), format!("'{cell}"));
            assert_eq!(unmarked(&written(cell)), cell);
        }
    }

    #[test]
    fn other_cells_stay_as_they_are_and_come_back() {
        for cell in [
            "",
            "0",
            "-5",
            "-0.25",
            "123456789012345",
            "a=b",
            "重启",
            "'quoted'",
            "it's",
            "10.0.0.1",
            "{\"a\":-1}",
            "a-1",
            "2026-12-01T10:00:00Z",
            "e5",
            "-",
            "'",
        ] {
            let expected = if cell == "-" { "'-" } else { cell };
            assert_eq!(written(cell), expected);
            assert_eq!(unmarked(&written(cell)), cell);
        }
    }
}
