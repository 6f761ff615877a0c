//! LMTP (RFC 2033): an answer for each recipient, by the sink's own word.

use smtp_proto::wire::Capability;

use super::common::Running;
use super::open;

fn start() -> Running {
    open::start_with(|config| {
        config.lmtp = true;
        config.capabilities.insert(Capability::Chunking);
        config.capabilities.insert(Capability::Dsn);
    })
}

#[test]
fn each_recipient_has_its_answer() {
    let running = start();
    let mut peer = running.connect();
    peer.expect_reply("220");
    peer.ask("EHLO a.example", "5");
    peer.ask("LHLO a.example", "250");
    for last in ["DATA\r\ntext\r\n.\r\n", "BDAT 6 LAST\r\ntext\r\n"] {
        peer.send(format!(
            "MAIL FROM:<s@a.example>\r\nRCPT TO:<a@b.example> NOTIFY=NEVER\r\n\
             RCPT TO:<r@elsewhere.example>\r\nRCPT TO:<full@b.example>\r\nRCPT TO:<c@b.example>\r\n{last}"
        ));
        for code in ["250", "250", "550 5.7.1", "250", "250"] {
            peer.expect_reply(code);
        }
        if last.starts_with("DATA") {
            peer.expect_reply("354");
        }
        for code in ["250 2.0.0", "451 4.2.2 full", "250 2.0.0"] {
            peer.expect_reply(code);
        }
    }
    peer.ask("QUIT", "221");
    let messages = running.messages();
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert!(message.contains(" with LMTP; "), "{message}");
        assert!(message.ends_with("\ntext\n"), "{message}");
    }
}
