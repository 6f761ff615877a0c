//! One side of a session, held against a transcript.

use std::fmt::{self, Write as _};
use std::path::Path;

use super::{Schedule, Step, Transcript, escape, schedules};

/// Which side of the session is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `C:` is fed, `S:` is expected.
    Server,
    /// `S:` is fed, `C:` is expected.
    Client,
}

impl Role {
    pub(super) fn input(self, step: &Step) -> Option<&[u8]> {
        match (self, step) {
            (Self::Server, Step::Client(octets)) | (Self::Client, Step::Server(octets)) => {
                Some(octets)
            }
            _ => None,
        }
    }

    fn output(self, step: &Step) -> Option<&[u8]> {
        match (self, step) {
            (Self::Server, Step::Server(octets)) | (Self::Client, Step::Client(octets)) => {
                Some(octets)
            }
            _ => None,
        }
    }
}

/// A session under test, with whatever drives it.
///
/// Each call runs the session until it waits, so that all output which can be made is made.
pub trait Side {
    /// Takes octets from the peer; all of them, unless the side closes or asks for TLS first.
    fn feed(&mut self, bytes: &[u8]);
    /// The octets written since the last call.
    fn take_output(&mut self) -> Vec<u8>;
    /// The events reported since the last call; the same for every schedule.
    fn take_events(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Whether the side waits for a handshake.
    fn wants_tls(&self) -> bool;
    /// The handshake that the side asked for succeeded.
    fn tls_established(&mut self);
    /// The handshake that the side asked for failed.
    fn tls_failed(&mut self);
    /// The peer closed its sending direction.
    fn end_of_input(&mut self);
    /// The phase's time is over.
    fn timed_out(&mut self);
    /// The side is told to stop.
    fn shut_down(&mut self);
    /// Whether the side has closed.
    fn closed(&self) -> bool;
}

/// Where a side left its transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The transcript's name.
    pub transcript: String,
    /// How the input was cut.
    pub schedule: Schedule,
    /// The line of the step, counted from 1.
    pub line: usize,
    /// What the transcript says.
    pub expected: String,
    /// What the side did.
    pub got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: the side left the transcript (input {})\n  expected {}\n  got      {}",
            self.transcript, self.line, self.schedule, self.expected, self.got
        )
    }
}

impl std::error::Error for Mismatch {}

/// Runs one transcript under every schedule; gives the number of runs.
///
/// `make` builds a fresh side for each run, from the transcript's settings.
pub fn run<S: Side>(
    transcript: &Transcript,
    role: Role,
    mut make: impl FnMut(&Transcript) -> S,
) -> Result<usize, Mismatch> {
    let mut runs = 0;
    for schedule in schedules(transcript.input_len(role)) {
        Run { transcript, role, schedule, side: make(transcript), fed: 0 }.steps()?;
        runs += 1;
    }
    Ok(runs)
}

/// As [`run`], and panics with the difference.
pub fn check<S: Side>(transcript: &Transcript, role: Role, make: impl FnMut(&Transcript) -> S) {
    if let Err(mismatch) = run(transcript, role, make) {
        panic!("{mismatch}");
    }
}

/// Runs every transcript of a folder, and panics with all differences, one for each transcript.
///
/// # Panics
/// Also when the folder holds no transcript, or a malformed one.
pub fn check_folder<S: Side>(folder: &Path, role: Role, mut make: impl FnMut(&Transcript) -> S) {
    let mut differences = String::new();
    for transcript in Transcript::load_folder(folder) {
        if let Err(mismatch) = run(&transcript, role, &mut make) {
            let _ = writeln!(differences, "{mismatch}");
        }
    }
    assert!(differences.is_empty(), "in {}:\n{differences}", folder.display());
}

struct Run<'t, S> {
    transcript: &'t Transcript,
    role: Role,
    schedule: Schedule,
    side: S,
    fed: usize,
}

impl<S: Side> Run<'_, S> {
    fn steps(mut self) -> Result<(), Mismatch> {
        let steps = &self.transcript.steps;
        let mut next = 0;
        let mut closes = false;
        while let Some((line, step)) = steps.get(next) {
            let line = *line;
            if self.role.input(step).is_some() {
                next = self.burst(next)?;
                continue;
            }
            if self.role.output(step).is_some() || matches!(step, Step::Event(_)) {
                next = self.expect(next)?;
                continue;
            }
            self.nothing_more(line)?;
            match step {
                Step::Tls | Step::TlsFailed => {
                    if !self.side.wants_tls() {
                        return self.mismatch(line, "a handshake", "none was asked for");
                    }
                    match step {
                        Step::Tls => self.side.tls_established(),
                        _ => self.side.tls_failed(),
                    }
                }
                Step::Eof => self.side.end_of_input(),
                Step::Timeout => self.side.timed_out(),
                Step::Shutdown => self.side.shut_down(),
                Step::Close => closes = true,
                Step::Glue | Step::Client(_) | Step::Server(_) | Step::Event(_) => {}
            }
            next += 1;
        }
        let line = steps.last().map_or(0, |(line, _)| *line);
        self.nothing_more(line)?;
        match (closes, self.side.closed()) {
            (true, false) => self.mismatch(line, "the side closes", "it is still open"),
            (false, true) => self.mismatch(line, "the side stays open", "it closed"),
            _ => Ok(()),
        }
    }

    /// Feeds the input steps from `first` on; gives the step behind them.
    fn burst(&mut self, first: usize) -> Result<usize, Mismatch> {
        let steps = &self.transcript.steps;
        let mut octets = Vec::new();
        let mut glued = Vec::new();
        let mut next = first;
        while let Some((_, step)) = steps.get(next) {
            match self.role.input(step) {
                Some(input) => octets.extend_from_slice(input),
                None if *step == Step::Glue => glued.push(self.fed + octets.len()),
                None => break,
            }
            next += 1;
        }
        let line = steps[first].0;
        for chunk in self.schedule.chunks_from(self.fed, &octets, &glued) {
            // What the peer says behind a close is never read: the rest of the transcript decides
            // whether the close was right.
            if self.side.closed() {
                break;
            }
            if self.side.wants_tls() {
                return self.mismatch(
                    line,
                    "the side takes all of this input",
                    &format!("it asked for a handshake before {:?}", escape(chunk)),
                );
            }
            self.side.feed(chunk);
        }
        self.fed += octets.len();
        Ok(next)
    }

    /// Compares the output and the events from `first` on; gives the step behind them.
    fn expect(&mut self, first: usize) -> Result<usize, Mismatch> {
        let steps = &self.transcript.steps;
        let got = self.side.take_output();
        let events = self.side.take_events();
        let mut got = got.as_slice();
        let mut events = events.as_slice();
        let mut next = first;
        while let Some((line, step)) = steps.get(next) {
            if let Some(expected) = self.role.output(step) {
                let Some(rest) = got.strip_prefix(expected) else {
                    let end = got
                        .iter()
                        .position(|&octet| octet == b'\n')
                        .map_or(got.len(), |position| position + 1);
                    return self.mismatch(*line, &escape(expected), &escape(&got[..end]));
                };
                got = rest;
            } else if let Step::Event(expected) = step {
                let Some((event, rest)) = events.split_first() else {
                    return self.mismatch(*line, &format!("event {expected}"), "none");
                };
                if event != expected {
                    return self.mismatch(
                        *line,
                        &format!("event {expected}"),
                        &format!("event {event}"),
                    );
                }
                events = rest;
            } else if *step != Step::Glue {
                break;
            }
            next += 1;
        }
        let line = steps[next - 1].0;
        if !got.is_empty() {
            return self.mismatch(line, "no more output here", &escape(got));
        }
        if let Some(event) = events.first() {
            return self.mismatch(line, "no more events here", &format!("event {event}"));
        }
        Ok(next)
    }

    fn nothing_more(&mut self, line: usize) -> Result<(), Mismatch> {
        let output = self.side.take_output();
        if !output.is_empty() {
            return self.mismatch(line, "no output before this", &escape(&output));
        }
        match self.side.take_events().first() {
            Some(event) => self.mismatch(line, "no event before this", &format!("event {event}")),
            None => Ok(()),
        }
    }

    fn mismatch<T>(&self, line: usize, expected: &str, got: &str) -> Result<T, Mismatch> {
        Err(Mismatch {
            transcript: self.transcript.name.clone(),
            schedule: self.schedule,
            line,
            expected: expected.to_owned(),
            got: got.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Greets, answers each line with its length, asks for TLS at `T`, closes at `Q` or when its
    /// input ends. `sloppy` makes it answer what it has at every read, which only a cut shows.
    #[derive(Default)]
    struct Counter {
        input: Vec<u8>,
        output: Vec<u8>,
        events: Vec<String>,
        tls: bool,
        closed: bool,
        sloppy: bool,
    }

    impl Side for Counter {
        fn feed(&mut self, bytes: &[u8]) {
            self.input.extend_from_slice(bytes);
            while !self.closed
                && let Some(end) = self.input.iter().position(|&octet| octet == b'\n')
            {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                match line.first() {
                    Some(b'T') if !self.input.is_empty() => self.closed = true,
                    Some(b'T') => self.tls = true,
                    Some(b'Q') => self.closed = true,
                    _ => {}
                }
                if line.starts_with(b"N") {
                    self.events.push("noted".to_owned());
                }
                self.output.extend_from_slice(format!("{}\r\n", line.len()).as_bytes());
            }
            if self.sloppy && !self.input.is_empty() {
                self.output.extend_from_slice(b"?\r\n");
            }
        }
        fn take_output(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.output)
        }
        fn take_events(&mut self) -> Vec<String> {
            std::mem::take(&mut self.events)
        }
        fn wants_tls(&self) -> bool {
            self.tls
        }
        fn tls_established(&mut self) {
            self.tls = false;
        }
        fn tls_failed(&mut self) {
            self.closed = true;
        }
        fn end_of_input(&mut self) {
            self.closed = true;
        }
        fn timed_out(&mut self) {
            self.output.extend_from_slice(b"late\r\n");
        }
        fn shut_down(&mut self) {
            self.closed = true;
        }
        fn closed(&self) -> bool {
            self.closed
        }
    }

    fn counter(sloppy: bool) -> impl FnMut(&Transcript) -> Counter {
        move |_| Counter { output: b"hi\r\n".to_vec(), sloppy, ..Counter::default() }
    }

    fn run_text(text: &str, sloppy: bool) -> Result<usize, Mismatch> {
        run(&Transcript::parse("t", text).unwrap(), Role::Server, counter(sloppy))
    }

    #[test]
    fn a_side_that_keeps_to_its_transcript_runs_under_every_schedule() {
        let text =
            "S: hi\nC: abc\nC: N\nS: 5\nS: 3\nE: noted\nC: T\nS: 3\nTLS\nC: Q\nS: 3\nCLOSE\n";
        // Whole, byte by byte, and a cut between any two of the 5 + 3 + 3 + 3 octets.
        assert_eq!(run_text(text, false), Ok(15));
    }

    #[test]
    fn a_fault_that_only_a_cut_shows_is_found_and_named() {
        let mismatch = run_text("S: hi\nC: abc\nS: 5\n", true).unwrap_err();
        assert_eq!(mismatch.schedule, Schedule::Bytes);
        assert_eq!(mismatch.line, 3);
        assert_eq!(mismatch.expected, "5\\r\\n");
        assert_eq!(mismatch.got, "?\\r\\n");
    }

    #[test]
    fn every_way_of_leaving_the_transcript_is_a_mismatch() {
        for text in [
            "S: ho\n",
            "C: a\nS: 3\n",
            "S: hi\nC: a\n",
            "S: hi\nC: N\nS: 3\n",
            "S: hi\nC: a\nS: 3\nE: noted\n",
            "S: hi\nTLS\n",
            "S: hi\nC: T\nS: 3\nC: a\nS: 3\n",
            "S: hi\nCLOSE\n",
            "S: hi\nEOF\n",
            "S: hi\nTIMEOUT\n",
            "S: hi\nC: Q\nS: 3\n",
        ] {
            assert!(run_text(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn glued_lines_arrive_together() {
        let glued: Vec<&[u8]> = Schedule::Bytes.chunks_from(0, b"T\r\na\r\n", &[3]).collect();
        let expected: [&[u8]; 5] = [b"T", b"\r", b"\na", b"\r", b"\n"];
        assert_eq!(glued, expected);
        // Glued, the side sees the injected octets at once and closes; else it asks for TLS first.
        assert_eq!(run_text("S: hi\nC: T\nGLUE\nC: a\nS: 3\nCLOSE\n", false), Ok(7));
        let mismatch = run_text("S: hi\nC: T\nC: a\nS: 3\nCLOSE\n", false).unwrap_err();
        assert_eq!(mismatch.schedule, Schedule::Bytes);
    }

    #[test]
    fn the_client_side_reads_the_same_file_the_other_way_round() {
        let transcript = Transcript::parse("t", "C: hi\nS: abc\nC: 5\n").unwrap();
        assert_eq!(run(&transcript, Role::Client, counter(false)), Ok(6));
    }
}
