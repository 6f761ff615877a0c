//! AUTH: which mechanism is used, what becomes of a refusal, and that nothing shows a secret.

use smtp_client::tls::ClientPolicy;
use smtp_client::wire::sasl::Secret;
use smtp_client::{
    AuthFailure, AuthRecord, Authentication, Client, Config, Outcome, Reason, RecipientReport,
    Route, SaslExchange, SaslMechanism,
};
use smtp_testkit::peer::Peer;

use crate::common::{STEPS, deliver, hear, is_deferred, part, patient, play, server};

/// `\0tim\0tanstaaftanstaaf`
const PLAIN: &str = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";
const NAME: &str = "dGlt";
const PASSWORD: &str = "dGFuc3RhYWZ0YW5zdGFhZg==";

fn password() -> Authentication {
    Authentication::password("tim", "tanstaaftanstaaf").unwrap()
}

fn in_clear() -> Config {
    let mut config = patient();
    config.session.auth_in_clear = true;
    config
}

/// A server that offers `offer` behind its name, and goes on as `script` says.
async fn offered(
    config: Config,
    offer: &'static str,
    authentication: Authentication,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> RecipientReport {
    let (route, server) = server(move |listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..1]);
        peer.expect("EHLO");
        peer.send(format!("250-mx.example.com\r\n{offer}250 HELP\r\n"));
        script(&mut peer);
    });
    let route = route.authenticated(authentication);
    let mut report = deliver(config, &route, ClientPolicy::plaintext()).await;
    server.join().unwrap();
    report.recipients.remove(0)
}

/// Hears a line and answers it.
fn answer(peer: &mut Peer, line: &str, reply: &str) {
    assert_eq!(peer.expect(""), line);
    peer.line(reply);
}

fn take_message(peer: &mut Peer) {
    play(peer, &STEPS[2..]);
    part(peer);
}

fn authenticated(mechanism: &str) -> AuthRecord {
    AuthRecord::Authenticated { mechanism: mechanism.to_owned() }
}

#[tokio::test]
async fn the_callers_preference_decides_among_what_is_offered() {
    for (offer, mechanism, begins) in [
        ("250-AUTH LOGIN PLAIN\r\n", "PLAIN", true),
        ("250-AUTH=plain\r\n250-AUTH LOGIN plain X\r\n", "PLAIN", true),
        ("250-AUTH CRAM-MD5 LOGIN\r\n", "LOGIN", false),
    ] {
        let report = offered(in_clear(), offer, password(), move |peer| {
            match begins {
                true => answer(peer, &format!("AUTH PLAIN {PLAIN}"), "235 2.7.0 ok"),
                false => {
                    answer(peer, "AUTH LOGIN", "334 VXNlcm5hbWU6");
                    answer(peer, NAME, "334 UGFzc3dvcmQ6");
                    answer(peer, PASSWORD, "235 2.7.0 ok");
                }
            }
            take_message(peer);
        })
        .await;
        assert!(report.outcome.is_delivered(), "{offer:?}: {}", report.outcome);
        assert_eq!(report.auth, authenticated(mechanism));
    }
}

#[tokio::test]
async fn tokens_and_external_are_said_as_their_mechanisms_say_them() {
    let token = || Authentication::bearer_token("tim@example.org", "vF9dft4qmTc2Nvb3Rl").unwrap();
    for (offer, authentication, line, mechanism) in [
        (
            "250-AUTH XOAUTH2 OAUTHBEARER\r\n",
            token(),
            "AUTH OAUTHBEARER bixhPXRpbUBleGFtcGxlLm9yZywBYXV0aD1CZWFyZXIgdkY5ZGZ0NHFtVGMyTnZiM1JsAQE=",
            "OAUTHBEARER",
        ),
        (
            "250-AUTH XOAUTH2\r\n",
            token(),
            "AUTH XOAUTH2 dXNlcj10aW1AZXhhbXBsZS5vcmcBYXV0aD1CZWFyZXIgdkY5ZGZ0NHFtVGMyTnZiM1JsAQE=",
            "XOAUTH2",
        ),
        (
            "250-AUTH EXTERNAL\r\n",
            Authentication::external("").unwrap(),
            "AUTH EXTERNAL =",
            "EXTERNAL",
        ),
    ] {
        let report = offered(in_clear(), offer, authentication, move |peer| {
            answer(peer, line, "235 ok");
            take_message(peer);
        })
        .await;
        assert_eq!(report.auth, authenticated(mechanism));
        assert!(report.outcome.is_delivered());
    }
}

/// A token that is refused is so behind a challenge that says why.
#[tokio::test]
async fn a_token_that_is_refused_hears_the_refusal_out() {
    let token = Authentication::bearer_token("tim", "vF9dft4qmTc2Nvb3Rl").unwrap();
    for (offer, answer_to_why) in
        [("250-AUTH OAUTHBEARER\r\n", "AQ=="), ("250-AUTH XOAUTH2\r\n", "")]
    {
        let report = offered(in_clear(), offer, token.clone(), move |peer| {
            peer.expect("AUTH ");
            peer.line("334 eyJzdGF0dXMiOiI0MDEifQ==");
            answer(peer, answer_to_why, "535 5.7.8 no");
            part(peer);
        })
        .await;
        assert_eq!(report.outcome.to_string(), "deferred 535 5.7.8 no");
    }
}

/// What the server says to AUTH, and what the recipient's outcome says of it.
#[tokio::test]
async fn a_refusal_defers_with_the_servers_words_where_auth_is_required() {
    for (reply, shown) in [
        ("535 5.7.8 wrong", "deferred 535 5.7.8 wrong"),
        ("454 4.7.0 later", "deferred 454 4.7.0 later"),
        ("432 4.7.12 change it", "deferred 432 4.7.12 change it"),
        ("502 what", "deferred 502 what"),
    ] {
        let report = offered(in_clear(), "250-AUTH PLAIN LOGIN\r\n", password(), move |peer| {
            answer(peer, &format!("AUTH PLAIN {PLAIN}"), reply);
            // Neither another mechanism, which would count as another failure, nor a message.
            peer.expect("QUIT");
            peer.line("221 bye");
        })
        .await;
        assert_eq!(report.outcome.to_string(), shown);
        assert_eq!(report.auth, AuthRecord::Unsettled);
        let Outcome::Deferred { reason, may_have_been_accepted: false } = report.outcome else {
            panic!("not deferred");
        };
        assert!(matches!(&*reason, Reason::Auth(AuthFailure::Refused(_))), "{reason:?}");
    }
}

#[tokio::test]
async fn a_message_goes_without_where_auth_is_optional() {
    let report = offered(in_clear(), "250-AUTH PLAIN\r\n", password().optional(), |peer| {
        answer(peer, &format!("AUTH PLAIN {PLAIN}"), "535 5.7.8 wrong");
        take_message(peer);
    })
    .await;
    assert!(report.outcome.is_delivered(), "{}", report.outcome);
    assert!(matches!(report.auth, AuthRecord::Without(AuthFailure::Refused(_))));

    let report = offered(in_clear(), "", password().optional(), take_message).await;
    assert_eq!(report.auth, AuthRecord::Without(AuthFailure::NotOffered));
    assert!(report.outcome.is_delivered(), "{}", report.outcome);

    let report =
        offered(patient(), "250-AUTH PLAIN\r\n", password().optional(), take_message).await;
    assert_eq!(report.auth, AuthRecord::Without(AuthFailure::InClear));
    assert!(report.outcome.is_delivered(), "{}", report.outcome);
}

/// Nothing but QUIT comes, whatever is offered.
#[tokio::test]
async fn credentials_are_not_sent_in_clear_unless_told() {
    for offer in ["250-AUTH PLAIN LOGIN\r\n", "250-AUTH=PLAIN\r\n", ""] {
        let report = offered(patient(), offer, password(), |peer| {
            peer.expect("QUIT");
            peer.line("221 bye");
        })
        .await;
        let shown = "deferred 451 4.7.11 credentials are not sent in clear";
        assert_eq!(report.outcome.to_string(), shown);
    }
}

#[tokio::test]
async fn without_a_common_mechanism_nothing_is_sent() {
    for offer in ["", "250-AUTH\r\n", "250-AUTH CRAM-MD5 SCRAM-SHA-256\r\n", "250-XAUTH PLAIN\r\n"]
    {
        let report = offered(in_clear(), offer, password(), |peer| {
            peer.expect("QUIT");
            peer.line("221 bye");
        })
        .await;
        assert_eq!(
            report.outcome.to_string(),
            "deferred 451 4.7.4 the server offers no AUTH mechanism of those that can be used",
            "{offer:?}"
        );
    }
}

/// A mechanism that the server names and cannot do is no reason to give up the other one.
#[tokio::test]
async fn another_mechanism_is_tried_where_the_server_cannot_use_the_first() {
    for refusal in ["504 5.5.4 unrecognised", "534 5.7.9 too weak"] {
        let report = offered(in_clear(), "250-AUTH PLAIN LOGIN\r\n", password(), move |peer| {
            answer(peer, &format!("AUTH PLAIN {PLAIN}"), refusal);
            answer(peer, "AUTH LOGIN", "334 VXNlcm5hbWU6");
            answer(peer, NAME, "334 UGFzc3dvcmQ6");
            answer(peer, PASSWORD, "235 2.7.0 ok");
            take_message(peer);
        })
        .await;
        assert_eq!(report.auth, authenticated("LOGIN"), "{}", report.outcome);
    }
}

/// Challenges that no server sends in earnest: the exchange is given up, and nothing more said of
/// the secret.
#[tokio::test]
async fn challenges_without_sense_end_the_exchange() {
    for challenge in ["334 ?", "334 Zm9v", "334-x\r\n334 Zm9v", "334 Zg", "334"] {
        let report = offered(in_clear(), "250-AUTH PLAIN\r\n", password(), move |peer| {
            answer(peer, &format!("AUTH PLAIN {PLAIN}"), challenge);
            answer(peer, "*", "501 5.7.0 given up");
            peer.expect("QUIT");
            peer.line("221 bye");
        })
        .await;
        assert_eq!(
            report.outcome.to_string(),
            "deferred 451 4.7.0 AUTH given up: the server asks what PLAIN does not say",
            "{challenge:?}"
        );
    }
    // A third question, which LOGIN has no answer to.
    let report = offered(in_clear(), "250-AUTH LOGIN\r\n", password(), |peer| {
        answer(peer, "AUTH LOGIN", "334 VXNlcm5hbWU6");
        answer(peer, NAME, "334 UGFzc3dvcmQ6");
        answer(peer, PASSWORD, "334 T25jZSBtb3JlOg==");
        answer(peer, "*", "501 5.7.0 given up");
        part(peer);
    })
    .await;
    assert!(report.outcome.to_string().contains("AUTH given up"), "{}", report.outcome);
}

/// What is no answer to AUTH ends the connection; without end, or with one.
#[tokio::test]
async fn a_server_that_leaves_or_talks_nonsense_within_auth_defers() {
    for reply in ["250 ok", "354 go", "235 ok\r\n250 too much", "HTTP/1.1 400 no", "421 bye", ""] {
        let report = offered(in_clear(), "250-AUTH PLAIN LOGIN\r\n", password(), move |peer| {
            assert!(peer.expect("").starts_with("AUTH PLAIN "));
            if !reply.is_empty() {
                peer.line(reply);
                while let Some(line) = peer.read_line() {
                    assert!(!line.starts_with(b"MAIL") && !line.starts_with(b"AUTH"), "{line:?}");
                }
            }
        })
        .await;
        assert!(is_deferred(&report.outcome, false), "{reply:?}: {}", report.outcome);
        assert!(!report.outcome.to_string().contains(PLAIN));
    }
}

#[tokio::test]
async fn a_server_that_stays_silent_within_auth_times_out() {
    let mut config = crate::common::config();
    config.session.auth_in_clear = true;
    let report = offered(config, "250-AUTH PLAIN\r\n", password(), |peer| {
        peer.expect("AUTH");
        while peer.read_line().is_some() {}
    })
    .await;
    assert_eq!(report.outcome.to_string(), "deferred 451 4.4.2 AUTH: timed out");
}

/// A mechanism of the caller's own, whose messages follow from what the server says.
struct Echo;

struct EchoExchange;

impl SaslMechanism for Echo {
    fn name(&self) -> &str {
        "X-Echo"
    }

    fn begin(&self) -> Box<dyn SaslExchange> {
        Box::new(EchoExchange)
    }
}

impl SaslExchange for EchoExchange {
    fn initial_response(&mut self) -> Option<Secret> {
        None
    }

    fn respond(&mut self, challenge: &[u8]) -> Option<Secret> {
        (challenge != b"no").then(|| Secret::from(challenge.to_vec()))
    }
}

/// What can be no name of a mechanism.
struct Nameless;

impl SaslMechanism for Nameless {
    fn name(&self) -> &str {
        "PLAIN\r\nRSET"
    }

    fn begin(&self) -> Box<dyn SaslExchange> {
        Box::new(EchoExchange)
    }
}

#[tokio::test]
async fn any_other_mechanism_can_be_given() {
    let own = || Authentication::with_mechanisms([Box::new(Nameless) as _, Box::new(Echo) as _]);
    let report = offered(in_clear(), "250-AUTH PLAIN X-ECHO\r\n", own(), |peer| {
        answer(peer, "AUTH X-Echo", "334 b25l");
        answer(peer, "b25l", "334 ");
        answer(peer, "", "235 ok");
        take_message(peer);
    })
    .await;
    assert_eq!(report.auth, authenticated("X-ECHO"), "{}", report.outcome);
    let report = offered(in_clear(), "250-AUTH PLAIN X-ECHO\r\n", own(), |peer| {
        answer(peer, "AUTH X-Echo", "334 bm8=");
        answer(peer, "*", "501 ok");
        part(peer);
    })
    .await;
    assert!(report.outcome.to_string().contains("X-ECHO does not say"), "{}", report.outcome);
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_secret() {
    let shows = |text: &str| {
        ["tanstaaf", PLAIN, PASSWORD, "116, 97, 110, 115"]
            .iter()
            .any(|secret| text.contains(secret))
    };
    let (route, server) = server(|listener| {
        let mut peer = listener.accept();
        play(&mut peer, &STEPS[..1]);
        peer.expect("EHLO");
        peer.send("250-mx\r\n250 AUTH PLAIN\r\n");
        peer.expect("AUTH PLAIN");
        peer.line("235 ok");
        hear(&mut peer, "QUIT");
    });
    let route = route.authenticated(password());
    let client = Client::new(in_clear());
    let connection = client.open(&route, &ClientPolicy::plaintext()).await.unwrap();
    for shown in [
        format!("{route:?}"),
        format!("{route}"),
        format!("{connection:?}"),
        format!("{client:?}"),
        format!("{:?}", route.authentication()),
    ] {
        assert!(!shows(&shown), "{shown}");
    }
    connection.quit().await;
    server.join().unwrap();
}

/// Another route to the same host is another matter.
#[tokio::test]
async fn credentials_are_for_their_route_alone() {
    let (route, server) = server(|listener| {
        for auth in [false, true] {
            let mut peer = listener.accept();
            play(&mut peer, &STEPS[..1]);
            peer.expect("EHLO");
            peer.send("250-mx\r\n250 AUTH PLAIN\r\n");
            if auth {
                answer(&mut peer, &format!("AUTH PLAIN {PLAIN}"), "235 ok");
            }
            take_message(&mut peer);
        }
    });
    let authenticating: Route = route.clone().authenticated(password());
    let client = Client::new(in_clear());
    let to = [route, authenticating].map(|route| {
        smtp_client::Recipient::new("b@example.com", route, ClientPolicy::plaintext()).unwrap()
    });
    let report = crate::common::deliver_by(&client, &to, &crate::common::message()).await;
    server.join().unwrap();
    assert!(report.all_delivered(), "{report:?}");
    assert_eq!(report.recipients[0].auth, AuthRecord::NotWanted);
    assert_eq!(report.recipients[1].auth, authenticated("PLAIN"));
}
