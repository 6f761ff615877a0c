//! Octets that came and are not read yet.
//!
//! Does: give room to read into, and take whole replies from the front. Does not: judge them.
//! Fails: what is no reply is a [`ReplyError`], which stays.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::ApiMisuse;
use crate::limits::REPLY_LINE_READ;
use crate::wire::{BareLf, Reply, ReplyError, ReplyParser, ReplyStatus};

/// Room for the rest of a line, which the parser leaves, and always more behind it.
const ROOM: usize = 2 * REPLY_LINE_READ;

#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    bare_lf: BareLf,
    parser: ReplyParser,
}

impl Inbox {
    pub(super) fn new(bare_lf: BareLf) -> Self {
        let parser = ReplyParser::with_bare_lf(bare_lf);
        Self { buffer: vec![0; ROOM], start: 0, end: 0, bare_lf, parser }
    }

    /// Room to read into.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.buffer[self.end..]
    }

    pub(super) fn received(&mut self, octets: usize) -> Result<(), ApiMisuse> {
        if octets > self.buffer.len() - self.end {
            return Err(ApiMisuse::InputOverrun);
        }
        self.end += octets;
        Ok(())
    }

    /// Whether nothing lies here, not even a part of a reply.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end && !self.parser.is_within_reply()
    }

    /// The next whole reply, once it is here.
    pub(super) fn reply(&mut self) -> Option<Result<Reply, ReplyError>> {
        match self.parser.feed(&self.buffer[self.start..self.end]) {
            Ok(ReplyStatus::Complete { reply, consumed }) => {
                self.start += consumed;
                Some(Ok(reply))
            }
            Ok(ReplyStatus::Incomplete { consumed }) => {
                self.start += consumed;
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.parser = ReplyParser::with_bare_lf(self.bare_lf);
    }
}
