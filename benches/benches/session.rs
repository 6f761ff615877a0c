//! What a whole session costs, in memory: what a peer sends goes in, the questions are answered by
//! a handler that keeps the envelope, what the session says comes out. No socket, no TLS.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hvmail_benches::server::{KeepsEnvelope, Style};
use hvmail_benches::{client, message, server};

/// The text of one TLS record, which is what one read gives at most.
const READ: usize = 16 * 1024;
const KEPT: usize = 100;

fn session(c: &mut Criterion) {
    let short = message::text(1024, 76);
    let long = message::text(1 << 20, 76);
    // Name, style, messages, recipients, message.
    let cases: [(&str, Style, usize, usize, &[u8]); 6] = [
        ("1 KiB, pipelined", Style::Pipelined, 1, 1, &short),
        ("1 KiB, in a chunk", Style::Chunked, 1, 1, &short),
        ("1 KiB, in lock-step", Style::LockStep, 1, 1, &short),
        ("1 KiB to 100 recipients", Style::Pipelined, 1, 100, &short),
        ("1 MiB", Style::Pipelined, 1, 1, &long),
        ("1 KiB, per message of a kept connection", Style::Pipelined, KEPT, 1, &short),
    ];

    let config = server::config();
    let mut group = c.benchmark_group("server session");
    for (name, style, messages, recipients, text) in cases {
        let conversation = server::Conversation::new(style, messages, recipients, text);
        group.throughput(Throughput::Elements(messages as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut handler = KeepsEnvelope::default();
                let transmitted = black_box(&conversation).run(&config, &mut handler, READ);
                (transmitted, handler)
            });
        });
    }
    group.finish();

    let config = client::config();
    let mut group = c.benchmark_group("client session");
    for (name, style, messages, recipients, text) in cases {
        let conversation = client::Conversation::new(style, messages, recipients, text);
        group.throughput(Throughput::Elements(messages as u64));
        group.bench_function(name, |b| b.iter(|| black_box(&conversation).run(&config)));
    }
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
