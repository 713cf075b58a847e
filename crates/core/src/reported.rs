//! What devices say about themselves.

/// What a reported value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A measurement point.
    Measurepoint,
    /// An attribute.
    Attribute,
    /// A tag.
    Tag,
}

impl Kind {
    /// All there are, in their order.
    pub const ALL: [Self; 3] = [Self::Measurepoint, Self::Attribute, Self::Tag];
}
