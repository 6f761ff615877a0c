//! The octets that a session was given and has not used.
//!
//! Does: own one buffer: small while commands come, larger while a message comes fast, small
//! again afterwards, and none while a driver that says so waits; leave no second copy of unused
//! input behind. Does not: look at what is in it, or show it. Fails: nothing here fails; a buffer
//! that may not grow further simply has no space.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use zeroize::Zeroize as _;

use crate::limits::SERVER_IDLE_BUFFER;

#[derive(Default)]
pub(super) struct Input {
    /// All of it is initialised; `start..end` is unused input, `end..` is space.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn unused_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Takes the next `len` octets as used, and says where they stand. They stay there until
    /// [`Input::make_space`].
    pub(super) fn take(&mut self, len: usize) -> Range<usize> {
        let taken = self.start..self.start + len;
        self.start = taken.end;
        taken
    }

    pub(super) fn at(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Overwrites octets that were used: they were a secret.
    pub(super) fn wipe(&mut self, range: Range<usize>) {
        self.buffer[range].zeroize();
    }

    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = alloc::vec![0; SERVER_IDLE_BUFFER];
        }
        &mut self.buffer[self.end..]
    }

    /// Gives the buffer back if it is the small one and has no unused input; there is one again for
    /// who asks for space.
    pub(super) fn give_back(&mut self) {
        if self.len() == 0 && self.buffer.len() <= SERVER_IDLE_BUFFER {
            self.buffer = Vec::new();
            self.clear();
        }
    }

    /// Takes `n` octets of the space as read; `false` if it has not so many.
    pub(super) fn filled(&mut self, n: usize) -> bool {
        if n > self.buffer.len() - self.end {
            return false;
        }
        self.end += n;
        true
    }

    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Makes space for the next read, in a buffer of `least` octets, which are no more than `most`.
    /// A read that filled all the space there was asks for more: up to `most` octets in all.
    pub(super) fn make_space(&mut self, least: usize, most: usize) {
        let was_full = self.end == self.buffer.len();
        let len = self.len();
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            // A part of a line may be a part of a secret, which is wiped where it stands last.
            self.wipe(self.start.max(len)..self.end);
            self.start = 0;
            self.end = len;
        }
        let grows = was_full && self.buffer.len() < most;
        let size = if grows || self.buffer.len() < least {
            (self.buffer.len() * 4).clamp(least, most)
        } else if self.buffer.len() > most && len < most {
            most
        } else {
            return;
        };
        if size < self.buffer.len() {
            self.buffer.truncate(size);
            self.buffer.shrink_to_fit();
        } else {
            let mut larger = alloc::vec![0; size];
            larger[..len].copy_from_slice(&self.buffer[..len]);
            self.wipe(0..len);
            self.buffer = larger;
        }
    }
}

/// Lengths alone: the octets may be a password, or somebody's mail.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("unused", &self.len())
            .field("buffer", &self.buffer.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, SERVER_IDLE_BUFFER};

    fn fill(input: &mut Input) {
        let n = input.space().len();
        assert!(input.filled(n));
    }

    #[test]
    fn it_begins_small_grows_when_filled_and_shrinks_back() {
        let mut input = Input::default();
        input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        assert_eq!(input.space().len(), SERVER_IDLE_BUFFER);
        for _ in 0..10 {
            fill(&mut input);
            let n = input.len();
            input.take(n);
            input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        }
        assert_eq!(input.space().len(), 64 * 1024);
        input.make_space(SERVER_IDLE_BUFFER, SERVER_IDLE_BUFFER);
        assert_eq!(input.buffer.capacity(), SERVER_IDLE_BUFFER);
    }

    #[test]
    fn a_read_that_leaves_space_does_not_grow_it() {
        let mut input = Input::default();
        input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        assert!(input.filled(10));
        input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        assert_eq!(input.buffer.len(), SERVER_IDLE_BUFFER);
        assert!(!input.filled(SERVER_IDLE_BUFFER));
    }

    #[test]
    fn it_has_the_least_space_that_is_asked_for_whatever_was_read() {
        let mut input = Input::default();
        for read in [0, 1, SERVER_IDLE_BUFFER] {
            input.make_space(SERVER_IDLE_BUFFER, SERVER_IDLE_BUFFER);
            assert!(input.filled(read));
            input.take(read);
            input.make_space(8 * 1024, 64 * 1024);
            assert_eq!(input.space().len(), 8 * 1024);
        }
    }

    #[test]
    fn it_is_given_back_while_it_is_small_and_empty_and_comes_again() {
        let mut input = Input::default();
        input.make_space(SERVER_IDLE_BUFFER, SERVER_IDLE_BUFFER);
        assert!(input.filled(10));
        input.give_back();
        assert_eq!(input.unused(), [0; 10]);
        input.take(10);
        for _ in 0..2 {
            input.give_back();
            assert_eq!(input.buffer.capacity(), 0);
        }
        assert_eq!(input.space().len(), SERVER_IDLE_BUFFER);
        input.give_back();
        input.make_space(8 * 1024, 64 * 1024);
        assert_eq!(input.space().len(), 8 * 1024);
        input.give_back();
        assert_eq!(input.buffer.len(), 8 * 1024);
    }

    #[test]
    fn unused_input_survives_moves_and_is_never_cut_off() {
        let mut input = Input::default();
        input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        fill(&mut input);
        input.make_space(SERVER_IDLE_BUFFER, 64 * 1024);
        input.space()[0] = b'x';
        assert!(input.filled(1));
        input.take(SERVER_IDLE_BUFFER);
        assert_eq!(input.unused(), b"x");
        input.make_space(SERVER_IDLE_BUFFER, SERVER_IDLE_BUFFER);
        assert_eq!(input.unused(), b"x");
        assert_eq!(input.buffer.len(), SERVER_IDLE_BUFFER);
    }
}
