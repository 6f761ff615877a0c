//! A message in chunks (BDAT) is kept whole behind its last chunk, and before it not at all: wherever
//! the connection is cut, and wherever the server is killed.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::Host;

use super::ledger::{Ledger, Progress, Random};
use super::senders::{Gone, greeted, hear, send};

const GROUP: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n";

/// A message's chunks as they go over the wire, each with its BDAT.
fn chunks(text: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let wire = text.replace('\n', "\r\n").into_bytes();
    let mut chunks = Vec::new();
    let mut rest = &wire[..];
    loop {
        let (chunk, more) = rest.split_at(rest.len().min(1 + random.below(1 + wire.len() / 2)));
        rest = more;
        let last = if rest.is_empty() { " LAST" } else { "" };
        let mut octets = format!("BDAT {}{last}\r\n", chunk.len()).into_bytes();
        octets.extend_from_slice(chunk);
        chunks.push(octets);
        if rest.is_empty() {
            return chunks;
        }
    }
}

/// Cut at a random octet, by a close or a reset: the message is there if nothing was missing, and
/// not in part.
#[test]
fn a_cut_anywhere_keeps_all_or_nothing() {
    let mut random = Random::of_this_run();
    let host = Host::new();
    let mut server = host.serve(&[]);
    let ledger = Ledger::default();
    let mut whole = 0;
    for number in 0..120 {
        let id = format!("cut.{number}");
        let text = ledger.begin(&id, random.size());
        let all = chunks(&text, &mut random);
        let last = all.last().unwrap().len();
        let wire = all.concat();
        // The ends of chunks and of the message are where it matters.
        let cut = match random.below(4) {
            0 => wire.len(),
            1 => wire.len() - random.below(last + 1),
            2 => all[..random.below(all.len())].concat().len(),
            _ => random.below(wire.len() + 1),
        };
        let mut peer = greeted(host.starttls).unwrap();
        send(&mut peer, GROUP.as_bytes()).unwrap();
        send(&mut peer, &wire[..cut]).unwrap();
        if cut == wire.len() {
            ledger.note(&id, Progress::InDoubt);
            whole += 1;
        }
        if random.once_in(2) {
            peer.reset();
        }
    }
    server.signal("TERM");
    assert_eq!(server.wait(Duration::from_secs(20)).code(), Some(0));
    assert!(host.leftovers().is_empty(), "{:?}", host.leftovers());
    ledger.check_new(&host, "behind the cuts");
    assert!(whole > 10);
}

fn one_connection(
    port: u16,
    name: &str,
    number: &mut usize,
    random: &mut Random,
    ledger: &Ledger,
) -> Result<(), Gone> {
    let mut peer = greeted(port)?;
    for _ in 0..=random.below(8) {
        let id = format!("{name}.{number}");
        *number += 1;
        let chunks = chunks(&ledger.begin(&id, random.size()), random);
        let pipelined = random.once_in(2);
        send(&mut peer, GROUP.as_bytes())?;
        hear(&mut peer, "250")?;
        hear(&mut peer, "250")?;
        for (at, chunk) in chunks.iter().enumerate() {
            if at + 1 == chunks.len() {
                ledger.note(&id, Progress::InDoubt);
            }
            send(&mut peer, chunk)?;
            if !pipelined && at + 1 < chunks.len() {
                hear(&mut peer, "250 2.0.0 ok, go on")?;
            }
        }
        for _ in 1..if pipelined { chunks.len() } else { 1 } {
            hear(&mut peer, "250 2.0.0 ok, go on")?;
        }
        hear(&mut peer, "250")?;
        ledger.note(&id, Progress::Accepted);
    }
    Ok(())
}

#[test]
fn what_was_answered_is_kept_whenever_the_server_is_killed() {
    const RUNS: usize = 15;
    let mut random = Random::of_this_run();
    let host = Host::new();
    let ledger = Ledger::default();
    for run in 0..RUNS {
        let mut program = host.serve(&[]);
        thread::scope(|scope| {
            for sender in 0..3 {
                let (ledger, mut random) = (&ledger, Random::new(random.number()));
                let (name, port) = (format!("kill.{run}.{sender}"), host.starttls);
                scope.spawn(move || {
                    let mut number = 0;
                    while one_connection(port, &name, &mut number, &mut random, ledger).is_ok() {}
                });
            }
            let before = ledger.accepted();
            let (more, later) = (random.below(20), random.number() % 5_000);
            let deadline = Instant::now() + Duration::from_secs(2);
            while ledger.accepted() < before + more && Instant::now() < deadline {
                thread::sleep(Duration::from_micros(100));
            }
            thread::sleep(Duration::from_micros(later));
            program.kill();
        });
        let when = format!("run {run}");
        ledger.check_new(&host, &when);
        ledger.check_tmp(&host, &when);
    }
    let _server = host.serve(&[]);
    ledger.check_all(&host, "at the end");
    let accepted = ledger.count(Progress::Accepted, 0);
    let (doubt, open) = (ledger.count(Progress::InDoubt, 0), ledger.count(Progress::Open, 0));
    eprintln!("{RUNS} kills: {accepted} accepted, {doubt} in doubt, {open} cut short");
    assert!(accepted > RUNS && doubt + open > RUNS, "too little was tried");
}
