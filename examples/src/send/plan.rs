//! Which recipient goes where, under which policy, and what became of each.

use std::fmt;
use std::fs;

use hvmail_control::Control;
use smtp_client::wire::{Domain, Extensions, ForwardPath, RcptParameters};
use smtp_client::{Authentication, Client, Message, Recipient, RecipientReport, Route, Sender};
use smtp_tls::{
    Backend, Certificate, ClientPolicy, Connector, Level, PemKind, Roots, pem_sections,
};

use super::{Arguments, one_line};
use crate::exit::Failure;

/// Every recipient, in the order of the command line.
pub(super) struct Plan(Vec<Step>);

enum Step {
    Deliver(Recipient),
    /// It could not be tried, for this reason.
    Settled(Line),
}

/// One recipient's line on stdout.
pub(super) enum Line {
    Reported(RecipientReport),
    NotTried { address: String, code: u16, text: String },
}

impl Plan {
    pub(super) fn new(
        control: &Control,
        arguments: &Arguments,
        backend: Backend,
        authentication: Option<Authentication>,
    ) -> Result<Self, Failure> {
        let raise = Raise::new(arguments, backend)?;
        let route = arguments.route.clone().map(|route| match authentication {
            Some(authentication) => route.authenticated(authentication),
            None => route,
        });
        let steps =
            arguments.to.iter().map(|to| step(control, arguments, route.as_ref(), &raise, to));
        Ok(Self(steps.collect::<Result<_, _>>()?))
    }

    /// Delivers to those who can be tried; gives one line for everybody.
    pub(super) async fn deliver(
        self,
        client: &Client,
        sender: &Sender,
        message: &Message,
    ) -> Vec<Line> {
        let recipients: Vec<_> = self
            .0
            .iter()
            .filter_map(|step| match step {
                Step::Deliver(recipient) => Some(recipient.clone()),
                Step::Settled(_) => None,
            })
            .collect();
        let report = client.deliver(sender, &recipients, message).await;
        let mut reports = report.recipients.into_iter();
        self.0
            .into_iter()
            .map(|step| match step {
                Step::Deliver(_) => {
                    Line::Reported(reports.next().expect("a report has one entry per recipient"))
                }
                Step::Settled(line) => line,
            })
            .collect()
    }
}

impl Line {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Reported(report) => report.outcome.word(),
            Self::NotTried { .. } => "deferred",
        }
    }

    pub(super) fn address(&self) -> &str {
        match self {
            Self::Reported(report) => &report.address,
            Self::NotTried { address, .. } => address,
        }
    }

    /// What was asked for and the server could not be asked for.
    pub(super) const fn left_out(&self) -> Extensions {
        match self {
            Self::Reported(report) => report.left_out,
            Self::NotTried { .. } => Extensions::EMPTY,
        }
    }
}

/// `delivered b@example.org 250 2.0.0 ok tls=TLSv1.3/TLS_AES_256_GCM_SHA384`
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(report) => {
                let outcome = &report.outcome;
                let (word, code, text) = (outcome.word(), outcome.code(), outcome.text());
                write!(f, "{word} {} {code} {text} tls={}", report.address, report.tls)
            }
            Self::NotTried { address, code, text } => {
                write!(f, "deferred {address} {code} {text} tls=unsettled")
            }
        }
    }
}

/// What `--verify` does to every rule.
struct Raise {
    verify: bool,
    roots: Roots,
    name: Option<String>,
}

impl Raise {
    fn new(arguments: &Arguments, backend: Backend) -> Result<Self, Failure> {
        let roots = match &arguments.ca {
            None => Roots::System,
            Some(path) => {
                let failed = |error: &dyn fmt::Display| {
                    Failure::usage(format!("--ca {}: {error}", path.display()))
                };
                let content = fs::read(path).map_err(|error| failed(&error))?;
                let sections = pem_sections(&content).map_err(|error| failed(&error))?;
                let certificates: Vec<_> = sections
                    .into_iter()
                    .filter(|section| section.kind() == PemKind::Certificate)
                    .map(|section| Certificate::from_der(section.der.clone()))
                    .collect();
                if certificates.is_empty() {
                    return Err(failed(&"there is no certificate in it"));
                }
                let roots = Roots::Pem(certificates);
                let trusting = ClientPolicy::verified(roots.clone());
                Connector::new(backend, &trusting).map_err(|error| failed(&error))?;
                roots
            }
        };
        Ok(Self { verify: arguments.verify, roots, name: arguments.name.clone() })
    }

    fn apply(&self, policy: ClientPolicy) -> ClientPolicy {
        if !self.verify {
            return policy;
        }
        ClientPolicy {
            level: Level::Verified,
            roots: self.roots.clone(),
            server_name: self.name.clone().or(policy.server_name),
            ..policy
        }
    }
}

fn step(
    control: &Control,
    arguments: &Arguments,
    to_host: Option<&Route>,
    raise: &Raise,
    to: &str,
) -> Result<Step, Failure> {
    let unusable = |error: &dyn fmt::Display| Failure::usage(format!("--to {to:?}: {error}"));
    one_line(to).map_err(|error| unusable(&error))?;
    let path = ForwardPath::parse_utf8(to).map_err(|error| unusable(&error))?;
    let domain = match &path {
        ForwardPath::Postmaster => String::new(),
        ForwardPath::Mailbox(mailbox) => match mailbox.domain() {
            Domain::Name(name) => name.to_owned(),
            Domain::Literal(literal) => literal.to_string(),
        },
    };
    let not_tried = |code, text: String| {
        Ok(Step::Settled(Line::NotTried { address: path.as_str().to_owned(), code, text }))
    };
    let rule = match control.outgoing_for(&domain, arguments.from_ip.as_deref()) {
        Ok(rule) => rule,
        Err(error) => {
            let place = error.origin.and_then(|origin| control.location(origin));
            let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
            return not_tried(451, format!("4.3.5 {error}{place}"));
        }
    };
    let routed = rule.route.map(|route| Route::new(route.host, route.port));
    let Some(route) = to_host.cloned().or(routed) else {
        return not_tried(
            451,
            "4.4.3 no route: MX hosts are not looked up; name one by --route, smtp_route or \
             smtproutes"
                .to_owned(),
        );
    };
    let recipient =
        Recipient::new(to, route, raise.apply(rule.policy)).map_err(|error| unusable(&error))?;
    let parameters = RcptParameters { notify: arguments.notify, ..RcptParameters::default() };
    Ok(Step::Deliver(recipient.with(parameters)))
}
