//! The question a session puts to its caller, as a value that can be answered once.
//!
//! Does: tie an answer to its question, by type, and to its session, by id. Does not: know any
//! question. Fails: an answer that comes late, or to another session, is [`ApiMisuse`].

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::error::ApiMisuse;

/// A kind of question, and what answers it.
pub trait Question: fmt::Debug {
    /// The answer's type.
    type Verdict;
    /// The question as a diagnostic names it.
    const NAME: &'static str;
}

/// Declares the questions of one side: each a type without a value, with its verdict and its name.
macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($verdict:ty) = $text:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}
        impl $crate::ask::Question for $name {
            type Verdict = $verdict;
            const NAME: &'static str = $text;
        }
    )*};
}
pub(crate) use questions;

/// One question that waits for its answer.
///
/// It is moved into the session's `answer`, so it cannot be answered twice; it carries its
/// session's id, so another session refuses it. Dropping it makes the session give up: the peer
/// is told to try later and the session ends.
#[must_use = "a question that is dropped ends the session with 451"]
pub struct Ask<Q: Question> {
    session: usize,
    serial: u32,
    question: PhantomData<fn() -> Q>,
}

impl<Q: Question> fmt::Debug for Ask<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({} {}.{})", Q::NAME, self.session, self.serial)
    }
}

/// Hands out questions for one session, and knows which one is open.
#[derive(Debug)]
pub(crate) struct Desk {
    session: usize,
    serial: u32,
    open: bool,
}

impl Desk {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { session: NEXT.fetch_add(1, Ordering::Relaxed), serial: 0, open: false }
    }

    pub(crate) fn ask<Q: Question>(&mut self) -> Ask<Q> {
        self.serial = self.serial.wrapping_add(1);
        self.open = true;
        Ask { session: self.session, serial: self.serial, question: PhantomData }
    }

    /// Gives up on the open question: its `Ask` is no longer taken.
    pub(crate) fn abandon(&mut self) {
        self.open = false;
    }

    // Taken by value: that is what makes a second answer impossible to write.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn take<Q: Question>(&mut self, ask: Ask<Q>) -> Result<(), ApiMisuse> {
        if ask.session != self.session {
            return Err(ApiMisuse::AnswerToAnotherSession);
        }
        if !self.open || ask.serial != self.serial {
            return Err(ApiMisuse::AnswerTooLate);
        }
        self.open = false;
        Ok(())
    }
}
