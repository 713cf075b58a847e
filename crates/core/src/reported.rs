//! What devices say about themselves.

/// What a reported value is of. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ReportKind {
    /// A measurement point.
    Measurepoint = 0,
    /// An attribute.
    Attribute = 1,
    /// A tag.
    Tag = 2,
}

impl ReportKind {
    /// All of them: each stands at its number.
    pub const ALL: [Self; 3] = [Self::Measurepoint, Self::Attribute, Self::Tag];
}

crate::each_at_its_number!(ReportKind::ALL);
