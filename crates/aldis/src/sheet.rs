//! CSV that goes through a spreadsheet unharmed, and is read back as it was.
//!
//! A spreadsheet runs a cell that begins like a formula, and shortens ids and numbers that it takes for figures. Such a
//! cell gets an apostrophe in front, which [`unmarked`] takes away again. A byte order mark tells the spreadsheet that
//! the text is UTF-8.

use std::io::Write;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// What a spreadsheet takes as the begin of a formula, or passes over before one; the wide forms are those of East
/// Asian keyboards.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// Characters of a number that a spreadsheet shows and saves in full; longer ones become `1.79609E+12`.
const NUMBER_CHARS_MAX: usize = 11;
/// Words that make a date or a time of figures beside them: `MAR-1`, `2 Sept`, `10:30 pm`.
const DATE_WORDS: [&str; 26] = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "sept",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "am",
    "pm",
];
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

/// Whether a spreadsheet would change the cell. A text that looks marked already is marked once more, so that it comes
/// back.
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
    is_negative: bool,
    whole: &'a str,
    /// What stands behind the point, if there is one.
    fraction: Option<&'a str>,
    has_exponent: bool,
}

impl<'a> Figure<'a> {
    fn read(cell: &'a str) -> Option<Self> {
        let (is_negative, cell) = cell.strip_prefix('-').map_or((false, cell), |rest| (true, rest));
        let (number, exponent) = cell.split_once(['e', 'E']).map_or((cell, None), |(n, e)| (n, Some(e)));
        let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let fraction_text = fraction.unwrap_or_default();
        let is_number =
            are_digits(whole) && are_digits(fraction_text) && !(whole.is_empty() && fraction_text.is_empty());
        let exponent_fits = exponent.is_none_or(|text| {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            !digits.is_empty() && are_digits(digits)
        });
        (is_number && exponent_fits).then_some(Self {
            is_negative,
            whole,
            fraction,
            has_exponent: exponent.is_some(),
        })
    }

    /// Whether it is saved in other letters than it has: `007`, `1.50`, `.5`, `-0`, `12E4`, and what is too long.
    fn is_changed(&self) -> bool {
        let whole_is_odd = self.whole.is_empty() || (self.whole.len() > 1 && self.whole.starts_with('0'));
        let fraction_is_odd = self
            .fraction
            .is_some_and(|digits| digits.is_empty() || digits.ends_with('0'));
        let is_minus_zero = self.is_negative && self.whole == "0" && self.fraction.is_none();
        let length = self.whole.len() + self.fraction.map_or(0, |digits| digits.len() + 1);
        whole_is_odd || fraction_is_odd || is_minus_zero || self.has_exponent || length > NUMBER_CHARS_MAX
    }
}

/// Groups of digits between `-`, `/` and `:`, or figures beside the name of a month.
fn is_like_a_date(cell: &str) -> bool {
    let separator = |c: char| matches!(c, '-' | '/' | ':');
    let has_digit = cell.contains(|c: char| c.is_ascii_digit());
    let words: Vec<&str> = cell
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        [] => {
            cell.starts_with(|c: char| c.is_ascii_digit())
                && cell.contains(separator)
                && cell.chars().all(|c| c.is_ascii_digit() || c == ' ' || separator(c))
        }
        words => {
            let known = |word: &&str| DATE_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
            let between = |c: char| c.is_ascii_digit() || matches!(c, ' ' | ',' | '.') || separator(c);
            has_digit && words.iter().all(known) && cell.chars().all(|c| c.is_alphabetic() || between(c))
        }
    }
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
            "490154203237518",
            "1796099462000",
            "1.50",
            "1.10",
            ".5",
            "5.",
            "-0",
            "MAR1",
            "1-Dec",
            "Sept 2, 2026",
            "10:30 PM",
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
            "12345678901",
            "0.125",
            "march",
            "dec-pump-1",
            "1a",
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
