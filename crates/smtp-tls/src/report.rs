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

/// Whose doing it is that a setting is not, or not wholly, applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The setting's own, whichever library there is: words of a cipher string that mean nothing to
    /// [`cipher::parse`](crate::cipher::parse), which has each with its place.
    Setting,
    /// The library's, or that of what else the policy says.
    Library,
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
    /// Whose doing it is.
    pub cause: Cause,
    /// Why, in one line.
    pub reason: String,
}
