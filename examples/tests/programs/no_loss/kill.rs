//! The server is killed at random moments under load, started again over the same Maildir, and
//! killed again.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{BACKENDS, Host};

use super::ledger::{Ledger, Leftovers, Progress, Random};
use super::senders;

const RUNS: usize = 60;

/// When the server is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After this time under load.
    After(Duration),
    /// Once so many more messages were answered.
    Answered(usize),
    /// Once another file is in `tmp`, and then so much later.
    Writing(Duration),
}

impl Moment {
    fn choose(random: &mut Random) -> Self {
        let mut micros = |limit| Duration::from_micros(random.number() % limit);
        let (after, later) = (micros(120_000), micros(4_000));
        match random.below(3) {
            0 => Self::After(after),
            1 => Self::Answered(random.below(20)),
            _ => Self::Writing(later),
        }
    }

    fn wait(self, host: &Host, ledger: &Ledger) {
        let poll = |mut come: Box<dyn FnMut() -> bool + '_>| {
            // Every choice comes; on a busy machine a kill at another moment is as good.
            let deadline = Instant::now() + Duration::from_secs(2);
            while !come() && Instant::now() < deadline {
                thread::sleep(Duration::from_micros(100));
            }
        };
        match self {
            Self::After(time) => thread::sleep(time),
            Self::Answered(more) => {
                let before = ledger.accepted();
                poll(Box::new(move || ledger.accepted() >= before + more));
            }
            Self::Writing(later) => {
                let before = host.leftovers();
                poll(Box::new(|| host.leftovers().iter().any(|file| !before.contains(file))));
                thread::sleep(later);
            }
        }
    }
}

#[test]
fn what_was_answered_is_kept_whenever_the_server_is_killed() {
    let mut random = Random::of_this_run();
    let host = Host::new();
    let ledger = Ledger::default();
    let mut leftovers = Leftovers::default();
    for run in 0..RUNS {
        let backend = BACKENDS[run % BACKENDS.len()];
        let mut program = host.serve(&["--tls", backend]);
        ledger.check_new(&host, &format!("run {run}, started again"));
        let moment = Moment::choose(&mut random);
        let senders = 2 + random.below(3);
        thread::scope(|scope| {
            let (host, ledger) = (&host, &ledger);
            for sender in 0..senders {
                let random = Random::new(random.number());
                let name = format!("clear.{run}.{sender}");
                let port = [host.starttls, host.submission][sender % 2];
                scope.spawn(move || senders::in_clear(port, &name, random, ledger));
            }
            let (of_tls, name) = (Random::new(random.number()), format!("tls.{run}"));
            let implicit = random.once_in(2);
            let port = if implicit { host.smtps } else { host.starttls };
            let client = BACKENDS[random.below(BACKENDS.len())];
            scope.spawn(move || senders::under_tls(port, implicit, client, &name, of_tls, ledger));
            moment.wait(host, ledger);
            program.kill();
        });
        let when = format!("run {run}, killed {moment:?}");
        ledger.check_new(&host, &when);
        leftovers = ledger.check_tmp(&host, &when);
    }

    let mut program = host.serve(&[]);
    let sent = host.send(
        host.starttls,
        &["--from", "a@example.org", "--to", "b@example.org"],
        &ledger.begin("last", 100_000),
    );
    assert_eq!(sent.code, Some(0), "{sent:?}");
    ledger.note("last", Progress::Accepted);
    program.signal("TERM");
    assert_eq!(program.wait(Duration::from_secs(10)).code(), Some(0));
    ledger.check_all(&host, "at the end");

    // The kills came where they could do harm.
    let accepted = ledger.count(Progress::Accepted, 0);
    let large = ledger.count(Progress::Accepted, 65_536);
    let (doubt, open) = (ledger.count(Progress::InDoubt, 0), ledger.count(Progress::Open, 0));
    eprintln!(
        "{RUNS} kills: {accepted} accepted ({large} large), {doubt} in doubt, {open} cut short; \
         in tmp {} unfinished, {} linked",
        leftovers.unfinished, leftovers.linked
    );
    assert!(accepted > RUNS && large > 10 && doubt > 10 && open > 5, "too little was tried");
    assert!(leftovers.unfinished > 5, "no kill came while a message was written");
}
