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
    /// To the end of the message.
    pub(crate) commit: Answer,
    pub(crate) body: Vec<u8>,
}

/// A whole conversation.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) starttls: bool,
    pub(crate) mails: Vec<Mail>,
}

impl Mail {
    fn to(recipients: &[Answer]) -> Self {
        Self {
            mail: Answer::Yes,
            recipients: recipients.to_vec(),
            data: Answer::Yes,
            commit: Answer::Yes,
            body: b"Subject: x\r\n\r\n.\r\n..two\r\n".to_vec(),
        }
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
    let not_kept = Mail { commit: Later, ..Mail::to(&[Yes, No]) };
    let never_kept = Mail { commit: No, ..Mail::to(&[Yes]) };
    let mut scripts = Vec::new();
    for starttls in [false, true] {
        let script =
            |mails: &[&Mail]| Script { starttls, mails: mails.iter().copied().cloned().collect() };
        scripts.push(script(&[&taken, &taken]));
        scripts.push(script(&[&nobody, &refused, &taken]));
        scripts.push(script(&[&no_data, &not_kept, &never_kept]));
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
    (answer(), answers, answer(), answer(), body()).prop_map(
        |(mail, recipients, data, commit, body)| Mail { mail, recipients, data, commit, body },
    )
}

/// Any conversation.
pub(crate) fn any_script() -> impl Strategy<Value = Script> {
    (any::<bool>(), proptest::collection::vec(mail(), 1..4))
        .prop_map(|(starttls, mails)| Script { starttls, mails })
}
