//! Clients that send without end, or read nothing: the server's memory stays bounded.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;
use smtp_testkit::process::Program;
use smtp_tls::ClientPolicy;
use tokio::net::TcpSocket;

use super::wire::{Secured, Wire, at};
use crate::support::{BACKENDS, Host};

const MEBI: usize = 1 << 20;

/// What a server may grow by, however much it is sent.
const GROWTH: usize = 64 * MEBI;

/// The most memory that a process has had, in octets.
fn peak_memory(program: &Program) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibi: usize = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kibi * 1024
}

/// Runs a flood, and checks that the server has not grown with it.
fn assert_bounded(program: &Program, flood: impl FnOnce()) {
    let before = peak_memory(program);
    flood();
    let growth = peak_memory(program) - before;
    assert!(growth < GROWTH, "grew by {growth} octets");
}

fn send_line(wire: &mut dyn Wire, octets: usize) {
    let block = vec![b'x'; MEBI];
    for _ in 0..octets / MEBI {
        wire.try_send(&block).unwrap();
    }
}

/// A command line of 1 GiB is skipped and refused, and the session goes on.
#[test]
fn a_command_line_of_one_gibibyte_is_refused() {
    let host = Host::new();
    let server = host.serve(&[]);
    assert_bounded(&server, || {
        let mut peer = Peer::connect(at(host.starttls));
        peer.expect_reply("220");
        send_line(&mut peer, 1024 * MEBI);
        peer.send("\r\n");
        peer.expect("500 5.5.2 line too long (#5.5.2)");
        peer.ask("NOOP", "250");
    });
}

/// A line in a message over the limit is skipped to the dot, and nothing of it is kept; one of 1
/// GiB, for which the dot is not waited, ends the session.
#[test]
fn a_message_line_without_end_is_refused() {
    let host = Host::new();
    host.write("databytes", "1000000\n");
    let server = host.serve(&[]);
    assert_bounded(&server, || {
        let mut peer = host.in_data();
        send_line(&mut peer, 100 * MEBI);
        peer.send("\r\n.\r\n");
        peer.expect("552 5.3.4 ");
        peer.ask("NOOP", "250");

        let mut peer = host.in_data();
        let block = vec![b'x'; MEBI];
        let sent = (0..1024).take_while(|_| peer.try_send(&block).is_ok()).count();
        assert!((128..256).contains(&sent), "{sent} MiB were taken");
    });
    assert!(host.leftovers().is_empty() && host.messages().is_empty());
}

/// What BDAT announces is not what there is: no memory is held for it, and a chunk that could not be
/// read to its end is not begun.
#[test]
fn a_chunk_without_end_is_refused() {
    let host = Host::new();
    host.write("databytes", "1000000\n");
    let server = host.serve(&[]);
    let begin = |bdat: &str| {
        let mut peer = Peer::connect(at(host.starttls));
        peer.expect_reply("220");
        peer.ask("EHLO client.example.net", "250");
        peer.send("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n");
        peer.send(format!("{bdat}\r\n"));
        peer.expect_reply("250");
        peer.expect_reply("250");
        peer
    };
    assert_bounded(&server, || {
        for bdat in ["BDAT 18446744073709551615", "BDAT 18446744073709551615 LAST"] {
            let mut peer = begin(bdat);
            peer.expect("552 5.3.4 ");
            peer.expect_end();
        }
        for bdat in ["BDAT 18446744073709551616", "BDAT 0x10", "BDAT -1 LAST"] {
            let mut peer = begin(bdat);
            peer.expect("501 5.5.4 ");
            peer.expect_end();
        }
        let mut peer = begin(&format!("BDAT {} LAST", 100 * MEBI));
        send_line(&mut peer, 100 * MEBI);
        peer.expect("552 5.3.4 ");
        peer.ask("NOOP", "250");
    });
    assert!(host.leftovers().is_empty() && host.messages().is_empty());
}

/// Inside TLS: both kinds of line, smaller, as the libraries' work is that of the test here.
#[test]
fn long_lines_inside_tls_are_refused() {
    for &backend in BACKENDS {
        let host = Host::new();
        host.write("databytes", "1000000\n");
        let server = host.serve(&["--tls", backend]);
        assert_bounded(&server, || {
            let peer = Peer::connect(at(host.smtps));
            let mut peer = Secured::connect(peer, backend, &ClientPolicy::required()).unwrap();
            peer.expect_reply("220");
            send_line(&mut peer, 128 * MEBI);
            peer.ask("", "500");
            peer.ask("EHLO client.example.net", "250");
            peer.ask("MAIL FROM:<a@example.org>", "250");
            peer.ask("RCPT TO:<b@example.org>", "250");
            peer.ask("DATA", "354");
            send_line(&mut peer, 100 * MEBI);
            peer.ask("\r\n.", "552");
            peer.ask("NOOP", "250");
        });
        assert!(host.leftovers().is_empty() && host.messages().is_empty());
    }
}

/// A client that asks and asks and reads no answer is closed once the server has waited for it as
/// long as `timeoutsmtpd` says, and the server holds no more answers than a few.
#[test]
fn a_client_that_reads_nothing_is_closed_in_time() {
    for &backend in BACKENDS {
        let host = Host::new();
        host.write("timeoutsmtpd", "1\n");
        let server = host.serve(&["--tls", backend]);
        assert_bounded(&server, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut clear = Peer::from_stream(small(at(host.starttls)));
                    clear.expect_reply("220");
                    assert_closed_unread(&mut clear);
                });
                let peer = Peer::from_stream(small(at(host.smtps)));
                let policy = ClientPolicy::required();
                let mut secured = Secured::connect(peer, backend, &policy).unwrap();
                secured.expect_reply("220");
                assert_closed_unread(&mut secured);
            });
        });
        let mut next = Peer::connect(at(host.starttls));
        next.expect_reply("220");
    }
}

fn assert_closed_unread(wire: &mut dyn Wire) {
    let commands = "HELP\r\n".repeat(1000);
    let start = Instant::now();
    // A server that never closed would fail this by the time that a write may take.
    while wire.try_send(commands.as_bytes()).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "it takes without end");
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// A connection that has little room for what it does not read.
fn small(address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
    stream
}
