//! A plain server: as simple as it can be, right without a fault, wrong in one way with one.

use std::mem;

use smtp_testkit::transcript::Side;
use smtp_testkit::vector::{Inside, Subject, Vector};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// These octets end a message too.
    EndsAt(&'static [u8]),
    /// NUL and CR before the dot are passed over before the end is looked for.
    DropsNul,
    /// A line of more octets than this is taken in pieces, each as a line.
    LineInPieces(usize),
    /// An end that stands across this offset of the text is not seen.
    EdgeHidesEnd(usize),
    KeepsDots,
    TakesCutOff,
    NeedsLineBeforeEnd,
    CrStartsField,
    LfEndsCommandAndRestIsLost,
    CrEndsCommand,
    CrHidesRest,
    NulEndsCommand,
    LfEndsAndInputIsKept,
    SpaceMakesAnotherVerb,
    KeepsTransactionAtEhlo,
    ChunkHasDots,
    ChunkStopsAtLf,
    RefusedChunkIsCommands,
    SizeOfChunkWraps,
    DataBehindChunk,
    TakesCutOffChunk,
    KeepsInput,
    KeepsTransaction,
    KeepsName,
    KeepsUser,
    ForgivesErrors,
    OffersAgain,
    NeverOffers,
    CaseMatters,
    TakesParameters,
    SaysWordAfterFailure,
    TakesAnythingForHandshake,
    Echoes,
    GoesOnBehindHttp,
    LosesGroup,
    SilentAboutParameters,
}

/// What a message is ended by, elsewhere.
const ENDS: [&[u8]; 23] = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\r.\r\n",
    b"\n\n\n.\r\n",
    b"\r\n .\r\n",
    b"\r\n. \r\n",
    b"\r\n.\t\r\n",
    b"\r\n..\r\n",
    b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\xc2\x85.\xc2\x85",
    b"\x85.\x85",
    b"\x0b.\x0b",
    b"\x0c.\x0c",
];

pub(crate) fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::DropsNul,
        Fault::LineInPieces(1000),
        Fault::EdgeHidesEnd(1024),
        Fault::KeepsDots,
        Fault::TakesCutOff,
        Fault::NeedsLineBeforeEnd,
        Fault::CrStartsField,
        Fault::LfEndsCommandAndRestIsLost,
        Fault::CrEndsCommand,
        Fault::CrHidesRest,
        Fault::NulEndsCommand,
        Fault::LfEndsAndInputIsKept,
        Fault::SpaceMakesAnotherVerb,
        Fault::KeepsTransactionAtEhlo,
        Fault::ChunkHasDots,
        Fault::ChunkStopsAtLf,
        Fault::RefusedChunkIsCommands,
        Fault::SizeOfChunkWraps,
        Fault::DataBehindChunk,
        Fault::TakesCutOffChunk,
        Fault::KeepsInput,
        Fault::KeepsTransaction,
        Fault::KeepsName,
        Fault::KeepsUser,
        Fault::ForgivesErrors,
        Fault::OffersAgain,
        Fault::NeverOffers,
        Fault::CaseMatters,
        Fault::TakesParameters,
        Fault::SaysWordAfterFailure,
        Fault::TakesAnythingForHandshake,
        Fault::Echoes,
        Fault::GoesOnBehindHttp,
        Fault::LosesGroup,
        Fault::SilentAboutParameters,
    ];
    faults.extend(ENDS.map(Fault::EndsAt));
    faults
}

#[derive(Debug)]
enum Mode {
    Commands,
    Text(Vec<u8>),
    Chunk { left: usize, last: bool, kept: bool },
}

pub(crate) struct Plain {
    fault: Option<Fault>,
    starttls: bool,
    errors_left: usize,
    auth_required: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    mode: Mode,
    messages: Vec<Vec<u8>>,
    chunks: Option<Vec<u8>>,
    named: bool,
    user: bool,
    mail: bool,
    rcpt: bool,
    spoke_smtp: bool,
    under_tls: bool,
    wants_tls: bool,
    implicit: bool,
    closed: bool,
}

impl Plain {
    pub(crate) fn new(vector: &Vector, fault: Option<Fault>) -> Self {
        let implicit = vector.setting("tls") == Some("implicit");
        let mut plain = Self {
            fault,
            starttls: vector.setting("tls") == Some("starttls"),
            errors_left: vector.setting("errors").map_or(100, |errors| errors.parse().unwrap()),
            auth_required: vector.needs().any(|need| need == "auth-required"),
            input: Vec::new(),
            output: Vec::new(),
            mode: Mode::Commands,
            messages: Vec::new(),
            chunks: None,
            named: false,
            user: false,
            mail: false,
            rcpt: false,
            spoke_smtp: false,
            under_tls: false,
            wants_tls: implicit,
            implicit,
            closed: false,
        };
        if !implicit {
            plain.say("220 plain");
        }
        plain
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn keeps_input(&self) -> bool {
        self.has(Fault::KeepsInput) || self.has(Fault::LfEndsAndInputIsKept)
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn work(&mut self) {
        while !self.closed && !self.wants_tls {
            let went_on = match self.mode {
                Mode::Commands => self.command(),
                Mode::Text(_) => self.text(),
                Mode::Chunk { .. } => self.chunk(),
            };
            if !went_on {
                return;
            }
        }
    }

    fn end_transaction(&mut self) {
        self.mail = false;
        self.rcpt = false;
        self.chunks = None;
    }

    /// One line, if it is whole.
    fn command(&mut self) -> bool {
        let ends: &[u8] = if self.has(Fault::CrEndsCommand) { b"\r\n" } else { b"\n" };
        let Some(end) = self.input.iter().position(|octet| ends.contains(octet)) else {
            return false;
        };
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        if self.has(Fault::CrEndsCommand) && self.input.first() == Some(&b'\n') {
            self.input.remove(0);
        } else if line.last() == Some(&b'\r') {
            line.pop();
        } else if self.has(Fault::LfEndsCommandAndRestIsLost) {
            let rest = self.input.windows(2).position(|two| two == b"\r\n");
            self.input.drain(..rest.map_or(self.input.len(), |at| at + 2));
        } else if !self.has(Fault::CrEndsCommand) && !self.has(Fault::LfEndsAndInputIsKept) {
            self.say("550 bare LF");
            self.closed = true;
            return true;
        }
        if self.has(Fault::NulEndsCommand)
            && let Some(nul) = line.iter().position(|&octet| octet == 0)
        {
            line.truncate(nul);
        }
        if self.has(Fault::CrHidesRest)
            && let Some(cr) = line.iter().position(|&octet| octet == b'\r')
        {
            line.truncate(cr);
        }
        let printable = line.iter().all(|octet| matches!(octet, b' '..=b'~'));
        let line = String::from_utf8_lossy(&line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let known =
            if self.has(Fault::CaseMatters) { verb.to_owned() } else { verb.to_ascii_uppercase() };
        if !printable {
            self.error("500 octets");
            return true;
        }
        self.carry_out(&known, rest, &line);
        true
    }

    fn error(&mut self, line: &str) {
        self.errors_left = self.errors_left.saturating_sub(1);
        if self.errors_left == 0 {
            self.say("421 errors");
            self.closed = true;
        } else {
            self.say(line);
        }
    }

    fn carry_out(&mut self, verb: &str, rest: &str, line: &str) {
        let smtp = matches!(
            verb,
            "EHLO"
                | "AUTH"
                | "MAIL"
                | "RCPT"
                | "DATA"
                | "BDAT"
                | "RSET"
                | "NOOP"
                | "QUIT"
                | "STARTTLS"
        );
        match verb {
            "EHLO" => {
                self.named = true;
                if !self.has(Fault::KeepsTransactionAtEhlo) {
                    self.end_transaction();
                }
                let offered = self.starttls && !self.under_tls && !self.has(Fault::NeverOffers);
                if offered || self.has(Fault::OffersAgain) {
                    self.say("250-plain\r\n250 STARTTLS");
                } else {
                    self.say("250 plain");
                }
            }
            "AUTH" if self.named => {
                self.user = true;
                self.say("235 ok");
            }
            "MAIL" if !self.named => self.error("503 EHLO"),
            "MAIL" if self.auth_required && !self.user => self.error("530 AUTH"),
            "MAIL" if !rest.contains(':') => self.error("501 syntax"),
            "MAIL" => {
                self.end_transaction();
                self.mail = true;
                self.say("250 ok");
            }
            "RCPT" if self.mail => {
                self.rcpt = true;
                self.say("250 ok");
            }
            "DATA" if self.chunks.is_some() && !self.has(Fault::DataBehindChunk) => {
                self.error("503 BDAT");
            }
            "DATA" if self.rcpt => {
                self.mode = Mode::Text(b"\r\n".to_vec());
                self.say("354 go");
            }
            "BDAT" => self.bdat(rest),
            "RSET" => {
                self.end_transaction();
                self.say("250 ok");
            }
            "NOOP" => self.say("250 ok"),
            "QUIT" => {
                self.say("221 bye");
                self.closed = true;
            }
            "STARTTLS" if !rest.trim().is_empty() && !self.has(Fault::TakesParameters) => {
                match self.has(Fault::SilentAboutParameters) {
                    true => {}
                    false => self.error("501 parameters"),
                }
            }
            "STARTTLS" if line.ends_with(' ') && self.has(Fault::SpaceMakesAnotherVerb) => {
                self.say("250 ok");
            }
            "STARTTLS" if self.starttls && !self.under_tls => {
                if !self.input.is_empty() && !self.keeps_input() {
                    self.say("554 input behind");
                    self.closed = true;
                    return;
                }
                self.say("220 go");
                self.wants_tls = true;
            }
            "STARTTLS" => {
                if self.has(Fault::LosesGroup)
                    && let Some(end) = self.input.iter().position(|&octet| octet == b'\n')
                {
                    self.input.drain(..=end);
                }
                self.say(if self.has(Fault::OffersAgain) { "220 go" } else { "502 no" });
            }
            "RCPT" | "DATA" => self.error("503 order"),
            _ if !self.spoke_smtp && line.ends_with("HTTP/1.1") => {
                self.error(if self.has(Fault::Echoes) { line } else { "500 what" });
                self.closed = !self.has(Fault::GoesOnBehindHttp);
            }
            _ => self.error("500 what"),
        }
        if self.has(Fault::Echoes) && !smtp {
            self.say(&format!("500 what is {line}"));
        }
        if self.has(Fault::Echoes) && verb == "NOOP" {
            // It comes back at the next occasion.
            self.starttls = true;
        }
        self.spoke_smtp |= smtp;
    }

    /// Takes text up to its end, if that is here.
    fn text(&mut self) -> bool {
        let taken = mem::take(&mut self.input);
        let (fault, drops) = (self.fault, self.has(Fault::DropsNul));
        let Mode::Text(text) = &mut self.mode else { return false };
        text.extend(taken.into_iter().filter(|octet| !(drops && *octet == 0)));
        if let Some(Fault::LineInPieces(limit)) = fault {
            *text = in_pieces(text, limit);
        }
        let also: Option<&[u8]> = match fault {
            Some(Fault::EndsAt(end)) => Some(end),
            _ => None,
        };
        let from = if fault == Some(Fault::NeedsLineBeforeEnd) { 2 } else { 0 };
        let find = |end: &[u8]| {
            let at = text[from..].windows(end.len()).position(|window| window == end)?;
            let (start, end) = (from + at, from + at + end.len());
            let hidden =
                matches!(fault, Some(Fault::EdgeHidesEnd(edge)) if (start..end).contains(&edge));
            (!hidden).then_some((start, end))
        };
        let end = [Some(&b"\r\n.\r\n"[..]), also].into_iter().flatten().filter_map(find).min();
        let Some((start, end)) = end else { return false };
        self.input = text.split_off(end);
        text.truncate(start);
        text.extend_from_slice(b"\r\n");
        let text = text.split_off(2.min(text.len()));
        self.mode = Mode::Commands;
        self.end_transaction();
        // A fault of ends goes with taking what has such line ends.
        let bare = text
            .iter()
            .enumerate()
            .any(|(at, &octet)| octet == b'\n' && (at == 0 || text[at - 1] != b'\r'));
        if bare && also.is_none() {
            self.error("550 bare LF");
            return true;
        }
        self.take(undot(&text, fault));
        self.say("250 taken");
        true
    }

    fn take(&mut self, message: Vec<u8>) {
        let message = match self.fault {
            Some(Fault::CrStartsField) => {
                let text: Vec<u8> =
                    message.iter().map(|octet| if *octet == 0 { b'\r' } else { *octet }).collect();
                String::from_utf8_lossy(&text)
                    .replace("\r\n", "\n")
                    .replace('\r', "\n")
                    .into_bytes()
            }
            _ => message,
        };
        self.messages.push(message);
    }

    fn bdat(&mut self, rest: &str) {
        let (size, last) = match rest.split_once(' ') {
            Some((size, "LAST")) => (size, true),
            _ => (rest, false),
        };
        let size = match size.parse::<u64>() {
            Ok(size) => size,
            Err(_) if self.has(Fault::SizeOfChunkWraps) => 0,
            Err(_) => {
                self.say("501 size");
                self.closed = true;
                return;
            }
        };
        if !self.rcpt && self.has(Fault::RefusedChunkIsCommands) {
            self.error("503 order");
            return;
        }
        if self.has(Fault::ChunkHasDots) {
            self.mode = Mode::Text(b"\r\n".to_vec());
            return;
        }
        let kept = self.rcpt;
        self.mode = Mode::Chunk { left: usize::try_from(size).unwrap(), last, kept };
    }

    fn chunk(&mut self) -> bool {
        let Mode::Chunk { left, last, kept } = self.mode else { return false };
        if self.input.len() < left {
            return false;
        }
        let mut chunk: Vec<u8> = self.input.drain(..left).collect();
        self.mode = Mode::Commands;
        if !kept {
            self.error("503 order");
            return true;
        }
        let bare = (1..chunk.len()).find(|&at| chunk[at] == b'\n' && chunk[at - 1] != b'\r');
        if let Some(at) = bare {
            if self.has(Fault::ChunkStopsAtLf) {
                let mut rest = chunk.split_off(at + 1);
                rest.append(&mut self.input);
                self.input = rest;
            }
            self.end_transaction();
            self.error("550 bare LF");
            return true;
        }
        let mut chunks = self.chunks.take().unwrap_or_default();
        chunks.append(&mut chunk);
        if last {
            self.end_transaction();
            self.take(chunks);
        } else {
            self.chunks = Some(chunks);
        }
        self.say("250 chunk");
        true
    }
}

fn in_pieces(text: &[u8], limit: usize) -> Vec<u8> {
    text.split_inclusive(|&octet| octet == b'\n')
        .map(|line| match line.len() > limit {
            true => line.chunks(limit).collect::<Vec<_>>().join(&b"\r\n"[..]),
            false => line.to_vec(),
        })
        .collect::<Vec<_>>()
        .concat()
}

fn undot(text: &[u8], fault: Option<Fault>) -> Vec<u8> {
    if fault == Some(Fault::KeepsDots) {
        return text.to_vec();
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut line_start = true;
    for (at, &octet) in text.iter().enumerate() {
        if !(line_start && octet == b'.') {
            kept.push(octet);
        }
        line_start = octet == b'\n' && at > 0 && text[at - 1] == b'\r';
    }
    kept
}

impl Side for Plain {
    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.work();
    }

    fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    fn wants_tls(&self) -> bool {
        self.wants_tls
    }

    fn tls_established(&mut self) {
        self.wants_tls = false;
        self.under_tls = true;
        if !self.keeps_input() {
            self.input.clear();
        }
        if !self.has(Fault::KeepsTransaction) && !self.has(Fault::KeepsTransactionAtEhlo) {
            self.end_transaction();
        }
        self.named &= self.has(Fault::KeepsName) || self.has(Fault::KeepsTransaction);
        self.user &= self.has(Fault::KeepsUser);
        if self.has(Fault::ForgivesErrors) {
            self.errors_left = 100;
        }
        if self.has(Fault::Echoes) && !self.implicit {
            self.say("500 secret");
        }
        if self.implicit {
            self.say("220 plain");
        }
        self.work();
    }

    fn tls_failed(&mut self) {
        self.wants_tls = self.has(Fault::TakesAnythingForHandshake);
        if self.has(Fault::SaysWordAfterFailure) {
            self.say("454 no handshake");
        }
        self.closed = !self.wants_tls;
    }

    fn end_of_input(&mut self) {
        if let Mode::Text(text) = &mut self.mode
            && self.fault == Some(Fault::TakesCutOff)
        {
            let text = mem::take(text);
            self.take(text);
        }
        if self.has(Fault::TakesCutOffChunk)
            && (self.chunks.is_some() || matches!(self.mode, Mode::Chunk { .. }))
        {
            self.take(Vec::new());
        }
        self.closed = true;
    }

    fn timed_out(&mut self) {
        self.closed = true;
    }

    fn shut_down(&mut self) {
        self.closed = true;
    }

    fn closed(&self) -> bool {
        self.closed
    }
}

impl Subject for Plain {
    fn inside(&self) -> Inside {
        Inside { messages: Some(self.messages.clone()), outcomes: None }
    }
}
