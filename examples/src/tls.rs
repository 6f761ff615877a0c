//! The choice of a TLS library.

use smtp_tls::Backend;

use crate::exit::Failure;

/// The library that `--tls` names, or this build's default (rustls where it is compiled in).
pub fn backend(asked: Option<Backend>) -> Result<Backend, Failure> {
    choose(asked, Backend::is_available)
}

fn choose(
    asked: Option<Backend>,
    is_available: impl Fn(Backend) -> bool,
) -> Result<Backend, Failure> {
    match asked {
        Some(backend) if is_available(backend) => Ok(backend),
        Some(backend) => Err(Failure::usage(format!(
            "--tls {backend}: this program was built without it; build it with --features {backend}"
        ))),
        None => Backend::default_available()
            .ok_or_else(|| Failure::usage("this program was built without a TLS library")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_library_that_is_not_in_the_build_is_a_fault_of_the_command_line() {
        for asked in [Backend::Rustls, Backend::OpenSsl] {
            let failure = choose(Some(asked), |_| false).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(&format!("--features {asked}")), "{failure:?}");
            assert_eq!(choose(Some(asked), |_| true).unwrap(), asked);
        }
    }
}
