//! The tables in `docs/states.md` and `states.md`, and what must hold in all of it.

extern crate std;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{env, format, fs, println};

use super::*;

/// Where the table is kept, from this package's root.
const TABLE: &str = "../../docs/states.md";

/// Where its ordinary cases are kept, for the crate's documentation.
const SHORT_TABLE: &str = "src/server/states.md";

/// Set to write the table instead of comparing it.
const UPDATE: &str = "UPDATE_STATES";

const FLAGS: u32 = 26;

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
        lmtp: bit(13),
        auth_required: bit(14),
        authenticated: bit(15),
        auth: match (bit(16), bit(17)) {
            (true, _) => AuthOffer::Now,
            (false, true) => AuthOffer::UnderTls,
            (false, false) => AuthOffer::None,
        },
        mechanism_known: bit(18),
        chunking: bit(19),
        chunk_too_costly: bit(20),
        requested: bit(21),
        recipient_needs_utf8: bit(22),
        binary: bit(23),
        chunk_empty: bit(24),
        auth_completes: bit(25),
    }
}

/// All facts that differ in at most two from none, from all, and from the ordinary ones.
fn all_facts() -> impl Iterator<Item = Facts> {
    let ordinary = [1, 8, 16, 18, 19].into_iter().fold(0, |bits, n| bits | 1 << n);
    assert_eq!(facts(ordinary), ORDINARY);
    let bit = |n: u32| if n == FLAGS { 0 } else { 1 << n };
    (0..=FLAGS)
        .flat_map(move |one| (one..=FLAGS).map(move |two| bit(one) | bit(two)))
        .flat_map(move |change| [0, (1 << FLAGS) - 1, ordinary].map(|base| facts(base ^ change)))
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
    lmtp: false,
    auth_required: false,
    authenticated: false,
    auth: AuthOffer::Now,
    mechanism_known: true,
    auth_completes: false,
    chunking: true,
    chunk_too_costly: false,
    chunk_empty: false,
    requested: false,
    recipient_needs_utf8: false,
    binary: false,
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
fn deviations() -> [(&'static str, Facts); 23] {
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
        ("AUTH required", Facts { auth_required: true, ..ordinary }),
        ("authenticated", Facts { authenticated: true, ..ordinary }),
        ("AUTH under TLS alone", Facts { auth: AuthOffer::UnderTls, ..ordinary }),
        ("no AUTH", Facts { auth: AuthOffer::None, ..ordinary }),
        ("mechanism not offered", Facts { mechanism_known: false, ..ordinary }),
        ("no CHUNKING", Facts { chunking: false, ..ordinary }),
        ("BODY=BINARYMIME", Facts { binary: true, ..ordinary }),
        ("address needs SMTPUTF8", Facts { recipient_needs_utf8: true, ..ordinary }),
        (
            "too much to discard",
            Facts { chunk_too_costly: true, declared_too_big: true, ..ordinary },
        ),
        ("put to the handler", Facts { requested: true, ..ordinary }),
        ("LMTP", Facts { lmtp: true, ..ordinary }),
        ("junk full", Facts { junk_full: true, chunk_empty: true, ..ordinary }),
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
            Settled::Chunk => "ask → chunk → Chunks".to_string(),
            Settled::Discard => unreachable!("it was accepted"),
        },
        Admit::Discard(fault) => {
            let next = state.without_transaction();
            let reply = code(crate::server::replies::fault(fault));
            format!("chunk discarded, {reply}{abort} → {next:?}")
        }
        Admit::Chunk => "chunk".to_string(),
        Admit::StartTls => format!("220{abort}, TLS → Connected"),
        Admit::Quit => format!("221{abort}, close"),
    }
}

/// The code and the enhanced code of a reply.
fn code(reply: &str) -> &str {
    let end = reply.match_indices(' ').nth(1).map_or(reply.len(), |(at, _)| at);
    &reply[..end]
}

fn table() -> String {
    let mut out = String::from(
        "# What each command does in each state\n\n\
         Printed from `admit` and `settle` in `crates/smtp-proto/src/server/state.rs` by their \
         test; `UPDATE_STATES=1 cargo test -p hvmail-smtp-proto --lib states` writes it anew.\n\n\
         `ask` puts a question to the handler; the arrow is where a yes leads, and after a no the \
         state stays. `abort` ends the open transaction without a message. After the message, and \
         whatever became of it, the state is `Greeted`. A cell's first line is the ordinary case \
         (well formed, in clear; STARTTLS, \
         PIPELINING, AUTH and CHUNKING offered); the others say what changes with one fact. \
         `Chunks` stands between the first BDAT and the last; `chunk` reads the octets behind BDAT, \
         and the last one is the end of the message. A chunk that is refused is read all the same, \
         before its reply. Behind AUTH the lines are the client\'s answers to challenges, and no \
         commands, until the mechanism accepts or refuses; the state stays. Input behind AUTH is no \
         fault where it carries all that its mechanism is known to say.\n\n\
         What each reply means to a client is in \
         [another table](../crates/smtp-proto/src/client/states.md).\n\n",
    );
    push_rows(&mut out, &deviations());
    out
}

/// The ordinary case alone.
fn short_table() -> String {
    let mut out = String::new();
    push_rows(&mut out, &[]);
    out
}

fn push_rows(out: &mut String, deviations: &[(&'static str, Facts)]) {
    out.push_str("| |");
    for state in State::ALL {
        let _ = write!(out, " {state:?} |");
    }
    out.push_str("\n|---|---|---|---|---|---|\n");
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
            for (name, facts) in deviations {
                let other = admit(state, verb, *facts);
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
    out.push_str(
        ".\n\nJunk ends a session at BDAT only where the chunk is empty and not the last.\n",
    );
}

#[test]
fn the_states_are_the_documented_ones() {
    for (path, table) in [(TABLE, table()), (SHORT_TABLE, short_table())] {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        if env::var_os(UPDATE).is_some() {
            fs::write(&path, &table).unwrap();
            println!("wrote {path}");
        }
        let documented = fs::read_to_string(&path).unwrap();
        assert!(documented == table, "{path} differs; {UPDATE}=1 writes it anew:\n{table}");
    }
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
            Admit::Ask(Asked::Auth | Asked::Request) => None,
            Admit::Ask(asked) => Some(format!("{state:?} {verb:?} {asked:?}")),
            _ => None,
        })
        .collect();
    let expected = [
        "Greeted Some(Mail) Mail",
        "Mail Some(Rcpt) Rcpt",
        "Rcpt Some(Bdat) Chunks",
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
            assert!(!matches!(
                admit,
                Admit::Ask(Asked::Mail | Asked::Rcpt | Asked::Data | Asked::Chunks | Asked::Auth)
            ));
            assert!(!matches!(admit, Admit::Chunk | Admit::Reset(State::Greeted)));
        }
    }
}

#[test]
fn a_refusal_leaves_the_state() {
    for state in State::ALL {
        for asked in [Asked::Mail, Asked::Rcpt, Asked::Data, Asked::Auth, Asked::Request] {
            assert_eq!(settle(state, asked, false), Settled::Commands(state));
        }
        assert_eq!(settle(state, Asked::Chunks, false), Settled::Discard);
    }
}

#[test]
fn where_tls_is_required_nothing_moves_in_clear() {
    for (state, verb, facts, admit) in everything() {
        if !facts.tls_required || facts.under_tls {
            continue;
        }
        match admit {
            Admit::Ask(_) | Admit::Reset(_) | Admit::Chunk => panic!("{state:?} {verb:?}"),
            Admit::Courtesy(courtesy) => assert_eq!(courtesy, Courtesy::Noop),
            Admit::Refuse(_)
            | Admit::Expel(_)
            | Admit::Discard(_)
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
    assert_eq!(grouped, [Verb::Mail, Verb::Rcpt, Verb::Rset, Verb::Bdat]);
    assert!(!does_not_wait(Verb::Auth, Facts { auth_completes: true, ..behind }));
    let not_offered = Facts { pipelining: false, auth_completes: true, ..behind };
    let waited_for = |verb: &&Verb| !does_not_wait(**verb, not_offered);
    assert_eq!(Verb::ALL.iter().filter(waited_for).collect::<Vec<_>>(), [&Verb::Bdat]);
}

#[test]
fn a_limit_that_is_met_ends_the_session() {
    for (state, verb, facts, admit) in everything() {
        if facts.junk_full {
            let junk = match admit {
                Admit::Courtesy(_) | Admit::Hello(_) | Admit::Reset(_) => true,
                Admit::Chunk | Admit::Ask(Asked::Chunks) => facts.chunk_empty,
                _ => false,
            };
            assert!(!junk, "{state:?} {verb:?}");
        }
        if facts.messages_full {
            assert_ne!(admit, Admit::Ask(Asked::Mail), "{state:?}");
        }
    }
}

#[test]
fn the_octets_behind_bdat_are_never_read_as_commands() {
    let mut seen = BTreeSet::new();
    for (state, _, facts, admit) in everything().filter(|(_, verb, ..)| *verb == Some(Verb::Bdat)) {
        match admit {
            Admit::Ask(Asked::Chunks) | Admit::Chunk => {
                assert!(facts.chunking && !facts.declared_too_big && facts.malformed.is_none());
                assert_eq!(admit == Admit::Chunk, state == State::Chunks);
                seen.insert("taken");
            }
            Admit::Discard(_) => {
                assert!(!facts.chunk_too_costly && facts.malformed.is_none());
                seen.insert("discarded");
            }
            Admit::Expel(_) => {
                seen.insert("expelled");
            }
            other => panic!("{state:?} {other:?}"),
        }
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_message_that_began_with_bdat_ends_with_bdat_or_not_at_all() {
    for verb in [Verb::Mail, Verb::Rcpt, Verb::Data] {
        let refused = Admit::Refuse(PeerMisbehaved::ChunksBegun);
        assert_eq!(admit(State::Chunks, Some(verb), ORDINARY), refused);
    }
    let binary = Facts { binary: true, ..ORDINARY };
    let refused = Admit::Refuse(PeerMisbehaved::BinaryNeedsBdat);
    assert_eq!(admit(State::Rcpt, Some(Verb::Data), binary), refused);
    assert_eq!(admit(State::Rcpt, Some(Verb::Bdat), binary), Admit::Ask(Asked::Chunks));
}

#[test]
fn auth_is_asked_once_where_it_is_offered_and_no_transaction_is_open() {
    let mut asked = 0;
    for (state, verb, facts, admit) in everything() {
        if admit == Admit::Ask(Asked::Auth) {
            asked += 1;
            assert_eq!((state, verb), (State::Greeted, Some(Verb::Auth)));
            assert_eq!(facts.auth, AuthOffer::Now);
            assert!(!facts.authenticated && facts.mechanism_known && facts.malformed.is_none());
        }
    }
    assert!(asked > 0);
}

#[test]
fn where_auth_is_required_nothing_moves_without_it() {
    for (state, verb, facts, admit) in everything() {
        if !facts.auth_required || facts.authenticated {
            continue;
        }
        match admit {
            Admit::Ask(Asked::Auth) => {}
            Admit::Ask(Asked::Request) => assert_eq!(verb, Some(Verb::Xclient)),
            Admit::Ask(_) | Admit::Chunk => panic!("{state:?} {verb:?}"),
            Admit::Courtesy(courtesy) => assert_eq!(courtesy, Courtesy::Noop),
            _ => {}
        }
    }
}

#[test]
fn a_session_is_opened_with_its_own_word_alone() {
    for (_, verb, facts, admit) in everything() {
        if let Admit::Hello(_) = admit {
            assert_eq!(verb == Some(Verb::Lhlo), facts.lmtp);
        }
    }
}
