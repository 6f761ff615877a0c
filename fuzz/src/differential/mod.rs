//! What two other crates of the registry make of a command line, beside this one.
//!
//! Where one takes a line and another does not, or takes it for something else, the difference
//! belongs to a class: a condition on the line that can be checked without any of the three
//! parsers, or the reason that this crate's own error gives, where [`grammar`] agrees with it.

mod classes;
mod grammar;
mod peers;

use smtp_proto::wire::{ClientNames, Command, Extension, Syntax, UnknownParameters};

use classes::Class;
use peers::{Meaning, Peer};

/// The table that names every class.
const TABLE: &str = include_str!("../../DIFFERENCES.md");

/// Holds the answers to one line against each other.
///
/// # Panics
/// There is a difference that no class explains, or one whose class is not in the table.
pub fn check(line: &[u8]) {
    // The peers read to the line end; what no line of ASCII has is no matter of theirs.
    if !line.iter().all(|octet| (1..=0x7f).contains(octet) && !matches!(octet, b'\r' | b'\n')) {
        return;
    }
    let Ok(text) = std::str::from_utf8(line) else { return };
    let syntax = Syntax {
        extensions: Extension::ALL.iter().copied().collect(),
        unknown_parameters: UnknownParameters::Refuse,
        client_names: ClientNames::Strict,
    };
    let ours = Command::parse_with(line, &syntax);
    for peer in [Peer::SmtpProto, Peer::SmtpCodec] {
        let theirs = peer.reads(line);
        let class = match (&ours, &theirs) {
            (Ok(command), Some(meaning)) => {
                let meant = Meaning::of(command, peer);
                if meant == *meaning {
                    continue;
                }
                Class::of_meanings(peer, text, &meant, meaning)
            }
            (Ok(command), None) => Class::of_refusal_by(peer, text, command),
            (Err(error), Some(_)) => Class::of_refusal_by_us(text, *error),
            (Err(_), None) => continue,
        };
        let Some(class) = class else {
            if std::env::var_os("SHOW_DIFFERENCES").is_some() {
                eprintln!("UNEXPLAINED {peer:?} {text:?} {ours:?} {theirs:?}");
                continue;
            }
            panic!("unexplained: {text:?} is to this crate {ours:?}, to {peer:?} {theirs:?}");
        };
        if std::env::var_os("SHOW_DIFFERENCES").is_some() {
            eprintln!("{class:?} {peer:?} {text:?} {ours:?} {theirs:?}");
        }
        let row = format!("| `{class:?}` |");
        assert!(TABLE.contains(&row), "{class:?} is not in the table: {text:?}");
    }
}
