//! TLS policy for SMTP as plain data, and its adapters to rustls and OpenSSL.
