//! Commands: from octets to what they do.
//!
//! Does: find one line, parse it, let [`state::admit`] decide, and carry the decision out. Does
//! not: decide. Fails: a line that is no command is a reply; one over the limit is skipped to its
//! end in constant memory.

use core::ops::Range;

use super::config::{ExtensionsAfterHelo, ImproperPipelining, Tls};
use super::conversation::{Conversation, Handshake, Reading, Stage};
use super::event::{Event, Output, Phase};
use super::foreign::foreign;
use super::queue::Notice;
use super::state::{self, Admit, Asked, AuthOffer, Facts, State};
use super::transaction::Transaction;
use super::{Session, Step, replies};
use crate::ask::{Ask, Question};
use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::line::octets_to_line_end;
use crate::wire::{
    self, BareLf, Bdat, Command, CommandError, Extension, Extensions, LineEnd, LineScanner,
    Mechanism, Syntax, Verb,
};

/// How the next line is looked for.
#[derive(Debug)]
pub(super) struct Line {
    scanner: LineScanner,
    limit: usize,
    /// The line is over the limit, and its end is looked for.
    skipping: bool,
    /// The last line over the limit was BDAT.
    announces_chunk: bool,
}

impl Line {
    pub(super) fn new(limit: usize) -> Self {
        let scanner = LineScanner::new(limit);
        Self { scanner, limit, skipping: false, announces_chunk: false }
    }

    pub(super) fn reset(&mut self) {
        self.scanner.reset();
        self.skipping = false;
    }
}

/// What the input holds, line by line.
pub(super) enum Framed {
    Line(Range<usize>),
    /// A line that is not to be read: a bare LF ends it, or it is too long and was passed over.
    Fault(PeerMisbehaved),
    /// No line yet; or no session any more.
    Nothing(Option<Step>),
}

impl Session {
    pub(super) fn step_commands(&mut self, state: State) -> Option<Step> {
        // Between two chunks a message is on its way.
        if self.talk.stopping && state != State::Chunks {
            self.talk.close_for_shutdown();
            return None;
        }
        match self.next_line(state) {
            Framed::Line(line) => self.command(state, line),
            Framed::Fault(PeerMisbehaved::LineTooLong) => {
                self.talk.refuse_long_line(self.line.announces_chunk);
                None
            }
            Framed::Fault(fault) => {
                self.talk.expel(None, fault);
                None
            }
            Framed::Nothing(step) => step,
        }
    }

    /// Finds one line.
    pub(super) fn next_line(&mut self, state: State) -> Framed {
        if self.line.skipping {
            return self.skip_line(state);
        }
        match self.line.scanner.scan(self.input.unused()) {
            wire::Line::Complete { end: LineEnd::BareLf, .. }
                if self.talk.config.bare_lf == BareLf::Reject =>
            {
                Framed::Fault(PeerMisbehaved::BareLf)
            }
            wire::Line::Complete { len, end } => {
                self.line.reset();
                let line = self.input.take(len);
                Framed::Line(line.start..line.end - end.octets())
            }
            wire::Line::TooLong => {
                // What stands behind the limit, and whether it came yet, is the network's chance.
                let start = &self.input.unused()[..self.line.limit];
                self.line.skipping = true;
                self.line.announces_chunk = announces_chunk(start);
                match foreign(start) {
                    Some(fault) if !self.talk.spoke_smtp => Framed::Fault(fault),
                    _ => Framed::Nothing(None),
                }
            }
            wire::Line::Incomplete => self.wait_for_line(state),
        }
    }

    fn wait_for_line(&mut self, state: State) -> Framed {
        if self.talk.queue.held() > 0 {
            return Framed::Nothing(Some(Step::Transmit));
        }
        if let Some(end) = self.talk.end {
            let midway = self.input.len() > 0 || self.line.skipping || state.in_transaction();
            self.talk.close_at_end(end, Phase::Command, midway);
            return Framed::Nothing(None);
        }
        let most = if self.input.len() < limits::SERVER_IDLE_BUFFER {
            limits::SERVER_IDLE_BUFFER
        } else {
            self.line.limit.saturating_add(1)
        };
        self.input.make_space(limits::SERVER_IDLE_BUFFER.min(most), most);
        Framed::Nothing(Some(Step::Wait(Phase::Command)))
    }

    /// Drops what is here of a line over the limit, which may be a part of a secret. A CR at the
    /// end of it stays: LF may follow.
    fn skip_line(&mut self, state: State) -> Framed {
        let unused = self.input.unused();
        let Some(len) = octets_to_line_end(unused) else {
            let passed = unused.len() - usize::from(unused.ends_with(b"\r"));
            let passed = self.input.take(passed);
            self.input.wipe(passed);
            return self.wait_for_line(state);
        };
        let bare = !unused[..len].ends_with(b"\r\n");
        let rest = self.input.take(len);
        self.input.wipe(rest);
        self.line.reset();
        if bare && self.talk.config.bare_lf == BareLf::Reject {
            Framed::Fault(PeerMisbehaved::BareLf)
        } else {
            Framed::Fault(PeerMisbehaved::LineTooLong)
        }
    }

    fn command(&mut self, state: State, line: Range<usize>) -> Option<Step> {
        let text = self.input.at(line.clone());
        let verb = first_word(text);
        let exchange = verb.eq_ignore_ascii_case(b"AUTH");
        // The line's end is no longer known; it has one octet or two.
        if !exchange && text.len() + "\r\n".len() > self.talk.config.max_command_line {
            match foreign(text) {
                Some(fault) if !self.talk.spoke_smtp => self.talk.expel(None, fault),
                _ => self.talk.refuse_long_line(announces_chunk(text)),
            }
            return None;
        }
        let envelope = verb.eq_ignore_ascii_case(b"MAIL") || verb.eq_ignore_ascii_case(b"RCPT");
        if exchange {
            return Some(Step::Auth(state, line));
        }
        if envelope || self.talk.puts_to_the_handler(verb) {
            return Some(Step::Question(state, line));
        }
        let parsed = Command::parse_with(text, &self.talk.syntax());
        let behind = self.input.len();
        let admit = self.talk.admit(state, text, &parsed, behind);
        self.talk.carry_out(state, admit, verb_of(text, &parsed), &parsed, behind)
    }
}

fn first_word(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
    &line[..end]
}

/// Whether a chunk may follow the line, however little of the line can be read.
fn announces_chunk(line: &[u8]) -> bool {
    let letters = line.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
    line[..letters].eq_ignore_ascii_case(b"BDAT")
}

type Parsed<'a> = Result<Command<'a>, CommandError>;

/// The verb of a line, where it has one; BDAT even where the parser takes no word of the line.
pub(super) fn verb_of(line: &[u8], parsed: &Parsed<'_>) -> Option<Verb> {
    match parsed {
        Ok(command) => Some(command.verb()),
        Err(error) => error.verb().or_else(|| announces_chunk(line).then_some(Verb::Bdat)),
    }
}

impl Conversation {
    /// What a line does, with `behind` octets of input behind it.
    pub(super) fn admit(
        &mut self,
        state: State,
        line: &[u8],
        parsed: &Parsed<'_>,
        behind: usize,
    ) -> Admit {
        let verb = verb_of(line, parsed);
        // RFC 2920 section 3.2: only these replies may wait for those behind them.
        if !matches!(verb, Some(Verb::Mail | Verb::Rcpt | Verb::Rset)) {
            self.queue.make_due();
        }
        let foreign = if verb.is_none() && !self.spoke_smtp { foreign(line) } else { None };
        let fits = match parsed {
            Ok(Command::Mail(mail)) => {
                let size = mail.parameters.size.unwrap_or(0);
                Transaction::default().has_room(size, self.config.max_message_size)
            }
            Ok(Command::Bdat(bdat)) => {
                self.transaction.has_room(bdat.size, self.config.max_message_size)
            }
            _ => true,
        };
        let facts = Facts {
            lmtp: self.config.lmtp,
            under_tls: self.under_tls,
            starttls_available: self.config.tls == Tls::StartTls,
            tls_required: self.config.tls_required,
            auth_required: self.config.auth_required,
            authenticated: self.authenticated,
            auth: self.auth_offer(),
            mechanism_known: match parsed {
                Ok(Command::Auth(auth)) => self.takes_mechanism(auth.mechanism),
                _ => false,
            },
            auth_completes: match parsed {
                Ok(Command::Auth(auth)) => {
                    let one_message = auth.mechanism.is("PLAIN") || auth.mechanism.is("EXTERNAL");
                    one_message && auth.initial_response.is_some()
                }
                _ => false,
            },
            chunking: self.usable().contains(Extension::Chunking),
            chunk_too_costly: match parsed {
                Ok(Command::Bdat(bdat)) => !self.counts.may_refuse(bdat.size, &self.config),
                _ => false,
            },
            chunk_empty: matches!(parsed, Ok(Command::Bdat(Bdat { size: 0, last: false }))),
            requested: verb.is_some_and(|verb| self.config.requests.has(verb)),
            input_behind: behind > 0,
            pipelining: self.extended == Some(true) && self.offered.contains(Extension::Pipelining),
            waiting_enforced: self.config.improper_pipelining == ImproperPipelining::Refuse,
            malformed: match parsed {
                Err(error) => Some(fault(error)),
                Ok(Command::Mail(mail)) => self.config.beyond_the_offer(&mail.parameters),
                Ok(_) => None,
            },
            foreign,
            declared_too_big: !fits,
            recipients_full: self.transaction.is_full(self.config.recipients()),
            recipient_refused: self.transaction.recipient_was_refused(),
            recipient_needs_utf8: match parsed {
                Ok(Command::Rcpt(rcpt)) => {
                    let is_ascii = rcpt.forward_path.is_ascii() && rcpt.parameters.is_ascii();
                    !self.transaction.is_utf8() && !is_ascii
                }
                _ => false,
            },
            binary: self.transaction.is_binary(),
            junk_full: self.counts.junk_is_full(&self.config),
            messages_full: self.counts.mails_are_full(&self.config),
        };
        let admit = state::admit(state, verb, facts);
        if let Some(verb) = verb {
            self.spoke_smtp = true;
            let expelled = matches!(admit, Admit::Expel(_));
            if state::does_not_wait(verb, facts) && !expelled && !self.noted_pipelining {
                self.noted_pipelining = true;
                self.note(Event::ImproperPipelining { verb });
            }
        }
        if verb == Some(Verb::Mail) {
            self.counts.mail();
        }
        if matches!(
            admit,
            Admit::Courtesy(_) | Admit::Hello(_) | Admit::Reset(_) | Admit::Ask(Asked::Request)
        ) {
            self.counts.junk();
        }
        admit
    }

    /// A line over the limit. Behind BDAT nobody knows how many octets follow.
    fn refuse_long_line(&mut self, announces_chunk: bool) {
        if announces_chunk {
            self.expel(Some(Verb::Bdat), PeerMisbehaved::LineTooLong);
        } else {
            self.refuse(None, PeerMisbehaved::LineTooLong);
        }
    }

    /// What may stand in a command now.
    pub(super) fn syntax(&self) -> Syntax {
        Syntax {
            extensions: self.usable(),
            unknown_parameters: self.config.unknown_parameters,
            client_names: self.config.client_names,
        }
    }

    fn puts_to_the_handler(&self, word: &[u8]) -> bool {
        let requests = self.config.requests;
        requests.any()
            && core::str::from_utf8(word)
                .ok()
                .and_then(Verb::from_word)
                .is_some_and(|verb| requests.has(verb))
    }

    /// HELO offers nothing.
    fn offers_nothing(&self) -> bool {
        self.extended == Some(false)
            && self.config.extensions_after_helo == ExtensionsAfterHelo::Refuse
    }

    /// The extensions that the client may use now.
    fn usable(&self) -> Extensions {
        if self.offers_nothing() { Extensions::EMPTY } else { self.offered }
    }

    fn auth_offer(&self) -> AuthOffer {
        if self.offers_nothing() {
            AuthOffer::None
        } else if self.offered.contains(Extension::Auth) {
            AuthOffer::Now
        } else if self.config.offered(true).contains(Extension::Auth)
            && self.config.tls == Tls::StartTls
        {
            AuthOffer::UnderTls
        } else {
            AuthOffer::None
        }
    }

    fn takes_mechanism(&self, mechanism: Mechanism<'_>) -> bool {
        self.config.capabilities.auth().any(|offered| mechanism.is(offered))
    }

    /// Puts a question; its answer finds the state in which it was put.
    pub(super) fn ask<Q: Question>(&mut self, state: State, asked: Asked) -> Ask<Q> {
        self.stage = Stage::Asking(state, asked);
        self.desk.ask()
    }

    /// Does what was decided of a line whose question is not put.
    pub(super) fn refuse_question(
        &mut self,
        state: State,
        admit: Admit,
        verb: Option<Verb>,
        parsed: &Parsed<'_>,
        behind: usize,
    ) -> Output<'_> {
        let step = self.carry_out(state, admit, verb, parsed, behind);
        debug_assert!(step.is_none(), "it is refused");
        let notice = self.queue.next_notice().expect("a refusal is noted");
        self.output(notice)
    }

    /// Does what was decided. What asks with a part of its line is not asked here.
    pub(super) fn carry_out(
        &mut self,
        state: State,
        admit: Admit,
        verb: Option<Verb>,
        parsed: &Parsed<'_>,
        behind: usize,
    ) -> Option<Step> {
        match admit {
            Admit::Courtesy(courtesy) => self.say(replies::courtesy(courtesy)),
            Admit::Refuse(fault) => {
                match verb {
                    Some(Verb::Mail) if state == State::Greeted => {
                        self.transaction = Transaction::refused();
                    }
                    Some(Verb::Rcpt) if state.in_transaction() => self.transaction.recipient(false),
                    _ => {}
                }
                self.refuse(verb, fault);
            }
            Admit::Expel(fault) => {
                if fault == PeerMisbehaved::InputBehindStartTls {
                    self.note(Event::InputBehindStartTls { octets: behind });
                }
                self.expel(verb, fault);
            }
            Admit::Hello(next) => {
                let Ok(Command::Ehlo(name) | Command::Helo(name) | Command::Lhlo(name)) = parsed
                else {
                    unreachable!("only EHLO, HELO and LHLO are admitted so")
                };
                self.hello.clear();
                self.hello.push_str(name.as_str());
                self.end_transaction(state);
                self.stage = Stage::Commands(next);
                self.queue.notice(Notice::Hello);
                let extended = verb != Some(Verb::Helo);
                self.extended = Some(extended);
                if extended {
                    replies::ehlo(self.queue.reply(), &self.config, self.offered);
                } else {
                    replies::helo(self.queue.reply(), &self.config);
                }
            }
            Admit::Reset(next) => {
                self.end_transaction(state);
                self.stage = Stage::Commands(next);
                self.say(replies::FLUSHED);
            }
            Admit::Discard(fault) => {
                self.discard_chunk(state, announced(parsed), Reading::Refused(fault));
            }
            Admit::Chunk => self.take_chunk(announced(parsed)),
            Admit::Ask(asked @ Asked::Data) => return Some(Step::Data(self.ask(state, asked))),
            Admit::Ask(asked @ Asked::Chunks) => {
                self.first_chunk = announced(parsed);
                return Some(Step::Data(self.ask(state, asked)));
            }
            Admit::Ask(Asked::Mail | Asked::Rcpt | Asked::Auth | Asked::Request) => {
                unreachable!("their lines are read where their questions are made")
            }
            Admit::StartTls => {
                self.end_transaction(state);
                self.say(replies::READY_FOR_TLS);
                self.stage = Stage::BeforeHandshake(Handshake::Upgrade);
            }
            Admit::Quit => {
                replies::goodbye(self.queue.reply(), &self.config);
                self.close();
            }
        }
        None
    }
}

fn announced(parsed: &Parsed<'_>) -> Bdat {
    let Ok(Command::Bdat(bdat)) = parsed else { unreachable!("only BDAT announces a chunk") };
    *bdat
}

const fn fault(error: &CommandError) -> PeerMisbehaved {
    match error {
        CommandError::NotPrintableAscii { .. } => PeerMisbehaved::NotAscii,
        CommandError::Utf8NotDeclared { verb: Verb::Mail } => PeerMisbehaved::SenderNeedsUtf8,
        CommandError::Utf8NotDeclared { .. } => PeerMisbehaved::AddressNeedsUtf8,
        CommandError::Syntax { verb: Verb::Auth, .. } => PeerMisbehaved::NotBase64,
        CommandError::Unrecognised => PeerMisbehaved::Unrecognised,
        CommandError::NotImplemented(_) => PeerMisbehaved::NotImplemented,
        CommandError::ParametersNotAllowed(_) => PeerMisbehaved::ParametersNotAllowed,
        CommandError::UnknownParameter { .. } => PeerMisbehaved::UnknownParameter,
        CommandError::Syntax { .. }
        | CommandError::Address { .. }
        | CommandError::DuplicateParameter { .. }
        | CommandError::InvalidParameter { .. } => PeerMisbehaved::Syntax,
    }
}
