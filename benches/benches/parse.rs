//! What one command costs: a pipelined group of commands, framed and read, every value decoded.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp_proto::limits;
use smtp_proto::wire::{Command, Line, LineScanner};

const GROUP: &[u8] = b"EHLO client.example.org\r\n\
    MAIL FROM:<newsletter-bounces+4711@example.org> SIZE=48213 BODY=8BITMIME\r\n\
    RCPT TO:<first.last@example.net>\r\n\
    RCPT TO:<\"quoted local\"@[192.0.2.1]>\r\n\
    DATA\r\n\
    RSET\r\n";
const COMMANDS: u64 = 6;

/// Reads every command of a group and touches every value in it.
fn read(mut group: &[u8]) -> u64 {
    let mut scanner = LineScanner::new(limits::COMMAND_LINE_EXTENDED);
    let mut commands = 0;
    while let Line::Complete { len, end } = scanner.scan(group) {
        match Command::parse(&group[..len - end.octets()]).expect("a valid command") {
            Command::Ehlo(name) => {
                black_box(name.as_str());
            }
            Command::Mail(mail) => {
                let mailbox = mail.reverse_path.mailbox().expect("a mailbox");
                black_box((
                    mailbox.local_part(),
                    mailbox.domain(),
                    mail.parameters.size,
                    mail.parameters.body,
                ));
            }
            Command::Rcpt(rcpt) => {
                let mailbox = rcpt.forward_path.mailbox().expect("a mailbox");
                black_box((mailbox.local_part(), mailbox.domain()));
            }
            command => {
                black_box(command.verb());
            }
        }
        commands += 1;
        group = &group[len..];
    }
    commands
}

fn parse(c: &mut Criterion) {
    assert_eq!(read(GROUP), COMMANDS);
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(COMMANDS));
    group.bench_function("pipelined group, per command", |b| b.iter(|| read(black_box(GROUP))));
    group.throughput(Throughput::Elements(1));
    let mut names = ["EHLO", "MAIL", "RCPT", "RCPT, quoted and literal", "DATA", "RSET"].iter();
    for line in GROUP.split_inclusive(|octet| *octet == b'\n') {
        let name = *names.next().expect("a name for each command");
        group.bench_function(name, |b| b.iter(|| read(black_box(line))));
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
