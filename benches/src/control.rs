//! A large control directory: 10,000 domains in blocks of `greenarrow.conf`.
//!
//! Does: write the files. Does not: say what reading them costs. Fails: never.

use std::fmt::Write as _;

use hvmail_control::source::Memory;

/// How many blocks there are, one in four by a wildcard and each with two settings.
pub const DOMAINS: usize = 10_000;

fn configuration() -> String {
    let mut text = String::from(
        "general {\n  starttls_use yes\n}\nip_address * {\n  domain * {\n    starttls_use yes\n  }\n}\n",
    );
    for number in 0..DOMAINS {
        let wildcard = ["", "", "[*.]", ""][number % 4];
        writeln!(
            text,
            "domain {wildcard}{} {{\n  starttls_require yes\n  smtp_route relay{}.example:587\n}}",
            domain(number),
            number % 100
        )
        .expect("a String takes everything");
    }
    text
}

/// The domain that the block of this number names, or that its wildcard matches.
#[must_use]
pub fn domain(number: usize) -> String {
    format!("customer-{number}.mail.example")
}

/// The files by name.
#[must_use]
pub fn files() -> [(&'static str, String); 4] {
    [
        ("me", "mx.example.com\n".into()),
        ("rcpthosts", "example.com\n".into()),
        ("smtp.tcp", "127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n".into()),
        ("greenarrow.conf", configuration()),
    ]
}

/// The files in memory.
#[must_use]
pub fn in_memory() -> Memory {
    files().into_iter().fold(Memory::new(), |memory, (name, content)| memory.file(name, content))
}
