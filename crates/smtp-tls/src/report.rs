//! What a backend could not honour, as data: a setting is honoured or named here, never dropped.

use crate::OriginId;

/// A setting of the policy that the chosen backend does not, or not wholly, apply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unhonoured {
    /// Where the setting came from, if the policy knew.
    pub origin: Option<OriginId>,
    /// The policy's word for the setting: `ciphers`, `roots`, …
    pub setting: &'static str,
    /// Why, in one line.
    pub reason: String,
}
