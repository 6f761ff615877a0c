//! What a reply means where it comes: one pure, exhaustive table.
//!
//! Does: `(phase, code) → meaning`. Does not: hold state, pair replies with commands, or send.
//! Fails: never; a code that has no place is [`Meaning::Misplaced`].

use super::event::Phase;
use crate::wire::{Class, Code, Reply};

/// The exchange of AUTH has succeeded (RFC 4954, 6).
const AUTHENTICATED: u16 = 235;
/// The exchange of AUTH goes on (RFC 4954, 4).
const CHALLENGE: u16 = 334;

/// What a reply means to the command that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The next step may be taken.
    GoOn,
    /// The exchange of AUTH goes on: the server has asked something.
    Challenge,
    /// EHLO is not known: HELO may be.
    TryHelo,
    /// Refused for now.
    Defer,
    /// Refused for good.
    Reject,
    /// The server closes, whatever was asked.
    Closing,
    /// No such reply is allowed here.
    Misplaced,
}

/// The table.
///
/// - 421 closes the service wherever it comes (RFC 5321, 4.2.3), and counts as an answer to
///   QUIT as any other reply does.
/// - STARTTLS goes on at 220 alone, DATA at 354 alone (RFC 3207, 4; RFC 5321,
///   4.1.1.4), AUTH at 334, and succeeds at 235 (RFC 4954, 4): what else is positive there says
///   nothing.
/// - The service as a whole is never refused for good: a greeting, HELO, LHLO or RSET that is
///   refused defers, as another connection may be met differently. There is nothing older than
///   LHLO to fall back to.
/// - 552 to RCPT means too many recipients, and is temporary (RFC 5321, 4.5.3.1.10), unless
///   its enhanced code says something else.
/// - A refusal before the message is over decides it: a server should wait for the final dot, and
///   some do not. Success there answers nothing.
pub(super) fn meaning(phase: Phase, reply: &Reply) -> Meaning {
    let code = reply.code();
    let class = code.class();
    match phase {
        Phase::Quit => Meaning::GoOn,
        _ if code == Code::SERVICE_NOT_AVAILABLE => Meaning::Closing,
        Phase::Greeting | Phase::Helo | Phase::Lhlo | Phase::Rset => match class {
            Class::Positive => Meaning::GoOn,
            Class::Transient | Class::Permanent => Meaning::Defer,
            Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Ehlo => match class {
            Class::Positive => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::TryHelo,
            Class::Intermediate => Meaning::Misplaced,
        },
        Phase::StartTls => match class {
            Class::Positive if code == Code::READY => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Auth => match class {
            Class::Positive if code.get() == AUTHENTICATED => Meaning::GoOn,
            Class::Intermediate if code.get() == CHALLENGE => Meaning::Challenge,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Rcpt if code == Code::EXCEEDED_STORAGE && !names_another_limit(reply) => {
            Meaning::Defer
        }
        Phase::Mail | Phase::Rcpt | Phase::FinalDot | Phase::Bdat | Phase::BdatLast => {
            match class {
                Class::Positive => Meaning::GoOn,
                Class::Transient => Meaning::Defer,
                Class::Permanent => Meaning::Reject,
                Class::Intermediate => Meaning::Misplaced,
            }
        }
        Phase::Data => match class {
            Class::Intermediate if code == Code::START_MAIL_INPUT => Meaning::GoOn,
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
        Phase::Body => match class {
            Class::Transient => Meaning::Defer,
            Class::Permanent => Meaning::Reject,
            Class::Positive | Class::Intermediate => Meaning::Misplaced,
        },
    }
}

/// Whether an enhanced code says that it is not the number of recipients (X.5.3, RFC 3463, 3.6)
/// that was exceeded.
fn names_another_limit(reply: &Reply) -> bool {
    reply.enhanced().is_some_and(|enhanced| (enhanced.subject, enhanced.detail) != (5, 3))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::format;
    use alloc::string::String;
    use std::{env, fs, println};

    use super::*;
    use crate::wire::Detail;

    /// Where the table is kept, from this package's root.
    const TABLE: &str = "src/client/states.md";

    /// Set to write the table instead of comparing it.
    const UPDATE: &str = "UPDATE_STATES";

    const PHASES: [Phase; 15] = [
        Phase::Greeting,
        Phase::Ehlo,
        Phase::Helo,
        Phase::Lhlo,
        Phase::StartTls,
        Phase::Auth,
        Phase::Rset,
        Phase::Mail,
        Phase::Rcpt,
        Phase::Data,
        Phase::Body,
        Phase::FinalDot,
        Phase::Bdat,
        Phase::BdatLast,
        Phase::Quit,
    ];

    fn of(phase: Phase, code: u16) -> Meaning {
        meaning(phase, &Reply::new_static(Code::new(code).unwrap(), None, "text"))
    }

    #[test]
    fn the_table_is_this_for_every_code_in_every_phase() {
        use Meaning::{Challenge, Defer, GoOn, Misplaced, Reject, TryHelo};
        // What 2yz, 3yz, 4yz and 5yz mean, and the codes that mean something else.
        type Row = (Phase, [Meaning; 4], &'static [(u16, Meaning)]);
        let table: [Row; 15] = [
            (Phase::Greeting, [GoOn, Misplaced, Defer, Defer], &[]),
            (Phase::Ehlo, [GoOn, Misplaced, Defer, TryHelo], &[]),
            (Phase::Helo, [GoOn, Misplaced, Defer, Defer], &[]),
            (Phase::Lhlo, [GoOn, Misplaced, Defer, Defer], &[]),
            (Phase::StartTls, [Misplaced, Misplaced, Defer, Reject], &[(220, GoOn)]),
            (Phase::Auth, [Misplaced, Misplaced, Defer, Reject], &[(235, GoOn), (334, Challenge)]),
            (Phase::Rset, [GoOn, Misplaced, Defer, Defer], &[]),
            (Phase::Mail, [GoOn, Misplaced, Defer, Reject], &[]),
            (Phase::Rcpt, [GoOn, Misplaced, Defer, Reject], &[(552, Defer)]),
            (Phase::Data, [Misplaced, Misplaced, Defer, Reject], &[(354, GoOn)]),
            (Phase::Body, [Misplaced, Misplaced, Defer, Reject], &[]),
            (Phase::FinalDot, [GoOn, Misplaced, Defer, Reject], &[]),
            (Phase::Bdat, [GoOn, Misplaced, Defer, Reject], &[]),
            (Phase::BdatLast, [GoOn, Misplaced, Defer, Reject], &[]),
            (Phase::Quit, [GoOn, GoOn, GoOn, GoOn], &[]),
        ];
        for ((phase, classes, exceptions), same) in table.into_iter().zip(PHASES) {
            assert_eq!(phase, same);
            for code in 200..600 {
                let exception = exceptions.iter().find(|(exception, _)| *exception == code);
                let expected = match exception {
                    Some((_, meaning)) => *meaning,
                    None if code == 421 && phase != Phase::Quit => Meaning::Closing,
                    None => classes[usize::from(code / 100) - 2],
                };
                assert_eq!(of(phase, code), expected, "{phase} {code}");
            }
        }
    }

    #[test]
    fn a_full_mailbox_is_not_too_many_recipients() {
        let reply = |detail| Reply::new_static(Code::EXCEEDED_STORAGE, Some(detail), "full");
        assert_eq!(meaning(Phase::Rcpt, &reply(Detail::new(2, 2))), Meaning::Reject);
        assert_eq!(meaning(Phase::Rcpt, &reply(Detail::new(5, 3))), Meaning::Defer);
    }

    fn words(meaning: Meaning) -> &'static str {
        match meaning {
            Meaning::GoOn => "goes on",
            Meaning::Challenge => "asks the mechanism",
            Meaning::TryHelo => "tries HELO",
            Meaning::Defer => "defers",
            Meaning::Reject => "rejects",
            Meaning::Closing => "defers, closes",
            Meaning::Misplaced => "misbehaved, closes",
        }
    }

    /// What most codes of a class mean, and those that mean something else.
    fn cell(phase: Phase, class: u16) -> String {
        let codes = || (class * 100..class * 100 + 100).filter(|code| Code::new(*code).is_some());
        // A code that means something else than its class ends in no 99.
        let ordinary = codes().rev().map(|code| of(phase, code)).next().unwrap();
        let mut text = String::from(words(ordinary));
        for code in codes() {
            match of(phase, code) {
                same if same == ordinary => {}
                other => text += &format!("<br>{code}: {}", words(other)),
            }
        }
        text
    }

    #[test]
    fn the_meanings_are_the_documented_ones() {
        let mut table =
            String::from("| reply to | 2yz | 3yz | 4yz | 5yz |\n|---|---|---|---|---|\n");
        for phase in PHASES {
            let cells = [2, 3, 4, 5].map(|class| cell(phase, class)).join(" | ");
            table += &format!("| {phase} | {cells} |\n");
        }
        let path = format!("{}/{TABLE}", env!("CARGO_MANIFEST_DIR"));
        if env::var_os(UPDATE).is_some() {
            fs::write(&path, &table).unwrap();
            println!("wrote {path}");
        }
        let documented = fs::read_to_string(&path).unwrap();
        assert!(documented == table, "{path} differs; {UPDATE}=1 writes it anew:\n{table}");
    }
}
