//! The arguments of MAIL and RCPT.

use core::fmt;

use crate::wire::address::{ForwardPath, ReversePath};
use crate::wire::param::{MailParameters, RcptParameters};
use crate::wire::syntax::Syntax;

/// The arguments of MAIL. Prints as they stand behind the verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mail<'a> {
    /// Where failures are reported.
    pub reverse_path: ReversePath<'a>,
    /// What the extensions add.
    pub parameters: MailParameters<'a>,
}

impl<'a> Mail<'a> {
    /// MAIL without parameters.
    #[must_use]
    pub fn new(reverse_path: ReversePath<'a>) -> Self {
        Self { reverse_path, parameters: MailParameters::default() }
    }

    /// Whether SMTPUTF8 stands there if a mailbox or a value needs it (RFC 6531, 3.4). Where a
    /// session does not take it, nothing that needs it was read.
    #[inline(always)]
    pub(super) fn declares_what_it_needs(&self, syntax: &Syntax) -> bool {
        !syntax.takes_utf8()
            || self.parameters.smtputf8
            || self.reverse_path.is_ascii() && self.parameters.is_ascii()
    }
}

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM:{}{}", self.reverse_path, self.parameters)
    }
}

/// The arguments of RCPT. Prints as they stand behind the verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcpt<'a> {
    /// The recipient.
    pub forward_path: ForwardPath<'a>,
    /// What the extensions add.
    pub parameters: RcptParameters<'a>,
}

impl<'a> Rcpt<'a> {
    /// RCPT without parameters.
    #[must_use]
    pub fn new(forward_path: ForwardPath<'a>) -> Self {
        Self { forward_path, parameters: RcptParameters::default() }
    }
}

impl fmt::Display for Rcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TO:{}{}", self.forward_path, self.parameters)
    }
}
