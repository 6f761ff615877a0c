//! Errors, by whose fault they are.

use thiserror::Error;

/// The caller drove a session against its contract; never caused by what a peer sends.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// An `Ask` was answered on a session that did not ask it.
    #[error("the answer belongs to another session")]
    AnswerToAnotherSession,
    /// An `Ask` was answered after the session had given up on it.
    #[error("the answer comes after the session gave up on its question")]
    AnswerTooLate,
    /// Input was given while output was still waiting: drain, then feed.
    #[error("input was given before all output was taken")]
    InputBeforeDrain,
    /// More octets were reported than the input space holds.
    #[error("more octets were reported than the input space holds")]
    InputOverrun,
    /// A TLS result was reported that the session had not asked for.
    #[error("a TLS result was reported that the session did not ask for")]
    TlsNotAsked,
}
