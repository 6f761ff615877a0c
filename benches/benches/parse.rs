//! What one command costs: a pipelined group, framed and read, every value decoded and checked.
//!
//! The peers read the same octets in the same run: each frames as it was written to, gives values
//! of its own, and is asked for all of them.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp_proto::limits;
use smtp_proto::wire::{
    Command, Domain, Extension, Line, LineScanner, Mailbox, OriginalAddress, Syntax,
};

const GROUP: &[u8] = b"EHLO client.example.org\r\n\
    MAIL FROM:<newsletter-bounces+4711@example.org> SIZE=48213 BODY=8BITMIME\r\n\
    RCPT TO:<first.last@example.net>\r\n\
    RCPT TO:<someone@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;someone@example.com\r\n\
    DATA\r\n\
    RSET\r\n";
const COMMANDS: u64 = 6;

const SYNTAX: Syntax =
    Syntax { extensions: Syntax::STRICT.extensions.with(Extension::Dsn), ..Syntax::STRICT };

/// Reads every command of a group and touches every value in it.
fn read(mut group: &[u8]) -> u64 {
    let mut scanner = LineScanner::new(limits::SERVER_COMMAND_LINE);
    let mut commands = 0;
    while let Line::Complete { len, end } = scanner.scan(group) {
        let (line, behind) = group.split_at(len);
        let line = &line[..len - end.octets()];
        match Command::parse_with(line, &SYNTAX) {
            Ok(Command::Ehlo(name)) => {
                black_box(name.as_str());
            }
            Ok(Command::Mail(mail)) => {
                touch(mail.reverse_path.mailbox().expect("a mailbox"));
                black_box((mail.parameters.size, mail.parameters.body));
            }
            Ok(Command::Rcpt(rcpt)) => {
                touch(rcpt.forward_path.mailbox().expect("a mailbox"));
                black_box(rcpt.parameters.notify);
                if let Some(orcpt) = rcpt.parameters.orcpt {
                    let OriginalAddress::Xtext(address) = orcpt.address() else {
                        panic!("an address in xtext")
                    };
                    black_box((orcpt.kind(), &*address.to_octets()));
                }
            }
            Ok(command) => {
                black_box(command.verb());
            }
            Err(error) => panic!("{error}"),
        }
        commands += 1;
        group = behind;
    }
    commands
}

fn touch(mailbox: Mailbox<'_>) {
    black_box(mailbox.local_part());
    match mailbox.domain() {
        Domain::Name(name) => {
            black_box(name);
        }
        Domain::Literal(literal) => {
            black_box(literal);
        }
    }
}

/// The same with the registry's smtp-proto.
fn read_smtp_proto(group: &[u8]) -> u64 {
    use peer_smtp_proto::Request;

    let mut octets = group.iter();
    let mut commands = 0;
    while !octets.as_slice().is_empty() {
        match Request::parse(&mut octets) {
            Ok(Request::Ehlo { host }) => {
                black_box(&*host);
            }
            Ok(Request::Mail { from }) => {
                black_box((&*from.address, from.size, from.flags));
            }
            Ok(Request::Rcpt { to }) => {
                black_box((&*to.address, to.flags, to.orcpt.as_deref()));
            }
            Ok(request) => {
                black_box(request.name());
            }
            Err(error) => panic!("{error:?}"),
        }
        commands += 1;
    }
    commands
}

/// The same with the registry's smtp-codec, which keeps parameters as text.
fn read_smtp_codec(mut group: &[u8]) -> u64 {
    use peer_smtp_codec::parse::command::command;
    use peer_smtp_codec::types::Command;

    let mut commands = 0;
    while !group.is_empty() {
        let parsed = command(group);
        let Ok((behind, command)) = &parsed else { panic!("a valid command") };
        match command {
            Command::Ehlo { domain_or_address } => {
                black_box(domain_or_address);
            }
            Command::Mail { reverse_path, parameters } => {
                black_box((&**reverse_path, &**parameters));
            }
            Command::Rcpt { forward_path, parameters } => {
                black_box((&**forward_path, &**parameters));
            }
            command => {
                black_box(command.name());
            }
        }
        commands += 1;
        group = behind;
    }
    commands
}

fn parse(c: &mut Criterion) {
    // 39 octets a command, rounded.
    assert_eq!((GROUP.len() as u64 + COMMANDS / 2) / COMMANDS, 39);
    type Reader = fn(&[u8]) -> u64;
    let readers: [(&str, Reader); 3] =
        [("here", read), ("smtp-proto", read_smtp_proto), ("smtp-codec", read_smtp_codec)];
    let mut group = c.benchmark_group("pipelined group, per command");
    group.throughput(Throughput::Elements(COMMANDS));
    for (name, read) in readers {
        assert_eq!(read(GROUP), COMMANDS, "{name}");
        group.bench_function(name, |b| b.iter(|| read(black_box(GROUP))));
    }
    group.finish();

    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    let mut names = ["EHLO", "MAIL", "RCPT", "RCPT with parameters", "DATA", "RSET"].iter();
    for line in GROUP.split_inclusive(|octet| *octet == b'\n') {
        let name = *names.next().expect("a name for each command");
        group.bench_function(name, |b| b.iter(|| read(black_box(line))));
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
