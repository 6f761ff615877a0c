//! The table in `docs/states.md`, and what must hold in all of it.

extern crate std;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{env, format, fs, println};

use super::*;

/// Where the table is kept, from this package's root.
const TABLE: &str = "../../docs/states.md";

/// Set to write the table instead of comparing it.
const UPDATE: &str = "UPDATE_STATES";

const FLAGS: u32 = 13;

fn facts(bits: u32) -> Facts {
    let bit = |n: u32| bits & (1 << n) != 0;
    Facts {
        under_tls: bit(0),
        starttls_available: bit(1),
        input_behind: bit(2),
        malformed: bit(3).then_some(PeerMisbehaved::Syntax),
        declared_too_big: bit(4),
        recipients_full: bit(5),
        recipient_refused: bit(6),
        tls_required: bit(7),
        pipelining: bit(8),
        waiting_enforced: bit(9),
        foreign: bit(10).then_some(PeerMisbehaved::HttpRequest),
        junk_full: bit(11),
        messages_full: bit(12),
    }
}

fn all_facts() -> impl Iterator<Item = Facts> {
    (0..1 << FLAGS).map(facts)
}

fn all_verbs() -> impl Iterator<Item = Option<Verb>> {
    Verb::ALL.iter().copied().map(Some).chain([None])
}

fn everything() -> impl Iterator<Item = (State, Option<Verb>, Facts, Admit)> {
    State::ALL.into_iter().flat_map(|state| {
        all_verbs().flat_map(move |verb| {
            all_facts().map(move |facts| (state, verb, facts, admit(state, verb, facts)))
        })
    })
}

const ORDINARY: Facts = Facts {
    under_tls: false,
    starttls_available: true,
    tls_required: false,
    input_behind: false,
    pipelining: true,
    waiting_enforced: false,
    malformed: None,
    foreign: None,
    declared_too_big: false,
    recipients_full: false,
    recipient_refused: false,
    junk_full: false,
    messages_full: false,
};

/// Deviations from the ordinary case that the table names, one at a time.
fn deviations() -> [(&'static str, Facts); 12] {
    let ordinary = ORDINARY;
    [
        ("under TLS", Facts { under_tls: true, ..ordinary }),
        ("no STARTTLS here", Facts { starttls_available: false, ..ordinary }),
        ("malformed", Facts { malformed: Some(PeerMisbehaved::Syntax), ..ordinary }),
        ("input behind", Facts { input_behind: true, ..ordinary }),
        ("SIZE over the limit", Facts { declared_too_big: true, ..ordinary }),
        ("recipients full", Facts { recipients_full: true, ..ordinary }),
        ("a recipient was refused", Facts { recipient_refused: true, ..ordinary }),
        ("TLS required", Facts { tls_required: true, ..ordinary }),
        (
            "input behind, waiting enforced",
            Facts { input_behind: true, waiting_enforced: true, ..ordinary },
        ),
        (
            "another protocol's line",
            Facts { foreign: Some(PeerMisbehaved::HttpRequest), ..ordinary },
        ),
        ("junk full", Facts { junk_full: true, ..ordinary }),
        ("messages full", Facts { messages_full: true, ..ordinary }),
    ]
}

fn print(admit: Admit, state: State) -> String {
    let abort = if state.in_transaction() { ", abort" } else { "" };
    match admit {
        Admit::Courtesy(courtesy) => code(crate::server::replies::courtesy(courtesy)).to_string(),
        Admit::Refuse(fault) => code(crate::server::replies::fault(fault)).to_string(),
        Admit::Expel(fault) => {
            format!("{}{abort}, close", code(crate::server::replies::fault(fault)))
        }
        Admit::Hello(next) => format!("250{abort} → {next:?}"),
        Admit::Reset(next) if next == state => "250".to_string(),
        Admit::Reset(next) => format!("250{abort} → {next:?}"),
        Admit::Ask(asked) => match settle(state, asked, true) {
            Settled::Commands(next) if next == state => "ask".to_string(),
            Settled::Commands(next) => format!("ask → {next:?}"),
            Settled::Message => "ask → message".to_string(),
        },
        Admit::StartTls => format!("220{abort}, TLS → Connected"),
        Admit::Quit => format!("221{abort}, close"),
    }
}

fn code(reply: &str) -> &str {
    &reply[..9]
}

fn table() -> String {
    let mut out = String::from(
        "# What each command does in each state\n\n\
         Printed from `admit` and `settle` in `crates/smtp-proto/src/server/state.rs` by their \
         test; `UPDATE_STATES=1 cargo test -p hvmail-smtp-proto --lib states` writes it anew.\n\n\
         `ask` puts a question to the handler; the arrow is where a yes leads, and after a no the \
         state stays. `abort` ends the open transaction without a message. After the message, and \
         whatever became of it, the state is `Greeted`. A cell's first line is the ordinary case \
         (well formed, in clear, STARTTLS \
         and PIPELINING available); the others say what changes with one fact.\n\n",
    );
    out.push_str("| |");
    for state in State::ALL {
        let _ = write!(out, " {state:?} |");
    }
    out.push_str("\n|---|---|---|---|---|\n");
    let mut unimplemented = Vec::new();
    for verb in all_verbs() {
        if let Some(verb) = verb
            && State::ALL.into_iter().all(|state| {
                admit(state, Some(verb), ORDINARY) == Admit::Refuse(PeerMisbehaved::NotImplemented)
            })
        {
            unimplemented.push(verb);
            continue;
        }
        let _ = write!(out, "| {} |", verb.map_or("unknown", Verb::as_str));
        for state in State::ALL {
            let base = admit(state, verb, ORDINARY);
            let _ = write!(out, " {}", print(base, state));
            for (name, facts) in deviations() {
                let other = admit(state, verb, facts);
                if other != base {
                    let _ = write!(out, "<br>{name}: {}", print(other, state));
                }
            }
            out.push_str(" |");
        }
        out.push('\n');
    }
    out.push_str("\nKnown, and answered with 502 5.5.1 in the ordinary case:");
    for verb in unimplemented {
        let _ = write!(out, " {verb}");
    }
    out.push_str(".\n");
    out
}

#[test]
fn the_states_are_the_documented_ones() {
    let table = table();
    let path = format!("{}/{TABLE}", env!("CARGO_MANIFEST_DIR"));
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, &table).unwrap();
        println!("wrote {path}");
    }
    let documented = fs::read_to_string(&path).unwrap();
    assert!(documented == table, "{path} differs; {UPDATE}=1 writes it anew:\n{table}");
}

#[test]
fn tls_begins_only_in_clear_with_nothing_behind_and_where_it_is_had() {
    let mut begins = 0;
    for (_, verb, facts, admit) in everything() {
        if admit == Admit::StartTls {
            begins += 1;
            assert_eq!(verb, Some(Verb::StartTls));
            assert!(facts.starttls_available && !facts.under_tls);
            assert!(!facts.input_behind && facts.malformed.is_none());
        }
    }
    assert!(begins > 0);
}

#[test]
fn mail_rcpt_and_data_are_asked_in_their_order_alone() {
    let asked: BTreeSet<_> = everything()
        .filter_map(|(state, verb, _, admit)| match admit {
            Admit::Ask(asked) => Some(format!("{state:?} {verb:?} {asked:?}")),
            _ => None,
        })
        .collect();
    let expected = [
        "Greeted Some(Mail) Mail",
        "Mail Some(Rcpt) Rcpt",
        "Rcpt Some(Data) Data",
        "Rcpt Some(Rcpt) Rcpt",
    ];
    assert_eq!(asked, expected.map(String::from).into());
}

#[test]
fn a_malformed_command_never_does_what_it_says() {
    for (state, verb, facts, admit) in everything() {
        if facts.malformed.is_some() {
            let refused = matches!(admit, Admit::Refuse(_) | Admit::Expel(_));
            assert!(refused, "{state:?} {verb:?} {admit:?}");
        }
    }
}

#[test]
fn without_a_name_no_transaction_begins() {
    for (state, _, _, admit) in everything() {
        if state == State::Connected {
            assert!(!matches!(admit, Admit::Ask(_)));
            assert!(!matches!(admit, Admit::Reset(State::Greeted)));
        }
    }
}

#[test]
fn a_refusal_leaves_the_state() {
    for state in State::ALL {
        for asked in [Asked::Mail, Asked::Rcpt, Asked::Data] {
            assert_eq!(settle(state, asked, false), Settled::Commands(state));
        }
    }
}

#[test]
fn where_tls_is_required_nothing_moves_in_clear() {
    for (state, verb, facts, admit) in everything() {
        if !facts.tls_required || facts.under_tls {
            continue;
        }
        match admit {
            Admit::Ask(_) | Admit::Reset(_) => panic!("{state:?} {verb:?}"),
            Admit::Courtesy(courtesy) => assert_eq!(courtesy, Courtesy::Noop),
            Admit::Refuse(_)
            | Admit::Expel(_)
            | Admit::Hello(_)
            | Admit::StartTls
            | Admit::Quit => {}
        }
    }
}

#[test]
fn who_does_not_wait_is_expelled_where_waiting_is_enforced() {
    for (state, verb, facts, admit) in everything() {
        let Some(verb) = verb else { continue };
        if facts.waiting_enforced && does_not_wait(verb, facts) && verb != Verb::StartTls {
            let expelled = Admit::Expel(PeerMisbehaved::ImproperPipelining);
            assert_eq!(admit, expelled, "{state:?} {verb}");
        }
    }
    let behind = Facts { input_behind: true, ..ORDINARY };
    let grouped: Vec<_> =
        Verb::ALL.iter().filter(|verb| !does_not_wait(**verb, behind)).copied().collect();
    assert_eq!(grouped, [Verb::Mail, Verb::Rcpt, Verb::Rset]);
    let not_offered = Facts { pipelining: false, ..behind };
    assert!(Verb::ALL.iter().all(|verb| does_not_wait(*verb, not_offered)));
}

#[test]
fn a_limit_that_is_met_ends_the_session() {
    for (state, verb, facts, admit) in everything() {
        if facts.junk_full {
            let junk = matches!(admit, Admit::Courtesy(_) | Admit::Hello(_) | Admit::Reset(_));
            assert!(!junk, "{state:?} {verb:?}");
        }
        if facts.messages_full {
            assert_ne!(admit, Admit::Ask(Asked::Mail), "{state:?}");
        }
    }
}
