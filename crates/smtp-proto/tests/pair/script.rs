//! What both callers do: who sends what to whom, and what the server's handler answers.

use proptest::prelude::*;

/// What the handler says to MAIL, RCPT, DATA or the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// 5yz.
    No,
    /// 4yz.
    Later,
}

/// One message of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) mail: Answer,
    pub(crate) recipients: Vec<Answer>,
    pub(crate) data: Answer,
    /// To the end of the message; under LMTP to each accepted recipient in turn, over and over.
    pub(crate) commit: Vec<Answer>,
    pub(crate) body: Vec<u8>,
}

/// A whole conversation.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) starttls: bool,
    /// The server offers CHUNKING.
    pub(crate) chunking: bool,
    pub(crate) lmtp: bool,
    /// The server takes mail from whom it knows, and the client has a name and a secret.
    pub(crate) auth: bool,
    pub(crate) mails: Vec<Mail>,
}

impl Mail {
    fn to(recipients: &[Answer]) -> Self {
        Self {
            mail: Answer::Yes,
            recipients: recipients.to_vec(),
            data: Answer::Yes,
            commit: vec![Answer::Yes],
            body: b"Subject: x\r\n\r\n.\r\n..two\r\n".to_vec(),
        }
    }

    /// What the handler says at the end of the message for the recipient that is the `nth` of those
    /// that it accepted.
    pub(crate) fn commit(&self, lmtp: bool, nth: usize) -> Answer {
        self.commit[if lmtp { nth % self.commit.len() } else { 0 }]
    }
}

/// Conversations that between them have every kind of refusal, and reuse of a connection after
/// each.
pub(crate) fn chosen() -> Vec<Script> {
    use Answer::{Later, No, Yes};
    let taken = Mail::to(&[Yes, No, Yes, Later]);
    let nobody = Mail::to(&[No, Later]);
    let refused = Mail { mail: No, ..Mail::to(&[Yes]) };
    let no_data = Mail { data: Later, ..Mail::to(&[Yes, No]) };
    let not_kept = Mail { commit: vec![Later, Yes], ..Mail::to(&[Yes, No]) };
    let never_kept = Mail { commit: vec![No], ..Mail::to(&[Yes]) };
    let mut scripts = Vec::new();
    // (STARTTLS, CHUNKING, LMTP, AUTH)
    for (starttls, chunking, lmtp, auth) in [
        (false, false, false, false),
        (true, true, false, false),
        (false, true, true, false),
        (true, false, true, true),
    ] {
        let script = |mails: &[&Mail]| Script {
            starttls,
            chunking,
            lmtp,
            auth,
            mails: mails.iter().copied().cloned().collect(),
        };
        scripts.push(script(&[&taken, &not_kept]));
        scripts.push(script(&[&nobody, &refused, &taken]));
        scripts.push(script(&[&no_data, &never_kept, &taken]));
    }
    scripts
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![4 => Just(Answer::Yes), 1 => Just(Answer::No), 1 => Just(Answer::Later)]
}

/// Octets of which line ends and dots are a large part, and none that a client refuses.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"\r\n"[..]),
        Just(&b"."[..]),
        Just(&b"\r\n.\r\n"[..]),
        Just(&b"text"[..]),
        Just(&b"QUIT\r\n"[..]),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn mail() -> impl Strategy<Value = Mail> {
    let answers = proptest::collection::vec(answer(), 1..5);
    let commits = proptest::collection::vec(answer(), 1..4);
    (answer(), answers, answer(), commits, body()).prop_map(
        |(mail, recipients, data, commit, body)| Mail { mail, recipients, data, commit, body },
    )
}

/// Any conversation.
pub(crate) fn any_script() -> impl Strategy<Value = Script> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (switches, proptest::collection::vec(mail(), 1..4)).prop_map(
        |((starttls, chunking, lmtp, auth), mails)| Script {
            starttls,
            chunking,
            lmtp,
            // Only under TLS are credentials sent.
            auth: auth && starttls,
            mails,
        },
    )
}
