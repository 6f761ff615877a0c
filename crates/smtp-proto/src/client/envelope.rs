//! Who sends to whom, and what is known of the message before its first octet is sent.
//!
//! Does: hold paths and parameters as they go on the wire, each with the extension that it needs.
//! Does not: decide which parameters a server is sent; [`super::terms`] does. Fails: never; all that
//! goes in is typed, so nothing in it can add a line or a parameter to a command.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::wire::{
    BodyType, Extension, ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath,
};

/// Who sends to whom: one transaction's addresses and parameters.
///
/// It is made of parsed values, so none of them can carry a line end or a parameter of its own.
///
/// ```
/// use smtp_proto::client::Envelope;
/// use smtp_proto::wire::{ForwardPath, Mail, Notify, Rcpt, Ret, ReversePath};
///
/// let mut mail = Mail::new(ReversePath::parse("a@example.org")?);
/// mail.parameters.ret = Some(Ret::Headers);
/// let mut rcpt = Rcpt::new(ForwardPath::parse("b@example.org")?);
/// rcpt.parameters.notify = Some(Notify::NEVER);
///
/// let mut envelope = Envelope::from_mail(&mail);
/// envelope.add_rcpt(&rcpt);
/// envelope.add(&ForwardPath::parse("c@example.org")?);
/// assert_eq!(envelope.recipients(), 2);
/// # Ok::<(), smtp_proto::wire::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    pub(super) sender: Party,
    /// BODY, where the caller declares it. What the message holds is told by [`MessageFacts`].
    pub(super) body: Option<BodyType>,
    pub(super) smtputf8: bool,
    pub(super) recipients: Vec<Party>,
}

/// A path in its brackets, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Party {
    pub(super) path: String,
    pub(super) parameters: Vec<Parameter>,
}

/// Parameters of one extension as they go on the wire, each behind a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Parameter {
    /// `None`: nobody can say which extension offers them.
    pub(super) extension: Option<Extension>,
    pub(super) text: String,
}

impl Party {
    fn new(path: String) -> Self {
        Self { path, parameters: Vec::new() }
    }

    fn keep(&mut self, extension: impl Into<Option<Extension>>, parameters: &impl ToString) {
        let text = parameters.to_string();
        if !text.is_empty() {
            self.parameters.push(Parameter { extension: extension.into(), text });
        }
    }
}

impl Envelope {
    /// An envelope without recipients yet.
    pub fn new(reverse_path: &ReversePath<'_>) -> Self {
        Self::from_mail(&Mail::new(*reverse_path))
    }

    /// An envelope without recipients yet, with the parameters of MAIL.
    ///
    /// SIZE is passed over: [`MessageFacts::size`] says how large the message is that is sent. So
    /// is `BODY=7BIT`, which promises nothing.
    pub fn from_mail(mail: &Mail<'_>) -> Self {
        let MailParameters {
            size: _,
            body,
            smtputf8,
            ret,
            envid,
            auth,
            requiretls,
            mt_priority,
            hold,
            by,
            other,
        } = mail.parameters;
        let none = MailParameters::default();
        let mut sender = Party::new(mail.reverse_path.to_string());
        sender.keep(Extension::Dsn, &MailParameters { ret, envid, ..none });
        sender.keep(Extension::Auth, &MailParameters { auth, ..none });
        sender.keep(Extension::RequireTls, &MailParameters { requiretls, ..none });
        sender.keep(Extension::MtPriority, &MailParameters { mt_priority, ..none });
        sender.keep(Extension::FutureRelease, &MailParameters { hold, ..none });
        sender.keep(Extension::DeliverBy, &MailParameters { by, ..none });
        sender.keep(None, &MailParameters { other, ..none });
        Self { sender, body, smtputf8, recipients: Vec::new() }
    }

    /// Adds a recipient; outcomes come in the order of the additions. A path that is added twice
    /// has two outcomes.
    pub fn add(&mut self, forward_path: &ForwardPath<'_>) {
        self.add_rcpt(&Rcpt::new(*forward_path));
    }

    /// Adds a recipient with the parameters of its RCPT.
    pub fn add_rcpt(&mut self, rcpt: &Rcpt<'_>) {
        let RcptParameters { notify, orcpt, rrvs, other } = rcpt.parameters;
        let none = RcptParameters::default();
        let mut recipient = Party::new(rcpt.forward_path.to_string());
        recipient.keep(Extension::Dsn, &RcptParameters { notify, orcpt, ..none });
        recipient.keep(Extension::Rrvs, &RcptParameters { rrvs, ..none });
        recipient.keep(None, &RcptParameters { other, ..none });
        self.recipients.push(recipient);
    }

    /// Adds the recipients of another envelope, with their parameters.
    pub fn add_recipients_of(&mut self, other: &Self) {
        self.recipients.extend_from_slice(&other.recipients);
    }

    /// As [`add`](Self::add), by value.
    #[must_use]
    pub fn to(mut self, forward_path: &ForwardPath<'_>) -> Self {
        self.add(forward_path);
        self
    }

    /// What the message is declared to hold, where the caller does: under
    /// [`BodyType::BinaryMime`] its octets are sent as they are.
    pub fn body(&self) -> Option<BodyType> {
        self.body
    }

    /// How many recipients there are.
    pub fn recipients(&self) -> usize {
        self.recipients.len()
    }
}

/// What is known of a message before its first octet is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
    /// Its size in octets with CRLF line ends, without dot-stuffing and without the final dot
    /// (RFC 1870, 5); `None` where it is not known.
    pub size: Option<u64>,
    /// Whether it holds an octet above 127; `None` where it is not known: then 8BITMIME is declared
    /// where it is offered, unless the BODY of the envelope's MAIL says something else. A message
    /// that turns out to have one, and was not declared so, is sent under
    /// [`EightBit::SendAsIs`](super::EightBit::SendAsIs) alone: else its end is not sent.
    pub eight_bit: Option<bool>,
    /// Whether its header holds UTF-8, which SMTPUTF8 has to declare (RFC 6531, 3.1); `None` where
    /// it is not known: then the SMTPUTF8 of the envelope's MAIL says so.
    pub utf8_header: Option<bool>,
}
