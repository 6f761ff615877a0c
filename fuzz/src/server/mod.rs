//! A driver of server sessions that checks, at every output, what a session promises.
//!
//! A conversation is driven twice, with the octets of each read cut as the input says, and one
//! octet at a time. The second way shows which octet made the session do what it did, and so lets
//! an oracle judge the message text; the first must have done the same in the end.

mod driver;
mod order;

use std::time::Duration;

use smtp_proto::server::{Config, ImproperPipelining, Requests, Tls};
use smtp_proto::wire::{BareLf, Capabilities, ClientNames, Code, Reply, UnknownParameters};

use crate::choices::Choices;
use crate::script;
use driver::{Driver, Trace};

/// Octets of choices that make the configuration, and those that cut the input.
const SETTINGS: usize = 6;
const CUTS: usize = 6;

/// Drives one input, and panics where a promise is broken.
pub fn check(input: &[u8]) {
    let (text, choices) = crate::choices::split(input);
    let (settings, rest) = choices.split_at(SETTINGS);
    let (cuts, answers) = rest.split_at(CUTS);
    let config = config(settings);
    let steps = script::steps(text);
    let lock_step = Driver::new(&config, answers.clone()).run(&steps, None);
    let cut = Driver::new(&config, answers).run(&steps, Some(cuts));
    compare(&lock_step, &cut);
}

/// What came in one read with STARTTLS is behind it, and what comes later is lost to the
/// handshake: up to there all is the same at any cut.
fn compare(lock_step: &Trace, cut: &Trace) {
    if cut.cut_mattered {
        let facts = cut.facts.len().min(lock_step.facts.len());
        assert_eq!(cut.facts[..facts], lock_step.facts[..facts]);
        return;
    }
    assert_eq!(cut.facts, lock_step.facts);
    assert_eq!(
        String::from_utf8_lossy(&cut.transmitted),
        String::from_utf8_lossy(&lock_step.transmitted)
    );
}

/// What a server may offer, in the form in which it does.
const EVERYTHING: &str = "mx\nPIPELINING\n8BITMIME\nENHANCEDSTATUSCODES\nCHUNKING\nBINARYMIME\n\
    SMTPUTF8\nDSN\nAUTH PLAIN LOGIN\nREQUIRETLS\nMT-PRIORITY\nFUTURERELEASE 86400 2030-01-01T00:00:00Z\n\
    DELIVERBY 240\nRRVS\nLIMITS\nETRN\nXCLIENT NAME\nXFORWARD NAME\nVRFY\nEXPN\nHELP";

fn config(mut settings: Choices<'_>) -> Config {
    let mut config = Config::new("mx.example.org");
    let switches = settings.octet();
    config.tls = match switches & 3 {
        0 | 1 => Tls::StartTls,
        2 => Tls::Unavailable,
        _ => Tls::Implicit,
    };
    config.bare_lf = if switches & 4 == 0 { BareLf::Reject } else { BareLf::Normalize };
    config.max_message_size = match settings.octet() {
        0 => None,
        size => Some(u64::from(size)),
    };
    config.max_recipients = match settings.octet() {
        0 => config.max_recipients,
        recipients => usize::from(recipients % 4),
    };
    config.max_errors = match settings.octet() {
        0 => 1000,
        errors => u32::from(errors % 8),
    };
    config.max_command_line = match settings.octet() {
        0 => config.max_command_line,
        octets => usize::from(octets),
    };
    if switches & 8 != 0 {
        config.capabilities = Capabilities::from_reply(&Reply::new(Code::OK, None, EVERYTHING));
    }
    config.lmtp = switches & 16 != 0;
    config.auth_in_clear = switches & 32 != 0;
    config.auth_required = switches & 64 != 0;
    if switches & 128 != 0 {
        config.requests = Requests {
            vrfy: true,
            expn: true,
            help: true,
            etrn: true,
            xclient: true,
            xforward: true,
        };
        config.unknown_parameters = UnknownParameters::Keep;
        config.client_names = ClientNames::Lenient;
    }
    let more = settings.octet();
    config.tls_required = more & 1 != 0;
    config.greeting_delay = (more & 2 != 0).then_some(Duration::from_secs(1));
    if more & 4 != 0 {
        config.improper_pipelining = ImproperPipelining::Refuse;
    }
    config.max_messages = (more & 8 != 0).then_some(2);
    if more & 16 != 0 {
        config.max_junk = 3;
        config.max_refusals = 3;
    }
    config.max_refused_octets = (more & 32 != 0).then_some(40);
    config
}
