//! The attacks of `smtp-testkit/vectors` over sockets: against `hvmail-smtpd` on both TLS libraries,
//! and, for comparison only, against what other servers are installed.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use smtp_testkit::peer::Peer;
use smtp_testkit::process::{self, Program, require_peer};
use smtp_testkit::transcript::{Role, Schedule};
use smtp_testkit::vector::{self, FOREIGN, Judged, Miss, Socket, Stream, Upgrade, Vector, Why};
use smtp_tls::ClientPolicy;

use super::wire::{Secured, Wire, at};
use crate::support::{BACKENDS, Host, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

impl Stream for Secured {
    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.try_send(octets)
    }

    fn read(&mut self, buffer: &mut [u8], _: Duration) -> io::Result<usize> {
        let Some(line) = self.read_line() else { return Ok(0) };
        let Some(space) = buffer.get_mut(..line.len()) else {
            return Err(ErrorKind::InvalidData.into());
        };
        space.copy_from_slice(&line);
        Ok(line.len())
    }

    fn end(&mut self) {
        self.half_close();
    }
}

/// A client's handshake.
fn handshake(stream: TcpStream, backend: &str) -> Option<Box<dyn Stream>> {
    let secured =
        Secured::connect(Peer::from_stream(stream), backend, &ClientPolicy::required()).ok()?;
    Some(Box::new(secured))
}

/// Every vector for a server that says anything of one with these extensions.
fn server_vectors(has: &[&str]) -> Vec<Vector> {
    let mut vectors = Vector::load_folder(&Vector::folder().join("smuggling"));
    vectors.extend(Vector::load_folder(&Vector::folder().join("starttls-server")));
    vectors.retain(|vector| {
        vector.side == Role::Server && vector.needs().all(|need| has.contains(&need))
    });
    vectors
}

/// One run over a socket.
fn attack(
    vector: &Vector,
    schedule: Schedule,
    address: SocketAddr,
    patience: Duration,
    upgrade: Upgrade<'_>,
) -> Result<Judged, Box<Miss>> {
    let socket = Socket::connect(address, patience, upgrade)
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    vector::run(vector, FOREIGN, schedule, socket)
}

/// Each vector as one segment, and octet by octet where it is short.
#[test]
fn hvmail_smtpd_breaks_no_rule_of_the_vectors() {
    for &backend in BACKENDS {
        let host = Host::new();
        // What a vector sends behind a refused STARTTLS would break the handshake of a server that
        // takes it: one without TLS is its own service.
        host.write(
            "smtp2",
            &format!(
                "ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\nGREENARROW_STARTTLS=0\n",
                host.submission
            ),
        );
        let _server = host.serve(&["--tls", backend]);
        let vectors = server_vectors(&["http-refused"]);
        let mut misses = Vec::new();
        for vector in &vectors {
            let port = match vector.setting("tls") {
                Some("implicit") => host.smtps,
                Some("starttls") => host.starttls,
                _ => host.submission,
            };
            let bytes = (vector.sent().len() < 400).then_some(Schedule::Bytes);
            for schedule in [Schedule::Whole].into_iter().chain(bytes) {
                let upgrade = Box::new(|stream| handshake(stream, backend));
                if let Err(miss) = attack(vector, schedule, at(port), PATIENCE, upgrade) {
                    misses.push(miss.to_string());
                }
            }
        }
        assert!(vectors.len() > 100, "{} vectors", vectors.len());
        assert!(misses.is_empty(), "{backend}:\n{}", misses.join("\n"));
    }
}

/// What a foreign server does is printed, and fails nothing: that it is its own matter.
#[test]
fn the_vectors_say_something_of_any_server() {
    let Some(path) = require_peer("smtp-sink") else { return };
    let address = at(process::free_port());
    let mut command = Command::new(path);
    // It refuses to run as root without the name of a user.
    let id = process::run(Command::new("id").arg("-u"), b"");
    if id.stdout == ["0"] {
        command.args(["-u", "root"]);
    }
    let _program = Program::spawn(command.args([&address.to_string(), "16"]));
    eventually("smtp-sink accepts", || TcpStream::connect(address).is_ok());

    let (mut passed, mut not_reached, mut missed) = (0, 0, 0);
    for vector in &server_vectors(&[]) {
        let upgrade = Box::new(|_| None);
        match attack(vector, Schedule::Whole, address, Duration::from_secs(2), upgrade) {
            Ok(_) => passed += 1,
            Err(miss) if miss.why == Why::NotReached => not_reached += 1,
            Err(_) => missed += 1,
        }
    }
    println!("smtp-sink: {passed} passed, {not_reached} not reached, {missed} missed");
    assert!(passed + missed > 30, "{passed} {not_reached} {missed}");
    assert!(not_reached > 0, "what needs TLS cannot be reached without it");
}
