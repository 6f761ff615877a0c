//! Who sends and who receives, each with what is asked of the server for it.
//!
//! Does: read addresses, in UTF-8 too (RFC 6531), and keep the typed parameters of MAIL and RCPT.
//! Does not: know what a server offers; the session leaves out or refuses what it does not. Fails:
//! [`AddressError`].

use smtp_proto::client::Envelope;
use smtp_proto::wire::{
    AddressError, ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath,
};
use smtp_tls::{ClientPolicy, Fallback, Level};

use crate::connect::{Route, SUBMISSIONS};

/// Who sends: a mailbox, or nobody (`<>`, RFC 5321, 4.5.5), with the parameters of MAIL.
///
/// ```
/// use smtp_client::Sender;
/// use smtp_client::wire::{EnvelopeId, MailParameters, Ret};
///
/// let sender = Sender::parse("a@example.org")?.with(MailParameters {
///     ret: Some(Ret::Headers),
///     envid: EnvelopeId::parse("QQ314159"),
///     ..MailParameters::default()
/// });
/// # Ok::<(), smtp_client::wire::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    path: String,
    envelope: Envelope,
    requires_tls: bool,
}

impl Sender {
    /// Reads a mailbox with or without brackets, or `<>`. Where it has letters outside ASCII the
    /// server must offer SMTPUTF8, or the message is rejected.
    ///
    /// # Errors
    /// The text is no reverse-path.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let path = ReversePath::parse_utf8(text)?;
        let envelope = Envelope::new(&path);
        Ok(Self { path: path.to_string(), envelope, requires_tls: false })
    }

    /// With these parameters of MAIL, in the place of those it had.
    ///
    /// RET and ENVID, MT-PRIORITY and AUTH are left out where the server does not offer their
    /// extensions, and [`RecipientReport::left_out`](crate::RecipientReport::left_out) says so. For
    /// others the message is rejected then. SIZE is the message's own. `BODY=BINARYMIME` sends the
    /// message's octets as they are, and only to a server that offers it with CHUNKING (RFC 3030).
    ///
    /// REQUIRETLS raises the policy of every recipient to [`Level::Verified`] (RFC 8689, 4.2.1).
    #[must_use]
    pub fn with(self, parameters: MailParameters<'_>) -> Self {
        let mut mail = Mail::new(self.reverse_path());
        mail.parameters = parameters;
        let envelope = Envelope::from_mail(&mail);
        Self { envelope, requires_tls: parameters.requiretls, path: self.path }
    }

    fn reverse_path(&self) -> ReversePath<'_> {
        ReversePath::parse_utf8(&self.path).expect("a path that was printed parses")
    }

    /// An envelope without recipients yet.
    pub(crate) fn envelope(&self) -> Envelope {
        self.envelope.clone()
    }
}

/// To whom, where, and under which policy, with the parameters of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    address: String,
    /// It alone, with its parameters.
    envelope: Envelope,
    pub(crate) route: Route,
    pub(crate) policy: ClientPolicy,
}

impl Recipient {
    /// Reads the address: a mailbox or `postmaster`, with or without brackets. Where it has letters
    /// outside ASCII the server must offer SMTPUTF8, or the recipient is rejected.
    ///
    /// # Errors
    /// The text is no forward-path.
    pub fn new(address: &str, route: Route, policy: ClientPolicy) -> Result<Self, AddressError> {
        let path = ForwardPath::parse_utf8(address)?;
        let envelope = Envelope::new(&ReversePath::Null).to(&path);
        Ok(Self { address: path.as_str().to_owned(), envelope, route, policy })
    }

    /// With these parameters of RCPT, in the place of those it had.
    ///
    /// NOTIFY and ORCPT are left out where the server does not offer DSN, and
    /// [`RecipientReport::left_out`](crate::RecipientReport::left_out) says so. For others the
    /// recipient is rejected then.
    #[must_use]
    pub fn with(self, parameters: RcptParameters<'_>) -> Self {
        let path = ForwardPath::parse_utf8(&self.address).expect("a path that was printed parses");
        let mut rcpt = Rcpt::new(path);
        rcpt.parameters = parameters;
        let mut envelope = Envelope::new(&ReversePath::Null);
        envelope.add_rcpt(&rcpt);
        Self { envelope, ..self }
    }

    /// The address, without brackets.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn add_to(&self, envelope: &mut Envelope) {
        envelope.add_recipients_of(&self.envelope);
    }
}

/// The recipients that may share a connection, by their places in the caller's order.
pub(crate) struct Group {
    pub(crate) route: Route,
    pub(crate) policy: ClientPolicy,
    pub(crate) members: Vec<usize>,
}

/// The groups of a message's recipients.
pub(crate) fn groups(sender: &Sender, recipients: &[Recipient]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (member, recipient) in recipients.iter().enumerate() {
        let mut policy = effective(&recipient.route, &recipient.policy);
        if sender.requires_tls {
            policy.level = Level::Verified;
            policy.fallback = Fallback::Never;
        }
        let same = |group: &&mut Group| group.route == recipient.route && group.policy == policy;
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push(member),
            None => {
                groups.push(Group {
                    route: recipient.route.clone(),
                    policy,
                    members: vec![member],
                });
            }
        }
    }
    groups
}

/// The policy that holds on a route: on port 465 TLS begins with the first octet.
pub(crate) fn effective(route: &Route, policy: &ClientPolicy) -> ClientPolicy {
    let implicit = policy.implicit || route.port == SUBMISSIONS;
    // Which rule asked for it is the recipient's, and does not keep equal policies apart.
    ClientPolicy { implicit, origin: None, ..policy.clone() }
}
