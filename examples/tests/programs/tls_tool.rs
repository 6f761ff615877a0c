//! `hvmail-tls`, command by command.

mod update_tmprsadh;
