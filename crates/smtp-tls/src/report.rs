//! What a backend could not honour, as data: a setting is honoured or named here, never dropped.

use crate::OriginId;

/// How much of a setting is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Nothing that anybody would miss: the library does without.
    NotNeeded,
    /// A part of it.
    Partial,
    /// All of it.
    Whole,
}

/// A setting of the policy that the chosen backend does not, or not wholly, apply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unhonoured {
    /// Where the setting came from, if the policy knew.
    pub origin: Option<OriginId>,
    /// The policy's word for the setting: `ciphers`, `roots`, …
    pub setting: &'static str,
    /// How much of it is lost.
    pub loss: Loss,
    /// Why, in one line.
    pub reason: String,
}
