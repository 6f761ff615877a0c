//! Messages that come and go well.

use super::common::{clear, config, start};
use smtp_proto::server::Config;
use smtp_server::{ConnectionPolicy, Server, Service};
use std::sync::Arc;

#[test]
fn a_message_is_in_the_maildir_when_250_is_said() {
    let running = start(clear());
    let mut peer = running.in_data();
    peer.line("Subject: x").line("").line("..dot").ask(".", "250");
    let messages = running.messages();
    assert_eq!(messages.len(), 1);
    let head = "Return-Path: <s@a.example>\n\
                Delivered-To: r@b.example\n\
                Received: from unknown (HELO a.example) (127.0.0.1)\n  by mx.example with ESMTP; ";
    assert!(messages[0].starts_with(head), "{}", messages[0]);
    assert!(messages[0].ends_with(" -0000\nSubject: x\n\n.dot\n"), "{}", messages[0]);
    peer.ask("QUIT", "221");
    peer.expect_end();
}

#[test]
fn a_pipelined_group_with_two_messages_is_answered_in_order() {
    let running = start(clear());
    let mut peer = running.connect();
    peer.expect_reply("220");
    let envelope = "MAIL FROM:<>\r\nRCPT TO:<r@b.example>\r\nDATA\r\n";
    peer.send(format!("EHLO a.example\r\n{envelope}one\r\n.\r\n{envelope}two\r\n.\r\nQUIT\r\n"));
    for code in ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"] {
        peer.expect_reply(code);
    }
    peer.expect_end();
    let mut last: Vec<_> =
        running.messages().iter().map(|text| text.lines().last().unwrap().to_owned()).collect();
    last.sort();
    assert_eq!(last, ["one", "two"]);
}

#[test]
fn a_large_message_is_whole() {
    let running = start(clear());
    let mut peer = running.in_data();
    let line = "0123456789".repeat(7);
    let text = format!("{line}\r\n").repeat(20_000);
    peer.send(&text).ask(".", "250");
    assert!(running.messages()[0].ends_with(&text.replace("\r\n", "\n")));
}

#[test]
fn replies_to_a_group_leave_in_one_segment() {
    use std::io::{Read, Write};
    let running = start(clear());
    let mut stream = std::net::TcpStream::connect(running.address).unwrap();
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    stream.write_all(b"RSET\r\nRSET\r\nRSET\r\n").unwrap();
    let octets = stream.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..octets], b"250 2.0.0 flushed\r\n".repeat(3));
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_session_goes_on() {
    let mut small: Config = config();
    small.max_message_size = Some(1000);
    let running = start(ConnectionPolicy::new(Arc::new(small)));
    let mut peer = running.in_data();
    peer.send("x\r\n".repeat(100_000)).ask(".", "552 5.3.4");
    peer.ask("NOOP", "250");
    running.nothing_is_kept();
}

#[test]
fn an_address_in_use_is_named() {
    let running = start(clear());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let mut server = Server::new(super::ends::Nobody);
    let free = "127.0.0.1:0".parse().unwrap();
    let service = Service::new("second", vec![free, running.address], clear());
    let error = server.bind(service).unwrap_err();
    assert_eq!((error.service.as_str(), error.address), ("second", running.address));
    assert!(error.to_string().contains(&running.address.to_string()), "{error}");
    assert_eq!(server.listening().count(), 0);
}
