//! A client session in memory, and all that its server says to it.
//!
//! Does: give a session the replies to each of its commands, and the messages that it asks
//! for. Does not: measure. Fails: a message that is not delivered, or a session that waits
//! for more than the server had to say, is a panic: a figure over it would say nothing.

use std::hint::black_box;
use std::sync::Arc;

use smtp_proto::client::{AfterHello, Config, Envelope, MessageFacts, Outcome, Output, Session};
use smtp_proto::wire::{ClientName, ForwardPath, ReversePath};

use crate::server::Style;

const GREETING: &[u8] = b"220 mx.example.net ESMTP\r\n";
const OFFERS: &str = "250-SIZE 50000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";

/// What a server says on a connection, a reply to each command, and what the client has to send
/// there.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The greeting first.
    replies: Vec<Vec<u8>>,
    envelope: Envelope,
    facts: MessageFacts,
    message: Vec<u8>,
    messages: usize,
    style: Style,
}

impl Conversation {
    /// A connection that takes `messages` messages, each to `recipients` recipients.
    #[must_use]
    pub fn new(style: Style, messages: usize, recipients: usize, message: &[u8]) -> Self {
        let extensions = match style {
            Style::Pipelined => "250-PIPELINING\r\n",
            Style::Chunked => "250-PIPELINING\r\n250-CHUNKING\r\n",
            Style::LockStep => "",
        };
        let mut replies = vec![
            GREETING.to_vec(),
            format!("250-mx.example.net\r\n{extensions}{OFFERS}").into_bytes(),
        ];
        for _ in 0..messages {
            replies.push(b"250 2.1.0 ok\r\n".to_vec());
            replies.extend((0..recipients).map(|_| b"250 2.1.5 ok\r\n".to_vec()));
            if style != Style::Chunked {
                replies.push(b"354 go ahead\r\n".to_vec());
            }
            replies.push(b"250 2.0.0 ok\r\n".to_vec());
        }
        replies.push(b"221 2.0.0 mx.example.net\r\n".to_vec());

        let sender = ReversePath::parse("<newsletter-bounces+4711@example.org>").expect("a path");
        let mut envelope = Envelope::new(&sender);
        for recipient in 0..recipients {
            let path = format!("<first.last+{recipient}@example.net>");
            envelope.add(&ForwardPath::parse(&path).expect("a path"));
        }
        let facts = MessageFacts {
            size: Some(message.len() as u64),
            eight_bit: Some(false),
            ..MessageFacts::default()
        };
        Self { replies, envelope, facts, message: message.to_vec(), messages, style }
    }

    /// The whole connection, from the greeting to its end. Gives back how many octets the server
    /// was sent.
    pub fn run(&self, config: &Arc<Config>) -> usize {
        let mut session = Session::new(Arc::clone(config));
        let mut replies = self.replies.iter();
        let mut unanswered = 1; // The greeting answers the connection.
        let mut in_message = false;
        let (mut begun, mut delivered, mut transmitted) = (0, 0, 0);
        let mut message: &[u8] = &[];
        loop {
            match session.poll_output() {
                Output::Transmit(octets) => {
                    transmitted += black_box(octets).len();
                    if !in_message {
                        unanswered += octets.iter().filter(|octet| **octet == b'\n').count();
                    }
                }
                Output::Ehlo(ask, _) => {
                    session.answer(ask, AfterHello::Proceed).expect("this question is open");
                }
                Output::Ready if begun < self.messages => {
                    begun += 1;
                    // A chunk goes out with the commands, whose lines are not told from its own.
                    in_message = self.style == Style::Chunked;
                    message = &self.message;
                    session.begin(self.envelope.clone(), self.facts).expect("it is ready");
                }
                Output::Ready => session.quit().expect("it is ready"),
                Output::Body if message.is_empty() => {
                    session.end_of_body().expect("it asked for the message");
                    unanswered += match self.style {
                        Style::Chunked => 1 + self.envelope.recipients() + 1,
                        Style::Pipelined | Style::LockStep => 1,
                    };
                }
                Output::Body => {
                    in_message = true;
                    let taken = session.body(message).expect("it asked for the message");
                    message = &message[taken..];
                }
                Output::Outcomes(outcomes) => {
                    in_message = false;
                    delivered += outcomes
                        .iter()
                        .filter(|outcome| matches!(outcome, Outcome::Delivered { .. }))
                        .count();
                }
                Output::Wait(_) => {
                    // One read has the replies to all that is unanswered.
                    let space = session.input();
                    let mut read = 0;
                    for reply in replies.by_ref().take(unanswered) {
                        space[read..read + reply.len()].copy_from_slice(reply);
                        read += reply.len();
                    }
                    unanswered = 0;
                    assert!(read > 0, "the server has nothing more to say");
                    session.received(read).expect("room for what was read");
                }
                Output::Close => break,
                other => drop(black_box(other)),
            }
        }
        let all = self.messages * self.envelope.recipients();
        assert!(replies.len() == 0 && delivered == all, "the server was not heard out");
        transmitted
    }
}

/// A client as it stands on the internet.
#[must_use]
pub fn config() -> Arc<Config> {
    Arc::new(Config::new(ClientName::parse("client.example.org").expect("a name")))
}
