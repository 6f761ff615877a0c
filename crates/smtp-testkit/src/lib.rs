//! What the tests share. It knows lines and bytes, and no SMTP type: what checks the crates of
//! this workspace must not lean on them.
//!
//! - [`transcript`]: sessions as text files, run whole, byte by byte and cut at every offset.
//! - [`vector`]: attacks as text files, for any implementation.
//! - [`peer`]: the other end of a socket, scripted, as rude as a test wants it.
//! - [`process`]: the workspace's programs and foreign ones, as child processes.
//! - [`document`]: whether a test that a document names is there.
//! - [`material`]: certificates and keys that no careful library makes, as files.
//! - [`pki`] (feature `pki`): a certificate authority and certificates, good and bad, of servers and of
//!   clients, and revocation lists.
//!
//! Everything here fails by panicking with what was expected, what came, and what led there.

pub mod document;
pub mod material;
pub mod peer;
#[cfg(feature = "pki")]
pub mod pki;
mod port;
pub mod process;
pub mod transcript;
pub mod vector;
