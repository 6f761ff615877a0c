//! Any octets, as a stream of command lines: no panic, and a command that is taken prints as one
//! printable line that reads back as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::limits;
use smtp_proto::wire::{Command, ForwardPath, Line, LineScanner, ReversePath};

fuzz_target!(|input: &[u8]| {
    let mut scanner = LineScanner::new(limits::COMMAND_LINE_EXTENDED);
    let mut rest = input;
    while let Line::Complete { len, end } = scanner.scan(rest) {
        check(&rest[..len - end.octets()]);
        rest = &rest[len..];
    }
    // What is left has no line end: the grammar must stand it all the same.
    check(rest);
});

fn check(line: &[u8]) {
    let command = match Command::parse(line) {
        Ok(command) => command,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let printed = command.to_string();
    assert!(printed.bytes().all(|octet| (0x20..=0x7e).contains(&octet)), "{printed:?}");
    assert_eq!(Command::parse(printed.as_bytes()), Ok(command));
    match command {
        Command::Mail(mail) => {
            let path = mail.reverse_path;
            assert_eq!(ReversePath::parse(&path.to_string()), Ok(path));
        }
        Command::Rcpt(rcpt) => {
            let path = rcpt.forward_path;
            assert_eq!(ForwardPath::parse(&path.to_string()), Ok(path));
        }
        _ => {}
    }
}
