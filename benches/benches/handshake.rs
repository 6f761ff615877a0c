//! What a whole SMTP connection through TLS costs one side: 220, EHLO, STARTTLS, the handshake, EHLO,
//! QUIT, or the handshake first; in memory, on one thread, server and client apart, beside the TLS
//! library alone that is given the same octets to carry.
//!
//! `hvmail_benches::handshake` says what is compared. Ours and the library alone take turns, connection
//! by connection, and what else the machine does only ever adds: a time is the lower decile of all, and
//! what ours takes more is the difference of two of them; a ratio is the median of the ratios of
//! neighbours. Each is held to its case before it counts: the version, the
//! group, resumed or not, as the peer sees them; and both had the same octets to carry, but for the
//! length of a signature or a ticket.
//!
//! Over loopback, `smtp-server` and `smtp-client` have all that they have: sockets, clocks, limits and
//! logs; beside them are tokio-rustls and tokio-openssl with the same octets, and what is taken is the
//! processor's time of the thread of one side. One row is in clear: SMTPS less that row is what TLS
//! adds, and STARTTLS less SMTPS what its commands add. `scripts/measure handshake` counts syscalls.
//!
//! Where the client shows a certificate, `shown`, our server judges it as `hvmail-smtpd` does before it
//! relays, and the library alone verifies it with its own means.
//!
//! Words on the command line choose the cases that have them all.

use std::fs;
use std::time::{Duration, Instant};

use hvmail_benches::handshake::{Case, Group, Key, Material, Prepared, Seen, Side, Sockets, Who};

/// Pairs of connections for a case, as many as fit the time.
const ROUNDS: usize = 400;
const TIME: Duration = Duration::from_millis(1500);

/// Over loopback, a time is that of so many connections.
const CONNECTIONS: u32 = 10;

/// Where a time is taken from: lower than most, and not by chance as the least may be.
const LOW: f64 = 0.1;

/// By how many octets two connections of one case differ: a signature's and a ticket's numbers are
/// as long as they are, and rustls pads nothing.
const OCTETS: usize = 24;

fn main() {
    let (flags, words): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    // Under `cargo test` the work is done once, to see that it can be done.
    let measured = flags.iter().any(|flag| flag == "--bench");
    let materials = [Key::P256, Key::Rsa2048].map(Material::new);
    let chosen = |name: &str| words.iter().all(|word| name.split(' ').any(|part| part == word));
    let mut over = Vec::new();
    for side in [Side::Server, Side::Client] {
        let place = format!("{side}, in memory");
        print_head(measured, &place, ["clear", "shake", "inside", "close"]);
        for case in Case::all().into_iter().filter(|case| case.side == side) {
            let name = format!("{side} memory {} {case}", case.library);
            if !chosen(&name) {
                continue;
            }
            if let Err(absent) = case.is_possible() {
                println!("{:<7} {case:<46} not here: {}", case.library, absent.0);
                continue;
            }
            let figures = in_memory(case, &materials[case.key as usize], measured);
            if measured {
                println!("{:<7} {case:<46} {figures}", case.library);
                if figures.extra > TARGET {
                    over.push(format!("{name}: {:.1} us", figures.extra));
                }
            }
        }
    }
    for side in [Side::Server, Side::Client] {
        print_head(measured, &format!("{side}, over loopback"), []);
        let in_clear = std::iter::once(None);
        for case in in_clear.chain(Case::all().into_iter().filter(is_for_sockets).map(Some)) {
            let (library, what) = match case {
                Some(case) => (case.library.to_string(), case.to_string()),
                None => ("-".to_owned(), "220, EHLO, QUIT in clear".to_owned()),
            };
            let of_side = case.is_none_or(|case| case.side == side);
            if of_side && chosen(&format!("{side} loopback {library} {what}")) {
                let figures = over_loopback(side, case, &materials[0], measured);
                if measured {
                    println!("{library:<7} {what:<46} {figures}");
                }
            }
        }
    }
    if measured {
        println!("\nload {}", load());
        match over.is_empty() {
            true => println!("in memory, every case: at most {TARGET} us over the library alone"),
            false => println!("over {TARGET} us more than the library:\n  {}", over.join("\n  ")),
        }
    }
}

/// What our way may cost over the library alone, in microseconds.
const TARGET: f64 = 10.0;

fn print_head<const N: usize>(measured: bool, place: &str, phases: [&str; N]) {
    if measured {
        let extra = if N > 0 { "  extra:" } else { "" };
        let phases: String = phases.iter().map(|phase| format!(" {phase:>6}")).collect();
        println!(
            "\n{place}: microseconds of one connection (load {})\n\
             {:<54} {:>7} {:>7} {:>6} {:>6}{extra}{phases}",
            load(),
            "",
            "ours",
            "alone",
            "extra",
            "ratio"
        );
    }
}

/// A time of ours and one of the library's, each with its parts.
type Pair<const N: usize> = ([Duration; N], [Duration; N]);

struct Figures {
    ours: f64,
    alone: f64,
    extra: f64,
    ratio: f64,
    phases: Vec<f64>,
}

impl Figures {
    fn of<const N: usize>(pairs: &[Pair<N>]) -> Self {
        let low =
            |figure: &dyn Fn(&Pair<N>) -> f64| quantile(LOW, pairs.iter().map(figure).collect());
        let (ours, alone) = (low(&|(ours, _)| all(ours)), low(&|(_, alone)| all(alone)));
        let ratios = pairs.iter().map(|(ours, alone)| all(ours) / all(alone));
        let phase = |phase: usize| {
            low(&|(ours, _)| micros(ours[phase])) - low(&|(_, alone)| micros(alone[phase]))
        };
        Self {
            ours,
            alone,
            extra: ours - alone,
            ratio: quantile(0.5, ratios.collect()),
            phases: if N > 1 { (0..N).map(phase).collect() } else { Vec::new() },
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ours, alone, extra, ratio, phases } = self;
        write!(f, "{ours:>7.1} {alone:>7.1} {extra:>6.1} {ratio:>6.3}")?;
        if !phases.is_empty() {
            write!(f, "        ")?;
        }
        phases.iter().try_for_each(|phase| write!(f, " {phase:>6.1}"))
    }
}

/// Ours and the library alone by turns, until there are enough rounds or the time is up.
fn by_turns<T>(
    measured: bool,
    mut ours: impl FnMut() -> T,
    mut alone: impl FnMut() -> T,
) -> Vec<(T, T)> {
    let mut pairs = Vec::new();
    let begun = Instant::now();
    for round in 0..if measured { ROUNDS } else { 1 } {
        pairs.push(if round % 2 == 0 {
            let ours = ours();
            (ours, alone())
        } else {
            let alone = alone();
            (ours(), alone)
        });
        if begun.elapsed() > TIME {
            break;
        }
    }
    pairs
}

fn in_memory(case: Case, material: &Material, measured: bool) -> Figures {
    let ours = Prepared::new(Who::Ours, case, material);
    let alone = Prepared::new(Who::Bare, case, material);
    compare(&case, &ours.run(), &alone.run());
    Figures::of(&by_turns(measured, || ours.run().spent, || alone.run().spent))
}

/// Certificates and the group make no difference to a socket.
fn is_for_sockets(case: &Case) -> bool {
    (case.key, case.group, case.shown) == (Key::P256, Group::X25519, false)
        && case.is_possible().is_ok()
}

/// The processor's time of the thread of one side.
fn over_loopback(side: Side, case: Option<Case>, material: &Material, measured: bool) -> Figures {
    let connections = if measured { CONNECTIONS } else { 1 };
    let ours = Sockets::new(Who::Ours, side, case, material);
    let alone = Sockets::new(Who::Bare, side, case, material);
    let of_side = |sockets: &Sockets| {
        let (server, client) = sockets.run(connections);
        [if side == Side::Server { server } else { client }]
    };
    Figures::of(&by_turns(measured, || of_side(&ours), || of_side(&alone)))
}

/// Both are to carry the same.
fn compare(case: &Case, ours: &Seen, alone: &Seen) {
    let name = format!("{} {} {case}", case.side, case.library);
    assert_eq!(ours.negotiated, alone.negotiated, "{name}");
    let same = |ours: usize, alone: usize| ours.abs_diff(alone) <= OCTETS;
    assert!(
        same(ours.octets.0, alone.octets.0) && same(ours.octets.1, alone.octets.1),
        "{name}: ours had {:?} octets, the library alone {:?}",
        ours.octets,
        alone.octets
    );
}

fn all(spent: &[Duration]) -> f64 {
    micros(spent.iter().sum())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The figure below which this part of all lies.
fn quantile(part: f64, mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(part * (figures.len() - 1) as f64) as usize]
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into());
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
