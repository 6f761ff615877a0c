//! Every number that bounds what is read from a control directory.
//!
//! None of them is a number of the vendor's: they keep a damaged or hostile file from taking the
//! memory or the time of the process that reads it. Each stands far above what a real installation
//! needs, and running into one is an error that names the number.

use std::time::Duration;

/// The largest file that [`Directory`](crate::source::Directory) reads, in octets: 16 MiB.
pub const MAX_FILE_SIZE: u64 = 16 * 1024 * 1024;

/// The most octets of configuration that are parsed for one tree, a file that is included twice
/// being counted twice: 64 MiB.
pub const MAX_CONFIGURATION_SIZE: usize = 64 * 1024 * 1024;

/// How deep `include` may nest; the main file is at depth zero.
pub const MAX_INCLUDE_DEPTH: usize = 16;

/// How many times `include` may be followed for one tree. Without it, files of a few lines that
/// each include two others would be parsed an exponential number of times.
pub const MAX_INCLUDES: usize = 1_000;

/// How deep blocks may nest. The vendor's own examples nest two deep.
pub const MAX_BLOCK_DEPTH: usize = 64;

/// How many names and arguments one tree may hold.
pub const MAX_VALUES: usize = 1_000_000;

/// How many (IP address, domain) pairs the blocks of one tree may name, comma lists multiplied out.
pub const MAX_SCOPES: usize = 1_000_000;

/// How many diagnostics the parser reports before it gives up on a tree.
pub const MAX_DIAGNOSTICS: usize = 100;

/// How many diagnostics about one file are kept; of the others there is one that says their number.
pub const MAX_DIAGNOSTICS_PER_FILE: usize = 1_000;

/// How many words and operators a file of assignments may hold.
pub const MAX_ASSIGNMENT_WORDS: usize = 20_000;

/// How many characters of a file's text a message quotes before it is cut short.
pub const MAX_QUOTED: usize = 64;

/// How many entries a file with one on each line may hold: `rcpthosts`, `smtproutes` and their like.
pub const MAX_LIST_ENTRIES: usize = 1_000_000;
/// The longest cipher string that is read, in octets: what a TLS library is given.
pub const MAX_CIPHER_STRING: usize = smtp_tls::CipherString::MAX_LENGTH;

/// How many addresses, prefixes and variables the rules of one access file may stand for, each range
/// counted as what it stands for.
pub const MAX_ACCESS_ADDRESSES: usize = 1_000_000;

/// How many variables one access rule may set.
pub const MAX_RULE_VARIABLES: usize = 1_000;

/// The most connections that one service may be told to serve at once.
pub const MAX_CONCURRENCY: u64 = 1_000_000;

/// The longest time that a `timeout…` file may ask for: a day.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest host name, in octets (RFC 1035, section 2.3.4, as written with dots).
pub const MAX_HOST_NAME: usize = 253;

/// How many pairs of a domain and an IP address `explain` answers for by itself.
pub const MAX_EXPLAINED_DELIVERIES: usize = 10_000;
