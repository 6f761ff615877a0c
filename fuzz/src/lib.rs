//! What the fuzz targets share: how an input is read, and the oracles that say what must come out.
//!
//! An oracle is written to be seen through, octet by octet and without any state of the code that
//! it judges. It may be slow.

pub mod choices;
pub mod oracle;
