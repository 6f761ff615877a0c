//! An SMTP sender to embed: TLS by policy, one outcome per recipient.
