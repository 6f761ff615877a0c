//! Random strings, asked of the installed `openssl`.
//!
//! It is compared where it is OpenSSL 3 with the suites of the usual builds. Where it is another,
//! or none is installed, the test says so and is passed over; with `REQUIRE_PEERS=1` it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use smtp_testkit::process::{Finished, require_peer, run};
use smtp_tls::Version;
use smtp_tls::cipher::{Release, SecurityLevel, Suite, parse, tls13_suites};

use super::{Answer, grammar, listed, names, offered};

/// `PROPTEST_CASES` asks for more.
#[test]
fn random_strings_mean_what_they_mean_to_the_installed_openssl() {
    let Some(openssl) = OpenSsl::find() else { return };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let question = prop_oneof![
        2 => Just(Question::Listed),
        2 => Just(Question::Offered(None)),
        1 => Just(Question::Offered(Some(Version::Tls12))),
        1 => Just(Question::Offered(Some(Version::Tls13))),
    ];
    let result = TestRunner::new(config).run(&(grammar::string(), question), |(text, question)| {
        let ours = match question {
            Question::Listed => listed(&text, openssl.release),
            Question::Offered(version) => {
                let versions =
                    (version.unwrap_or(Version::Tls12), version.unwrap_or(Version::Tls13));
                offered(&text, openssl.release, openssl.level, versions)
            }
        };
        let theirs = openssl.ask(&text, question);
        prop_assert_eq!(&ours, &theirs, "{}\n{}", names(&ours), names(&theirs));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{}: {error}", openssl.version));
}

#[derive(Clone, Copy, Debug)]
enum Question {
    Listed,
    Offered(Option<Version>),
}

struct OpenSsl {
    program: PathBuf,
    version: String,
    release: Release,
    level: SecurityLevel,
}

impl OpenSsl {
    fn find() -> Option<Self> {
        let program = require_peer("openssl")?;
        let line = |option| said(&program, &["version", option]).stdout.join(" ");
        let version = line("-v");
        let of_3 = version.strip_prefix("OpenSSL 3.").and_then(|rest| rest.split('.').next());
        let Some(Ok(minor)) = of_3.map(str::parse::<u32>) else {
            return another(&format!("{version} is not OpenSSL 3"));
        };
        let release = if minor < 2 { Release::V3_0 } else { Release::V3_2 };
        let flags = line("-f");
        let built = flags.split_once("-DOPENSSL_TLS_SECURITY_LEVEL=").map(|(_, rest)| &rest[..1]);
        let upstream = if minor < 2 { "1" } else { "2" };
        let level = built.unwrap_or(upstream).parse().ok().and_then(SecurityLevel::new).unwrap();

        let openssl = Self { program, version, release, level };
        let mut theirs = openssl.ask("ALL:COMPLEMENTOFALL", Question::Listed).unwrap_or_default();
        let all = parse("ALL:COMPLEMENTOFALL").unwrap().suites;
        let mut ours: Vec<u16> = tls13_suites().iter().chain(all).map(Suite::id).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        if ours != theirs {
            return another(&format!("{} is built with other suites", openssl.version));
        }
        Some(openssl)
    }

    fn ask(&self, text: &str, question: Question) -> Answer {
        let options: &[&str] = match question {
            Question::Listed => &[],
            Question::Offered(None) => &["-s"],
            Question::Offered(Some(Version::Tls12)) => &["-s", "-tls1_2"],
            Question::Offered(Some(Version::Tls13)) => &["-s", "-tls1_3"],
        };
        let arguments = [&["ciphers", "-V"], options, &["--", text]].concat();
        let finished = said(&self.program, &arguments);
        if finished.code == Some(0) {
            return Ok(finished.stdout.iter().map(|line| number(line)).collect());
        }
        let errors = finished.stderr.join("\n");
        let known = ["invalid command", "no cipher match"];
        let error = known.into_iter().find(|known| errors.contains(known));
        Err(error.unwrap_or_else(|| panic!("{text:?}: {errors}")).to_owned())
    }
}

/// Without any configuration of the system.
fn said(program: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(program).args(arguments).env("OPENSSL_CONF", "/dev/null"), b"")
}

/// `0xC0,0x2C - ECDHE-…`
fn number(line: &str) -> u16 {
    let octets = line.split_whitespace().next().unwrap().replace("0x", "").replace(',', "");
    u16::from_str_radix(&octets, 16).unwrap_or_else(|_| panic!("{line}"))
}

fn another<T>(why: &str) -> Option<T> {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let required = std::env::var_os("REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!required, "{test}: {why}, and REQUIRE_PEERS=1");
    eprintln!("skipped: {test}: {why}");
    None
}
