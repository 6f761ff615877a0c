//! Whole SMTP connections through TLS, and what they are measured beside.
//!
//! Does: carry a connection from the greeting to its end with this workspace's sessions and TLS, and
//! with a TLS library alone that is given the same octets to carry; in memory, with the time of one
//! side apart. Does not: print. Fails: a connection that does not come out as its case says is a
//! panic: a figure over it would say nothing.
//!
//! One side of a connection is the subject, and is timed. The other is its peer: always the bare
//! rustls, which picks the version and the group, and is not timed. So two subjects are sent the same
//! flights, and an OpenSSL server has a client that resumes.

mod bare;
mod case;
mod clock;
mod material;
mod memory;
mod ours;
mod run;
mod script;
mod sockets;

#[cfg(feature = "openssl")]
pub use self::case::openssl_version;
pub use self::case::{Absent, Case, Group, Key, Library, Path, Side, Tls};
pub use self::clock::{Clock, PHASES, Phase, Spent};
pub use self::material::Material;
pub use self::run::{Prepared, Seen, Who, poll_subject};
pub use self::sockets::Sockets;
