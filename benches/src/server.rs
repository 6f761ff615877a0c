//! A server session in memory, and all that its client says to it.
//!
//! Does: give a session its input in the pieces that a socket would, and answer its questions.
//! Does not: measure. Fails: a session that asks for more than the client had to say, or that
//! ends too early, is a panic: a figure over it would say nothing.

use std::hint::black_box;
use std::sync::Arc;

use smtp_proto::server::{Commit, Config, Output, Session, Verdict};
use smtp_proto::wire::Capability;

/// What a driver does with the values that a session hands out.
pub trait Handler {
    /// A transaction begins.
    fn mail(&mut self, reverse_path: &str);
    /// It has another recipient.
    fn rcpt(&mut self, forward_path: &str);
    /// A piece of its message.
    fn body(&mut self, octets: &[u8]);
}

/// Looks at every value and keeps none.
#[derive(Debug, Default)]
pub struct KeepsNothing;

impl Handler for KeepsNothing {
    fn mail(&mut self, reverse_path: &str) {
        black_box(reverse_path);
    }

    fn rcpt(&mut self, forward_path: &str) {
        black_box(forward_path);
    }

    fn body(&mut self, octets: &[u8]) {
        black_box((octets.first(), octets.last()));
    }
}

/// Keeps the envelope, in a `String` for each path, and counts the message's octets.
#[derive(Debug, Default)]
pub struct KeepsEnvelope {
    /// The reverse-path of the transaction.
    pub reverse_path: String,
    /// Its recipients.
    pub forward_paths: Vec<String>,
    /// The octets of its message.
    pub octets: usize,
}

impl Handler for KeepsEnvelope {
    fn mail(&mut self, reverse_path: &str) {
        self.reverse_path = reverse_path.into();
        self.forward_paths = Vec::new();
        self.octets = 0;
    }

    fn rcpt(&mut self, forward_path: &str) {
        self.forward_paths.push(forward_path.into());
    }

    fn body(&mut self, octets: &[u8]) {
        self.octets += octets.len();
    }
}

/// How a client sends its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// EHLO alone, then MAIL, RCPT and DATA at once, then the message; QUIT right behind the last
    /// one (RFC 2920).
    Pipelined,
    /// As pipelined, but the message comes in one chunk with the commands (RFC 3030).
    Chunked,
    /// One command, one reply.
    LockStep,
}

/// What a client says on a connection, in the pieces in which it arrives.
#[derive(Clone, Debug)]
pub struct Conversation {
    segments: Vec<Vec<u8>>,
    messages: usize,
}

impl Conversation {
    /// A connection with `messages` messages, each to `recipients` recipients.
    #[must_use]
    pub fn new(style: Style, messages: usize, recipients: usize, message: &[u8]) -> Self {
        let mut segments = vec![b"EHLO client.example.org\r\n".to_vec()];
        for _ in 0..messages {
            let mut commands = vec![
                format!(
                    "MAIL FROM:<newsletter-bounces+4711@example.org> SIZE={}\r\n",
                    message.len()
                )
                .into_bytes(),
            ];
            commands.extend((0..recipients).map(|recipient| {
                format!("RCPT TO:<first.last+{recipient}@example.net>\r\n").into_bytes()
            }));
            match style {
                Style::Pipelined => {
                    commands.push(b"DATA\r\n".to_vec());
                    segments.extend([commands.concat(), [message, b".\r\n"].concat()]);
                }
                Style::Chunked => {
                    commands.push(format!("BDAT {} LAST\r\n", message.len()).into_bytes());
                    segments.push([&commands.concat(), message].concat());
                }
                Style::LockStep => {
                    commands.push(b"DATA\r\n".to_vec());
                    commands.push([message, b".\r\n"].concat());
                    segments.append(&mut commands);
                }
            }
        }
        match (style, segments.last_mut()) {
            (Style::Pipelined | Style::Chunked, Some(last)) => last.extend_from_slice(b"QUIT\r\n"),
            _ => segments.push(b"QUIT\r\n".to_vec()),
        }
        Self { segments, messages }
    }

    /// The whole connection, from the greeting to its end. A read gives at most `most` octets.
    /// Gives back how many octets of replies the client was sent.
    pub fn run(&self, config: &Arc<Config>, handler: &mut impl Handler, most: usize) -> usize {
        let mut reader = Reader::new(&self.segments, most);
        let mut session = Session::new(Arc::clone(config));
        let mut messages = 0;
        let mut transmitted = 0;
        loop {
            match step(&mut session, handler) {
                Stepped::Transmitted(octets) => transmitted += octets,
                Stepped::Taken => messages += 1,
                Stepped::Wait => {
                    let n = reader.read(session.input()).expect("the client has more to say");
                    session.received(n).expect("room for what was read");
                }
                Stepped::Closed => break,
                Stepped::Other => {}
            }
        }
        assert!(reader.is_at_end() && messages == self.messages, "the client was not heard out");
        transmitted
    }
}

/// What a session did with one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It sent octets to the client.
    Transmitted(usize),
    /// It took a message.
    Taken,
    /// It waits for input.
    Wait,
    /// It is over.
    Closed,
    /// Anything else; a question was answered with yes.
    Other,
}

/// Carries out a session's next output.
pub fn step(session: &mut Session, handler: &mut impl Handler) -> Stepped {
    match session.poll_output() {
        Output::Transmit(octets) => return Stepped::Transmitted(black_box(octets).len()),
        Output::Mail(ask, mail) => {
            handler.mail(mail.reverse_path.as_str());
            session.answer(ask, Verdict::Accept).expect("this question is open");
        }
        Output::Rcpt(ask, rcpt) => {
            handler.rcpt(rcpt.forward_path.as_str());
            session.answer(ask, Verdict::Accept).expect("this question is open");
        }
        Output::Data(ask) => session.answer(ask, Verdict::Accept).expect("this question is open"),
        Output::Body(octets) => handler.body(octets),
        Output::EndOfMessage(ask) => {
            session.answer(ask, Commit::Accepted(None)).expect("this question is open");
            return Stepped::Taken;
        }
        Output::Wait(_) => return Stepped::Wait,
        Output::Close => return Stepped::Closed,
        Output::StartTls => panic!("TLS is not offered"),
        other => drop(black_box(other)),
    }
    Stepped::Other
}

/// Reads segment by segment: one read never has octets of two.
#[derive(Debug)]
pub struct Reader<'a> {
    segments: &'a [Vec<u8>],
    at: usize,
    most: usize,
}

impl<'a> Reader<'a> {
    /// A reader that gives at most `most` octets at once.
    #[must_use]
    pub const fn new(segments: &'a [Vec<u8>], most: usize) -> Self {
        Self { segments, at: 0, most }
    }

    /// Reads once; `None` at the end.
    pub fn read(&mut self, space: &mut [u8]) -> Option<usize> {
        let (first, rest) = self.segments.split_first()?;
        let left = &first[self.at..];
        let n = left.len().min(space.len()).min(self.most);
        space[..n].copy_from_slice(&left[..n]);
        self.at += n;
        if self.at == first.len() {
            self.segments = rest;
            self.at = 0;
        }
        Some(n)
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.segments.is_empty()
    }
}

/// A server as it stands on the internet: no TLS here, a limit on size, chunks are taken.
#[must_use]
pub fn config() -> Arc<Config> {
    let mut config = Config::new("mx.example.net");
    config.capabilities.insert(Capability::Chunking);
    config.max_message_size = Some(50_000_000);
    Arc::new(config)
}
