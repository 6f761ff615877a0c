//! Message text in counted chunks: the octets behind BDAT (RFC 3030, 2 and 3).
//!
//! Does: count a chunk's octets, however they arrive, and give them out where they stand; look for
//! bare LFs across the borders of reads and of chunks, unless the body is BINARYMIME; end lines
//! with CRLF in what is sent. Does not: look at dots, hold or bound the message, or read and write
//! the command lines. Fails: a bare LF under [`BareLf::Reject`], a [`MessageFault`] in what is sent.
//!
//! Chunks are counted in octets, so one may end within a line, and between a CR and its LF: lines
//! are those of the message. A bare CR is data.

use alloc::vec::Vec;

use super::data::{BareLf, MessageFault, MessagePolicy, TextEncoder};
use super::line::{BARE_LF_RUN, bare_lf_run, find_bare_lf};

/// What [`ChunkDecoder::decode`] found at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodedChunk {
    /// Octets of the buffer that were read.
    pub consumed: usize,
    /// Octets of message text at the front of the buffer, at most `consumed`.
    pub body: usize,
    /// What comes next.
    pub status: ChunkStatus,
}

/// How a chunk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkStatus {
    /// The buffer is used up: more input is needed.
    More,
    /// Behind the body, these octets belong to the message, in the place of what was read behind
    /// it. Decoding goes on with the rest of the buffer.
    Insert(&'static [u8]),
    /// The chunk is complete. What follows in the buffer is the next command.
    EndOfChunk,
    /// A bare LF, under [`BareLf::Reject`]: the message is refused. The decoder passes over the
    /// rest of it by itself, with empty bodies, chunk by chunk.
    BareLf {
        /// Where the LF stands in the buffer.
        at: usize,
    },
}

/// Takes one message off the wire, chunk by chunk. It copies and changes nothing.
///
/// ```
/// use smtp_proto::wire::{BareLf, ChunkDecoder, ChunkStatus};
///
/// let mut decoder = ChunkDecoder::text(BareLf::Reject);
/// decoder.begin(4);
/// let buffer = b"\r\n.\rBDAT 1 LAST\r\n\n";
/// let decoded = decoder.decode(buffer);
/// assert_eq!(&buffer[..decoded.body], b"\r\n.\r");
/// assert_eq!(decoded.status, ChunkStatus::EndOfChunk);
/// assert_eq!(&buffer[decoded.consumed..], b"BDAT 1 LAST\r\n\n");
///
/// decoder.begin(1);
/// let decoded = decoder.decode(b"\n");
/// assert_eq!((decoded.body, decoded.status), (1, ChunkStatus::EndOfChunk));
/// ```
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    /// How lines are judged; `None`: the body is BINARYMIME and has none.
    bare_lf: Option<BareLf>,
    remaining: u64,
    behind_cr: bool,
    skipping: bool,
}

impl ChunkDecoder {
    /// A decoder for a message of lines: BODY=7BIT or 8BITMIME.
    #[must_use]
    pub const fn text(bare_lf: BareLf) -> Self {
        Self { bare_lf: Some(bare_lf), remaining: 0, behind_cr: false, skipping: false }
    }

    /// A decoder for a message of any octets: BODY=BINARYMIME.
    #[must_use]
    pub const fn binary() -> Self {
        Self { bare_lf: None, remaining: 0, behind_cr: false, skipping: false }
    }

    /// Begins the next chunk of the message, of so many octets. Whatever was left of the one
    /// before is forgotten.
    pub const fn begin(&mut self, size: u64) {
        self.remaining = size;
    }

    /// Octets of the chunk that were not read yet.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// From now on, passes over the message: bodies are empty, and octets are only counted. For a
    /// message or a command that is refused, whose octets follow all the same (RFC 3030, 2).
    pub const fn skip(&mut self) {
        self.skipping = true;
    }

    /// Whether the message is passed over.
    #[must_use]
    pub const fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Reads a buffer, and nothing of it behind the chunk. It is to be called until it says
    /// [`ChunkStatus::More`] or [`ChunkStatus::EndOfChunk`]; an empty chunk ends at once.
    pub fn decode(&mut self, buffer: &[u8]) -> DecodedChunk {
        let chunk = usize::try_from(self.remaining).map_or(buffer, |remaining| {
            let len = remaining.min(buffer.len());
            &buffer[..len]
        });
        let bare_lf = match self.bare_lf {
            Some(bare_lf) if !self.skipping => bare_lf,
            _ => return self.pass(chunk),
        };
        let Some(at) = find_bare_lf(chunk, self.behind_cr) else { return self.pass(chunk) };
        self.behind_cr = false;
        match bare_lf {
            BareLf::Reject => {
                self.skipping = true;
                self.take(at + 1);
                DecodedChunk { consumed: at + 1, body: at, status: ChunkStatus::BareLf { at } }
            }
            BareLf::Normalize => {
                let run = bare_lf_run(&chunk[at..]);
                self.take(at + run);
                let status = ChunkStatus::Insert(&BARE_LF_RUN[..2 * run]);
                DecodedChunk { consumed: at + run, body: at, status }
            }
        }
    }

    /// Gives out octets without a bare LF, or none of them while the message is passed over.
    fn pass(&mut self, chunk: &[u8]) -> DecodedChunk {
        if let Some(last) = chunk.last() {
            self.behind_cr = *last == b'\r';
        }
        self.take(chunk.len());
        let body = if self.skipping { 0 } else { chunk.len() };
        let status = if self.remaining == 0 { ChunkStatus::EndOfChunk } else { ChunkStatus::More };
        DecodedChunk { consumed: chunk.len(), body, status }
    }

    fn take(&mut self, octets: usize) {
        self.remaining -= octets as u64;
    }
}

/// Makes message text ready for chunks: lines ended with CRLF, no other CR or LF, and no dots put
/// in. The chunks' sizes are those of what it appends; a BINARYMIME body needs none of this.
///
/// ```
/// use smtp_proto::wire::{ChunkEncoder, MessagePolicy};
///
/// let mut encoder = ChunkEncoder::new(MessagePolicy::default());
/// let mut out = Vec::new();
/// encoder.encode(b"a\n.b\nc", &mut out)?;
/// encoder.finish(&mut out)?;
/// assert_eq!(out, b"a\r\n.b\r\nc\r\n");
/// # Ok::<(), smtp_proto::wire::MessageFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChunkEncoder(TextEncoder<false>);

impl ChunkEncoder {
    /// An encoder at the start of a message.
    #[must_use]
    pub const fn new(policy: MessagePolicy) -> Self {
        Self(TextEncoder::new(policy))
    }

    /// Appends a part of the message, cut anywhere.
    ///
    /// # Errors
    /// What the policy refuses: the transaction is to be given up.
    pub fn encode(&mut self, part: &[u8], out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.0.encode(part, out)
    }

    /// Ends the message: the last line's CRLF where it is missing.
    ///
    /// # Errors
    /// The last octet is a CR that the policy refuses.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), MessageFault> {
        self.0.finish(out)
    }
}
