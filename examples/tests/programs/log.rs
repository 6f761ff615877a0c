//! The server's log where its reader stalls, reads again, or has gone.

use std::io::{BufRead, BufReader, PipeReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;

use crate::support::{Host, eventually};

/// Denied connections whose lines no pipe of Linux holds (64 KiB).
const BEYOND_THE_PIPE: usize = 800;

/// Denied connections whose lines the pipe and the queue of the program (256 KiB) do not hold together.
const BEYOND_THE_QUEUE: usize = 3500;

const DENIED: [u8; 4] = [127, 0, 0, 2];

/// A program whose stderr is read when the test reads it.
struct Server {
    program: Child,
    log: BufReader<PipeReader>,
}

impl Server {
    fn start(host: &Host) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let program = host.smtpd(&[]).stderr(writer).spawn().unwrap();
        Self { program, log: BufReader::new(reader) }
    }

    /// Once it serves, and denies [`DENIED`].
    fn serve(host: &Host) -> Self {
        host.write("smtp.tcp", "127.0.0.2:deny\n127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n");
        let mut server = Self::start(host);
        while !server.line().starts_with("listening service=smtp3 ") {}
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "it ended");
        line
    }

    fn signal(&self, signal: &str) {
        let id = self.program.id().to_string();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(id).status().unwrap();
        assert!(sent.success());
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.program.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

/// The program does not outlive its test.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Connections that the rules deny, each of which is logged.
fn denied(host: &Host, count: usize) {
    for _ in 0..count {
        Peer::connect_from(DENIED, at(host.starttls)).expect_end();
    }
}

fn assert_delivers(host: &Host, count: usize) {
    let envelope = ["--from", "a@example.org", "--to", "b@example.org"];
    let sent = host.send(host.starttls, &envelope, "Subject: hello\n\ntext\n");
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert_eq!(host.messages().len(), count);
}

#[test]
fn mail_is_taken_while_the_log_stalls_and_what_was_lost_is_counted() {
    let host = Host::new();
    let mut server = Server::serve(&host);
    denied(&host, BEYOND_THE_QUEUE);
    assert_delivers(&host, 1);

    let mut kept = 0;
    let lost = loop {
        let line = server.line();
        if let Some(lost) = line.strip_prefix("lost lines=") {
            let (count, why) = lost.split_once(':').unwrap();
            assert_eq!(why, " stderr was not read in time\n");
            break count.parse::<usize>().unwrap();
        }
        assert!(line.contains("connection denied"), "{line}");
        kept += 1;
    };
    assert!(lost > 0 && kept > 0 && kept + lost >= BEYOND_THE_QUEUE, "{kept} kept, {lost} lost");

    // Who reads again gets every line again, to the last.
    denied(&host, 10);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let mut rest = String::new();
    server.log.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.matches("connection denied").count(), 10, "{rest}");
    let lines: Vec<_> = rest.lines().collect();
    assert_eq!(lines[10..], ["draining", "drained finished=0 cut=0"]);
}

#[test]
fn a_server_whose_log_stalls_reads_its_directory_again_and_ends_when_told() {
    let host = Host::new();
    let mut server = Server::serve(&host);
    denied(&host, BEYOND_THE_PIPE);
    host.write("smtp.tcp", ":allow\n");
    server.signal("HUP");
    eventually("the new rules hold", || {
        let mut peer = Peer::connect_from(DENIED, at(host.starttls));
        peer.read_line().is_some_and(|line| line.starts_with(b"220 "))
    });
    let told = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let took = told.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");

    let mut rest = String::new();
    server.log.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with('\n') && !rest.contains("draining"), "{rest}");
}

/// A log that nobody reads any more is no reason to lose mail.
#[test]
fn a_server_whose_log_has_no_reader_serves_on() {
    let host = Host::new();
    let mut server = Server::serve(&host);
    let (nobody, _) = std::io::pipe().unwrap();
    server.log = BufReader::new(nobody);
    for count in 1..=2 {
        assert_delivers(&host, count);
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
