//! Parameters of MAIL and RCPT, addresses and headers outside ASCII, and what a policy of messages
//! refuses: sent where they are offered, left out with a word or refused where they are not.

use smtp_client::session::{Rejection, Utf8Header};
use smtp_client::tls::ClientPolicy;
use smtp_client::wire::{
    BodyType, DeliverBy, DeliverByMode, EnvelopeId, Extension, Extensions, Hold, Interval,
    LongLines, MailParameters, MessageFault, MessageRule, Notify, Nul, OriginalRecipient, Priority,
    RcptParameters, Ret,
};
use smtp_client::{Client, Config, Message, Outcome, Recipient, RecipientReport, Route, Sender};

use crate::common::{hear, message, part, patient, server};

/// Sends to a server that offers this; gives the MAIL and RCPT that it heard and the reports.
async fn to_server(
    config: Config,
    offer: &'static str,
    sender: Sender,
    recipients: impl FnOnce(&Route) -> Vec<Recipient>,
    message: &Message,
) -> (Vec<String>, Vec<RecipientReport>) {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        peer.line("220 mx");
        peer.expect("EHLO");
        peer.send(format!("250-mx\r\n{offer}250 HELP\r\n"));
        let mut heard = Vec::new();
        loop {
            let line = peer.expect("");
            match &line[..4] {
                "MAIL" | "RCPT" => heard.push(line),
                "DATA" => {
                    peer.line("354 go");
                    hear(&mut peer, ".");
                }
                "QUIT" => {
                    peer.line("221 bye");
                    return heard;
                }
                _ => panic!("{line}"),
            }
            peer.line("250 ok");
        }
    });
    let to = recipients(&route);
    let report = Client::new(config).deliver(&sender, &to, message).await;
    (server.join().unwrap(), report.recipients)
}

fn plain(address: &str, route: &Route) -> Recipient {
    Recipient::new(address, route.clone(), ClientPolicy::plaintext()).unwrap()
}

fn sender() -> Sender {
    Sender::parse("a@example.org").unwrap()
}

fn notifying() -> Sender {
    sender().with(MailParameters {
        ret: Some(Ret::Headers),
        envid: EnvelopeId::parse("QQ+2B314"),
        ..MailParameters::default()
    })
}

fn notified(route: &Route) -> Vec<Recipient> {
    let parameters = RcptParameters {
        notify: Notify::of(true, false, true),
        orcpt: OriginalRecipient::parse("rfc822;B@example.com"),
        ..RcptParameters::default()
    };
    let never = RcptParameters { notify: Some(Notify::NEVER), ..RcptParameters::default() };
    vec![plain("b@example.com", route).with(parameters), plain("c@example.com", route).with(never)]
}

#[tokio::test]
async fn dsn_is_asked_for_where_it_is_offered() {
    let (heard, reports) =
        to_server(patient(), "250-DSN\r\n", notifying(), notified, &message()).await;
    assert_eq!(
        heard,
        [
            "MAIL FROM:<a@example.org> RET=HDRS ENVID=QQ+2B314",
            "RCPT TO:<b@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B@example.com",
            "RCPT TO:<c@example.com> NOTIFY=NEVER",
        ]
    );
    for report in reports {
        assert!(report.outcome.is_delivered());
        assert_eq!(report.left_out, Extensions::EMPTY);
    }
}

#[tokio::test]
async fn dsn_that_is_not_offered_is_left_out_and_the_report_says_so() {
    let (heard, reports) = to_server(patient(), "", notifying(), notified, &message()).await;
    assert_eq!(
        heard,
        ["MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "RCPT TO:<c@example.com>"]
    );
    for report in reports {
        assert!(report.outcome.is_delivered());
        assert_eq!(report.left_out, Extensions::EMPTY.with(Extension::Dsn));
    }
    let urgent = MailParameters { mt_priority: Priority::new(4), ..MailParameters::default() };
    let one = |route: &Route| vec![plain("b@example.com", route)];
    let (_, reports) = to_server(patient(), "", sender().with(urgent), one, &message()).await;
    assert_eq!(reports[0].left_out, Extensions::EMPTY.with(Extension::MtPriority));
    let offer = "250-MT-PRIORITY\r\n";
    let (heard, reports) =
        to_server(patient(), offer, sender().with(urgent), one, &message()).await;
    assert_eq!(heard[0], "MAIL FROM:<a@example.org> MT-PRIORITY=4");
    assert_eq!(reports[0].left_out, Extensions::EMPTY);
}

/// What would be broken without a word is refused, before MAIL.
#[tokio::test]
async fn what_a_server_does_not_offer_is_refused_where_it_was_asked_for() {
    let hold = Hold::For(Interval::new(60).unwrap());
    let by = DeliverBy::new(120, DeliverByMode::Return, false);
    let none = MailParameters::default();
    for (parameters, offer, sent) in [
        (
            MailParameters { hold: Some(hold), ..none },
            "250-FUTURERELEASE 600 2030-01-01T00:00:00Z\r\n",
            " HOLDFOR=60",
        ),
        (MailParameters { by, ..none }, "250-DELIVERBY\r\n", " BY=120;R"),
        (MailParameters { body: Some(BodyType::BinaryMime), ..none }, "", ""),
        (MailParameters { smtputf8: true, ..none }, "250-SMTPUTF8\r\n", ""),
    ] {
        let one = |route: &Route| vec![plain("b@example.com", route)];
        let (heard, reports) =
            to_server(patient(), "", sender().with(parameters), one, &message()).await;
        let outcome = &reports[0].outcome;
        // SMTPUTF8 counts where the message itself is not known; this one is in ASCII.
        if parameters.smtputf8 {
            assert!(outcome.is_delivered(), "{outcome}");
        } else {
            assert_eq!(heard, [""; 0]);
            assert!(matches!(outcome, Outcome::Rejected(Rejection::Incompatible(_))), "{outcome}");
        }
        if !offer.is_empty() {
            let sender = sender().with(parameters);
            let (heard, reports) = to_server(patient(), offer, sender, one, &message()).await;
            assert_eq!(heard[0], format!("MAIL FROM:<a@example.org>{sent}"));
            assert!(reports[0].outcome.is_delivered(), "{}", reports[0].outcome);
        }
    }
}

#[tokio::test]
async fn addresses_outside_ascii_go_where_smtputf8_is_offered() {
    let sender = || Sender::parse("j\u{f6}rg@example.org").unwrap();
    let to = |route: &Route| {
        vec![plain("\u{7528}\u{6237}@example.com", route), plain("c@example.com", route)]
    };
    let offer = "250-SMTPUTF8\r\n250-8BITMIME\r\n";
    let (heard, reports) = to_server(patient(), offer, sender(), to, &message()).await;
    assert_eq!(
        heard,
        [
            "MAIL FROM:<j\u{f6}rg@example.org> SMTPUTF8",
            "RCPT TO:<\u{7528}\u{6237}@example.com>",
            "RCPT TO:<c@example.com>",
        ]
    );
    assert!(reports.iter().all(|report| report.outcome.is_delivered()));
    assert_eq!(reports[0].address, "\u{7528}\u{6237}@example.com");

    // A recipient that the server cannot name is its own matter, a sender is everybody's.
    let ascii = Sender::parse("a@example.org").unwrap();
    let (heard, reports) = to_server(patient(), "250-8BITMIME\r\n", ascii, to, &message()).await;
    assert_eq!(heard, ["MAIL FROM:<a@example.org>", "RCPT TO:<c@example.com>"]);
    let shown = "rejected 554 5.6.7 the server does not offer SMTPUTF8";
    assert_eq!(reports[0].outcome.to_string(), shown);
    assert!(reports[1].outcome.is_delivered());
    let (heard, reports) = to_server(patient(), "250-8BITMIME\r\n", sender(), to, &message()).await;
    assert_eq!(heard, [""; 0]);
    assert!(reports.iter().all(|report| report.outcome.to_string() == shown));

    for address in ["j\u{f6}rg@example.org> SIZE=1", "\u{202e}\r\n@example.org", "\u{f6}"] {
        assert!(Sender::parse(address).is_err(), "{address:?}");
    }
}

#[tokio::test]
async fn a_header_outside_ascii_is_declared() {
    let utf8 = Message::from_bytes("Subject: \u{fc}ber\n\ntext\n");
    let one = |route: &Route| vec![plain("b@example.com", route)];
    let both = "250-SMTPUTF8\r\n250-8BITMIME\r\n";
    let (heard, _) = to_server(patient(), both, sender(), one, &utf8).await;
    assert_eq!(heard[0], "MAIL FROM:<a@example.org> BODY=8BITMIME SMTPUTF8");
    let (heard, reports) = to_server(patient(), "250-8BITMIME\r\n", sender(), one, &utf8).await;
    assert_eq!(heard, [""; 0]);
    assert_eq!(reports[0].outcome.code(), 554);
    let mut config = patient();
    config.session.utf8_header = Utf8Header::SendAsIs;
    let (heard, reports) = to_server(config, "250-8BITMIME\r\n", sender(), one, &utf8).await;
    assert_eq!(heard[0], "MAIL FROM:<a@example.org> BODY=8BITMIME");
    assert!(reports[0].outcome.is_delivered());
    // A body is no matter of SMTPUTF8, and Latin-1 is none of it either.
    for text in [&b"Subject: x\n\n\xc3\xbcber\n"[..], b"Subject: \xfcber\n\ntext\n"] {
        let message = Message::from_bytes(text);
        let (heard, _) = to_server(patient(), both, sender(), one, &message).await;
        assert_eq!(heard[0], "MAIL FROM:<a@example.org> BODY=8BITMIME");
    }
}

/// Nobody is connected to: the host does not exist.
#[tokio::test]
async fn what_every_server_would_see_is_found_before_a_connection() {
    let long = [&b"x".repeat(999)[..], b"\n"].concat();
    let mut config = patient();
    config.session.message.long_lines = LongLines::Refuse;
    for (text, rule, at) in [
        (b"a\n\0".to_vec(), MessageRule::Nul, 2),
        ([b"abc\n".to_vec(), long].concat(), MessageRule::LongLine, 1002),
    ] {
        let to = [plain("b@example.com", &Route::new("nowhere.invalid", 25))];
        let client = Client::new(config.clone());
        let report = client.deliver(&sender(), &to, &Message::from_bytes(text)).await;
        let outcome = &report.recipients[0].outcome;
        let Outcome::Rejected(Rejection::Message(fault)) = outcome else { panic!("{outcome}") };
        assert_eq!(*fault, MessageFault { rule, at });
        assert_eq!(outcome.to_string(), format!("rejected 554 5.6.0 {fault}"));
    }
    // Where the policy takes them they go.
    config.session.message.nul = Nul::SendAsIs;
    config.session.message.long_lines = LongLines::Fold;
    let text = [&b"\0"[..], &b"x".repeat(2000)].concat();
    let one = |route: &Route| vec![plain("b@example.com", route)];
    let message = Message::from_bytes(text);
    let (heard, reports) = to_server(config, "250-SIZE\r\n", sender(), one, &message).await;
    // How long the folded message is was not known before.
    assert_eq!(heard[0], "MAIL FROM:<a@example.org>");
    assert!(reports[0].outcome.is_delivered(), "{}", reports[0].outcome);
}

/// REQUIRETLS keeps a message off every connection whose certificate is not good, whatever the
/// recipient's policy says.
#[tokio::test]
async fn requiretls_is_never_sent_in_clear() {
    let sender = sender().with(MailParameters { requiretls: true, ..MailParameters::default() });
    let (route, server) = server(|listener| {
        let Some(mut peer) = std::panic::catch_unwind(|| listener.accept()).ok() else { return };
        peer.line("220 mx");
        if peer.read_line().is_some_and(|line| line.starts_with(b"EHLO")) {
            peer.send("250-mx\r\n250 REQUIRETLS\r\n");
            part(&mut peer);
        }
        assert!(peer.read_line().is_none());
    });
    let to = [plain("b@example.com", &route)];
    let report = Client::new(patient()).deliver(&sender, &to, &message()).await;
    let outcome = &report.recipients[0].outcome;
    assert!(matches!(outcome, Outcome::Deferred { .. }), "{outcome}");
    if cfg!(any(feature = "rustls", feature = "openssl")) {
        assert!(outcome.to_string().starts_with("deferred 451 4.7.4 "), "{outcome}");
    } else {
        let _ = std::net::TcpStream::connect((route.host.as_str(), route.port));
    }
    server.join().unwrap();
}
