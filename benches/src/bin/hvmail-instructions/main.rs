//! How many instructions the protocol takes, under valgrind: the same on a busy machine and on an
//! idle one, so that a regression of a few percent can be told from noise.
//!
//! Does: run each piece of work alone under callgrind, for two numbers of rounds, and take the
//! difference for the rounds between; of a connection through TLS count one side alone, and what it
//! takes more than the TLS library alone; put the counts beside those of before. Does not: measure
//! time; `cargo bench` does. Fails: 1 where work takes more than before, 64 for the command line,
//! 69 where valgrind cannot be had or a piece of work fails. Counts of another compiler are shown,
//! and compared with nothing.

mod baseline;
#[cfg(feature = "rustls")]
mod connections;
mod works;

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

#[cfg(feature = "rustls")]
use hvmail_benches::handshake::Who;

use baseline::{Count, Counts};
use works::{WORKS, Work};

/// Before the rounds that are counted, so that what happens once is in both runs.
const FIRST: u64 = 2;

/// In it, one side of a connection does all its work, and the other nothing.
#[cfg(feature = "rustls")]
const SUBJECT: &str = "*handshake::run::poll_subject*";

/// One of them moves kilobytes at many octets a cycle, and is counted once for each octet.
const NO_STRING_INSTRUCTIONS: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

const USAGE: &str = "usage: hvmail-instructions COMPILER FILE [--update]\n\
    Counts, and compares with FILE if COMPILER wrote it, or writes FILE anew.\n\
       hvmail-instructions --run NAME ROUNDS\n\
    Does one piece of work and counts nothing: for `time`, which tells the processor's time on a \
    busy machine too, and for a profiler.";

enum Failure {
    Worse,
    Usage,
    Unavailable(String),
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["--run", name, rounds] => run(name, rounds),
        [compiler, file] => count(compiler).and_then(|counts| compare(&counts, file)),
        [compiler, file, "--update"] => count(compiler).and_then(|counts| update(&counts, file)),
        _ => Err(Failure::Usage),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Worse) => ExitCode::FAILURE,
        Err(Failure::Usage) => {
            eprintln!("{USAGE}");
            ExitCode::from(64)
        }
        Err(Failure::Unavailable(what)) => {
            eprintln!("hvmail-instructions: {what}");
            ExitCode::from(69)
        }
    }
}

/// What runs under valgrind, `time` or a profiler.
fn run(name: &str, rounds: &str) -> Result<(), Failure> {
    let rounds: u64 = rounds.parse().map_err(|_| Failure::Usage)?;
    let work = WORKS.iter().find(|work| work.name == name).map(|work| (work.prepare)());
    let mut round = work.or_else(|| connection(name)).ok_or(Failure::Usage)?;
    (0..rounds).for_each(|_| round());
    Ok(())
}

/// `NAME/ours` or `NAME/alone`.
#[cfg(feature = "rustls")]
fn connection(name: &str) -> Option<Box<dyn FnMut()>> {
    let (name, who) = name.split_once('/')?;
    let who = match who {
        "ours" => Who::Ours,
        "alone" => Who::Bare,
        _ => return None,
    };
    let (_, case) = connections::cases().find(|(case, _)| case == name)?;
    Some(connections::prepare(case, who))
}

#[cfg(not(feature = "rustls"))]
fn connection(_: &str) -> Option<Box<dyn FnMut()>> {
    None
}

fn count(compiler: &str) -> Result<Counts, Failure> {
    let mut counts = Counts { compiler: compiler.into(), ..Counts::default() };
    #[cfg(feature = "openssl")]
    {
        counts.openssl = hvmail_benches::handshake::openssl_version().into();
    }
    let works = WORKS.iter().map(|work| Box::new(move || count_work(work)) as Counted);
    let counted: Vec<_> = works.chain(connections_counted()).collect();
    for count in side_by_side(&counted) {
        let count = count.map_err(Failure::Unavailable)?;
        println!("{count}");
        counts.counts.push(count);
    }
    Ok(counts)
}

#[cfg(feature = "rustls")]
fn connections_counted() -> impl Iterator<Item = Counted> {
    connections::cases().map(|(name, _)| Box::new(move || count_connection(&name)) as Counted)
}

#[cfg(not(feature = "rustls"))]
fn connections_counted() -> impl Iterator<Item = Counted> {
    std::iter::empty()
}

type Counted = Box<dyn Fn() -> Result<Count, String> + Sync>;

/// Counts as much at a time as there are processors: a count is the same on a busy one.
fn side_by_side(counted: &[Counted]) -> Vec<Result<Count, String>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(count) = counted.get(at)
        {
            done.push((at, count()));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut done = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        done.flatten().collect::<Vec<_>>()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, count)| count).collect()
}

/// What one side of a connection takes more than the library alone.
#[cfg(feature = "rustls")]
fn count_connection(name: &str) -> Result<Count, String> {
    const ROUNDS: u64 = 20;
    let of = |who: &str| {
        // Those that come first are not made in that function.
        let all = instructions(&format!("{name}/{who}"), ROUNDS, Some(SUBJECT))?;
        Ok::<_, String>(all as f64 / ROUNDS as f64)
    };
    let instructions = of("ours")? - of("alone")?;
    Ok(Count { name: name.into(), instructions, per: baseline::CONNECTION.into() })
}

fn count_work(work: &Work) -> Result<Count, String> {
    // Long rounds need no repetition.
    let rounds = if work.per == "KiB" { 1 } else { 20 };
    let some = instructions(work.name, FIRST, None)?;
    let more = instructions(work.name, FIRST + rounds, None)?;
    let all = more.checked_sub(some).ok_or("more rounds took fewer instructions")?;
    Ok(Count {
        name: work.name.into(),
        instructions: all as f64 / (rounds * work.units as u64) as f64,
        per: work.per.into(),
    })
}

/// All instructions of a process that does `rounds` rounds of a piece of work; those inside one
/// function, where it is named.
fn instructions(name: &str, rounds: u64, inside: Option<&str>) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let inside = inside.map(|function| format!("--toggle-collect={function}"));
    let output = Command::new("valgrind")
        // The environment stands on the stack: the same one gives the same alignment.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GLIBC_TUNABLES", NO_STRING_INSTRUCTIONS)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(inside)
        .arg(program)
        .args(["--run", name, &rounds.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected =
        || said.lines().find_map(|line| line.split_once("Collected : "))?.1.parse().ok();
    match collected() {
        Some(collected) if output.status.success() => Ok(collected),
        _ => Err(format!("{name} under valgrind: {}\n{said}", output.status)),
    }
}

fn compare(counts: &Counts, file: &str) -> Result<(), Failure> {
    let before = match fs::read_to_string(file) {
        Ok(text) => Counts::parse(&text),
        Err(error) => Err(error.to_string()),
    };
    let before = before.map_err(|error| Failure::Unavailable(format!("{file}: {error}")))?;
    if counts.compiler != before.compiler {
        println!("{file} is of {}, this is {}: not compared", before.compiler, counts.compiler);
        return Ok(());
    }
    if counts.openssl != before.openssl {
        let (now, before) = (&counts.openssl, &before.openssl);
        println!("{file} is of {before}, this is {now}: connections on it are not compared");
    }
    let worse = counts.worse_than(&before);
    for name in &worse {
        let of = |counts: &Counts| {
            let found = counts.counts.iter().find(|count| count.name == *name);
            found.map_or("none".into(), |count| format!("{:.1}", count.instructions))
        };
        println!("more than the tolerance: {name}, {} and now {}", of(&before), of(counts));
    }
    if worse.is_empty() { Ok(()) } else { Err(Failure::Worse) }
}

fn update(counts: &Counts, file: &str) -> Result<(), Failure> {
    let text = format!(
        "# Instructions under valgrind, written by scripts/instructions --update.\n{}",
        counts.print()
    );
    fs::write(file, text).map_err(|error| Failure::Unavailable(format!("{file}: {error}")))
}
