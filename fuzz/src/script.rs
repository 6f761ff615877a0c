//! What happens to a session, in order: reads of octets, and what is no text.
//!
//! Octets from 0xF8 up, which no UTF-8 text has, stand for the latter, so that a conversation
//! stays readable in a corpus and a fuzzer can move an event as it moves a word.

/// Ends a read: what follows comes in another.
pub const END_OF_READ: u8 = 0xf8;
/// The peer sends nothing more.
pub const END_OF_INPUT: u8 = 0xf9;
/// The phase's time is over.
pub const TIMED_OUT: u8 = 0xfa;
/// The session is told to end.
pub const SHUT_DOWN: u8 = 0xfb;
/// The next handshake fails.
pub const TLS_FAILED: u8 = 0xfc;
/// The next question is dropped unanswered.
pub const DROP: u8 = 0xfd;
/// The caller breaks the contract: the session says so, and is as before.
pub const MISUSE: u8 = 0xfe;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// These octets come. What is cut apart further is the target's choice.
    Read(&'a [u8]),
    /// The octet of an event.
    Event(u8),
}

/// The steps of a text.
#[must_use]
pub fn steps(text: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
        if *first >= END_OF_READ {
            steps.push(Step::Event(*first));
            rest = &rest[1..];
        } else {
            let end = rest.iter().position(|octet| *octet >= END_OF_READ).unwrap_or(rest.len());
            steps.push(Step::Read(&rest[..end]));
            rest = &rest[end..];
        }
    }
    steps
}

/// What the peer says in clear and what it says under TLS have different letters, so that nothing
/// of the one can pass for the other: `q` is said under TLS alone, and `Q` in clear alone. To SMTP
/// they are the same letter.
#[must_use]
pub fn voice(octet: u8, under_tls: bool) -> u8 {
    match octet {
        b'q' | b'Q' if under_tls => b'q',
        b'q' | b'Q' => b'Q',
        octet => octet,
    }
}

/// Whether something that was said under TLS holds something that was said in clear.
#[must_use]
pub fn said_in_clear(text: &str) -> bool {
    // The only word that a session itself writes with that letter.
    text.replace("REQUIRETLS", "").contains('Q')
}
