//! What the tests share: transcripts, a test CA, an in-memory pair, a peer that knows no SMTP types.
