//! Hostile peers of the programs, over sockets, in clear and inside TLS: they get nothing, they
//! leave nothing behind, and the next one is served.

mod clients;
mod floods;
mod servers;
mod vectors;
mod wire;
