//! What must come out, said in the plainest way.

pub mod assignments;
pub mod conf;
pub mod data;
pub mod line;
pub mod reply;
pub mod tcprules;
pub mod xtext;
