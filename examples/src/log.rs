//! The lines on stderr, written so that nobody who serves waits for their reader.
//!
//! Does: write lines at once while a program starts, and from [`queue`] on hand them to one thread of
//! their own, which alone waits. Lines that do not fit into the queue are dropped and counted, and one
//! line says how many. Does not: choose what is said, or end the program when the reader has gone.
//! Fails: never, but for a thread that cannot be had.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{mem, panic, thread};

use crate::print;

/// What waits for the reader at most, in octets: some two thousand lines.
const WAITING: usize = 256 * 1024;

/// What is written at once, in octets, unless one line is longer. A pipe takes that much whole or not at
/// all (`PIPE_BUF` of Linux): lines stay whole where several programs write to one pipe, and at the end.
const WRITTEN_AT_ONCE: usize = 4096;

/// How long a program that ends waits for the reader.
const AT_THE_END: Duration = Duration::from_secs(1);

/// How long a stderr that is set not to block is left alone when it takes nothing.
const FULL: Duration = Duration::from_millis(10);

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Writes whole lines, each with its end: at once, and where [`queue`] was called, without waiting.
pub fn write(lines: Vec<u8>) {
    match QUEUE.get() {
        Some(queue) => queue.push(lines),
        None => write_whole(&mut io::stderr().lock(), &lines),
    }
}

/// From here on no line makes its writer wait. What was written before stays in front.
///
/// # Errors
/// No thread can be had.
pub fn queue() -> io::Result<()> {
    if QUEUE.get().is_some() {
        return Ok(());
    }
    let write = || QUEUE.get_or_init(Queue::default).run(&mut io::stderr());
    thread::Builder::new().name("log".to_owned()).spawn(write)?;
    QUEUE.get_or_init(Queue::default);
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        print::line(format_args!("thread {:?} {panic}", thread.name().unwrap_or("unnamed")));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            print::line(trace);
        }
    }));
    Ok(())
}

/// Held while a program runs: what is queued when it ends is written, if its reader takes it in time.
#[derive(Debug)]
pub struct UntilTheEnd;

impl Drop for UntilTheEnd {
    fn drop(&mut self) {
        if let Some(queue) = QUEUE.get() {
            queue.wait_until_written(AT_THE_END);
        }
    }
}

/// A writer for those who write a whole line at a time.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        write(lines.to_vec());
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Something waits.
    filled: Condvar,
    /// Nothing waits, and nothing is being written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    octets: usize,
    /// Lines dropped since the queue was full. While there are any, no line is taken, so that the line
    /// about them stands where they would have stood.
    lost: usize,
    writing: bool,
}

impl Queue {
    fn push(&self, lines: Vec<u8>) {
        let mut state = self.state();
        if state.lost > 0 || state.octets + lines.len() > WAITING {
            state.lost += lines.iter().filter(|&&octet| octet == b'\n').count();
        } else {
            state.octets += lines.len();
            state.waiting.push_back(lines);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Writes what comes, for ever.
    fn run(&self, out: &mut impl Write) {
        loop {
            write_whole(out, &self.next());
        }
    }

    /// The next lines, when there are any; those before are written.
    fn next(&self) -> Vec<u8> {
        let mut state = self.state();
        state.writing = false;
        if state.is_empty() {
            self.written.notify_all();
        }
        let mut state = self
            .filled
            .wait_while(state, |state| state.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        state.take()
    }

    /// Whether all was written within the time.
    fn wait_until_written(&self, limit: Duration) -> bool {
        let under_way = |state: &mut State| state.writing || !state.is_empty();
        let waited = self.written.wait_timeout_while(self.state(), limit, under_way);
        let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.lost == 0
    }

    /// What is to be written next; only where something is.
    fn take(&mut self) -> Vec<u8> {
        let Some(mut taken) = self.waiting.pop_front() else {
            let lost = mem::take(&mut self.lost);
            return format!("lost lines={lost}: stderr was not read in time\n").into_bytes();
        };
        while let Some(next) = self.waiting.front()
            && taken.len() + next.len() <= WRITTEN_AT_ONCE
        {
            taken.extend_from_slice(next);
            self.waiting.pop_front();
        }
        self.octets -= taken.len();
        taken
    }
}

/// Writes all that can be written. Who has gone is not told, and neither is anybody else.
fn write_whole(out: &mut impl Write, mut lines: &[u8]) {
    while !lines.is_empty() {
        match out.write(lines) {
            Ok(0) => return,
            Ok(taken) => lines = &lines[taken..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: usize) -> Vec<u8> {
        format!("line {number} {}\n", "x".repeat(80)).into_bytes()
    }

    /// All that the queue gives until it is empty.
    fn drained(queue: &Queue) -> String {
        let mut all = Vec::new();
        while !queue.state().is_empty() {
            let next = queue.next();
            assert!(next.len() <= WRITTEN_AT_ONCE, "{} at once", next.len());
            all.extend(next);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn lines_beyond_the_bound_are_counted_where_they_are_missing() {
        let queue = Queue::default();
        let taken = (0..).take_while(|&number| {
            queue.push(numbered(number));
            queue.state().lost == 0
        });
        let taken = taken.count();
        assert!(queue.state().octets <= WAITING);
        // Shorter than what is left, and still not in front of what was lost before it.
        queue.push(b"short\n".to_vec());
        queue.push(b"two\nlines\n".to_vec());
        let all = drained(&queue);
        let lines: Vec<_> = all.lines().collect();
        assert_eq!(lines.len(), taken + 1);
        for (number, line) in lines[..taken].iter().enumerate() {
            assert!(line.starts_with(&format!("line {number} ")), "{line}");
        }
        assert_eq!(lines[taken], "lost lines=4: stderr was not read in time");
        assert_eq!(queue.state().octets, 0);

        queue.push(b"after\n".to_vec());
        assert_eq!(drained(&queue), "after\n");
    }

    #[test]
    fn a_line_longer_than_what_is_written_at_once_is_whole() {
        let queue = Queue::default();
        let long = vec![b'x'; 3 * WRITTEN_AT_ONCE];
        queue.push(b"a\n".to_vec());
        queue.push(long.clone());
        queue.push(b"b\n".to_vec());
        assert_eq!(queue.next(), b"a\n");
        assert_eq!(queue.next(), long);
        assert_eq!(queue.next(), b"b\n");
    }

    #[test]
    fn the_end_waits_for_what_is_being_written_and_no_longer_than_it_may() {
        let queue = Queue::default();
        let moment = Duration::from_millis(20);
        assert!(queue.wait_until_written(moment));
        queue.push(b"a\n".to_vec());
        assert!(!queue.wait_until_written(moment));
        assert_eq!(queue.next(), b"a\n");
        assert!(!queue.wait_until_written(moment), "it is being written");
        thread::scope(|scope| {
            scope.spawn(|| queue.next());
            assert!(queue.wait_until_written(Duration::from_secs(10)));
            queue.push(b"b\n".to_vec());
        });
    }

    /// Takes three octets at a time, and between them says that it is full.
    struct Unwilling {
        taken: Vec<u8>,
        full: bool,
    }

    impl Write for Unwilling {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.full = !self.full;
            if self.full {
                return Err(ErrorKind::WouldBlock.into());
            }
            let octets = &octets[..octets.len().min(3)];
            self.taken.extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stderr_that_does_not_block_gets_every_octet() {
        let mut out = Unwilling { taken: Vec::new(), full: false };
        write_whole(&mut out, b"a whole line\n");
        assert_eq!(out.taken, b"a whole line\n");
    }
}
