//! The tester: plays a vector's other side, and judges.
//!
//! Does: carry out the steps over a [`Connection`], keep what the side under test said, and hold
//! it against the rules. Does not: know what is at the connection's other end. Fails: with a
//! [`Miss`].

use std::fmt;

use super::memory::Inside;
use super::{Role, Step, Vector};
use crate::transcript::{Schedule, escape};

/// The policy of a side under test that is not held to what the reference does.
pub const FOREIGN: &str = "foreign";

/// What the tester holds of the side under test.
pub trait Connection {
    /// Sends these octets as one segment; they may be lost where the other side has closed.
    fn send(&mut self, octets: &[u8]);
    /// What has come since the last call. A connection that is not in memory waits for it.
    fn receive(&mut self) -> Received;
    /// Shakes hands in the tester's role; `false` where that fails or nobody asked for it.
    fn handshake(&mut self) -> bool;
    /// The tester sends nothing more.
    fn end(&mut self);
    /// What can be seen of the inside.
    fn inside(&self) -> Inside;
}

/// What a [`Connection`] gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// These octets; at least one.
    Octets(Vec<u8>),
    /// Nothing, and the connection is open.
    Nothing,
    /// Nothing, and nothing will come.
    End,
}

/// What a run that broke no rule could not judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The rules that could not be judged, as they stand in the file.
    pub unjudged: Vec<String>,
}

/// In what way a run missed its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The point was not reached: nothing was tested.
    NotReached,
    /// A rule is broken.
    Violated,
    /// No rule is broken, but it is not what the reference does.
    NotTheReference,
}

/// Where a run missed its vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The vector's name.
    pub vector: String,
    /// The policy of the side under test.
    pub policy: String,
    /// How the input was cut.
    pub schedule: Schedule,
    /// The line of the step or the rule, counted from 1.
    pub line: usize,
    /// In what way.
    pub why: Why,
    /// What the vector says.
    pub expected: String,
    /// What the side under test showed.
    pub got: String,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::NotReached => "the point was not reached",
            Why::Violated => "a rule is broken",
            Why::NotTheReference => "it is not what the reference does",
        };
        write!(
            f,
            "{}:{}: {why} (policy {}, input {})\n  expected {}\n  got      {}",
            self.vector, self.line, self.policy, self.schedule, self.expected, self.got
        )
    }
}

impl std::error::Error for Miss {}

#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) code: [u8; 3],
    /// Its lines, without their codes.
    pub(super) text: Vec<u8>,
    pub(super) under_tls: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) octets: Vec<u8>,
    pub(super) under_tls: bool,
}

/// What a run showed behind its point.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) replies: Vec<Reply>,
    pub(super) lines: Vec<Said>,
    pub(super) text: Vec<u8>,
    pub(super) handshake: bool,
    pub(super) inside: Inside,
    accepted: usize,
}

impl Seen {
    /// Those that the inside shows, or those whose acceptance was said, whichever are more.
    pub(super) fn messages(&self) -> usize {
        self.inside.messages.as_ref().map_or(0, Vec::len).max(self.accepted)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |under_tls: bool| if under_tls { "tls:" } else { "" };
        for reply in &self.replies {
            write!(f, "{}{} ", mark(reply.under_tls), escape(&reply.code))?;
        }
        for line in &self.lines {
            write!(f, "{}{:?} ", mark(line.under_tls), escape(&line.octets))?;
        }
        if !self.text.is_empty() {
            write!(f, "text {:?} ", escape(&self.text[..self.text.len().min(300)]))?;
        }
        write!(f, "messages={}", self.messages())?;
        for message in self.inside.messages.iter().flatten() {
            write!(f, " {:?}", escape(&message[..message.len().min(300)]))?;
        }
        if let Some(outcomes) = &self.inside.outcomes {
            write!(f, " outcomes={outcomes:?}")?;
        }
        Ok(())
    }
}

/// Runs a vector once.
///
/// # Errors
/// The point was not reached, or a rule is broken, or, where a line of the file says `REFERENCE`
/// for this policy, the side under test did something else. [`FOREIGN`] is held to the rules alone.
pub fn run<C: Connection>(
    vector: &Vector,
    policy: &str,
    schedule: Schedule,
    connection: C,
) -> Result<Judged, Box<Miss>> {
    let mut run = Run {
        vector,
        policy,
        schedule,
        connection,
        unread: Vec::new(),
        reply_text: Vec::new(),
        ended: false,
        under_tls: false,
        reached: false,
        taken_before: 0,
        after_354: false,
        sent: 0,
        seen: Seen::default(),
    };
    run.steps()?;
    run.judge()
}

/// The offsets at which cutting what is sent can matter: all but those deep in a run of one octet.
pub fn cuts(sent: &[u8]) -> impl Iterator<Item = usize> {
    const NEAR: usize = 8;
    (1..sent.len()).filter(|&at| {
        let around = &sent[at.saturating_sub(NEAR)..(at + NEAR).min(sent.len())];
        around.iter().any(|octet| *octet != around[0])
    })
}

struct Run<'v, C> {
    vector: &'v Vector,
    policy: &'v str,
    schedule: Schedule,
    connection: C,
    unread: Vec<u8>,
    /// The lines of a reply whose last line has not come.
    reply_text: Vec<u8>,
    ended: bool,
    under_tls: bool,
    reached: bool,
    /// Messages that were taken before the point.
    taken_before: usize,
    /// The last reply said that a text may come.
    after_354: bool,
    sent: usize,
    seen: Seen,
}

impl<C: Connection> Run<'_, C> {
    fn steps(&mut self) -> Result<(), Box<Miss>> {
        let steps = &self.vector.steps;
        let mut next = 0;
        while let Some((line, step)) = steps.get(next) {
            let (expected, got) = match step {
                Step::Send(_) | Step::Glue => {
                    next = self.burst(next);
                    continue;
                }
                Step::Point => {
                    self.reached = true;
                    let inside = self.connection.inside();
                    self.taken_before = inside.messages.map_or(0, |messages| messages.len());
                    (String::new(), None)
                }
                Step::Border => (String::new(), None),
                Step::Reply(codes) => match self.next_reply() {
                    Some(code) if codes.fit(code) => (String::new(), None),
                    Some(code) => (format!("{codes:?}"), Some(escape(&code))),
                    None => (format!("{codes:?}"), Some("no reply".to_owned())),
                },
                Step::Line(globs) => match self.next_line() {
                    Some(line) if globs.iter().any(|glob| glob.fits(&line)) => {
                        (String::new(), None)
                    }
                    Some(line) => (format!("{globs:?}"), Some(escape(&line))),
                    None => (format!("{globs:?}"), Some("no line".to_owned())),
                },
                Step::Text => {
                    self.text();
                    (String::new(), None)
                }
                Step::Tls => {
                    // What was said in clear is not heard under TLS.
                    if self.reached {
                        self.note_rest();
                    }
                    self.unread.clear();
                    self.reply_text.clear();
                    if self.connection.handshake() {
                        self.under_tls = true;
                        self.seen.handshake |= self.reached;
                        (String::new(), None)
                    } else {
                        ("a handshake".to_owned(), Some("none".to_owned()))
                    }
                }
            };
            if let Some(got) = got {
                if !self.reached {
                    return Err(self.miss(*line, Why::NotReached, expected, got));
                }
                // Behind the point the rules alone decide.
                break;
            }
            next += 1;
        }
        self.connection.end();
        while !self.ended && self.receive() {}
        self.ended = true;
        self.note_rest();
        self.seen.inside = self.connection.inside();
        if let Some(messages) = &mut self.seen.inside.messages {
            messages.drain(..self.taken_before);
        }
        Ok(())
    }

    /// Sends all octets up to the next other step or border; gives that step.
    fn burst(&mut self, first: usize) -> usize {
        let steps = &self.vector.steps;
        let mut octets = Vec::new();
        let mut glued = Vec::new();
        let mut next = first;
        while let Some((_, step)) = steps.get(next) {
            match step {
                Step::Send(more) => octets.extend_from_slice(more),
                Step::Glue => glued.push(self.sent + octets.len()),
                _ => break,
            }
            next += 1;
        }
        for chunk in self.schedule.chunks_from(self.sent, &octets, &glued) {
            self.connection.send(chunk);
        }
        self.sent += octets.len();
        next
    }

    /// Whether anything came.
    fn receive(&mut self) -> bool {
        match self.connection.receive() {
            Received::Octets(octets) => {
                self.unread.extend(octets);
                true
            }
            Received::Nothing => false,
            Received::End => {
                self.ended = true;
                false
            }
        }
    }

    /// One line with its LF; `None` where none comes.
    fn raw_line(&mut self) -> Option<Vec<u8>> {
        while !self.unread.contains(&b'\n') && !self.ended && self.receive() {}
        let end = self.unread.iter().position(|&octet| octet == b'\n')?;
        Some(self.unread.drain(..=end).collect())
    }

    fn next_reply(&mut self) -> Option<[u8; 3]> {
        loop {
            let line = self.raw_line()?;
            // What is no reply, an alert for one, says nothing.
            let Some((code, rest)) = line.split_first_chunk::<3>() else { continue };
            if !code.iter().all(u8::is_ascii_digit) {
                continue;
            }
            self.reply_text.extend_from_slice(rest.get(1..).unwrap_or_default());
            if rest.first() == Some(&b'-') {
                continue;
            }
            let text = std::mem::take(&mut self.reply_text);
            if self.reached {
                self.seen.replies.push(Reply { code: *code, text, under_tls: self.under_tls });
                self.seen.accepted += usize::from(self.after_354 && code[0] == b'2');
            }
            self.after_354 = code == b"354";
            return Some(*code);
        }
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let mut line = self.raw_line()?;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.reached {
            self.seen.lines.push(Said { octets: line.clone(), under_tls: self.under_tls });
        }
        Some(line)
    }

    /// Takes the text of a message, and what stands behind its end before it is answered.
    fn text(&mut self) {
        let ended = |text: &[u8]| text == b".\r\n" || text.ends_with(b"\r\n.\r\n");
        while !ended(&self.unread) && !self.ended && self.receive() {}
        self.seen.text.append(&mut self.unread);
    }

    /// Keeps whatever has come and was not waited for.
    fn note_rest(&mut self) {
        while self.unread.contains(&b'\n') {
            match self.vector.side {
                Role::Server => drop(self.next_reply()),
                Role::Client => drop(self.next_line()),
            }
        }
        if self.vector.side == Role::Client && !self.unread.is_empty() {
            let octets = std::mem::take(&mut self.unread);
            self.seen.lines.push(Said { octets, under_tls: self.under_tls });
        }
    }

    fn judge(&self) -> Result<Judged, Box<Miss>> {
        let mut judged = Judged::default();
        for must in &self.vector.musts {
            let found: Vec<Option<bool>> =
                must.conditions.iter().map(|condition| condition.holds(&self.seen)).collect();
            let any = found.contains(&Some(true));
            let holds = if any {
                Some(!must.not)
            } else if found.contains(&None) {
                None
            } else {
                Some(must.not)
            };
            match holds {
                Some(true) => {}
                Some(false) => {
                    let got = self.seen.to_string();
                    return Err(self.miss(must.line, Why::Violated, must.text.clone(), got));
                }
                None => judged.unjudged.push(must.text.clone()),
            }
        }
        let said: Vec<String> = match self.vector.side {
            Role::Server => self.seen.replies.iter().map(|reply| escape(&reply.code)).collect(),
            Role::Client => self.seen.lines.iter().map(|line| first_word(&line.octets)).collect(),
        };
        for reference in &self.vector.references {
            let applies = match self.policy {
                FOREIGN => false,
                policy => reference.policy == "any" || reference.policy == policy,
            };
            if applies && said != reference.words {
                let (expected, got) = (reference.words.join(" "), self.seen.to_string());
                return Err(self.miss(reference.line, Why::NotTheReference, expected, got));
            }
        }
        Ok(judged)
    }

    fn miss(&self, line: usize, why: Why, expected: String, got: String) -> Box<Miss> {
        Box::new(Miss {
            vector: self.vector.name.clone(),
            policy: self.policy.to_owned(),
            schedule: self.schedule,
            line,
            why,
            expected,
            got,
        })
    }
}

fn first_word(line: &[u8]) -> String {
    escape(line.split(|&octet| octet == b' ').next().unwrap_or_default())
}
