//! Recursive descent over the tokens; one function per rule of the grammar.
//!
//! ```text
//! expr  := and (OR and)*
//! and   := unary (AND unary)*
//! unary := NOT unary | '(' expr ')' | EXISTS '(' path ')' | cmp
//! cmp   := path op value | path [NOT] IN '(' value (',' value)* ')' | path [NOT] LIKE text
//! ```

use super::ast::{At, Comparison, Expr, Literal, Path};
use super::lex::{Lexeme, Token, tokens};
use super::{CONDITIONS_MAX, DEPTH_MAX, Error, LENGTH_MAX, LIST_MAX, Problem};

const FIELD: &str = "a field";
const VALUE: &str = "a value";
const OPERATOR: &str = "an operator";

/// Parses an expression. A blank one has no condition and is an empty [`Expr::And`], which holds for everything.
///
/// # Errors
/// The text is too long, too deep, has too many conditions or values, or does not follow the grammar.
pub fn parse(text: &str) -> Result<Expr, Error> {
    if text.len() > LENGTH_MAX {
        let position = text.char_indices().take_while(|(byte, _)| *byte < LENGTH_MAX).count() + 1;
        return Err(Problem::TooLong { bytes: text.len() }.at(position));
    }
    let mut parser = Parser {
        lexemes: tokens(text)?,
        next: 0,
        depth: 0,
        conditions: 0,
    };
    if parser.peek().token == Token::End {
        return Ok(Expr::And(Vec::new()));
    }
    let expr = parser.expr()?;
    match parser.peek().token {
        Token::End => Ok(expr),
        _ => Err(parser.expected("'and', 'or' or the end")),
    }
}

struct Parser {
    lexemes: Vec<Lexeme>,
    next: usize,
    depth: usize,
    conditions: usize,
}

impl Parser {
    fn expr(&mut self) -> Result<Expr, Error> {
        let mut members = vec![self.and()?];
        while self.take_keyword("or") {
            members.push(self.and()?);
        }
        Ok(group(members, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, Error> {
        let mut members = vec![self.unary()?];
        while self.take_keyword("and") {
            members.push(self.unary()?);
        }
        Ok(group(members, Expr::And))
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        if self.at_keyword("not") {
            return self.deeper(|parser| {
                parser.next += 1;
                Ok(Expr::Not(Box::new(parser.unary()?)))
            });
        }
        if self.peek().token == Token::Open {
            return self.deeper(|parser| {
                parser.next += 1;
                let inner = parser.expr()?;
                parser.take(&Token::Close, "'and', 'or' or ')'")?;
                Ok(inner)
            });
        }
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(Problem::TooManyConditions.at(self.peek().position));
        }
        if self.take_keyword("exists") {
            self.take(&Token::Open, "'('")?;
            let path = self.path()?;
            self.take(&Token::Close, "')'")?;
            return Ok(Expr::Exists { path });
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Expr, Error> {
        let path = self.path()?;
        let negated = self.take_keyword("not");
        if self.take_keyword("in") {
            return Ok(Expr::In {
                path,
                values: self.list()?,
                negated,
            });
        }
        if self.take_keyword("like") {
            let like = Expr::Like {
                path,
                text: self.text()?,
            };
            return Ok(if negated { Expr::Not(Box::new(like)) } else { like });
        }
        if negated {
            return Err(self.expected("'in' or 'like'"));
        }
        let op = match &self.peek().token {
            Token::Sign(sign) => Comparison::read(sign),
            Token::Word(word) => Comparison::read(word),
            Token::Value(_) | Token::Open | Token::Close | Token::Comma | Token::End => None,
        };
        let Some(op) = op else {
            return Err(self.expected(OPERATOR));
        };
        self.next += 1;
        Ok(Expr::Compare {
            path,
            op,
            value: self.value()?,
        })
    }

    fn path(&mut self) -> Result<At<Path>, Error> {
        let lexeme = self.peek();
        let Token::Word(word) = &lexeme.token else {
            return Err(self.expected(FIELD));
        };
        let segments: Vec<String> = word.split('.').map(str::to_owned).collect();
        if is_reserved(word) || segments.iter().any(String::is_empty) {
            return Err(self.expected(FIELD));
        }
        let path = At {
            it: Path(segments),
            position: lexeme.position,
        };
        self.next += 1;
        Ok(path)
    }

    fn list(&mut self) -> Result<Vec<At<Literal>>, Error> {
        self.take(&Token::Open, "'('")?;
        let mut values = vec![self.value()?];
        while self.peek().token == Token::Comma {
            self.next += 1;
            if values.len() == LIST_MAX {
                return Err(Problem::ListTooLong.at(self.peek().position));
            }
            values.push(self.value()?);
        }
        self.take(&Token::Close, "',' or ')'")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<At<Literal>, Error> {
        let lexeme = self.peek();
        let it = match &lexeme.token {
            Token::Value(literal) => literal.clone(),
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
            Token::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Token::Word(word) if !is_reserved(word) => return Err(self.expected("a value (text in quotes)")),
            Token::Word(_) | Token::Sign(_) | Token::Open | Token::Close | Token::Comma | Token::End => {
                return Err(self.expected(VALUE));
            }
        };
        let value = At {
            it,
            position: lexeme.position,
        };
        self.next += 1;
        Ok(value)
    }

    fn text(&mut self) -> Result<String, Error> {
        let Token::Value(Literal::Text(text)) = &self.peek().token else {
            return Err(self.expected("text in quotes"));
        };
        let text = text.clone();
        self.next += 1;
        Ok(text)
    }

    /// Runs a rule one level deeper; the only way in which the parser recurses.
    fn deeper(&mut self, rule: impl FnOnce(&mut Self) -> Result<Expr, Error>) -> Result<Expr, Error> {
        if self.depth == DEPTH_MAX {
            return Err(Problem::TooDeep.at(self.peek().position));
        }
        self.depth += 1;
        let expr = rule(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(&self.peek().token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let taken = self.at_keyword(keyword);
        self.next += usize::from(taken);
        taken
    }

    fn take(&mut self, token: &Token, expected: &'static str) -> Result<(), Error> {
        if self.peek().token != *token {
            return Err(self.expected(expected));
        }
        self.next += 1;
        Ok(())
    }

    /// The next token; the final `End` is never consumed, so there always is one.
    fn peek(&self) -> &Lexeme {
        &self.lexemes[self.next]
    }

    fn expected(&self, expected: &'static str) -> Error {
        let lexeme = self.peek();
        Problem::Syntax {
            expected,
            found: lexeme.shown(),
        }
        .at(lexeme.position)
    }
}

fn group(mut members: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match (members.len(), members.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            members.extend(last);
            join(members)
        }
    }
}

fn is_reserved(word: &str) -> bool {
    const WORDS: [&str; 8] = ["and", "or", "not", "in", "like", "exists", "true", "false"];
    word.eq_ignore_ascii_case("null")
        || WORDS.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
        || Comparison::read(word).is_some()
}
