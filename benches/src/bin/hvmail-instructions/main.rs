//! How many instructions the protocol takes, under valgrind: the same on a busy machine and on an
//! idle one, so that a regression of a few percent can be told from noise.
//!
//! Does: run each piece of work alone under callgrind, for two numbers of rounds, and take the
//! difference for the rounds between; put the counts beside those of before. Does not: measure
//! time; `cargo bench` does. Fails: 1 where work takes more than before, 64 for the command line,
//! 69 where valgrind cannot be had or a piece of work fails. Counts of another compiler are shown,
//! and compared with nothing.

mod baseline;
mod works;

use std::process::{Command, ExitCode};
use std::{env, fs};

use baseline::{Count, Counts, TOLERANCE};
use works::{WORKS, Work};

/// Before the rounds that are counted, so that what happens once is in both runs.
const FIRST: u64 = 2;

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
    let work = WORKS.iter().find(|work| work.name == name).ok_or(Failure::Usage)?;
    let rounds: u64 = rounds.parse().map_err(|_| Failure::Usage)?;
    let mut round = (work.prepare)();
    (0..rounds).for_each(|_| round());
    Ok(())
}

fn count(compiler: &str) -> Result<Counts, Failure> {
    let mut counts = Counts { compiler: compiler.into(), counts: Vec::new() };
    for work in WORKS {
        let count = count_work(work).map_err(Failure::Unavailable)?;
        println!("{count}");
        counts.counts.push(count);
    }
    Ok(counts)
}

fn count_work(work: &Work) -> Result<Count, String> {
    // Long rounds need no repetition.
    let rounds = if work.per == "KiB" { 1 } else { 20 };
    let some = instructions(work.name, FIRST)?;
    let more = instructions(work.name, FIRST + rounds)?;
    let all = more.checked_sub(some).ok_or("more rounds took fewer instructions")?;
    Ok(Count {
        name: work.name.into(),
        instructions: all as f64 / (rounds * work.units as u64) as f64,
        per: work.per.into(),
    })
}

/// All instructions of a process that does `rounds` rounds of a piece of work.
fn instructions(name: &str, rounds: u64) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        // The environment stands on the stack: the same one gives the same alignment.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GLIBC_TUNABLES", NO_STRING_INSTRUCTIONS)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
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
    let worse = counts.worse_than(&before);
    for name in &worse {
        let of = |counts: &Counts| {
            let found = counts.counts.iter().find(|count| count.name == *name);
            found.map_or("none".into(), |count| format!("{:.1}", count.instructions))
        };
        println!("more by over {TOLERANCE} %: {name}, {} and now {}", of(&before), of(counts));
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
