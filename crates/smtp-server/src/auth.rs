//! Who a client is: what a handler says to AUTH (RFC 4954), and the two mechanisms with a password.
//!
//! Does: answer a step of an exchange; run PLAIN (RFC 4616) and LOGIN for a handler that can check
//! a password. Does not: keep passwords, or offer anything; a session offers what its
//! capabilities name, under TLS unless told otherwise. Fails: what is no message of its mechanism
//! is refused with 501, a name or password that is not right with 535.
//!
//! ```
//! use smtp_proto::wire::sasl::Exchange;
//! use smtp_server::Context;
//! use smtp_server::auth::{Authentication, Passwords};
//!
//! # struct Users;
//! # impl Users { async fn know(&self, _: &str, _: &[u8]) -> bool { true } }
//! struct Session { users: Users, passwords: Passwords }
//!
//! # impl Session {
//! // The method of a `HandlerSession`; its config has `capabilities.insert(Passwords::CAPABILITY)`.
//! async fn authenticate(&mut self, _: &Context<'_>, exchange: Exchange<'_>) -> Authentication {
//!     let users = &self.users;
//!     self.passwords.answer(exchange, |name, password| async move {
//!         Ok(users.know(&name, password.as_octets()).await)
//!     }).await
//! }
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::mem;

use smtp_proto::wire::sasl::{Exchange, Login, Plain, Secret};
use smtp_proto::wire::{Capability, Mechanisms, Refusal};

use crate::error::{credentials_invalid, malformed_exchange, no_mechanism};

/// What a handler says to a step of an exchange.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// The mechanism goes on: this is sent, and the client's answer is the next step.
    Challenge(Vec<u8>),
    /// The client is this one, from now on in
    /// [`Context::authenticated`](crate::Context::authenticated).
    Accept(String),
    /// It is not. Among the session's errors this counts as one, so guessing ends with it.
    Refuse(Refusal),
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge(_) => f.write_str("Challenge(..)"),
            Self::Accept(name) => f.debug_tuple("Accept").field(name).finish(),
            Self::Refuse(refusal) => f.debug_tuple("Refuse").field(refusal).finish(),
        }
    }
}

/// The exchanges of PLAIN and LOGIN on one connection.
#[derive(Debug, Default)]
pub struct Passwords(Expected);

/// What the client's next answer is.
#[derive(Debug, Default)]
enum Expected {
    #[default]
    Nothing,
    Plain,
    LoginName,
    LoginPassword(Secret),
}

enum Next {
    Say(Authentication),
    Verify(String, Secret),
}

impl Passwords {
    /// Both mechanisms, for [`Config::capabilities`](smtp_proto::server::Config::capabilities).
    pub const CAPABILITY: Capability<'static> = Capability::Auth(Mechanisms::new("PLAIN LOGIN"));

    /// Answers a step; `verify` is asked once a name and a password are there. It says whether they
    /// belong together, or refuses where it cannot know (`454 4.7.0`, as RFC 4954 section 6 has it).
    ///
    /// Nobody acts as somebody else: PLAIN's authorization identity is empty or the name itself.
    pub async fn answer<F>(
        &mut self,
        exchange: Exchange<'_>,
        verify: impl FnOnce(String, Secret) -> F,
    ) -> Authentication
    where
        F: Future<Output = Result<bool, Refusal>>,
    {
        let verified = match self.step(exchange) {
            Next::Say(answer) => return answer,
            Next::Verify(name, password) => {
                let verifying = verify(name.clone(), password);
                verifying.await.map(|right| right.then_some(name))
            }
        };
        match verified {
            Ok(Some(name)) => Authentication::Accept(name),
            Ok(None) => Authentication::Refuse(credentials_invalid()),
            Err(refusal) => Authentication::Refuse(refusal),
        }
    }

    fn step(&mut self, exchange: Exchange<'_>) -> Next {
        let expected = mem::take(&mut self.0);
        match exchange {
            Exchange::Begin { mechanism, initial_response } => {
                if mechanism.eq_ignore_ascii_case("PLAIN") {
                    match initial_response {
                        Some(message) => plain(message),
                        None => self.challenge(b"", Expected::Plain),
                    }
                } else if mechanism.eq_ignore_ascii_case("LOGIN") {
                    match initial_response {
                        Some(name) => self.ask_password(name),
                        None => self.challenge(Login::NAME_CHALLENGE, Expected::LoginName),
                    }
                } else {
                    Next::Say(Authentication::Refuse(no_mechanism()))
                }
            }
            Exchange::Response(message) => match expected {
                Expected::Plain => plain(message),
                Expected::LoginName => self.ask_password(message),
                Expected::LoginPassword(name) => login(name.as_octets(), message),
                Expected::Nothing => malformed(),
            },
        }
    }

    fn challenge(&mut self, challenge: &[u8], expected: Expected) -> Next {
        self.0 = expected;
        Next::Say(Authentication::Challenge(challenge.to_vec()))
    }

    fn ask_password(&mut self, name: &[u8]) -> Next {
        let name = Secret::from(name.to_vec());
        self.challenge(Login::PASSWORD_CHALLENGE, Expected::LoginPassword(name))
    }
}

fn plain(message: &[u8]) -> Next {
    let Ok(plain) = Plain::decode(message) else { return malformed() };
    let name = plain.authentication_id();
    if ![name, ""].contains(&plain.authorization_id()) {
        return Next::Say(Authentication::Refuse(credentials_invalid()));
    }
    Next::Verify(name.to_owned(), Secret::from(plain.password().as_bytes().to_vec()))
}

fn login(name: &[u8], password: &[u8]) -> Next {
    let Ok(login) = Login::new(name, password) else { return malformed() };
    Next::Verify(login.name().to_owned(), Secret::from(login.password().to_vec()))
}

fn malformed() -> Next {
    Next::Say(Authentication::Refuse(malformed_exchange()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::wire::Detail;

    const fn begin<'a>(mechanism: &'a str, initial_response: Option<&'a [u8]>) -> Exchange<'a> {
        Exchange::Begin { mechanism, initial_response }
    }

    /// The answer to each step: `?` and a challenge, `=` and a name, or the code of a refusal.
    fn run(steps: &[Exchange<'_>]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut passwords = Passwords::default();
        let mut said = Vec::new();
        for step in steps {
            let verify = |name: String, password: Secret| async move {
                match name.as_str() {
                    "down" => Err(Refusal::transient(Detail::new(7, 0), "later")),
                    name => Ok(name == "tim" && password.as_octets() == b"secret"),
                }
            };
            said.push(match runtime.block_on(passwords.answer(*step, verify)) {
                Authentication::Challenge(text) => format!("?{}", String::from_utf8(text).unwrap()),
                Authentication::Accept(name) => format!("={name}"),
                Authentication::Refuse(refusal) => refusal.reply().code().to_string(),
            });
        }
        said
    }

    #[test]
    fn plain_with_and_without_an_initial_response() {
        assert_eq!(run(&[begin("plain", Some(b"\0tim\0secret"))]), ["=tim"]);
        assert_eq!(run(&[begin("PLAIN", Some(b"tim\0tim\0secret"))]), ["=tim"]);
        let late = [begin("PLAIN", None), Exchange::Response(b"\0tim\0secret")];
        assert_eq!(run(&late), ["?", "=tim"]);
    }

    #[test]
    fn login_with_and_without_an_initial_response() {
        let (name, password) = (Exchange::Response(b"tim"), Exchange::Response(b"secret"));
        let asked = ["?Username:", "?Password:", "=tim"];
        assert_eq!(run(&[begin("LOGIN", None), name, password]), asked);
        assert_eq!(run(&[begin("login", Some(b"tim")), password]), asked[1..]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert_eq!(run(&[begin("PLAIN", Some(b"\0tim\0other"))]), ["535"]);
        assert_eq!(run(&[begin("PLAIN", Some(b"root\0tim\0secret"))]), ["535"]);
        assert_eq!(run(&[begin("PLAIN", Some(b"\0down\0secret"))]), ["451"]);
        for message in [&b""[..], b"tim", b"\0tim\0", b"\0\0secret", b"\0tim\0a\0b", b"\0\xff\0a"] {
            assert_eq!(run(&[begin("PLAIN", Some(message))]), ["501"], "{message:?}");
        }
        assert_eq!(run(&[begin("LOGIN", Some(b"")), Exchange::Response(b"a")])[1], "501");
        assert_eq!(run(&[begin("XOAUTH2", Some(b"tim"))]), ["454"]);
    }

    /// An exchange that was given up leaves nothing to the next one.
    #[test]
    fn every_exchange_begins_anew() {
        let steps = [
            begin("LOGIN", Some(b"tim")),
            begin("PLAIN", None),
            Exchange::Response(b"secret"),
            Exchange::Response(b"secret"),
        ];
        assert_eq!(run(&steps), ["?Password:", "?", "501", "501"]);
    }
}
