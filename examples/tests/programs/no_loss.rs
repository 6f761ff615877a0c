//! No message is lost, by the programs: whatever was answered with 250 is in the Maildir once and
//! whole, whether the server is killed, told to end, or its disk is full; and whoever cannot know says
//! so.

mod chunks;
mod disk;
mod drain;
mod final_dot;
mod kill;
mod ledger;
mod order;
mod senders;
