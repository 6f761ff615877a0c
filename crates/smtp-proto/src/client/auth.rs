//! AUTH: the frame around any SASL mechanism (RFC 4954).
//!
//! Does: say AUTH, with the first message where the line has room for it, put the server's
//! challenges to the caller, and give the exchange up where the server does not keep to it. Does
//! not: know a mechanism, or a security layer: none is ever in effect, so nothing that was offered
//! is forgotten at success (RFC 4954, 4). Fails: a refusal is a note and the session goes on; what
//! is no answer to AUTH at all ends it.

use alloc::string::String;

use zeroize::Zeroizing;

use super::error::{AuthError, ServerMisbehaved};
use super::event::{AuthResponse, Event, Phase};
use super::state::Meaning;
use super::{Session, State};
use crate::error::ApiMisuse;
use crate::limits::{AUTH_CHALLENGES, COMMAND_LINE, REPLY_TEXT_KEPT};
use crate::wire::sasl::{self, Secret};
use crate::wire::{Extension, Mechanism, Reply};

/// Where an exchange stands.
#[derive(Default)]
pub(super) struct Exchange {
    /// The first message, in base64, that found no room behind AUTH.
    held_back: Option<Zeroizing<String>>,
    /// What the server asks.
    pub(super) challenge: Option<Secret>,
    challenges: u32,
    cancelled: bool,
}

impl Session {
    /// Begins an authentication. [`Event::Authenticated`], [`Event::AuthRefused`] or
    /// [`Event::AuthCancelled`] follows as a note, and then [`Ready`](super::Output::Ready) again;
    /// the server's challenges before that are [`AuthChallenge`](super::Output::AuthChallenge)s.
    ///
    /// `initial_response` is the mechanism's first message, before base64, where it begins with the
    /// client's. It goes behind AUTH, an empty one as `=`; where the line would be longer than
    /// [`COMMAND_LINE`] it waits for the server's empty challenge (RFC 4954, 4).
    ///
    /// # Errors
    /// The session is not ready, the connection is in clear, or the server does not offer the
    /// mechanism; nothing was sent.
    pub fn authenticate(
        &mut self,
        mechanism: Mechanism<'_>,
        initial_response: Option<&[u8]>,
    ) -> Result<(), AuthError> {
        self.expect(State::Ready, ApiMisuse::NotReady)?;
        if self.authenticated {
            return Err(AuthError::AlreadyAuthenticated);
        }
        if !self.under_tls && !self.config.auth_in_clear {
            return Err(AuthError::InClear);
        }
        let mut offered = self.capabilities.auth();
        if !self.capabilities.has(Extension::Auth) || !offered.any(|name| mechanism.is(name)) {
            return Err(AuthError::NotOffered);
        }
        drop(offered);
        // What lies here was said before AUTH, so it answers nothing.
        if self.unsolicited(Phase::Auth) {
            return Ok(());
        }
        self.exchange = Exchange::default();
        let first = initial_response.map(sasl::initial_response);
        let name = mechanism.as_str();
        let bare = "AUTH ".len() + name.len() + "\r\n".len();
        match first {
            Some(first) if bare + " ".len() + first.len() <= COMMAND_LINE => {
                self.say_secret(&["AUTH ", name, " ", &first, "\r\n"]);
            }
            held_back => {
                self.exchange.held_back = held_back;
                self.say_secret(&["AUTH ", name, "\r\n"]);
            }
        }
        Ok(())
    }

    /// Whether the server has accepted an authentication.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    pub(super) fn answer_challenge(&mut self, response: AuthResponse) {
        match response {
            AuthResponse::Response(octets) => {
                self.say_secret(&[&sasl::encode(octets.as_octets()), "\r\n"]);
            }
            AuthResponse::Cancel => self.cancel(),
        }
    }

    /// A reply within the exchange.
    pub(super) fn hear_auth(&mut self, meaning: Meaning, reply: Reply) {
        if self.exchange.cancelled && matches!(meaning, Meaning::GoOn | Meaning::Challenge) {
            // Behind `*` there is nothing but 501 (RFC 4954, 4).
            let misplaced = ServerMisbehaved::MisplacedReply.into();
            return self.fail(Phase::Auth, misplaced, Some(reply));
        }
        if meaning == Meaning::Challenge {
            return self.hear_challenge(&reply);
        }
        let exchange = core::mem::take(&mut self.exchange);
        let reply = reply.abridged(REPLY_TEXT_KEPT);
        self.authenticated = meaning == Meaning::GoOn;
        self.notes.push_back(match meaning {
            Meaning::GoOn => Event::Authenticated(reply),
            _ if exchange.cancelled => Event::AuthCancelled(reply),
            _ => Event::AuthRefused(reply),
        });
        self.state = State::Ready;
    }

    fn hear_challenge(&mut self, reply: &Reply) {
        self.exchange.challenges += 1;
        if self.exchange.challenges > AUTH_CHALLENGES {
            return self.cancel();
        }
        match (sasl::decode_challenge(reply), self.exchange.held_back.take()) {
            (Ok(challenge), Some(first)) if challenge.as_octets().is_empty() => {
                self.say_secret(&[&first, "\r\n"]);
            }
            (Ok(challenge), None) => {
                self.exchange.challenge = Some(challenge);
                self.state = State::AskChallenge;
            }
            // No base64, or something asked of a mechanism that begins with the client.
            (Ok(_), Some(_)) | (Err(_), _) => self.cancel(),
        }
    }

    fn cancel(&mut self) {
        self.exchange.cancelled = true;
        self.say_secret(&[sasl::CANCEL, "\r\n"]);
    }

    /// Says a line of the exchange. It leaves no copy of itself when it has gone out.
    fn say_secret(&mut self, parts: &[&str]) {
        self.outbox.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.outbox.extend_from_slice(part.as_bytes());
        }
        self.state = State::Await(Phase::Auth);
    }
}
