//! Where messages go.

use std::io;
use std::path::Path;

use smtp_proto::server::Commit;
use smtp_server::discard::{Discard, DiscardSink};
use smtp_server::maildir::{Delivery, Envelope, Maildir};
use smtp_server::{Context, Sink};

use crate::exit::Failure;

/// A Maildir, or nothing at all.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Maildir(Maildir),
    Discard(Discard),
}

impl Store {
    pub(super) fn maildir(path: &Path, host_name: &str) -> Result<Self, Failure> {
        Maildir::open(path, host_name).map(Self::Maildir).map_err(|error| {
            Failure::try_later(format!("cannot open the Maildir {}: {error}", path.display()))
        })
    }

    pub(super) fn discard() -> Self {
        Self::Discard(Discard::default())
    }

    pub(super) fn sink(&self, context: &Context<'_>, envelope: &Envelope) -> Stored {
        match self {
            Self::Maildir(maildir) => Stored::Maildir(maildir.deliver(context, envelope)),
            Self::Discard(discard) => Stored::Discard(discard.sink()),
        }
    }
}

/// One message on its way.
#[derive(Debug)]
pub(super) enum Stored {
    Maildir(Delivery),
    Discard(DiscardSink),
}

impl Sink for Stored {
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Maildir(delivery) => delivery.write(octets).await,
            Self::Discard(sink) => sink.write(octets).await,
        }
    }

    async fn commit(self) -> Commit {
        match self {
            Self::Maildir(delivery) => delivery.commit().await,
            Self::Discard(sink) => sink.commit().await,
        }
    }
}
