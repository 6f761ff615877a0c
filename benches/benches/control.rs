//! What a large control directory costs: to be read, from memory and from disk, and to be asked.
//!
//! The directory names 10,000 domains in blocks of `greenarrow.conf`, one in four by a wildcard and
//! each with two settings, and 10,000 addresses and prefixes in `smtp.tcp`. What is timed is held to
//! its result: every block is found under its domain, every rule under an address, and nothing is
//! said against the files.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hvmail_benches::control::{DOMAINS, domain, files, in_memory};
use hvmail_control::Control;
use hvmail_control::read::tcprules::{self, Rules};
use hvmail_control::snapshot::Loader;
use hvmail_control::source::{Directory, Memory};

const RULES: usize = 10_000;

/// Whole addresses, ranges, and prefixes of three octets and of two, as many of each, and a rule for all.
fn access_rules() -> String {
    let mut text = String::new();
    for number in 0..RULES - 1 {
        let (high, low) = (number / 256, number % 256);
        match number % 4 {
            0 => writeln!(text, "10.{high}.{low}.7:allow,RELAYCLIENT=\"\""),
            1 => writeln!(text, "10.{high}.{low}.8-11:allow"),
            2 => writeln!(text, "172.{high}.{low}.:deny"),
            _ => writeln!(text, "2001:db8:{high:x}:{low:x}::/64:allow"),
        }
        .expect("a String takes everything");
    }
    text + ":deny\n"
}

fn check(control: &Control) {
    assert!(!control.has_errors() && !control.is_fatal());
    for number in 0..DOMAINS {
        let rule = control.outgoing_for(&domain(number), None).expect("a rule that is understood");
        assert!(rule.policy.level.required() && rule.route.is_some());
    }
    let other = control.outgoing_for("elsewhere.example", None).expect("a rule that is understood");
    assert!(!other.policy.level.required() && other.starttls_use.value);
}

fn load(c: &mut Criterion) {
    let memory = in_memory();
    let folder = std::env::temp_dir().join(format!("hvmail-bench-control-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, content) in files() {
        fs::write(folder.join(name), content).expect("a file can be written");
    }
    let directory = Directory::open(&folder).expect("the folder is there");
    check(&Control::load(&memory));
    check(&Control::load(&directory));

    let mut group = c.benchmark_group("load, 10,000 domain blocks");
    // One load is milliseconds long.
    group.sample_size(30);
    group.bench_function("from memory", |b| {
        b.iter_batched(|| (), |()| Control::load(&memory), BatchSize::PerIteration);
    });
    group.bench_function("from disk", |b| {
        b.iter_batched(|| (), |()| Control::load(&directory), BatchSize::PerIteration);
    });
    group.finish();
    fs::remove_dir_all(&folder).expect("the folder can be removed");
}

fn look_up(c: &mut Criterion) {
    let memory = in_memory();
    let control = Control::load(&memory);
    let mut group = c.benchmark_group("outgoing_for, 10,000 domain blocks");
    group.throughput(Throughput::Elements(1));
    let deep = format!("a.b.c.{}", domain(2));
    for (name, domain, address) in [
        ("by name", domain(4321), None),
        ("by name and address", domain(4321), Some("ipaddr-1")),
        ("by a wildcard", deep, None),
        ("by no block", "elsewhere.example".to_owned(), None),
        ("in capitals", domain(4321).to_uppercase(), None),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| control.outgoing_for(black_box(&domain), black_box(address)));
        });
    }
    group.finish();
}

fn access(c: &mut Criterion) {
    let text = access_rules();
    let source = Memory::new().file("smtp.tcp", text.as_str());
    let mut loader = Loader::new(&source);
    let file = loader.read("smtp.tcp").expect("it can be read").expect("it is there");
    let read = || -> Rules {
        let (rules, said) = tcprules::parse(text.as_bytes(), file);
        assert_eq!((rules.all().len(), said.len()), (RULES, 0), "{said:?}");
        rules
    };
    let rules = read();
    c.bench_function("access, 10,000 rules are read", |b| b.iter(read));

    let mut group = c.benchmark_group("access, 10,000 rules, find");
    group.throughput(Throughput::Elements(1));
    for (name, client, found) in [
        ("a whole address", "10.7.8.7", "10.7.8.7"),
        ("a prefix", "172.9.2.1", "172.9.2."),
        ("an IPv6 prefix", "2001:db8:7:3::9", "2001:db8:7:3::/64"),
        ("no rule but the last", "192.0.2.1", ""),
    ] {
        let client: IpAddr = client.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let rule = rules.find(client).expect("a rule");
        assert_eq!(rule.address.value, found, "{client}");
        group.bench_function(name, |b| b.iter(|| rules.find(black_box(client))));
    }
    group.finish();
}

criterion_group!(benches, load, look_up, access);
criterion_main!(benches);
