//! Every setting in force, as data: its value, where it comes from, and what it overrode.
//!
//! Does: answer for each service, for its access rules, for outgoing mail as a whole and for mail to
//! one domain. Does not: print, nor ask a TLS library; the policies to hand to one are in the answers.
//! Private keys are in no answer but inside these policies, which never show them.
//!
//! ```
//! use hvmail_control::{Control, explain::{self, Value}, source::Memory};
//!
//! let source = Memory::new()
//!     .file("smtp.port", "2525\n")
//!     .file("greenarrow.conf", "general {\n starttls_use yes\n}\ndomain a.example {\n starttls_use no\n}\n");
//! let control = Control::load(&source);
//!
//! let smtp = &explain::services(&control)[0];
//! let port = smtp.settings.iter().find(|explained| explained.setting == "port").unwrap();
//! assert_eq!(port.value, Value::Number(2525));
//! assert_eq!(port.whence.to_string(), "/var/hvmail/control/smtp.port:1:1");
//!
//! let delivery = explain::delivery(&control, "a.example", None).unwrap();
//! let starttls_use = &delivery.settings[1];
//! assert_eq!(starttls_use.value, Value::Flag(false));
//! assert_eq!(starttls_use.overrode[0].whence.to_string(), "/var/hvmail/control/greenarrow.conf:2:2");
//! ```

mod outgoing;
mod service;

use std::fmt;
use std::time::Duration;

pub use self::outgoing::{Delivery, Directive, NamedDelivery, Outgoing, Route, delivery, outgoing};
pub use self::service::{Rule, Service, State, Unusable, services};
use crate::Control;
use crate::diagnostic::quoted;
use crate::limits::MAX_QUOTED;
use crate::setting::Setting;
use crate::snapshot::{Location, Origin, OriginId};

/// A value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// None: no limit, no certificate, no route.
    Nothing,
    /// On or off.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A time, in seconds.
    Seconds(u64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Something is written, and nobody knows what.
    Unknown,
}

/// As a person reads it, in one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Unknown => f.write_str("unknown"),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Number(number) => number.fmt(f),
            Self::Seconds(seconds) => write!(f, "{seconds} s"),
            Self::Text(text) => f.write_str(text),
            Self::Texts(texts) if texts.is_empty() => f.write_str("none"),
            Self::Texts(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whence {
    /// It is the default of this setting.
    Default(&'static str),
    /// No setting has a say in it.
    Fixed,
    /// This environment variable.
    Environment(String),
    /// A place in a file.
    File(Location),
}

impl fmt::Display for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(of) => write!(f, "default of {of}"),
            Self::Fixed => f.write_str("no setting"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(location) => location.fmt(f),
        }
    }
}

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it is, in snake_case; stable, for programs that look for it.
    pub setting: &'static str,
    /// Its value.
    pub value: Value,
    /// Where that comes from.
    pub whence: Whence,
    /// What else was said of it and did not count, the strongest first. Defaults are not told.
    pub overrode: Vec<Overridden>,
    /// Whether the vendor calls it unsupported.
    pub vendor_unsupported: bool,
}

/// Something that was written and did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// Where it is written.
    pub whence: Whence,
    /// What stands there, cut short where it is long. `None` for a variable, whose value was not kept.
    pub text: Option<String>,
}

/// What holds for the host and every service.
#[must_use]
pub fn host(control: &Control) -> Vec<Explained> {
    let Control { inbound, recipients, .. } = control;
    let name = match &control.me {
        Some(me) => explained(control, "host_name", me, |name| Value::Text(name.clone())),
        None => by_default("host_name", "me", Value::Nothing),
    };
    let count = u64::try_from(recipients.len()).unwrap_or(u64::MAX);
    let domains = match control.snapshot.find("rcpthosts") {
        Some(file) => Explained {
            whence: Whence::File(control.snapshot.location_at(file, 0)),
            ..by_default("recipient_domains", "rcpthosts", Value::Number(count))
        },
        None => by_default("recipient_domains", "rcpthosts", Value::Number(count)),
    };
    vec![
        name,
        domains,
        explained(control, "max_message_size", &inbound.max_message_size, |octets| {
            octets.map_or(Value::Nothing, Value::Number)
        }),
        explained(control, "idle_timeout", &inbound.idle_timeout, |time| seconds(*time)),
    ]
}

const fn seconds(time: Duration) -> Value {
    Value::Seconds(time.as_secs())
}

fn explained<T>(
    control: &Control,
    name: &'static str,
    setting: &Setting<T>,
    value: impl FnOnce(&T) -> Value,
) -> Explained {
    Explained {
        setting: name,
        value: value(&setting.value),
        whence: whence(control, Some(setting.origin), name),
        overrode: overridden(control, setting.replaced.iter().rev().copied()),
        vendor_unsupported: false,
    }
}

/// A value that no file and no variable has a say in.
const fn by_default(setting: &'static str, of: &'static str, value: Value) -> Explained {
    Explained {
        setting,
        value,
        whence: Whence::Default(of),
        overrode: Vec::new(),
        vendor_unsupported: false,
    }
}

fn whence(control: &Control, origin: Option<OriginId>, of: &'static str) -> Whence {
    match origin.and_then(|origin| control.origin(origin)) {
        Some(Origin::File(span)) => Whence::File(control.snapshot.location(*span)),
        Some(Origin::Environment(name)) => Whence::Environment(name.clone()),
        Some(Origin::Default(of)) => Whence::Default(of),
        None => Whence::Default(of),
    }
}

fn overridden(control: &Control, origins: impl IntoIterator<Item = OriginId>) -> Vec<Overridden> {
    let of = |origin: OriginId| {
        let text = match control.origin(origin)? {
            Origin::Default(_) => return None,
            Origin::Environment(_) => None,
            Origin::File(span) => Some(cut_short(&control.snapshot.text(*span))),
        };
        Some(Overridden { whence: whence(control, Some(origin), ""), text })
    };
    origins.into_iter().filter_map(of).collect()
}

/// Text of a file as it stands, or between quotation marks where it is long or has what cannot be shown.
fn cut_short(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.contains(char::is_control)
        && text.chars().nth(MAX_QUOTED).is_none();
    if plain { text.to_owned() } else { quoted(text) }
}
