//! Where a setting came from, as an id that this crate never looks into.
//!
//! Whoever makes a policy (a reader of control files, say) keeps the table that turns the id back
//! into a file and a line. Errors and reports of this crate carry the id along and nothing else.

/// An opaque id that whoever made the policy can turn back into a file and a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginId(pub u32);
