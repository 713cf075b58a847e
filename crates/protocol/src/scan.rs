//! Objects and lists in JSON as devices write it, taken apart one level at a time.
//!
//! What is valid is read as any reader reads it (a property test compares). What is not is read as far as its structure
//! can be told: comments, single quotes, bare words, missing and doubled commas, control characters and unescaped
//! quotes in texts, text that is cut off. **A value is never taken out of another one**: from the first place on where
//! the end of a text or of a nested value had to be guessed, members are marked as uncertain.
//!
//! Each byte is looked at a bounded number of times, and no depth of nesting exhausts the stack.

use crate::lenient::unquoted;

/// Longest key that is recognised where a comma is missing.
const KEY_MAX: usize = 64;

/// A named value of an object, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonMember<'t> {
    /// Its name, with its quotes.
    pub(crate) key: &'t str,
    /// Its value.
    pub(crate) value: &'t str,
    /// Where the value begins in the text.
    pub(crate) at: usize,
    /// Nothing before it, nor its own end, had to be guessed.
    pub(crate) certain: bool,
}

/// The members of an object, in their order.
pub(crate) struct Members<'t> {
    cursor: Cursor<'t>,
    is_closed: bool,
}

/// The value of the member with this name, or what there is of it where the text is cut off; of several the last.
pub(crate) fn member_or_rest<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    let mut members = Members::of(object)?;
    let found = members.by_ref().filter(|member| unquoted(member.key) == name).last();
    let rest = members.rest().filter(|(key, _)| unquoted(key) == name);
    rest.map(|(_, rest)| rest).or_else(|| found.map(|member| member.value))
}

impl<'t> Members<'t> {
    /// Those of the object that begins at the `{` at this place.
    pub(crate) fn at(text: &'t str, open: usize) -> Self {
        Self {
            cursor: Cursor::at(text, open + 1),
            is_closed: false,
        }
    }

    /// Those of an object whose `{` has been lost; none if the text does not begin with a key.
    pub(crate) fn without_begin(text: &'t str) -> Option<Self> {
        let cursor = Cursor::at(text, 0);
        let begins = cursor.peek().is_some_and(is_quote) && cursor.is_quoted_key(0);
        begins.then_some(Self {
            cursor,
            is_closed: false,
        })
    }

    /// Those of a value; none if it is no object.
    pub(crate) fn of(value: &'t str) -> Option<Self> {
        value.starts_with('{').then(|| Self::at(value, 0))
    }

    /// The last key and what there is of its value, if the text ends inside of that.
    pub(crate) fn rest(&self) -> Option<(&'t str, &'t str)> {
        let (key, start) = self.cursor.begun?;
        Some((key, self.cursor.text.get(start..)?))
    }

    /// Where the object ends; `None` if its end was not found, or had to be guessed.
    pub(crate) fn end(&self) -> Option<usize> {
        (self.is_closed && self.cursor.certain).then_some(self.cursor.at)
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = JsonMember<'t>;

    fn next(&mut self) -> Option<JsonMember<'t>> {
        let cursor = &mut self.cursor;
        while !self.is_closed {
            cursor.skip_blank();
            match cursor.peek()? {
                b'}' => self.is_closed = true,
                b',' => {}
                _ => {
                    if let Some(member) = cursor.member() {
                        return Some(member);
                    }
                    continue;
                }
            }
            cursor.at += 1;
        }
        None
    }
}

/// The elements of a list, in their order; those that cannot be told are passed over.
pub(crate) struct Elements<'t> {
    cursor: Cursor<'t>,
    is_closed: bool,
}

impl<'t> Elements<'t> {
    /// Those of a value; none if it is no list.
    pub(crate) fn of(value: &'t str) -> Option<Self> {
        value.starts_with('[').then(|| Self {
            cursor: Cursor::at(value, 1),
            is_closed: false,
        })
    }

    /// Whether the list's end was found.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let cursor = &mut self.cursor;
        while !self.is_closed {
            cursor.skip_blank();
            match cursor.peek()? {
                b']' => self.is_closed = true,
                b',' => {}
                _ => {
                    let before = cursor.at;
                    if let Some(element) = cursor.value(Role::Nested) {
                        return Some(element);
                    }
                    if cursor.at > before {
                        continue;
                    }
                }
            }
            cursor.at += 1;
        }
        None
    }
}

/// What a text in quotes is, which tells what may follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The name of a member.
    Key,
    /// The value of a member of the object that is taken apart.
    Value,
    /// Somewhere inside of a value.
    Nested,
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
    certain: bool,
    /// The last key, and where its value begins, if the text ends before that does.
    begun: Option<(&'t str, usize)>,
}

impl<'t> Cursor<'t> {
    fn at(text: &'t str, at: usize) -> Self {
        Self {
            text,
            at,
            certain: true,
            begun: None,
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn peek(&self) -> Option<u8> {
        self.byte(self.at)
    }

    /// What was read from there. Every end is beside an ASCII character or at the text's own.
    fn since(&self, start: usize) -> Option<&'t str> {
        self.text.get(start..self.at)
    }

    fn skip_blank(&mut self) {
        loop {
            self.at = self.behind_blank(self.at);
            if !self.is_comment(self.at) {
                return;
            }
            self.skip_comment();
        }
    }

    /// Where something other than white space and control characters follows.
    fn behind_blank(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.byte(at) {
                Some(0..=b' ') => at += 1,
                // A byte order mark, or a blank that does not break.
                Some(0xef) if self.text.as_bytes()[at..].starts_with(&[0xef, 0xbb, 0xbf]) => at += 3,
                Some(0xc2) if self.byte(at + 1) == Some(0xa0) => at += 2,
                // Characters without width, separators of lines and paragraphs, and a blank as wide as an ideograph.
                Some(0xe2)
                    if matches!(
                        self.text.as_bytes()[at..],
                        [_, 0x80, 0x8b..=0x8f | 0xa8 | 0xa9 | 0xaf, ..]
                    ) =>
                {
                    at += 3
                }
                Some(0xe3) if self.text.as_bytes()[at..].starts_with(&[0xe3, 0x80, 0x80]) => at += 3,
                _ => return at,
            }
        }
    }

    fn is_comment(&self, at: usize) -> bool {
        match self.byte(at) {
            Some(b'#') => true,
            Some(b'/') => matches!(self.byte(at + 1), Some(b'/' | b'*')),
            _ => false,
        }
    }

    fn skip_comment(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = if rest.starts_with(b"/*") {
            rest[2..].windows(2).position(|end| end == b"*/").map(|end| end + 4)
        } else {
            rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))
        };
        let length = length.unwrap_or(rest.len());
        // What looks like a comment may hide a bracket that counts.
        let is_structure = |byte: &u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b'"');
        self.certain &= !rest[..length].iter().any(is_structure);
        self.at += length;
    }

    /// A key with its value; `None`: something was passed over.
    fn member(&mut self) -> Option<JsonMember<'t>> {
        let Some(key) = self.key() else {
            self.certain = false;
            // Whatever stands there is passed over, unless the text has ended.
            self.at = (self.at + 1).min(self.text.len());
            return None;
        };
        self.skip_blank();
        if !matches!(self.peek(), Some(b':' | b'=')) {
            self.certain = false;
            return None;
        }
        self.at += 1;
        if self.peek() == Some(b'>') {
            self.at += 1;
        }
        self.skip_blank();
        let start = self.at;
        let Some(value) = self.value(Role::Value) else {
            self.begun = (self.at == self.text.len()).then_some((key, start));
            return None;
        };
        let certain = self.certain;
        self.look_behind(value);
        Some(JsonMember {
            key,
            value,
            at: start,
            certain,
        })
    }

    fn key(&mut self) -> Option<&'t str> {
        let start = self.at;
        if is_quote(self.peek()?) {
            return self.quoted(Role::Key);
        }
        self.at = self.behind_word(start);
        self.since(start).filter(|word| !word.is_empty())
    }

    fn behind_word(&self, from: usize) -> usize {
        let is_in = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-' | b'.');
        let rest = &self.text.as_bytes()[from..];
        from + rest.iter().position(|byte| !is_in(*byte)).unwrap_or(rest.len())
    }

    /// Behind a value comes a comma or the object's end. A key alone shows that a comma is missing.
    fn look_behind(&mut self, value: &str) {
        self.skip_blank();
        match self.peek() {
            None | Some(b',' | b'}') => {}
            Some(b'"') if !value.starts_with(is_quote_char) && self.is_quoted_key(self.at) => {}
            Some(_) => self.certain = false,
        }
    }

    fn value(&mut self, role: Role) -> Option<&'t str> {
        match self.peek()? {
            quote if is_quote(quote) => self.quoted(role),
            b'{' | b'[' => self.nested(),
            _ => self.bare(),
        }
    }

    /// A number or a word. One that the text's end cuts off may have been another.
    fn bare(&mut self) -> Option<&'t str> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            let ends = matches!(byte, b',' | b'{' | b'}' | b'[' | b']') || is_quote(byte);
            if ends || self.behind_blank(self.at) > self.at || self.is_comment(self.at) {
                return self.since(start).filter(|word| !word.is_empty());
            }
            self.at += 1;
        }
        self.certain = false;
        None
    }

    /// A text with its quotes. A quote that nothing fitting follows belongs to the text.
    fn quoted(&mut self, role: Role) -> Option<&'t str> {
        let start = self.at;
        let quote = self.peek();
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            if byte == b'\\' {
                self.at = (self.at + 1).min(self.text.len());
            } else if Some(byte) == quote {
                if self.may_follow(self.at, role) || self.is_token(start, role) {
                    return self.since(start);
                }
                self.certain = false;
            }
        }
        self.certain = false;
        None
    }

    /// A value of letters and digits alone, as an id is, ends before a comma whatever follows that.
    fn is_token(&self, start: usize, role: Role) -> bool {
        let inner = &self.text.as_bytes()[start + 1..self.at - 1];
        let is_token = inner.len() <= KEY_MAX && inner.iter().all(u8::is_ascii_alphanumeric);
        role == Role::Value && is_token && self.byte(self.behind_blank(self.at)) == Some(b',')
    }

    fn may_follow(&self, behind: usize, role: Role) -> bool {
        let at = self.behind_blank(behind);
        let Some(next) = self.byte(at) else {
            return true;
        };
        if self.is_comment(at) {
            return true;
        }
        match (role, next) {
            (Role::Key, b':' | b'=') | (Role::Value, b'}') => true,
            (Role::Value, b',') => self.may_follow_comma(self.behind_blank(at + 1)),
            (Role::Value, b'"') => self.is_quoted_key(at),
            (Role::Nested, b',' | b'}' | b']' | b':') => true,
            _ => false,
        }
    }

    fn may_follow_comma(&self, at: usize) -> bool {
        match self.byte(at) {
            None | Some(b'"' | b'\'' | b',' | b'}') => true,
            Some(_) => self.is_comment(at) || self.is_bare_key(at),
        }
    }

    fn is_bare_key(&self, at: usize) -> bool {
        let end = self.behind_word(at);
        end > at && end <= at + KEY_MAX && matches!(self.byte(self.behind_blank(end)), Some(b':' | b'='))
    }

    fn is_quoted_key(&self, at: usize) -> bool {
        let rest = self.text.as_bytes()[at..].iter().skip(1).take(KEY_MAX);
        let length = rest.copied().position(is_quote);
        length.is_some_and(|length| self.byte(self.behind_blank(at + length + 2)) == Some(b':'))
    }

    /// An object or a list, with all that is in it.
    fn nested(&mut self) -> Option<&'t str> {
        let start = self.at;
        let mut open = Vec::new();
        let mut before = b'[';
        while let Some(byte) = self.peek() {
            match byte {
                b'{' | b'[' => open.push(byte),
                b'}' | b']' => {
                    let opening = if byte == b'}' { b'{' } else { b'[' };
                    self.certain &= open.pop() == Some(opening);
                    if open.is_empty() {
                        self.at += 1;
                        return self.since(start);
                    }
                }
                quote if is_quote(quote) => {
                    let fits = matches!(before, b'{' | b'[' | b',' | b':' | b'=');
                    if fits || quote == b'"' {
                        self.certain &= fits;
                        self.quoted(Role::Nested)?;
                        before = quote;
                        continue;
                    }
                }
                0..=b' ' => {
                    self.at += 1;
                    continue;
                }
                _ if self.is_comment(self.at) => {
                    self.skip_comment();
                    continue;
                }
                _ => {}
            }
            before = byte;
            self.at += 1;
        }
        self.certain = false;
        None
    }
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

const fn is_quote_char(c: char) -> bool {
    matches!(c, '"' | '\'')
}
