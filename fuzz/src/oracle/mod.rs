//! What must come out, said in the plainest way.

pub mod data;
pub mod line;
pub mod reply;
pub mod xtext;
