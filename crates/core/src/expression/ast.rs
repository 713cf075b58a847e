//! What an expression says, before anybody asks whether its fields exist. Printing it gives an expression again.

use std::fmt;

/// Something together with where it stood, in characters from 1. The place is for messages only: two equal things at
/// different places are equal.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The thing.
    pub it: T,
    /// Where it began.
    pub position: usize,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.it == other.it
    }
}

/// A field and what follows its dots: `status`, `name.zh_CN`, `deviceTags.floor`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub Vec<String>);

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Quoted text, unescaped.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any other number; always finite.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`: nothing there.
    Null,
}

/// The six comparisons; each has a sign and a word (`>=`, `gte`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`, `==`, `eq`
    Eq,
    /// `!=`, `<>`, `ne`
    Ne,
    /// `<`, `lt`
    Lt,
    /// `<=`, `lte`
    Le,
    /// `>`, `gt`
    Gt,
    /// `>=`, `gte`
    Ge,
}

/// A parsed expression. `And` and `Or` have at least two members when they come from the parser, except that an
/// expression without any condition is an empty `And`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them hold.
    And(Vec<Self>),
    /// At least one holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// `path op value`
    Compare {
        /// Left side.
        path: At<Path>,
        /// The comparison.
        op: Comparison,
        /// Right side.
        value: At<Literal>,
    },
    /// `path [not] in (value, …)`
    In {
        /// Left side.
        path: At<Path>,
        /// At least one.
        values: Vec<At<Literal>>,
        /// Written with `not in`.
        negated: bool,
    },
    /// `path like 'text'`: contains it, whatever the case.
    Like {
        /// Left side.
        path: At<Path>,
        /// What to look for; no wildcards.
        text: String,
    },
    /// `exists(path)`
    Exists {
        /// What must be there.
        path: At<Path>,
    },
}

impl Comparison {
    /// The sign, as an SQL database would also write it.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// Reads a sign, or a word in any case.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "=" | "==" | "eq" => Self::Eq,
            "!=" | "<>" | "ne" => Self::Ne,
            "<" | "lt" => Self::Lt,
            "<=" | "lte" => Self::Le,
            ">" | "gt" => Self::Gt,
            ">=" | "gte" => Self::Ge,
            _ => return None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_quoted(f, text),
            Self::Int(number) => write!(f, "{number}"),
            // `{:?}` keeps the point of 1.0, so that it is read back as the same kind of number.
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(members) => write_joined(f, members, " and "),
            Self::Or(members) => write_joined(f, members, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write_member(f)
            }
            Self::Compare { path, op, value } => write!(f, "{} {} {}", path.it, op.sign(), value.it),
            Self::In { path, values, negated } => {
                write!(f, "{} {}in (", path.it, if *negated { "not " } else { "" })?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, value.it)?;
                }
                f.write_str(")")
            }
            Self::Like { path, text } => {
                write!(f, "{} like ", path.it)?;
                write_quoted(f, text)
            }
            Self::Exists { path } => write!(f, "exists({})", path.it),
        }
    }
}

impl Expr {
    /// Every group inside a group gets parentheses, also where precedence would not need them: easier to read, and the
    /// structure survives printing exactly.
    fn write_member(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Compare { .. } | Self::In { .. } | Self::Like { .. } | Self::Exists { .. } => {
                write!(f, "{self}")
            }
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, members: &[Expr], word: &str) -> fmt::Result {
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        member.write_member(f)?;
    }
    Ok(())
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
