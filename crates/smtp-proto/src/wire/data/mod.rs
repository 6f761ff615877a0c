//! Message text on the wire: dots and line ends (RFC 5321, 4.5.2).
//!
//! Does: find the one true end of the message, CRLF.CRLF, take the stuffed dots out in place, and
//! put them in; judge what is sent by a [`MessagePolicy`]. Does not: hold the message, bound it, or
//! look into it. Fails: a bare LF under [`BareLf::Reject`], a [`MessageFault`] in what is sent.
//!
//! A bare CR is data and never part of a line end on the way in; on the way out it never leaves: it
//! is refused, or becomes a space, so that nobody behind can take it for a line end, and no header
//! field has a second line that its writer did not see.

mod decode;
mod encode;
mod policy;

pub use decode::{BareLf, DataDecoder, DataStatus, Decoded};
pub use encode::DataEncoder;
pub(super) use encode::TextEncoder;
pub use policy::{LineEnds, LongLines, MessageFault, MessagePolicy, MessageRule, Nul};
