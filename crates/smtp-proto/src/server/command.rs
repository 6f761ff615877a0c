//! Commands: from octets to what they do.
//!
//! Does: find one line, parse it, let [`state::admit`] decide, and carry the decision out. Does
//! not: decide. Fails: a line that is no command is a reply; one over the limit is skipped to its
//! end in constant memory.

use core::ops::Range;

use super::event::{Event, Phase};
use super::queue::Notice;
use super::state::{self, Admit, Asked, Facts, State};
use super::transaction::Transaction;
use super::{Handshake, Session, Stage, Step, Tls, replies};
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
        if self.stopping {
            self.note(Event::ShutDown);
            self.say(replies::SHUTTING_DOWN);
            self.close();
            return None;
        }
        if self.line.skipping {
            return self.skip_line(state);
        }
        match self.line.scanner.scan(self.input.unused()) {
            wire::Line::Complete { end: LineEnd::BareLf, .. }
                if self.config.bare_lf == BareLf::Reject =>
            {
                self.expel(None, PeerMisbehaved::BareLf);
                None
            }
            wire::Line::Complete { len, end } => {
                self.line.reset();
                let line = self.input.take(len);
                self.command(state, line.start..line.end - end.octets())
            }
            wire::Line::TooLong => {
                self.line.skipping = true;
                None
            }
            wire::Line::Incomplete => self.wait_for_command(state),
        }
    }

    fn wait_for_command(&mut self, state: State) -> Option<Step> {
        if self.queue.held() > 0 {
            return Some(Step::Transmit);
        }
        if let Some(end) = self.end {
            let midway = self.input.len() > 0 || self.line.skipping || state.in_transaction();
            self.close_at_end(end, Phase::Command, midway);
            return None;
        }
        let most = if self.input.len() < limits::SERVER_IDLE_BUFFER {
            limits::SERVER_IDLE_BUFFER
        } else {
            self.config.max_command_line.saturating_add(1)
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
        if bare && self.config.bare_lf == BareLf::Reject {
            self.expel(None, PeerMisbehaved::BareLf);
        } else {
            self.refuse(None, PeerMisbehaved::LineTooLong);
        }
        None
    }

    fn command(&mut self, state: State, line: Range<usize>) -> Option<Step> {
        let parsed = Command::parse(self.input.at(line.clone()));
        let (verb, malformed) = match &parsed {
            Ok(command) => (Some(command.verb()), None),
            Err(error) => (error.verb(), Some(fault(error))),
        };
        // RFC 2920 section 3.2: only these replies may wait for those behind them.
        if !matches!(verb, Some(Verb::Mail | Verb::Rcpt | Verb::Rset)) {
            self.queue.make_due();
        }
        let declared = match &parsed {
            Ok(Command::Mail(mail)) => mail.parameters.size,
            _ => None,
        };
        let facts = Facts {
            under_tls: self.under_tls,
            starttls_available: self.config.tls == Tls::StartTls,
            input_behind: self.input.len() > 0,
            malformed,
            declared_too_big: matches!(
                (declared, self.config.max_message_size),
                (Some(declared), Some(limit)) if declared > limit
            ),
            recipients_full: self.transaction.is_full(self.config.max_recipients),
            recipient_refused: self.transaction.recipient_was_refused(),
        };
        match state::admit(state, verb, facts) {
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
                    self.note(Event::InputBehindStartTls { octets: self.input.len() });
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
                    let starttls = facts.starttls_available && !facts.under_tls;
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
            Admit::Ask(asked) => {
                self.stage = Stage::Asking(state, asked);
                return Some(match asked {
                    Asked::Mail => {
                        self.transaction = Transaction::default();
                        Step::Mail(self.desk.ask(), line)
                    }
                    Asked::Rcpt => Step::Rcpt(self.desk.ask(), line),
                    Asked::Data => Step::Data(self.desk.ask()),
                });
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

    fn end_transaction(&mut self, state: State) {
        self.transaction = Transaction::default();
        if state.in_transaction() {
            self.queue.notice(Notice::Abort);
        }
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
