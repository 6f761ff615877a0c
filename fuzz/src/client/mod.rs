//! A driver of client sessions that checks, at every output, what a session promises.
//!
//! The server is the input: its octets, when they come, and how the connection ends. What the
//! session sends is read as a server reads it ([`view`]), and each reply is paired with the oldest
//! command that was sent before it came; that alone decides what may have become of a recipient.

mod driver;
mod view;

use smtp_proto::client::{Chunking, Config, EightBit};
use smtp_proto::wire::{ClientName, LineEnds, LongLines, MessagePolicy, Nul};

use crate::choices::Choices;
use crate::script::{self, Step};
use driver::Driver;

/// Octets of choices that make the plan, and those that cut the input.
const SETTINGS: usize = 6;
const CUTS: usize = 6;

/// What the caller answers when it is asked about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    WhenOffered,
    Never,
    Required,
    /// STARTTLS is sent to whom does not offer it, and QUIT to whom refuses it.
    Always,
}

/// What the caller wants to send.
#[derive(Clone, Debug)]
struct Plan {
    config: Config,
    tls: Tls,
    recipients: usize,
    messages: usize,
    body: Vec<u8>,
    size_known: bool,
    /// The sender, as MAIL would say it.
    mail: &'static str,
    /// What stands behind each forward-path, in turn.
    rcpt_parameters: &'static [&'static str],
    /// The caller authenticates before its first message, with or without a first message.
    auth: Option<Option<&'static [u8]>>,
    /// The server is read before the message is given.
    reads_in_body: bool,
}

/// Senders with parameters that a server may or may not offer.
const MAILS: [&str; 10] = [
    "MAIL FROM:<a@example.org>",
    "MAIL FROM:<>",
    "MAIL FROM:<a@example.org> RET=HDRS ENVID=a+2Bb",
    "MAIL FROM:<a@example.org> BODY=BINARYMIME",
    "MAIL FROM:<a@example.org> REQUIRETLS",
    "MAIL FROM:<\u{e4}@example.org> SMTPUTF8",
    "MAIL FROM:<a@example.org> MT-PRIORITY=3 AUTH=<>",
    "MAIL FROM:<a@example.org> HOLDFOR=60 BY=120;R",
    "MAIL FROM:<a@example.org> SMTPUTF8 BODY=8BITMIME",
    "MAIL FROM:<a@example.org> UNKNOWN=1",
];
const RCPTS: [&[&str]; 4] = [
    &[""],
    &[" NOTIFY=NEVER", ""],
    &[" NOTIFY=FAILURE ORCPT=rfc822;c@example.org", " RRVS=2026-01-01T00:00:00Z"],
    &[" ORCPT=utf-8;\u{e4}@example.org", "", " UNKNOWN"],
];

impl Plan {
    fn rcpt(&self, number: usize) -> String {
        let parameters = self.rcpt_parameters;
        format!("RCPT TO:<{}>{}", self.recipient(number), parameters[number % parameters.len()])
    }

    fn recipient(&self, number: usize) -> String {
        format!("b{number}@{}.example", if number % 2 == 0 { "even" } else { "odd" })
    }
}

/// Drives one input, and panics where a promise is broken.
pub fn check(input: &[u8]) {
    let (text, choices) = crate::choices::split(input);
    let (settings, rest) = choices.split_at(SETTINGS);
    let (cuts, pieces) = rest.split_at(CUTS);
    let plan = plan(settings);
    let steps = script::steps(text);
    let whole = Driver::new(&plan, pieces.clone()).run(&steps, None);
    let cut = Driver::new(&plan, pieces).run(&steps, Some(cuts));
    // What has no room in one read comes in several, whatever the target chooses.
    let most = smtp_proto::limits::CLIENT_IDLE_BUFFER;
    let one_read = |step: &Step<'_>| !matches!(step, Step::Read(octets) if octets.len() > most);
    if !plan.reads_in_body && steps.iter().all(one_read) {
        assert_eq!(comparable(&cut.facts), comparable(&whole.facts));
        let [cut, whole] = [cut, whole].map(|trace| trace.transmitted);
        assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
    }
}

/// Which of the replies that nobody asked for is named depends on how much of them had room.
fn comparable(facts: &[String]) -> Vec<&str> {
    let unsolicited = |fact: &String| fact.find("UnsolicitedReply").unwrap_or(fact.len());
    facts.iter().map(|fact| &fact[..unsolicited(fact)]).collect()
}

fn plan(mut settings: Choices<'_>) -> Plan {
    let mut config = Config::new(ClientName::parse("client.example.org").expect("a name"));
    let switches = settings.octet();
    config.implicit_tls = switches & 1 != 0;
    config.eight_bit = if switches & 2 == 0 { EightBit::Refuse } else { EightBit::SendAsIs };
    let more = settings.octet();
    config.message = MessagePolicy {
        line_ends: if switches & 4 == 0 { LineEnds::Normalize } else { LineEnds::Refuse },
        nul: if more & 1 == 0 { Nul::Refuse } else { Nul::SendAsIs },
        long_lines: match more >> 1 & 3 {
            0 | 1 => LongLines::SendAsIs,
            2 => LongLines::Refuse,
            _ => LongLines::Fold,
        },
    };
    config.chunking = if more & 8 == 0 { Chunking::WhenOffered } else { Chunking::Never };
    config.lmtp = more & 16 != 0;
    let tls = match switches >> 3 & 3 {
        0 => Tls::WhenOffered,
        1 => Tls::Never,
        2 => Tls::Required,
        _ => Tls::Always,
    };
    config.auth_in_clear = more & 32 != 0;
    let auth = match more >> 6 {
        0 | 1 => None,
        2 => Some(Some(&b"\0user\0secret"[..])),
        _ => Some(None),
    };
    let recipients = match settings.octet() {
        255 => 70,
        recipients => 1 + usize::from(recipients % 5),
    };
    let messages = 1 + usize::from(settings.below(3));
    let body = body(settings.octet());
    let parameters = settings.octet();
    Plan {
        config,
        mail: MAILS[usize::from(parameters & 15) % MAILS.len()],
        rcpt_parameters: RCPTS[usize::from(parameters >> 4) % RCPTS.len()],
        auth,
        tls,
        recipients,
        messages,
        body,
        size_known: switches & 32 == 0,
        reads_in_body: switches & 64 != 0,
    }
}

fn body(kind: u8) -> Vec<u8> {
    match kind % 10 {
        0 => b"hi\n".to_vec(),
        1 => Vec::new(),
        2 => b".\n..\n.a\n.".to_vec(),
        3 => b"a\rb\r\n\r".to_vec(),
        4 => b"caf\xc3\xa9\n".to_vec(),
        5 => b"a\r\n.\r\nMAIL FROM:<x@example.org>\r\n".to_vec(),
        6 => b"a\n.\nRSET\n.\r\n".to_vec(),
        7 => b"nul \0 and\x7f\n".to_vec(),
        8 => [&[b'x'; 1200][..], b"\n"].concat(),
        _ => b"a line of the message\n.dot\n".repeat(1500),
    }
}
