//! Who sends, as a server is shown it: SASL mechanisms with their secrets.
//!
//! Does: hold the mechanisms in the caller's order of preference, and what each says. Does not:
//! speak; the connection does, with the first of them that the server offers. Fails: [`AuthFailure`],
//! which holds nothing of the secrets, as no [`Debug`](fmt::Debug) here does.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smtp_proto::wire::Reply;
use smtp_proto::wire::sasl::{External, Login, OAuthBearer, Plain, SaslError, Secret, XOAuth2};
use thiserror::Error;

/// A mechanism of SASL (RFC 4422), with the secrets that it needs.
///
/// One value serves any number of connections; it is shown to those alone whose route has it.
pub trait SaslMechanism: Send + Sync {
    /// Its name, in any case: `SCRAM-SHA-256`. What is no such name is never used.
    fn name(&self) -> &str;

    /// Begins an exchange.
    fn begin(&self) -> Box<dyn SaslExchange>;
}

/// One exchange of a mechanism.
pub trait SaslExchange: Send + Sync {
    /// The first message, where the mechanism begins with the client's; it may be empty.
    fn initial_response(&mut self) -> Option<Secret>;

    /// The answer to a challenge; both are decoded. `None` gives the exchange up.
    fn respond(&mut self, challenge: &[u8]) -> Option<Secret>;
}

/// What proves to one server who sends, and whether a message goes there without.
///
/// It is a [`Route`](crate::Route)'s: see [`Route::authenticated`](crate::Route::authenticated).
/// Clones are equal; two that were made apart are not.
///
/// It is not sent in clear, unless
/// [`auth_in_clear`](smtp_proto::client::Config::auth_in_clear) says so. TLS alone keeps it from
/// those who listen; only [`Level::Verified`](smtp_tls::Level::Verified) keeps it from those who
/// answer in the server's place.
///
/// ```
/// use smtp_client::{Authentication, Route};
///
/// let authentication = Authentication::password("tim", "tanstaaftanstaaf")?;
/// assert_eq!(format!("{authentication:?}"), "Authentication([\"PLAIN\", \"LOGIN\"], required)");
/// let route = Route::new("mail.example.org", 587).authenticated(authentication);
/// # Ok::<(), smtp_client::wire::sasl::SaslError>(())
/// ```
#[derive(Clone)]
pub struct Authentication {
    mechanisms: Arc<[Box<dyn SaslMechanism>]>,
    required: bool,
}

impl Authentication {
    /// A user's password: PLAIN (RFC 4616), and LOGIN where the server offers that alone.
    ///
    /// # Errors
    /// One of them is empty or holds a NUL.
    pub fn password(user: &str, password: &str) -> Result<Self, SaslError> {
        let plain = Plain::new("", user, password)?.encode();
        let mut mechanisms = vec![Answers::first("PLAIN", plain, [])];
        // LOGIN has no way to say what holds a line end.
        if let Ok(login) = Login::new(user.as_bytes(), password.as_bytes()) {
            let answers = [secret(login.name()), Secret::from(login.password().to_vec())];
            mechanisms.push(Answers { name: "LOGIN", initial: None, answers: answers.into() });
        }
        Ok(Self::of(mechanisms))
    }

    /// A user's bearer token: OAUTHBEARER (RFC 7628), and XOAUTH2 where the server offers that
    /// alone.
    ///
    /// # Errors
    /// The user is empty or holds a control character, or the token is none (RFC 6750, 2.1).
    pub fn bearer_token(user: &str, token: &str) -> Result<Self, SaslError> {
        let bearer = OAuthBearer::new(user, None, None, token)?.encode();
        let xoauth2 = XOAuth2::new(user, token)?.encode();
        Ok(Self::of(vec![
            // What a server asks behind these says why it refuses (RFC 7628, 3.2.3).
            Answers::first("OAUTHBEARER", bearer, [secret("\x01")]),
            Answers::first("XOAUTH2", xoauth2, [secret("")]),
        ]))
    }

    /// EXTERNAL (RFC 4422, appendix A): who sends is known already; `authorization_id` is whom one
    /// acts as, empty for oneself.
    ///
    /// # Errors
    /// It holds a NUL.
    pub fn external(authorization_id: &str) -> Result<Self, SaslError> {
        let message = Secret::from(External::new(authorization_id)?.encode().to_vec());
        Ok(Self::of(vec![Answers::first("EXTERNAL", message, [])]))
    }

    /// Mechanisms of the caller's own, the preferred one first.
    pub fn with_mechanisms(mechanisms: impl IntoIterator<Item = Box<dyn SaslMechanism>>) -> Self {
        Self { mechanisms: mechanisms.into_iter().collect(), required: true }
    }

    /// Messages go without it where it fails. Without this nothing is sent then, and the recipients
    /// are deferred.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// Whether nothing is sent without it.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    pub(crate) fn mechanisms(&self) -> impl Iterator<Item = &dyn SaslMechanism> {
        self.mechanisms.iter().map(|mechanism| &**mechanism)
    }

    fn of(mechanisms: Vec<Answers>) -> Self {
        let boxed = mechanisms.into_iter().map(|each| Box::new(each) as Box<dyn SaslMechanism>);
        Self::with_mechanisms(boxed)
    }
}

impl PartialEq for Authentication {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mechanisms, &other.mechanisms) && self.required == other.required
    }
}

impl Eq for Authentication {}

impl Hash for Authentication {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.mechanisms).cast::<()>(), self.required).hash(state);
    }
}

/// Shows the mechanisms' names alone.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.mechanisms().map(SaslMechanism::name).collect();
        let need = if self.required { "required" } else { "optional" };
        write!(f, "Authentication({names:?}, {need})")
    }
}

/// Why a connection is not authenticated, which the server itself has left open.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFailure {
    /// The connection is in clear.
    #[error("credentials are not sent in clear")]
    InClear,
    /// The server offers none of the mechanisms.
    #[error("the server offers no AUTH mechanism of those that can be used")]
    NotOffered,
    /// The server has refused by this reply: 4yz for now, 5yz these credentials.
    #[error("AUTH refused: {0}")]
    Refused(Reply),
    /// The mechanism, or this side, gave the exchange up: the server asked what it cannot answer.
    #[error("AUTH given up: the server asks what {mechanism} does not say")]
    GivenUp {
        /// The mechanism's name.
        mechanism: String,
    },
}

/// A mechanism whose messages do not depend on what the server asks.
#[derive(Clone)]
struct Answers {
    name: &'static str,
    initial: Option<Secret>,
    answers: VecDeque<Secret>,
}

impl Answers {
    fn first<const N: usize>(name: &'static str, initial: Secret, answers: [Secret; N]) -> Self {
        Self { name, initial: Some(initial), answers: answers.into() }
    }
}

impl SaslMechanism for Answers {
    fn name(&self) -> &str {
        self.name
    }

    fn begin(&self) -> Box<dyn SaslExchange> {
        Box::new(self.clone())
    }
}

impl SaslExchange for Answers {
    fn initial_response(&mut self) -> Option<Secret> {
        self.initial.take()
    }

    fn respond(&mut self, _challenge: &[u8]) -> Option<Secret> {
        self.answers.pop_front()
    }
}

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_equal_and_what_was_made_apart_is_not() {
        let one = Authentication::password("tim", "secret").unwrap();
        assert_eq!(one, one.clone());
        assert_ne!(one, one.clone().optional());
        assert_ne!(one, Authentication::password("tim", "secret").unwrap());
    }

    #[test]
    fn a_password_that_login_cannot_say_is_plains_alone() {
        let authentication = Authentication::password("tim", "two\r\nlines").unwrap();
        assert_eq!(format!("{authentication:?}"), "Authentication([\"PLAIN\"], required)");
        assert!(Authentication::password("tim", "a\0b").is_err());
        assert!(Authentication::password("", "a").is_err());
    }
}
