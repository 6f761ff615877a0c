//! No value that a caller can make adds a line, a command or a parameter to what is sent.

use std::sync::Arc;

use proptest::prelude::*;
use smtp_proto::client::{AfterHello, Config, Envelope, MessageFacts, Output, Session};
use smtp_proto::wire::{
    AddressError, ClientName, Command, Extension, ForwardPath, Mailbox, Mechanism, ReversePath,
    Syntax, UnknownParameters,
};

/// Text with what separates lines, words, parameters and addresses, and what could hide it.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_string()),
        Just("\r".into()),
        Just("\n".into()),
        Just("\0".into()),
        Just(" ".into()),
        Just("\t".into()),
        Just("> SIZE=1".into()),
        Just("<".into()),
        Just(">".into()),
        Just("@".into()),
        Just("\"".into()),
        Just("\\".into()),
        Just("=".into()),
        Just(";".into()),
        Just("+0D+0A".into()),
        Just("\u{85}".into()),
        Just("\u{2028}".into()),
        Just("RCPT TO:<x@example.org>".into()),
        Just("a@example.org".into()),
        "[a-z0-9.@+]{1,8}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn syntax() -> Syntax {
    Syntax {
        extensions: Extension::ALL.iter().copied().collect(),
        unknown_parameters: UnknownParameters::Keep,
        ..Syntax::default()
    }
}

/// All that a session says for one envelope, to a server that offers everything.
fn said(name: ClientName<'_>, envelope: Envelope) -> Vec<String> {
    let mut session = Session::new(Arc::new(Config::new(name)));
    let mut replies = vec![
        "220 mx\r\n",
        "250-mx\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-DSN\r\n250-DELIVERBY\r\n\
         250-FUTURERELEASE 1 2040-01-01T00:00:00Z\r\n250-MT-PRIORITY\r\n250 RRVS\r\n",
        "550 no\r\n550 no\r\n550 no\r\n550 no\r\n",
    ];
    let (mut sent, mut envelope) = (Vec::new(), Some(envelope));
    loop {
        match session.poll_output() {
            Output::Transmit(octets) => sent.extend_from_slice(octets),
            Output::Ehlo(ask, _) => session.answer(ask, AfterHello::Proceed).unwrap(),
            Output::Ready => match envelope.take() {
                Some(envelope) => session
                    .begin(
                        envelope,
                        MessageFacts { eight_bit: Some(false), ..MessageFacts::default() },
                    )
                    .unwrap(),
                None => break,
            },
            Output::Wait(_) => {
                let reply = replies.remove(0).as_bytes();
                session.input()[..reply.len()].copy_from_slice(reply);
                session.received(reply.len()).unwrap();
            }
            Output::Body => panic!("no recipient was taken"),
            Output::Close => break,
            _ => {}
        }
    }
    let sent = String::from_utf8(sent).expect("what is sent is text");
    assert!(sent.ends_with("\r\n"));
    let lines: Vec<String> =
        sent.strip_suffix("\r\n").unwrap().split("\r\n").map(Into::into).collect();
    for line in &lines {
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    lines
}

fn name() -> ClientName<'static> {
    ClientName::parse("client.example.org").unwrap()
}

/// What stands on the wire must be read back as what was meant, and nothing beside it.
fn envelope_says(envelope: Envelope, mail: &str, rcpt: Option<&str>) {
    let mut expected = vec!["EHLO client.example.org", mail];
    expected.extend(rcpt);
    expected.push("DATA");
    let rcpts = envelope.recipients();
    let lines = said(name(), envelope);
    match rcpts {
        0 => assert_eq!(lines, expected[..1]),
        _ if lines.len() > 1 => assert_eq!(lines, expected),
        // It was rejected here: nothing but the greeting was said.
        _ => {}
    }
}

const SENDER: &str = "MAIL FROM:<s@example.org>";
const RECIPIENT: &str = "RCPT TO:<r@example.org>";

fn from_sender() -> Envelope {
    Envelope::new(&ReversePath::parse("s@example.org").unwrap())
}

fn recipient() -> ForwardPath<'static> {
    ForwardPath::parse("r@example.org").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_reverse_path_is_one_word_in_brackets(text in hostile()) {
        let paths = [
            ReversePath::parse(&text),
            Mailbox::parse(&text).map(ReversePath::Mailbox),
        ];
        for path in paths.into_iter().flatten() {
            let mail = format!("MAIL FROM:{path}");
            prop_assert_eq!(mail.matches(['\r', '\n']).count(), 0);
            envelope_says(Envelope::new(&path).to(&recipient()), &mail, Some(RECIPIENT));
            // Read as a server does, it has no parameter.
            if let Ok(Command::Mail(read)) = Command::parse(mail.as_bytes()) {
                prop_assert_eq!(read.reverse_path, path);
                prop_assert!(read.parameters == Default::default());
            }
        }
    }

    #[test]
    fn a_forward_path_is_one_word_in_brackets(text in hostile()) {
        let path: Result<_, AddressError> = ForwardPath::parse(&text);
        if let Ok(path) = path {
            let rcpt = format!("RCPT TO:{path}");
            envelope_says(from_sender().to(&path), SENDER, Some(&rcpt));
            if let Ok(Command::Rcpt(read)) = Command::parse(rcpt.as_bytes()) {
                prop_assert_eq!(read.forward_path, path);
                prop_assert!(read.parameters == Default::default());
            }
        }
    }

    #[test]
    fn a_client_name_is_one_word(text in hostile()) {
        if let Ok(name) = ClientName::parse(&text) {
            let lines = said(name, from_sender());
            prop_assert_eq!(&lines[0], &format!("EHLO {name}"));
            prop_assert_eq!(lines.len(), 1);
            prop_assert!(!name.as_str().contains(' '));
        }
    }

    #[test]
    fn a_mechanism_is_one_word(text in hostile()) {
        if let Some(mechanism) = Mechanism::parse(&text) {
            prop_assert!(mechanism.as_str().bytes().all(|c| c.is_ascii_alphanumeric()
                || matches!(c, b'-' | b'_')));
        }
    }

    #[test]
    fn a_parameter_is_one_parameter(
        mail in prop_oneof![
            Just("ENVID="), Just("AUTH="), Just("RET="), Just("BY="), Just("HOLDUNTIL="),
            Just("MT-PRIORITY="), Just("BODY="),
        ],
        rcpt in prop_oneof![Just("ORCPT=rfc822;"), Just("NOTIFY="), Just("RRVS="), Just("ORCPT=")],
        value in hostile(),
    ) {
        let syntax = syntax();
        let line = format!("{SENDER} {mail}{value}");
        if let Ok(Command::Mail(mail)) = Command::parse_with(line.as_bytes(), &syntax) {
            let envelope = Envelope::from_mail(&mail).to(&recipient());
            let lines = said(name(), envelope);
            if let Some(line) = lines.get(1) {
                let read = Command::parse_with(line.as_bytes(), &syntax);
                let Ok(Command::Mail(read)) = read else { panic!("{line:?}") };
                prop_assert_eq!(read.reverse_path, mail.reverse_path);
                // What is not offered, and SIZE, may be missing; nothing is there that was not
                // meant.
                let meant = mail.to_string();
                for word in line.split(' ').skip(2) {
                    prop_assert!(meant.split(' ').any(|known| known == word), "{}", line);
                }
            }
        }
        let line = format!("{RECIPIENT} {rcpt}{value}");
        if let Ok(Command::Rcpt(rcpt)) = Command::parse_with(line.as_bytes(), &syntax) {
            let mut envelope = from_sender();
            envelope.add_rcpt(&rcpt);
            let lines = said(name(), envelope);
            if lines.len() > 1 {
                prop_assert_eq!(lines.len(), 4);
                let meant = rcpt.to_string();
                for word in lines[2].split(' ').skip(1) {
                    prop_assert!(meant.split(' ').any(|known| known == word), "{}", lines[2]);
                }
            }
        }
    }
}
