//! `greenarrow.conf`: from octets to the value of a directive for one IP address and one domain.
//!
//! ```text
//! file ─lex─▶ tokens ─tree─▶ directives and blocks ─lookup─▶ value for (IP address, domain) ─value─▶ typed
//!                 ▲ include
//! ```
//!
//! Names have no meaning here, but for `include` and the contexts that [`lookup`] knows: a directive
//! that nobody asks for is kept and can be listed. Whoever reads a directive gives it its meaning.
//!
//! The vendor documents the format in part. What is our own reading of it is said where it is read.

mod escape;
mod lex;
pub mod lookup;
mod parse;
pub(crate) mod pattern;
pub mod tree;
pub mod value;
