//! The message on its way out: as DATA takes it, or in chunks.
//!
//! Does: turn what the caller gives into what goes on the wire, and hold back for a chunk what is
//! not enough for one. Does not: know when a chunk may go. Fails: a message that breaks the policy
//! is a fault, behind which nothing of it must be sent that ends it.

use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::limits::BODY_CHUNK;
use crate::wire::{ChunkEncoder, DataEncoder, MessageFault, MessagePolicy};

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// Behind DATA, up to the final dot.
    Data,
    /// In chunks, as lines (RFC 3030, 2).
    Chunks,
    /// In chunks, every octet as it is (RFC 3030, 3).
    BinaryChunks,
}

impl Transfer {
    pub(super) const fn is_chunked(self) -> bool {
        matches!(self, Self::Chunks | Self::BinaryChunks)
    }
}

#[derive(Debug)]
enum Encoder {
    Data(DataEncoder),
    Lines(ChunkEncoder),
    Octets,
}

/// One message on its way.
#[derive(Debug)]
pub(super) struct Message {
    encoder: Encoder,
    chunk: Vec<u8>,
    ended: bool,
}

impl Message {
    pub(super) fn new(transfer: Transfer, policy: MessagePolicy) -> Self {
        let encoder = match transfer {
            Transfer::Data => Encoder::Data(DataEncoder::new(policy)),
            Transfer::Chunks => Encoder::Lines(ChunkEncoder::new(policy)),
            Transfer::BinaryChunks => Encoder::Octets,
        };
        Self { encoder, chunk: Vec::new(), ended: false }
    }

    /// Whether the caller has given all of it.
    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether more may be given now: at most one chunk is held back.
    pub(super) const fn has_room(&self) -> bool {
        !self.ended && self.chunk.len() < BODY_CHUNK
    }

    /// Whether there is enough for a chunk.
    pub(super) const fn has_chunk(&self) -> bool {
        self.ended || self.chunk.len() >= BODY_CHUNK
    }

    /// Takes a part. DATA's text goes behind `out`, a chunk's is held back.
    pub(super) fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), MessageFault> {
        match &mut self.encoder {
            Encoder::Data(encoder) => encoder.encode(octets, out),
            Encoder::Lines(encoder) => encoder.encode(octets, &mut self.chunk),
            Encoder::Octets => {
                self.chunk.extend_from_slice(octets);
                Ok(())
            }
        }
    }

    /// The caller has given all: DATA's final dot goes behind `out`.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.ended = true;
        match core::mem::replace(&mut self.encoder, Encoder::Octets) {
            Encoder::Data(encoder) => encoder.finish(out),
            Encoder::Lines(encoder) => encoder.finish(&mut self.chunk),
            Encoder::Octets => Ok(()),
        }
    }

    /// Writes the chunk's command and its octets behind `out`. It is the last one when the message
    /// has ended.
    pub(super) fn write_chunk(&mut self, out: &mut Vec<u8>) {
        let mut command = alloc::string::String::new();
        let last = if self.ended { " LAST" } else { "" };
        // Writing to a String never fails.
        let _ = write!(command, "BDAT {}{last}\r\n", self.chunk.len());
        out.extend_from_slice(command.as_bytes());
        out.append(&mut self.chunk);
    }
}
