//! Every verb with what may stand behind it, in every state: a session answers, and never panics.

use std::sync::Arc;

use smtp_proto::server::{AuthVerdict, Commit, Config, Output, Session, Tls, Verdict};
use smtp_proto::wire::{Capability, Code, Reply, Verb};

/// Gives the session `input` to its end, with a yes to everything, and returns what it replied.
fn replies(config: &Arc<Config>, input: &[u8]) -> Vec<u8> {
    let mut session = Session::new(Arc::clone(config));
    let (mut left, mut replies) = (input, Vec::new());
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => replies.extend_from_slice(octets),
            Output::Wait(_) if left.is_empty() => session.end_of_input(),
            Output::Wait(_) => {
                let space = session.input();
                let n = space.len().min(left.len());
                space[..n].copy_from_slice(&left[..n]);
                session.received(n).unwrap();
                left = &left[n..];
            }
            Output::Mail(ask, _) => session.answer(ask, Verdict::Accept).unwrap(),
            Output::Rcpt(ask, _) => session.answer(ask, Verdict::Accept).unwrap(),
            Output::Data(ask) => session.answer(ask, Verdict::Accept).unwrap(),
            Output::Auth(ask, _) => session.answer(ask, AuthVerdict::Accept).unwrap(),
            Output::Request(ask, _) => {
                session.answer(ask, Reply::new_static(Code::OK, None, "yes")).unwrap();
            }
            Output::EndOfMessage(ask) => session.answer(ask, Commit::Accepted(None)).unwrap(),
            Output::StartTls => session.tls_established().unwrap(),
            Output::Close => return replies,
            Output::Hello(_) | Output::Body(_) | Output::Abort | Output::Note(_) => {}
        }
    }
}

#[test]
fn every_line_in_every_state_is_answered() {
    let mut config = Config::new("mx.example");
    config.tls = Tls::StartTls;
    config.auth_in_clear = true;
    for line in ["CHUNKING", "BINARYMIME", "SMTPUTF8", "DSN", "AUTH PLAIN"] {
        config.capabilities.insert(Capability::parse(line).unwrap());
    }
    let all = &mut config.requests;
    (all.vrfy, all.expn, all.help) = (true, true, true);
    (all.etrn, all.xclient, all.xforward) = (true, true, true);
    let config = Arc::new(config);

    let states = [
        "",
        "EHLO a.example\r\n",
        "EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n",
        "EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n",
        "EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nBDAT 1\r\na",
    ];
    let separators: [&[u8]; 9] =
        [b"", b" ", b"  ", b"\t", b"\0", b":", b"\r", "\u{e9}".as_bytes(), b"\xff"];
    let arguments =
        ["", "x", "FROM:<a@a.example>", "TO:<b@b.example>", "PLAIN AGEAYQ==", "1 LAST", "0", "A=b"];
    for (state, verb) in states.iter().flat_map(|state| Verb::ALL.iter().map(move |v| (state, v))) {
        let before = replies(&config, state.as_bytes());
        for (separator, argument) in
            separators.iter().flat_map(|one| arguments.iter().map(move |two| (one, two)))
        {
            for word in [verb.as_str().to_owned(), verb.as_str().to_lowercase()] {
                let line = [word.as_bytes(), separator, argument.as_bytes(), b"\r\n"].concat();
                let after = replies(&config, &[state.as_bytes(), &line, b".\r\n"].concat());
                let line = line.escape_ascii();
                assert!(after.starts_with(&before) && after.len() > before.len(), "{state}{line}");
                assert!(after.ends_with(b"\r\n"), "{state}{line}");
            }
        }
    }
}
