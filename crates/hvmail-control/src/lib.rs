//! GreenArrow and qmail control directories as typed TLS policies.
