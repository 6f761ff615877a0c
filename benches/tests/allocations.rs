//! How often a session allocates, and what it holds while nothing happens: counted, not timed.
//!
//! The counts are of one thread, so the tests may run beside each other.

use allocation_counter::{AllocationInfo, measure};
use hvmail_benches::message;
use hvmail_benches::server::{Handler, KeepsEnvelope, KeepsNothing, Stepped, Style, step};
use hvmail_benches::{client, server};
use smtp_proto::client::{AfterHello, Envelope, MessageFacts, Output};
use smtp_proto::limits;
use smtp_proto::server::{Config, Session};
use smtp_proto::wire::{ForwardPath, ReversePath};

const RECIPIENTS: usize = 100;

/// The most that a session may hold while it waits for its peer, its input buffer aside.
const IDLE: usize = 1024;

/// Gives a session what its client says, as soon as it waits, and everything that follows from it.
fn hear(session: &mut Session, handler: &mut impl Handler, mut octets: &[u8]) {
    loop {
        match step(session, handler) {
            Stepped::Wait if octets.is_empty() => return,
            Stepped::Wait => {
                let space = session.input();
                let n = octets.len().min(space.len());
                space[..n].copy_from_slice(&octets[..n]);
                octets = &octets[n..];
                session.received(n).expect("room for what was read");
            }
            Stepped::Closed => panic!("the session is over"),
            Stepped::Transmitted(_) | Stepped::Taken | Stepped::Other => {}
        }
    }
}

/// Makes a value, and says what that took.
fn made<T>(make: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut value = None;
    let info = measure(|| value = Some(make()));
    (value.expect("it was made"), info)
}

/// A session that has greeted its client and knows its name, and bears all that comes.
fn greeted() -> Session {
    let mut config = Config::clone(&server::config());
    (config.max_errors, config.max_junk, config.max_refusals) = (u32::MAX, u32::MAX, u32::MAX);
    let mut session = Session::new(config.into());
    hear(&mut session, &mut KeepsNothing, b"EHLO client.example.org\r\n");
    session
}

/// Allocations from the greeting to the end of a connection.
fn connection(messages: usize, recipients: usize, handler: &mut impl Handler) -> u64 {
    let text = message::text(1024, 76);
    let conversation = server::Conversation::new(Style::Pipelined, messages, recipients, &text);
    let config = server::config();
    measure(|| {
        conversation.run(&config, handler, usize::MAX);
    })
    .count_total
}

#[test]
fn a_command_allocates_nothing() {
    let mut session = greeted();
    for line in [
        "NOOP\r\n",
        "HELP\r\n",
        "VRFY somebody\r\n",
        "HELO client.example.org\r\n",
        "EHLO client.example.org\r\n",
        "RCPT TO:<too.early@example.net>\r\n",
        "MAIL FROM:<newsletter-bounces+4711@example.org> SIZE=48213 BODY=8BITMIME\r\n",
        "MAIL FROM:<nested@example.org>\r\n",
        "RCPT TO:<first.last@example.net>\r\n",
        "RCPT TO:<\"quoted local\"@[192.0.2.1]>\r\n",
        "RCPT TO:<@a.example,@b.example:source.routed@example.net>\r\n",
        "RCPT TO:<never closed\r\n",
        "RCPT TO:<first.last@example.net> UNKNOWN=parameter\r\n",
        "NONSENSE of some length\r\n",
        "RSET\r\n",
        "BDAT 4 LAST\r\nlost",
        "AUTH PLAIN\r\n",
        "MAIL FROM:<>\r\nRCPT TO:<first.last@example.net>\r\nRSET\r\nNOOP\r\n",
    ] {
        let info = measure(|| hear(&mut session, &mut KeepsNothing, line.as_bytes()));
        assert_eq!(info.count_total, 0, "{line}");
    }
}

#[test]
fn a_command_that_comes_octet_by_octet_allocates_nothing() {
    let mut session = greeted();
    let info = measure(|| {
        for octet in b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n" {
            hear(&mut session, &mut KeepsNothing, &[*octet]);
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_message_costs_its_buffer_alone() {
    // The input buffer grows for the message, and shrinks behind it.
    let one = connection(1, 1, &mut KeepsNothing);
    let three = connection(3, 1, &mut KeepsNothing);
    assert!(three - one <= 2 * 2, "{one} for one message, {three} for three");
}

#[test]
fn a_connection_allocates_a_few_times() {
    let count = connection(1, 1, &mut KeepsNothing);
    assert!(count <= 10, "{count}");
}

#[test]
fn a_hundred_recipients_cost_the_growth_of_the_reply_buffer_alone() {
    let one = connection(1, 1, &mut KeepsNothing);
    let many = connection(1, RECIPIENTS, &mut KeepsNothing);
    assert!(many - one <= 10, "{one} for one recipient, {many} for {RECIPIENTS}");
}

#[test]
fn what_a_handler_keeps_is_all_that_it_costs() {
    let nothing = connection(1, RECIPIENTS, &mut KeepsNothing);
    let kept = connection(1, RECIPIENTS, &mut KeepsEnvelope::default());
    let by_hand = measure(|| {
        let mut handler = KeepsEnvelope::default();
        handler.mail("<newsletter-bounces+4711@example.org>");
        (0..RECIPIENTS).for_each(|_| handler.rcpt("<first.last@example.net>"));
    });
    assert_eq!(kept - nothing, by_hand.count_total);
}

#[test]
fn an_idle_server_session_is_small() {
    let config = server::config();
    let mut session = None;
    let mut live = 0;
    let long = message::text(1 << 20, 76);
    let long = [&long[..], b".\r\n"].concat();
    let group = b"RCPT TO:<first.last@example.net>\r\n".repeat(RECIPIENTS);
    for heard in [
        &b""[..],
        b"EHLO client.example.org\r\n",
        b"MAIL FROM:<a@example.org>\r\n",
        &group,
        b"DATA\r\n",
        &long,
        b"MAIL FROM:<a@example.org>\r\n",
        b"EHLO client.example.org\r\n",
        &b"NOOP\r\n".repeat(RECIPIENTS / 2),
    ] {
        let info = measure(|| {
            let session = session.get_or_insert_with(|| Session::new(config.clone()));
            hear(session, &mut KeepsNothing, heard);
        });
        live += info.bytes_current;
        if heard == b"DATA\r\n" {
            continue; // The next thing is a message, and the buffer is large.
        }
        let session = session.as_mut().expect("it was made");
        let buffer = session.input().len();
        assert_eq!(buffer, limits::SERVER_IDLE_BUFFER, "behind {} octets", heard.len());
        let state = size_of::<Session>() + usize::try_from(live).expect("it holds memory") - buffer;
        assert!(state <= IDLE, "{state} octets behind {} octets", heard.len());
    }
}

#[test]
fn an_idle_client_session_is_small() {
    use smtp_proto::client::Session;
    let config = client::config();
    let text = message::text(1 << 20, 76);
    let sender = ReversePath::parse("<newsletter-bounces+4711@example.org>").expect("a path");
    let recipient = ForwardPath::parse("<first.last@example.net>").expect("a path");
    let mut replies = [
        &b"220 mx.example.net ESMTP\r\n"[..],
        b"250-mx.example.net\r\n250-SIZE 50000000\r\n250 PIPELINING\r\n",
        b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go ahead\r\n",
        b"250 2.0.0 ok\r\n",
    ]
    .into_iter();
    let mut left = &text[..];
    let (mut session, mut live) = made(|| Session::new(config));
    for messages in 0..=1 {
        live += measure(|| {
            if messages > 0 {
                let envelope = Envelope::new(&sender).to(&recipient);
                session.begin(envelope, MessageFacts::default()).expect("it is ready");
            }
            loop {
                match session.poll_output() {
                    Output::Wait(_) => {
                        let reply = replies.next().expect("another reply");
                        session.input()[..reply.len()].copy_from_slice(reply);
                        session.received(reply.len()).expect("room for what was read");
                    }
                    Output::Ehlo(ask, _) => {
                        session.answer(ask, AfterHello::Proceed).expect("this question is open");
                    }
                    Output::Body if left.is_empty() => {
                        session.end_of_body().expect("it asked for the message");
                    }
                    Output::Body => {
                        let taken = session.body(left).expect("it asked for the message");
                        left = &left[taken..];
                    }
                    Output::Ready => break,
                    Output::Close => panic!("the session is over"),
                    _ => {}
                }
            }
            assert_eq!(session.input().len(), limits::CLIENT_IDLE_BUFFER);
        });
        let heap = usize::try_from(live.bytes_current).expect("it holds memory");
        let state = size_of::<Session>() + heap - limits::CLIENT_IDLE_BUFFER;
        assert!(state <= IDLE, "{state} octets behind {messages} messages");
    }
    assert!(left.is_empty(), "the message was sent");
}

#[test]
fn a_client_allocates_for_replies_and_outcomes_alone() {
    let text = message::text(1024, 76);
    let config = client::config();
    let count = |messages, recipients| {
        let conversation = client::Conversation::new(Style::Pipelined, messages, recipients, &text);
        measure(|| {
            conversation.run(&config);
        })
        .count_total
    };
    let one = count(1, 1);
    let message = count(2, 1) - one;
    let recipient = (count(1, 51) - one).div_ceil(50);
    println!("{one} for a connection, {message} for a message, {recipient} for a recipient");
    // The envelope is the caller's: here a copy, with two allocations for one recipient.
    assert!(one <= 34, "{one}");
    assert!(message <= 16, "{message}");
    assert!(recipient <= 4, "{recipient}");
}
