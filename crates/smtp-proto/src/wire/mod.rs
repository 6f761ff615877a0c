//! Octets to values and back, without state of a session.
//!
//! Framing comes first and grammar second: [`mod@line`] finds one complete line, and only then does
//! [`command`] read it. Nothing here knows what a session allows at a given moment.

pub mod address;
pub mod capability;
pub mod chunk;
pub mod command;
pub mod data;
pub mod extension;
mod grammar;
pub mod line;
pub mod param;
pub mod reply;
pub mod sasl;
mod scan;
pub mod syntax;
pub mod verb;
pub mod xtext;

pub use address::{
    AddressError, AddressLiteral, ClientName, Domain, ForwardPath, Mailbox, ReversePath,
};
pub use capability::{Capabilities, Capability, Limits, Mechanisms};
pub use chunk::{ChunkDecoder, ChunkEncoder, ChunkStatus, DecodedChunk};
pub use command::{
    AttributeValue, Attributes, Auth, Bdat, Command, CommandError, EtrnKind, EtrnNode,
    InitialResponse, Mail, Mechanism, Query, Rcpt, Text,
};
pub use data::{
    BareLf, DataDecoder, DataEncoder, DataStatus, Decoded, LineEnds, LongLines, MessageFault,
    MessagePolicy, MessageRule, Nul,
};
pub use extension::{Extension, Extensions};
pub use line::{Line, LineEnd, LineScanner};
pub use param::{
    BodyType, DeliverBy, DeliverByMode, EnvelopeId, Hold, Interval, MailParameters,
    NoSupportAction, Notify, OriginalAddress, OriginalRecipient, OtherParameters, Priority,
    RcptParameters, Ret, Rrvs, Submitter, SubmitterMailbox, Timestamp,
};
pub use reply::{
    Class, Code, Detail, EnhancedCode, Refusal, Reply, ReplyError, ReplyParser, ReplyStatus,
};
pub use syntax::{ClientNames, Syntax, UnknownParameters};
pub use verb::Verb;
pub use xtext::{Utf8Address, Xtext};
