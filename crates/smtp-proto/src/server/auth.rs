//! The exchange behind AUTH (RFC 4954 section 4).
//!
//! Does: decode what the client says, put it to the handler, and send what the mechanism says.
//! Does not: know a mechanism. Fails: a response that is too long or not base64, and one that
//! gives up, end the exchange with an error; the session goes on.

use core::ops::Range;

use super::command::{Framed, verb_of};
use super::conversation::{Conversation, Stage};
use super::event::{Output, question};
use super::state::{Admit, Asked, State};
use super::{Session, Step};
use crate::ask::Ask;
use crate::error::PeerMisbehaved;
use crate::wire::sasl::{self, Exchange, Response, SaslError, Secret};
use crate::wire::{Auth, Command, Verb};

impl Session {
    /// Reads AUTH, and puts its question; otherwise notes what is wrong with it. What stands behind
    /// the mechanism's name may be a password, and does not stay in the input.
    pub(super) fn auth(&mut self, state: State, line: Range<usize>) -> Output<'_> {
        let behind = self.input.len();
        let text = self.input.at(line.clone());
        let talk = &mut self.talk;
        let parsed = Command::parse_with(text, &talk.syntax());
        let mut admit = talk.admit(state, text, &parsed, behind);
        if let (Admit::Ask(Asked::Auth), Ok(Command::Auth(auth))) = (admit, &parsed) {
            match talk.initial_response(auth) {
                Ok(()) => {
                    let start = line.start + "AUTH ".len();
                    let name = start..start + auth.mechanism.as_str().len();
                    self.input.wipe(name.end..line.end);
                    let mechanism = core::str::from_utf8(self.input.at(name))
                        .expect("the name of a mechanism is ASCII");
                    let initial_response = talk.secret.as_ref().map(Secret::as_octets);
                    talk.stage = Stage::Asking(state, Asked::Auth);
                    let exchange = Exchange::Begin { mechanism, initial_response };
                    return Output::Auth(talk.desk.ask(), exchange);
                }
                Err(fault) => admit = Admit::Refuse(fault),
            }
        }
        let output = talk.refuse_question(state, admit, verb_of(text, &parsed), &parsed, behind);
        self.input.wipe(line);
        output
    }

    /// Reads the answer to a challenge.
    pub(super) fn step_exchange(&mut self, state: State) -> Option<Step> {
        if self.talk.stopping {
            self.talk.close_for_shutdown();
            return None;
        }
        self.talk.queue.make_due();
        let line = match self.next_line(state) {
            Framed::Line(line) => line,
            Framed::Fault(PeerMisbehaved::LineTooLong) => {
                self.fail_exchange(state, PeerMisbehaved::AuthLineTooLong);
                return None;
            }
            Framed::Fault(fault) => {
                self.talk.expel(Some(Verb::Auth), fault);
                return None;
            }
            Framed::Nothing(step) => return step,
        };
        let response = sasl::decode_response(self.input.at(line.clone()));
        self.input.wipe(line);
        match response {
            Ok(Response::Message(message)) => {
                self.talk.secret = Some(message);
                Some(Step::AuthResponse(self.talk.ask(state, Asked::Auth)))
            }
            Ok(Response::Cancel) => {
                self.fail_exchange(state, PeerMisbehaved::AuthCancelled);
                None
            }
            Err(error) => {
                self.fail_exchange(state, fault(error));
                None
            }
        }
    }

    fn fail_exchange(&mut self, state: State, fault: PeerMisbehaved) {
        self.talk.stage = Stage::Commands(state);
        self.talk.refuse(Some(Verb::Auth), fault);
    }

    pub(super) fn auth_response(&self, ask: Ask<question::Auth>) -> Output<'_> {
        let secret = self.talk.secret.as_ref().expect("it is set where it is asked about");
        Output::Auth(ask, Exchange::Response(secret.as_octets()))
    }
}

impl Conversation {
    /// Decodes what came with AUTH.
    pub(super) fn initial_response(&mut self, auth: &Auth<'_>) -> Result<(), PeerMisbehaved> {
        self.secret = match auth.initial_response {
            Some(text) => Some(sasl::decode_initial_response(text.as_str()).map_err(fault)?),
            None => None,
        };
        Ok(())
    }
}

const fn fault(error: SaslError) -> PeerMisbehaved {
    match error {
        SaslError::TooLong => PeerMisbehaved::AuthLineTooLong,
        SaslError::NotBase64 | SaslError::Malformed(_) => PeerMisbehaved::NotBase64,
    }
}
