//! Octets that came and are not read yet.
//!
//! Does: give room to read into, little until a read has filled it, and take whole replies from
//! the front. Does not: judge them.
//! Fails: what is no reply is a [`ReplyError`], which stays.

use alloc::vec::Vec;

use crate::error::ApiMisuse;
use crate::limits::{CLIENT_IDLE_BUFFER, REPLY_LINE_READ};
use crate::wire::{BareLf, Reply, ReplyError, ReplyParser, ReplyStatus};

/// Room for the rest of a line, which the parser leaves, and always more behind it.
const ROOM: usize = 2 * REPLY_LINE_READ;

#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read left no room: more is likely to come at once.
    filled: bool,
    /// The octets in front of this one were read before all that was said had been sent.
    early: usize,
    /// So was the first octet of the reply that is being read, or was read last.
    began_early: bool,
    bare_lf: BareLf,
    parser: ReplyParser,
}

impl Inbox {
    pub(super) fn new(bare_lf: BareLf) -> Self {
        let parser = ReplyParser::with_bare_lf(bare_lf);
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            filled: false,
            early: 0,
            began_early: false,
            bare_lf,
            parser,
        }
    }

    /// Whether the text of replies may be UTF-8 from now on.
    pub(super) fn keep_utf8(&mut self, keep: bool) {
        self.parser.keep_utf8(keep);
    }

    /// Room to read into.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.early = self.early.saturating_sub(self.start);
        self.start = 0;
        let size = match (self.filled, self.end) {
            (true, _) => ROOM,
            (false, 0) => CLIENT_IDLE_BUFFER,
            (false, _) => self.buffer.len(),
        };
        if size != self.buffer.len() {
            self.buffer.truncate(size);
            self.buffer.shrink_to_fit();
            self.buffer.reserve_exact(size - self.buffer.len());
            self.buffer.resize(size, 0);
        }
        &mut self.buffer[self.end..]
    }

    pub(super) fn received(&mut self, octets: usize) -> Result<(), ApiMisuse> {
        if octets > self.buffer.len() - self.end {
            return Err(ApiMisuse::InputOverrun);
        }
        self.end += octets;
        self.filled = self.end == self.buffer.len();
        Ok(())
    }

    /// What lies here was read before all that was said had been sent.
    pub(super) fn came_early(&mut self) {
        self.early = self.end;
    }

    /// Whether the reply that was taken last had begun before all that was said had been sent.
    pub(super) fn began_early(&self) -> bool {
        self.began_early
    }

    /// Whether nothing lies here, not even a part of a reply.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end && !self.parser.is_within_reply()
    }

    /// The next whole reply, once it is here.
    pub(super) fn reply(&mut self) -> Option<Result<Reply, ReplyError>> {
        if !self.parser.is_within_reply() {
            self.began_early = self.start < self.early;
        }
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
        self.filled = false;
        self.early = 0;
        self.parser = ReplyParser::with_bare_lf(self.bare_lf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads as much of `octets` as there is room for, as a socket does.
    fn read(inbox: &mut Inbox, octets: &[u8]) -> usize {
        let space = inbox.space();
        let n = octets.len().min(space.len());
        space[..n].copy_from_slice(&octets[..n]);
        inbox.received(n).unwrap();
        n
    }

    #[test]
    fn it_is_small_until_a_read_fills_it_and_small_again_when_all_is_read() {
        let mut inbox = Inbox::new(BareLf::Reject);
        assert_eq!(inbox.space().len(), CLIENT_IDLE_BUFFER);
        assert_eq!(read(&mut inbox, b"250 ok\r\n25"), 10);
        assert!(matches!(inbox.reply(), Some(Ok(_))));
        assert_eq!(inbox.space().len(), CLIENT_IDLE_BUFFER - 2, "octets lie in it");

        let line = [b"0 ", &[b'x'; REPLY_LINE_READ - 6][..], b"\r\n"].concat();
        let mut left = &line[..];
        while !left.is_empty() {
            assert!(inbox.reply().is_none());
            let n = read(&mut inbox, left);
            left = &left[n..];
            assert!(n > 0, "the longest line fits");
            assert_eq!(inbox.space().len(), inbox.space().len(), "asking twice changes nothing");
        }
        assert_eq!(inbox.buffer.len(), ROOM);
        assert!(matches!(inbox.reply(), Some(Ok(_))));
        assert_eq!(inbox.space().len(), CLIENT_IDLE_BUFFER);
        assert_eq!(inbox.buffer.capacity(), CLIENT_IDLE_BUFFER);
    }
}
