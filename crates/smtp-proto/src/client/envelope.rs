//! Who sends to whom, and what is known of the message before its first octet is sent.
//!
//! Does: hold paths and parameters as they go on the wire. Does not: decide which parameters a
//! server is sent. Fails: never; all that goes in is typed, so nothing in it can add a line or a
//! parameter to a command.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::wire::{ForwardPath, ReversePath};

/// Who sends to whom: one transaction's addresses.
///
/// It is made of parsed paths, so no address can carry a line end or a parameter of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    pub(super) reverse_path: String,
    pub(super) forward_paths: Vec<String>,
}

impl Envelope {
    /// An envelope without recipients yet.
    pub fn new(reverse_path: &ReversePath<'_>) -> Self {
        Self { reverse_path: reverse_path.to_string(), forward_paths: Vec::new() }
    }

    /// Adds a recipient; outcomes come in the order of the additions. A path that is added twice
    /// has two outcomes.
    pub fn add(&mut self, forward_path: &ForwardPath<'_>) {
        self.forward_paths.push(forward_path.to_string());
    }

    /// As [`add`](Self::add), by value.
    #[must_use]
    pub fn to(mut self, forward_path: &ForwardPath<'_>) -> Self {
        self.add(forward_path);
        self
    }

    /// How many recipients there are.
    pub fn recipients(&self) -> usize {
        self.forward_paths.len()
    }
}

/// What is known of a message before its first octet is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
    /// Its size in octets with CRLF line ends, without dot-stuffing and without the final dot
    /// (RFC 1870, 5); `None` where it is not known.
    pub size: Option<u64>,
    /// Whether it holds an octet above 127.
    pub eight_bit: bool,
}
