//! AUTH, between the greeting and the first message.
//!
//! Does: use the first mechanism that both sides have, and another where the server cannot use that
//! one. Does not: try other credentials, or the same ones again. Fails: where it is required,
//! [`Reason::Auth`], and nothing was sent; otherwise the record says why it was not done.

use smtp_proto::client::{AuthError, AuthResponse, Event, Phase};
use smtp_proto::wire::sasl::Secret;
use smtp_proto::wire::{Mechanism, Reply};

use super::{Attempt, Connection, Stop};
use crate::auth::{AuthFailure, Authentication, SaslExchange, SaslMechanism};
use crate::error::{OpenError, Reason};
use crate::report::AuthRecord;

/// What the mechanism says next, and how the last exchange ended.
#[derive(Default)]
pub(super) struct Exchange {
    mechanism: Option<Box<dyn SaslExchange>>,
    end: Option<Event>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    pub(super) fn respond(&mut self, challenge: &[u8]) -> AuthResponse {
        let mechanism = self.mechanism.as_mut();
        match mechanism.and_then(|mechanism| mechanism.respond(challenge)) {
            Some(response) => AuthResponse::Response(response),
            None => AuthResponse::Cancel,
        }
    }

    pub(super) fn ended(&mut self, event: Event) {
        self.end = Some(event);
    }
}

impl Connection {
    /// The session is ready for the first time.
    pub(super) async fn ready(
        mut self,
        authentication: Option<&Authentication>,
    ) -> Result<Self, Attempt> {
        let Some(authentication) = authentication else { return Ok(self) };
        let result = self.authenticate(authentication).await;
        self.link.forget();
        let reason = match result {
            Ok(record) => {
                self.auth = record;
                return Ok(self);
            }
            Err(reason) => reason,
        };
        let tls = self.tls.clone();
        self.quit().await;
        Err(Attempt::Failed(Box::new(OpenError { reason, tls })))
    }

    async fn authenticate(
        &mut self,
        authentication: &Authentication,
    ) -> Result<AuthRecord, Reason> {
        let mut failure = AuthFailure::NotOffered;
        for mechanism in authentication.mechanisms() {
            match self.try_mechanism(mechanism).await? {
                Tried::Authenticated => {
                    let mechanism = mechanism.name().to_ascii_uppercase();
                    return Ok(AuthRecord::Authenticated { mechanism });
                }
                Tried::NotOffered => {}
                Tried::Failed(why) => {
                    let another_may_do = speaks_of_the_mechanism(&why);
                    tracing::debug!(mechanism = mechanism.name(), %why, "not authenticated");
                    failure = why;
                    if !another_may_do {
                        break;
                    }
                }
            }
        }
        match authentication.is_required() {
            true => Err(Reason::Auth(failure)),
            false => Ok(AuthRecord::Without(failure)),
        }
    }

    async fn try_mechanism(&mut self, mechanism: &dyn SaslMechanism) -> Result<Tried, Reason> {
        let Some(name) = Mechanism::parse(mechanism.name()) else { return Ok(Tried::NotOffered) };
        let mut exchange = mechanism.begin();
        let initial = exchange.initial_response();
        match self.session.authenticate(name, initial.as_ref().map(Secret::as_octets)) {
            Ok(()) => {}
            Err(AuthError::InClear) => return Ok(Tried::Failed(AuthFailure::InClear)),
            Err(AuthError::NotOffered) => return Ok(Tried::NotOffered),
            Err(_) => return Err(Reason::Session(self.failure(Phase::Auth))),
        }
        self.exchange = Exchange { mechanism: Some(exchange), end: None };
        let stop = self.advance().await;
        let Exchange { end, .. } = std::mem::take(&mut self.exchange);
        Ok(match (stop, end) {
            (Stop::Ready, Some(Event::Authenticated(_))) => Tried::Authenticated,
            (Stop::Ready, Some(Event::AuthRefused(reply))) => {
                Tried::Failed(AuthFailure::Refused(reply))
            }
            (Stop::Ready, Some(Event::AuthCancelled(_))) => {
                let mechanism = name.as_str().to_ascii_uppercase();
                Tried::Failed(AuthFailure::GivenUp { mechanism })
            }
            _ => return Err(Reason::Session(self.failure(Phase::Auth))),
        })
    }
}

enum Tried {
    Authenticated,
    NotOffered,
    Failed(AuthFailure),
}

/// Whether it is the mechanism that failed, and not who used it: 504 and 534 (RFC 4954, 4 and 6).
/// The same credentials again, where they are wrong, would be counted against their owner.
fn speaks_of_the_mechanism(failure: &AuthFailure) -> bool {
    let is_of_mechanism = |reply: &Reply| matches!(reply.code().get(), 504 | 534);
    match failure {
        AuthFailure::GivenUp { .. } => true,
        AuthFailure::Refused(reply) => is_of_mechanism(reply),
        AuthFailure::InClear | AuthFailure::NotOffered => false,
    }
}
