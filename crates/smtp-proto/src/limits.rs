//! Every number of the protocol, with the section of the RFC that sets it.
