//! The server is told to end, or its clients end in the middle.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{BACKENDS, Host, eventually};

use super::ledger::{Ledger, Progress, Random, on_the_wire};
use super::senders::{self, GROUP, greeted, hear, send};

/// More than the server gathers before it makes a file.
const LARGE: usize = 200_000;

#[test]
fn what_was_answered_is_kept_when_the_server_is_told_to_end_under_load() {
    let mut random = Random::of_this_run();
    let host = Host::new();
    let ledger = Ledger::default();
    for run in 0..10 {
        let backend = BACKENDS[run % BACKENDS.len()];
        let mut program = host.serve(&["--tls", backend]);
        let mut half_way = half_way(&host, &ledger, &format!("half.{run}"));
        thread::scope(|scope| {
            let (host, ledger) = (&host, &ledger);
            for sender in 0..3 {
                let random = Random::new(random.number());
                let name = format!("clear.{run}.{sender}");
                scope.spawn(move || senders::in_clear(host.starttls, &name, random, ledger));
            }
            let (of_tls, name) = (Random::new(random.number()), format!("tls.{run}"));
            scope.spawn(move || {
                senders::under_tls(host.smtps, true, backend, &name, of_tls, ledger);
            });
            thread::sleep(Duration::from_micros(random.number() % 150_000));
            program.signal("TERM");
            program.wait_for_stderr("draining");
            thread::sleep(Duration::from_micros(random.number() % 30_000));
            // One that was in the middle of its message is let finish, and then told to go.
            send(&mut half_way.peer, &half_way.rest).unwrap();
            hear(&mut half_way.peer, "250").unwrap();
            ledger.note(&half_way.id, Progress::Accepted);
            half_way.peer.expect_reply("421");
            half_way.peer.expect_end();
            drop(half_way);
        });
        assert_eq!(program.wait(Duration::from_secs(20)).code(), Some(0), "run {run}");
        let when = format!("run {run}");
        ledger.check_new(&host, &when);
        assert_eq!(host.leftovers().len(), 0, "{when}");
    }
    ledger.check_all(&host, "at the end");
    assert!(ledger.count(Progress::Accepted, 0) > 20, "too little was sent");
}

/// A connection that has sent half of a large message, the other half, and its id.
struct HalfWay {
    peer: smtp_testkit::peer::Peer,
    rest: Vec<u8>,
    id: String,
}

/// The server has begun its file when this returns.
fn half_way(host: &Host, ledger: &Ledger, id: &str) -> HalfWay {
    let mut octets = on_the_wire(&ledger.begin(id, LARGE));
    let rest = octets.split_off(LARGE / 2);
    let mut peer = greeted(host.starttls).unwrap();
    send(&mut peer, GROUP.as_bytes()).unwrap();
    for code in ["250", "250", "354"] {
        hear(&mut peer, code).unwrap();
    }
    let before = host.leftovers().len();
    send(&mut peer, &octets).unwrap();
    eventually("the message has a file", || host.leftovers().len() > before);
    HalfWay { peer, rest, id: id.to_owned() }
}

/// However a client goes before the final dot, nothing of its message stays.
#[test]
fn a_message_without_its_end_leaves_nothing() {
    let host = Host::new();
    let ledger = Ledger::default();
    let _program = host.serve(&[]);
    // The whole message up to the dot, the dot, its CR: none of them is an end.
    for (number, octets_left) in [0, 1, 2, 3, LARGE / 4].into_iter().enumerate() {
        for way in ["close", "reset", "half-close"] {
            let mut half_way = half_way(&host, &ledger, &format!("{way}.{number}"));
            let cut = match octets_left {
                0 => 0,
                _ => half_way.rest.len() - octets_left,
            };
            send(&mut half_way.peer, &half_way.rest[..cut]).unwrap();
            match way {
                "close" => drop(half_way),
                "reset" => half_way.peer.reset(),
                _ => {
                    half_way.peer.half_close();
                    // Whatever is said, it is no 250.
                    while let Some(line) = half_way.peer.read_line() {
                        assert!(!line.starts_with(b"2"), "{line:?}");
                    }
                }
            }
            eventually("tmp is empty", || host.leftovers().is_empty());
        }
    }
    ledger.check_all(&host, "after all of them");
    assert_eq!(host.messages().len(), 0);
}

/// A client that stalls in its message is cut when its time is over, and the drain ends with it.
#[test]
fn a_message_that_stalls_while_the_server_ends_leaves_nothing() {
    let host = Host::new();
    host.write("timeoutsmtpd", "1\n");
    let ledger = Ledger::default();
    let mut program = host.serve(&[]);
    let mut stalled = half_way(&host, &ledger, "stalled");
    let since = Instant::now();
    program.signal("TERM");
    stalled.peer.expect_reply("4");
    stalled.peer.expect_end();
    drop(stalled);
    assert_eq!(program.wait(Duration::from_secs(20)).code(), Some(0));
    assert!(since.elapsed() > Duration::from_millis(500), "it was not given its time");
    ledger.check_all(&host, "after the end");
    assert_eq!((host.messages().len(), host.leftovers().len()), (0, 0));
}
