//! An SMTP server to embed: listeners, STARTTLS and SMTPS, a durable Maildir.
