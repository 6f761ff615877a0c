//! What the fuzz targets share: how an input is read, and the oracles that say what must come out.
//!
//! An oracle is written to be seen through, octet by octet and without any state of the code that
//! it judges. It may be slow.

pub mod choices;
pub mod client;
pub mod control;
pub mod differential;
pub mod memory;
pub mod oracle;
pub mod script;
pub mod server;

/// Counts the memory that a session holds.
#[global_allocator]
static HEAP: memory::Counting = memory::Counting;
