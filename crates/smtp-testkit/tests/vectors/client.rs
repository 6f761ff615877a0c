//! A plain client: one command at a time, right without a fault, wrong in one way with one.

use std::mem;

use smtp_testkit::transcript::Side;
use smtp_testkit::vector::{Inside, Subject, Vector};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What stands behind the 220 to STARTTLS is read under TLS.
    KeepsInput,
    /// The same, and what is no reply is success.
    KeepsInputAndTakesNoise,
    /// What came before a command answers it.
    TakesRepliesAhead,
    /// STARTTLS that is not answered 220 is passed over, however TLS is wanted.
    GoesOnInClear,
    /// So is a connection that ends in the place of an answer.
    GoesOnBehindTheEnd,
    /// So is a server that offers no TLS, or answers EHLO with anything.
    GoesOnWithoutOffer,
    HeloOffers,
    FirstLineOffers,
    CaseMatters,
    EndsReplyAtFirst220,
    KeepsOffers,
    AsksAgainUnderTls,
    QuitsWithoutHelo,
    IgnoresLimit,
    ShowsCredentials,
    /// No reply to the message is waited for.
    DeliversAtDot,
    TakesCutOffReply,
    ForgetsDoubt,
    KeepsDots,
    KeepsLineEnds,
    KeepsNul,
    AddsNoLineEnd,
    /// Blanks at both ends of a line are cut off behind the doubling of dots.
    TrimsLines,
    /// These octets become a line end behind the doubling of dots.
    MakesLineEnd(&'static [u8]),
}

pub(crate) const FAULTS: [Fault; 28] = [
    Fault::KeepsInput,
    Fault::KeepsInputAndTakesNoise,
    Fault::TakesRepliesAhead,
    Fault::GoesOnInClear,
    Fault::GoesOnBehindTheEnd,
    Fault::GoesOnWithoutOffer,
    Fault::HeloOffers,
    Fault::FirstLineOffers,
    Fault::CaseMatters,
    Fault::EndsReplyAtFirst220,
    Fault::KeepsOffers,
    Fault::AsksAgainUnderTls,
    Fault::QuitsWithoutHelo,
    Fault::IgnoresLimit,
    Fault::ShowsCredentials,
    Fault::DeliversAtDot,
    Fault::TakesCutOffReply,
    Fault::ForgetsDoubt,
    Fault::KeepsDots,
    Fault::KeepsLineEnds,
    Fault::KeepsNul,
    Fault::AddsNoLineEnd,
    Fault::TrimsLines,
    Fault::MakesLineEnd(b"\xc2\x85"),
    Fault::MakesLineEnd(b"\x85"),
    Fault::MakesLineEnd(b"\xe2\x80\xa8"),
    Fault::MakesLineEnd(b"\x0b"),
    Fault::MakesLineEnd(b"\x0c"),
];

/// What an answer is awaited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Connection,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Dot,
    Quit,
}

pub(crate) struct Plain {
    fault: Option<Fault>,
    /// TLS is wanted, and whether nothing goes without it.
    wants: bool,
    requires: bool,
    credentials: bool,
    message: Vec<u8>,
    input: Vec<u8>,
    /// The lines of a reply whose last line has not come.
    lines: Vec<String>,
    output: Vec<u8>,
    awaits: To,
    offers: Vec<String>,
    under_tls: bool,
    wants_tls: bool,
    dot_sent: bool,
    outcome: Option<&'static str>,
    closed: bool,
}

impl Plain {
    pub(crate) fn new(vector: &Vector, fault: Option<Fault>) -> Self {
        let tls = vector.setting("tls").unwrap_or("none");
        Self {
            fault,
            wants: matches!(tls, "opportunistic" | "required"),
            requires: tls == "required",
            credentials: vector.setting("credentials").is_some(),
            message: vector.octets("message").unwrap_or(b"Subject: x\r\n\r\ntext\r\n".to_vec()),
            input: Vec::new(),
            lines: Vec::new(),
            output: Vec::new(),
            awaits: To::Connection,
            offers: Vec::new(),
            under_tls: false,
            wants_tls: tls == "implicit",
            dot_sent: false,
            outcome: None,
            closed: false,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn keeps_input(&self) -> bool {
        self.has(Fault::KeepsInput) || self.has(Fault::KeepsInputAndTakesNoise)
    }

    fn say(&mut self, line: &str, awaits: To) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.awaits = awaits;
    }

    /// Something is wrong: nothing more is said.
    fn give_up(&mut self) {
        let doubtful = self.dot_sent && !self.has(Fault::ForgetsDoubt);
        self.outcome.get_or_insert(if doubtful { "doubtful" } else { "deferred" });
        self.closed = true;
    }

    fn conclude(&mut self, outcome: &'static str) {
        self.outcome.get_or_insert(outcome);
        self.say("QUIT", To::Quit);
    }

    fn work(&mut self) {
        while !self.closed && !self.wants_tls {
            let Some(end) = self.input.iter().position(|&octet| octet == b'\n') else { return };
            let line: Vec<u8> = self.input.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
        let more = line.as_bytes().get(3) == Some(&b'-');
        let code = match code {
            Some(code) => code,
            None if self.has(Fault::KeepsInputAndTakesNoise) => 250,
            None if self.has(Fault::GoesOnInClear) && self.awaits == To::StartTls => 500,
            None => return self.give_up(),
        };
        self.lines.push(line.get(4..).unwrap_or_default().to_owned());
        if more && !(code == 220 && self.has(Fault::EndsReplyAtFirst220)) {
            return;
        }
        let lines = mem::take(&mut self.lines);
        let may_stay = match self.awaits {
            To::StartTls if code == 220 => self.keeps_input(),
            To::Data if self.has(Fault::DeliversAtDot) => true,
            _ => self.keeps_input() && self.under_tls || self.has(Fault::TakesRepliesAhead),
        };
        if !self.input.is_empty() && !may_stay && self.awaits != To::Quit {
            return self.give_up();
        }
        self.reply(code, &lines);
    }

    fn reply(&mut self, code: u16, lines: &[String]) {
        let positive = code / 100 == 2;
        match self.awaits {
            To::Connection if positive => {
                self.note_offers(lines, self.has(Fault::FirstLineOffers));
                self.say("EHLO plain", To::Ehlo);
            }
            To::Ehlo if positive => {
                self.note_offers(lines, true);
                self.greeted();
            }
            To::Ehlo if self.has(Fault::QuitsWithoutHelo) => self.give_up(),
            To::Ehlo if code / 100 == 5 || self.has(Fault::GoesOnWithoutOffer) => {
                self.say("HELO plain", To::Helo);
            }
            To::Helo if positive => {
                self.note_offers(lines, self.has(Fault::HeloOffers));
                self.greeted();
            }
            To::StartTls if code == 220 => self.wants_tls = true,
            To::StartTls if self.has(Fault::GoesOnInClear) => self.mail(),
            To::StartTls if matches!(code / 100, 4 | 5) && code != 421 && !self.requires => {
                self.mail();
            }
            To::Auth => self.mail(),
            To::Mail if positive => self.say("RCPT TO:<b@b.example>", To::Rcpt),
            To::Rcpt if positive && self.offer("CHUNKING").is_some() => {
                let command = format!("BDAT {} LAST\r\n", self.message.len());
                self.output.extend_from_slice(command.as_bytes());
                self.output.extend_from_slice(&self.message);
                self.dot_sent = true;
                self.awaits = To::Dot;
            }
            To::Rcpt if positive => self.say("DATA", To::Data),
            To::Data if code == 354 => self.text(),
            To::Dot if positive => self.conclude("delivered"),
            To::Mail | To::Rcpt | To::Data | To::Dot if code / 100 == 5 => {
                self.conclude("rejected")
            }
            To::Quit => self.closed = true,
            _ => self.give_up(),
        }
    }

    /// What is offered stands behind the first line of the answer to EHLO.
    fn note_offers(&mut self, lines: &[String], counts: bool) {
        let first = usize::from(!self.has(Fault::FirstLineOffers));
        if counts {
            self.offers.extend(lines.iter().skip(first).cloned());
        }
    }

    /// The parameters of a keyword that is offered.
    fn offer(&self, keyword: &str) -> Option<&str> {
        self.offers.iter().find_map(|offer| {
            let (word, parameters) = offer.split_once(' ').unwrap_or((offer, ""));
            let same = match self.has(Fault::CaseMatters) {
                true => word == keyword,
                false => word.eq_ignore_ascii_case(keyword),
            };
            same.then_some(parameters)
        })
    }

    fn greeted(&mut self) {
        let offered = self.offer("STARTTLS").is_some();
        let asks = self.wants && (!self.under_tls || self.has(Fault::AsksAgainUnderTls));
        if offered && asks {
            self.say("STARTTLS", To::StartTls);
        } else if self.requires && !self.under_tls && !self.has(Fault::GoesOnWithoutOffer) {
            self.give_up();
        } else if self.credentials
            && self.offer("AUTH").is_some()
            && (self.under_tls || self.has(Fault::ShowsCredentials))
        {
            self.say("AUTH PLAIN AHVzZXIAc2VjcmV0", To::Auth);
        } else {
            self.mail();
        }
    }

    /// Says MAIL, where the message fits the server and can be read in one way.
    fn mail(&mut self) {
        let size = self.message.len();
        let limit = self.offer("SIZE").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let whole_lines = self.message.iter().enumerate().all(|(at, octet)| match octet {
            b'\n' => at > 0 && self.message[at - 1] == b'\r',
            b'\r' => self.message.get(at + 1) == Some(&b'\n'),
            _ => true,
        });
        let fits = (size <= limit || self.has(Fault::IgnoresLimit) || self.has(Fault::KeepsOffers))
            && (whole_lines || self.has(Fault::KeepsLineEnds))
            && (!self.message.contains(&0) || self.has(Fault::KeepsNul));
        if !fits {
            return self.conclude("rejected");
        }
        let parameter = match self.offer("SIZE") {
            Some(_) => format!(" SIZE={size}"),
            None => String::new(),
        };
        self.say(&format!("MAIL FROM:<a@a.example>{parameter}"), To::Mail);
    }

    fn text(&mut self) {
        let mut text = Vec::new();
        for line in self.message.split_inclusive(|&octet| octet == b'\n') {
            if line.starts_with(b".") && !self.has(Fault::KeepsDots) {
                text.push(b'.');
            }
            match self.has(Fault::TrimsLines) {
                true => text.extend([line.trim_ascii(), b"\r\n"].concat()),
                false => text.extend_from_slice(line),
            }
        }
        if let Some(Fault::MakesLineEnd(octets)) = self.fault {
            text = replaced(&text, octets, b"\r\n");
        }
        if !text.ends_with(b"\r\n") && !text.is_empty() && !self.has(Fault::AddsNoLineEnd) {
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b".\r\n");
        self.output.extend_from_slice(&text);
        self.dot_sent = true;
        self.awaits = To::Dot;
        if self.has(Fault::DeliversAtDot) {
            self.outcome = Some("delivered");
        }
    }
}

fn replaced(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((octet, behind)) = rest.split_first() {
        match rest.strip_prefix(what) {
            Some(behind) => {
                out.extend_from_slice(by);
                rest = behind;
            }
            None => {
                out.push(*octet);
                rest = behind;
            }
        }
    }
    out
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
        if !self.has(Fault::KeepsOffers) {
            self.offers.clear();
        }
        self.say("EHLO plain", To::Ehlo);
        self.work();
    }

    fn tls_failed(&mut self) {
        self.wants_tls = false;
        self.give_up();
    }

    fn end_of_input(&mut self) {
        match self.awaits {
            To::Quit => self.closed = true,
            To::Dot if self.has(Fault::TakesCutOffReply) && self.input.starts_with(b"2") => {
                self.conclude("delivered");
                self.closed = true;
            }
            To::StartTls if self.has(Fault::GoesOnBehindTheEnd) => {
                self.mail();
                self.give_up();
            }
            _ => self.give_up(),
        }
    }

    fn timed_out(&mut self) {
        self.give_up();
    }

    fn shut_down(&mut self) {
        self.give_up();
    }

    fn closed(&self) -> bool {
        self.closed
    }
}

impl Subject for Plain {
    fn inside(&self) -> Inside {
        let outcomes = self.outcome.iter().map(|outcome| (*outcome).to_owned()).collect();
        Inside { messages: None, outcomes: Some(outcomes) }
    }
}
