//! Commands: from octets to what they do.
//!
//! Does: find one line, parse it, let [`state::admit`] decide, and carry the decision out. Does
//! not: decide. Fails: a line that is no command is a reply; one over the limit is skipped to its
//! end in constant memory.

use core::ops::Range;

use super::config::{ImproperPipelining, Tls};
use super::conversation::{Conversation, Handshake, Stage};
use super::event::{Event, Phase};
use super::foreign::foreign;
use super::queue::Notice;
use super::state::{self, Admit, Asked, Facts, State};
use super::transaction::Transaction;
use super::{Session, Step, replies};
use crate::ask::{Ask, Question};
use crate::error::PeerMisbehaved;
use crate::limits;
use crate::wire::line::octets_to_line_end;
use crate::wire::{self, BareLf, Command, CommandError, LineEnd, LineScanner, Verb};

/// How the next line is looked for.
#[derive(Debug)]
pub(super) struct Line {
    scanner: LineScanner,
    /// The line is over the limit, and its end is looked for.
    skipping: bool,
}

impl Line {
    pub(super) fn new(limit: usize) -> Self {
        Self { scanner: LineScanner::new(limit), skipping: false }
    }

    pub(super) fn reset(&mut self) {
        self.scanner.reset();
        self.skipping = false;
    }
}

impl Session {
    pub(super) fn step_commands(&mut self, state: State) -> Option<Step> {
        if self.talk.stopping {
            self.talk.close_for_shutdown();
            return None;
        }
        if self.line.skipping {
            return self.skip_line(state);
        }
        match self.line.scanner.scan(self.input.unused()) {
            wire::Line::Complete { end: LineEnd::BareLf, .. }
                if self.talk.config.bare_lf == BareLf::Reject =>
            {
                self.talk.expel(None, PeerMisbehaved::BareLf);
                None
            }
            wire::Line::Complete { len, end } => {
                self.line.reset();
                let line = self.input.take(len);
                self.command(state, line.start..line.end - end.octets())
            }
            wire::Line::TooLong => {
                self.line.skipping = true;
                // What stands behind the limit, and whether it came yet, is the network's chance.
                let line = &self.input.unused()[..self.talk.config.max_command_line];
                if !self.talk.spoke_smtp
                    && let Some(fault) = foreign(line)
                {
                    self.talk.expel(None, fault);
                }
                None
            }
            wire::Line::Incomplete => self.wait_for_command(state),
        }
    }

    fn wait_for_command(&mut self, state: State) -> Option<Step> {
        if self.talk.queue.held() > 0 {
            return Some(Step::Transmit);
        }
        if let Some(end) = self.talk.end {
            let midway = self.input.len() > 0 || self.line.skipping || state.in_transaction();
            self.talk.close_at_end(end, Phase::Command, midway);
            return None;
        }
        let most = if self.input.len() < limits::SERVER_IDLE_BUFFER {
            limits::SERVER_IDLE_BUFFER
        } else {
            self.talk.config.max_command_line.saturating_add(1)
        };
        self.input.make_space(limits::SERVER_IDLE_BUFFER.min(most), most);
        Some(Step::Wait(Phase::Command))
    }

    /// Drops what is here of a line over the limit. A CR at the end of it stays: LF may follow.
    fn skip_line(&mut self, state: State) -> Option<Step> {
        let unused = self.input.unused();
        let Some(len) = octets_to_line_end(unused) else {
            let passed = unused.len() - usize::from(unused.ends_with(b"\r"));
            self.input.take(passed);
            return self.wait_for_command(state);
        };
        let bare = !unused[..len].ends_with(b"\r\n");
        self.input.take(len);
        self.line.reset();
        if bare && self.talk.config.bare_lf == BareLf::Reject {
            self.talk.expel(None, PeerMisbehaved::BareLf);
        } else {
            self.talk.refuse(None, PeerMisbehaved::LineTooLong);
        }
        None
    }

    fn command(&mut self, state: State, line: Range<usize>) -> Option<Step> {
        let text = self.input.at(line.clone());
        if is_of_the_envelope(text) {
            return Some(Step::Envelope(state, line));
        }
        let parsed = Command::parse(text);
        let behind = self.input.len();
        let admit = self.talk.admit(state, text, &parsed, behind);
        self.talk.carry_out(state, admit, &parsed, behind)
    }
}

/// MAIL and RCPT are read where their question is made, which borrows from the line; every other
/// answer to one of them begins with a note.
fn is_of_the_envelope(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|verb| {
        verb.eq_ignore_ascii_case(b"MAIL") || verb.eq_ignore_ascii_case(b"RCPT")
    })
}

type Parsed<'a> = Result<Command<'a>, CommandError>;

fn verb_of(parsed: &Parsed<'_>) -> Option<Verb> {
    match parsed {
        Ok(command) => Some(command.verb()),
        Err(error) => error.verb(),
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
        let verb = verb_of(parsed);
        // RFC 2920 section 3.2: only these replies may wait for those behind them.
        if !matches!(verb, Some(Verb::Mail | Verb::Rcpt | Verb::Rset)) {
            self.queue.make_due();
        }
        let foreign = if verb.is_none() && !self.spoke_smtp { foreign(line) } else { None };
        let declared = match parsed {
            Ok(Command::Mail(mail)) => mail.parameters.size,
            _ => None,
        };
        let facts = Facts {
            under_tls: self.under_tls,
            starttls_available: self.config.tls == Tls::StartTls,
            tls_required: self.config.tls_required,
            input_behind: behind > 0,
            pipelining: self.extended == Some(true),
            waiting_enforced: self.config.improper_pipelining == ImproperPipelining::Refuse,
            malformed: parsed.as_ref().err().map(fault),
            foreign,
            declared_too_big: matches!(
                (declared, self.config.max_message_size),
                (Some(declared), Some(limit)) if declared > limit
            ),
            recipients_full: self.transaction.is_full(self.config.max_recipients),
            recipient_refused: self.transaction.recipient_was_refused(),
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
        if matches!(admit, Admit::Courtesy(_) | Admit::Hello(_) | Admit::Reset(_)) {
            self.counts.junk();
        }
        admit
    }

    /// Puts the question of a MAIL or RCPT that is admitted.
    pub(super) fn ask<Q: Question>(&mut self, state: State, asked: Asked) -> Ask<Q> {
        self.stage = Stage::Asking(state, asked);
        if asked == Asked::Mail {
            self.transaction = Transaction::default();
        }
        self.desk.ask()
    }

    /// Does what was decided. What MAIL and RCPT ask is not asked here.
    pub(super) fn carry_out(
        &mut self,
        state: State,
        admit: Admit,
        parsed: &Parsed<'_>,
        behind: usize,
    ) -> Option<Step> {
        let verb = verb_of(parsed);
        match admit {
            Admit::Courtesy(courtesy) => self.say(replies::courtesy(courtesy)),
            Admit::Refuse(fault) => {
                match verb {
                    Some(Verb::Mail) if state == State::Greeted => self.transaction.begin(false),
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
                let (Ok(Command::Ehlo(name)) | Ok(Command::Helo(name))) = parsed else {
                    unreachable!("only EHLO and HELO are admitted so")
                };
                self.hello.clear();
                self.hello.push_str(name.as_str());
                self.end_transaction(state);
                self.stage = Stage::Commands(next);
                self.queue.notice(Notice::Hello);
                let extended = verb == Some(Verb::Ehlo);
                self.extended = Some(extended);
                if extended {
                    let starttls = self.config.tls == Tls::StartTls && !self.under_tls;
                    replies::ehlo(self.queue.reply(), &self.config, starttls);
                } else {
                    replies::helo(self.queue.reply(), &self.config);
                }
            }
            Admit::Reset(next) => {
                self.end_transaction(state);
                self.stage = Stage::Commands(next);
                self.say(replies::FLUSHED);
            }
            Admit::Ask(asked @ Asked::Data) => return Some(Step::Data(self.ask(state, asked))),
            Admit::Ask(Asked::Mail | Asked::Rcpt) => {
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

const fn fault(error: &CommandError) -> PeerMisbehaved {
    match error {
        CommandError::NotPrintableAscii { .. } | CommandError::Utf8NotDeclared { .. } => {
            PeerMisbehaved::NotAscii
        }
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
