//! Cuts the text of an expression into tokens. Words keep their dots (`name.zh_CN`) and may contain `-` and `/`,
//! because tag keys do and the language has no arithmetic.

use super::ast::Literal;
use super::{Error, Problem};

/// How much of an offending token a message repeats.
const SHOWN_CHARS_MAX: usize = 40;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A field path, a keyword or an operator in letters.
    Word(String),
    /// A quoted text or a number.
    Value(Literal),
    /// A comparison in signs.
    Sign(&'static str),
    Open,
    Close,
    Comma,
    End,
}

/// A token, where it began (characters from 1) and how it was written.
#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) position: usize,
    pub(super) written: String,
}

impl Lexeme {
    /// The token as a message shows it.
    pub(super) fn shown(&self) -> String {
        match &self.token {
            Token::End => "the end".to_owned(),
            Token::Value(Literal::Text(_)) => shorten(&self.written),
            Token::Word(_) | Token::Value(_) | Token::Sign(_) | Token::Open | Token::Close | Token::Comma => {
                format!("'{}'", shorten(&self.written))
            }
        }
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}

/// All tokens of `text`; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Lexeme>, Error> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        next: 0,
    };
    let mut lexemes = Vec::new();
    loop {
        let lexeme = lexer.lexeme()?;
        let ended = lexeme.token == Token::End;
        lexemes.push(lexeme);
        if ended {
            return Ok(lexemes);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    next: usize,
}

impl Lexer {
    fn lexeme(&mut self) -> Result<Lexeme, Error> {
        self.skip(char::is_whitespace);
        let start = self.next;
        let token = self.token()?;
        Ok(Lexeme {
            token,
            position: start + 1,
            written: self.chars[start..self.next].iter().collect(),
        })
    }

    fn token(&mut self) -> Result<Token, Error> {
        let Some(first) = self.peek(0) else {
            return Ok(Token::End);
        };
        match first {
            '(' => Ok(self.single(Token::Open)),
            ')' => Ok(self.single(Token::Close)),
            ',' => Ok(self.single(Token::Comma)),
            '\'' | '"' => self.quoted(first),
            '=' | '!' | '<' | '>' => self.sign(),
            '-' | '+' | '0'..='9' => self.number(),
            _ if starts_word(first) => {
                let start = self.next;
                self.skip(continues_word);
                Ok(Token::Word(self.chars[start..self.next].iter().collect()))
            }
            _ => Err(self.refuse(self.next, "a field, an operator or a value", first.to_string())),
        }
    }

    fn single(&mut self, token: Token) -> Token {
        self.next += 1;
        token
    }

    /// A quote inside is written with a backslash or twice; other backslashes stand for themselves.
    fn quoted(&mut self, quote: char) -> Result<Token, Error> {
        let start = self.next;
        self.next += 1;
        let mut text = String::new();
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return Err(self.refuse(start, "a closing quote", quote.to_string())),
                (Some('\\'), Some(escaped @ ('\\' | '\'' | '"'))) => {
                    text.push(escaped);
                    self.next += 2;
                }
                (Some(a), Some(b)) if a == quote && b == quote => {
                    text.push(quote);
                    self.next += 2;
                }
                (Some(c), _) if c == quote => {
                    self.next += 1;
                    return Ok(Token::Value(Literal::Text(text)));
                }
                (Some(c), _) => {
                    text.push(c);
                    self.next += 1;
                }
            }
        }
    }

    fn sign(&mut self) -> Result<Token, Error> {
        const SIGNS: [&str; 8] = ["==", "!=", "<>", "<=", ">=", "=", "<", ">"];
        let rest: String = self.chars[self.next..].iter().take(2).collect();
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
            return Err(self.refuse(self.next, "an operator", rest));
        };
        self.next += sign.len();
        Ok(Token::Sign(sign))
    }

    fn number(&mut self) -> Result<Token, Error> {
        let start = self.next;
        self.next += 1;
        while let Some(c) = self.peek(0) {
            let exponent_sign = matches!(c, '+' | '-') && matches!(self.chars[self.next - 1], 'e' | 'E');
            if !(c.is_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
                break;
            }
            self.next += 1;
        }
        let written: String = self.chars[start..self.next].iter().collect();
        let refused = |lexer: &Self| lexer.refuse(start, "a number", written.clone());
        if let Ok(number) = written.parse::<i64>() {
            return Ok(Token::Value(Literal::Int(number)));
        }
        // Rust also reads "inf" and "nan", which the language does not have, and overflows to infinity.
        let digits_only = written
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
        match written.parse::<f64>() {
            Ok(number) if digits_only && number.is_finite() => Ok(Token::Value(Literal::Float(number))),
            Ok(_) | Err(_) => Err(refused(self)),
        }
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.next += 1;
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.next + ahead).copied()
    }

    fn refuse(&self, start: usize, expected: &'static str, found: String) -> Error {
        Problem::Syntax {
            expected,
            found: format!("'{}'", shorten(&found)),
        }
        .at(start + 1)
    }
}

pub(super) fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(super) fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.')
}
