//! The object that every message is, read once and as far as it goes.
//!
//! Values stay raw text, so that a value of the wrong type spoils nothing but itself. Keys may come in any order,
//! unknown ones are skipped, of a repeated one the last counts. Where the text is no valid JSON, `scan` says what can
//! be told of it.

use std::borrow::Cow;
use std::ops::Range;

use crate::lenient::{is_null, unquoted};
use crate::scan::{JsonMember, Members};
use crate::text;

/// Digits from which on a code at the very end of a text is taken as whole: a program that loses the last brace is
/// likelier than one whose buffer ends inside of a longer code.
const WHOLE_CODE_DIGITS_MIN: usize = 3;

/// A payload from a device: its text, and where in it the values stand that mean something to us, in either direction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Envelope<'p> {
    text: Cow<'p, str>,
    places: Places,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Places {
    id: Option<Range<usize>>,
    /// The first that may be one, if none is certain.
    guessed_id: Option<Range<usize>>,
    code: Option<Range<usize>>,
    /// Two codes were found where neither is certain.
    codes_differ: bool,
    data: Option<Range<usize>>,
    message: Option<Range<usize>>,
    params: Option<Range<usize>>,
    /// Where parameters begin that are cut off.
    params_begin: Option<usize>,
}

impl<'p> Envelope<'p> {
    /// Reads a payload. What holds no object has none of the values. The work is bounded by the payload's length.
    #[must_use]
    pub fn read(payload: &'p [u8]) -> Self {
        let text = unwrapped(text::read(payload));
        let places = Places::in_text(&text);
        Self { text, places }
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The id as text, whether it came as a text or as a number.
    pub(crate) fn id(&self) -> Option<String> {
        id_text(self.at(self.places.id.as_ref())?)
    }

    /// The id to answer a request with: a wrong guess concerns the sender alone, and without one it waits in vain.
    pub(crate) fn request_id(&self) -> Option<String> {
        let guessed = || id_text(self.at(self.places.guessed_id.as_ref())?);
        self.id().or_else(guessed)
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.at(self.places.code.as_ref())
    }

    pub(crate) fn data(&self) -> Option<&str> {
        self.at(self.places.data.as_ref())
    }

    pub(crate) fn message(&self) -> Option<&str> {
        self.at(self.places.message.as_ref())
    }

    pub(crate) fn params(&self) -> Option<&str> {
        self.at(self.places.params.as_ref())
    }

    /// The same, or what there is of them where the text is cut off.
    pub(crate) fn params_so_far(&self) -> Option<&str> {
        let rest = self.places.params_begin.and_then(|begin| self.text.get(begin..));
        self.params().or(rest)
    }

    /// A value that is there, and is not null.
    fn at(&self, place: Option<&Range<usize>>) -> Option<&str> {
        let raw = self.text.get(place?.clone())?;
        (!is_null(raw)).then_some(raw)
    }
}

/// Some programs write JSON into a text and send that text as JSON, with its quotes or without them.
fn unwrapped(text: Cow<'_, str>) -> Cow<'_, str> {
    let inner = if text.starts_with('"') {
        serde_json::from_str::<String>(&text)
    } else if text.starts_with("{\\\"") {
        serde_json::from_str(&format!("\"{text}\""))
    } else {
        return text;
    };
    match inner {
        Ok(inner) if inner.trim_start().starts_with('{') => Cow::Owned(inner),
        Ok(_) | Err(_) => text,
    }
}

/// Whether an object behind this text stands by itself: neither in a text nor deeper than in one list.
fn may_precede(gap: &str) -> bool {
    match gap.trim() {
        "[" | "'" | "\"" | "b'" => true,
        other => !other.contains(['"', '\'', '[']),
    }
}

impl Places {
    /// Of the first object that has an id. A further one is looked for only where the end of the one before is certain.
    fn in_text(text: &str) -> Self {
        if let Some(members) = Members::without_begin(text) {
            return Self::of(text, members).0;
        }
        let (mut first, mut from) = (None, 0);
        while let Some(open) = text[from..].find('{') {
            if !may_precede(&text[from..from + open]) {
                break;
            }
            let (places, end) = Self::of(text, Members::at(text, from + open));
            if places.id.is_some() {
                return places;
            }
            first.get_or_insert(places);
            let Some(end) = end else { break };
            from = end;
        }
        first.unwrap_or_default()
    }

    /// Of these members, and where their object ends, if that is certain.
    fn of(text: &str, mut members: Members<'_>) -> (Self, Option<usize>) {
        let mut places = Self::default();
        for member in &mut members {
            places.note(text, member);
        }
        if let Some((key, rest)) = members.rest() {
            places.note_rest(text, key, rest);
        }
        (places, members.end())
    }

    /// Of a repeated key the last counts; once something had to be guessed, only what is not known yet. An id has to be
    /// certain: it might be one that stands inside of a text. A code may be guessed where all that are found agree.
    fn note(&mut self, text: &str, member: JsonMember<'_>) {
        let place = member.at..member.at + member.value.len();
        let slot = match &*unquoted(member.key) {
            "id" if member.certain => &mut self.id,
            "id" => &mut self.guessed_id,
            "code" if member.certain => &mut self.code,
            "code" => return self.guess_code(text, place),
            "data" => &mut self.data,
            "message" => &mut self.message,
            "params" => &mut self.params,
            _ => return,
        };
        if member.certain || slot.is_none() {
            *slot = Some(place);
        }
    }

    /// Of a last value that nothing follows.
    fn note_rest(&mut self, text: &str, key: &str, rest: &str) {
        let begin = text.len() - rest.len();
        match &*unquoted(key) {
            "params" => self.params_begin = Some(begin),
            "code" if rest.len() >= WHOLE_CODE_DIGITS_MIN && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.guess_code(text, begin..text.len());
            }
            _ => {}
        }
    }

    fn guess_code(&mut self, text: &str, place: Range<usize>) {
        let known = self.code.clone().and_then(|known| text.get(known));
        self.codes_differ |= known.is_some_and(|known| Some(known) != text.get(place.clone()));
        self.code = Some(place).filter(|_| !self.codes_differ);
    }
}

/// An id as text: of a text in quotes what it stands for, of a number its digits.
pub(crate) fn id_text(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' | b'\'' => Some(unquoted(raw).into_owned()),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
