//! `update-tmprsadh`: each of the five files is old or new, and never anything else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hvmail_control::Control;
use hvmail_control::source::Directory;
use smtp_testkit::process::{self, Finished, Program, TempDir, find_program, require_peer};

use crate::support::TLS_TOOL;

const FILES: [&str; 5] =
    ["tls.rsa512.pem", "tls.rsa1024.pem", "tls.dh512.pem", "tls.dh1024.pem", "tls.dh2048.pem"];

/// The files that this build can make without a search for a large prime.
const QUICK: &[&str] = if cfg!(feature = "openssl") { &FILES } else { &["tls.dh2048.pem"] };

/// What a run ends with that could do all that this build can.
const DONE: i32 = if cfg!(feature = "openssl") { 0 } else { 69 };

fn command(directory: &Path) -> Command {
    let mut command = Command::new(TLS_TOOL);
    command.arg("update-tmprsadh").arg(directory).arg("--standard-group");
    command
}

fn update(directory: &Path) -> Finished {
    run(&mut command(directory))
}

/// Runs a command to its end. The search for a prime of 1024 bits takes seconds, and now and then
/// many of them.
fn run(command: &mut Command) -> Finished {
    let mut program = Program::spawn(command);
    let status = program.wait(Duration::from_secs(200));
    Finished { code: status.code(), stdout: program.stdout(), stderr: program.stderr() }
}

/// A directory with five files that somebody else made.
fn directory() -> TempDir {
    let directory = process::temp_dir();
    for name in FILES {
        fs::write(directory.path().join(name), old(name)).unwrap();
    }
    directory
}

fn old(name: &str) -> String {
    format!("the old {name}\n")
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

/// Whether the text is one whole section of the kind that this file has.
fn is_whole(name: &str, text: &str) -> bool {
    let label = if name.contains("rsa") { "PRIVATE KEY" } else { "DH PARAMETERS" };
    let sections = smtp_tls::pem_sections(text.as_bytes());
    text.ends_with(&format!("-----END {label}-----\n"))
        && sections.is_ok_and(|sections| sections.len() == 1 && sections[0].label == label)
}

fn root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The command as a user without privileges; `None`, and a word about it, where there is no way to
/// become one.
fn as_nobody(command: &Command) -> Option<Command> {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let Some(setpriv) = find_program("setpriv").filter(|_| root()) else {
        eprintln!("skipped: {test}: not root, or no setpriv");
        return None;
    };
    let mut nobody = Command::new(setpriv);
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    nobody.arg(command.get_program()).args(command.get_args());
    Some(nobody)
}

#[test]
fn the_files_are_what_openssl_and_the_reader_of_control_files_take() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    fs::set_permissions(path("tls.rsa512.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(path("tls.dh2048.pem")).unwrap();
    let finished = update(directory.path());
    assert_eq!(finished.code, Some(DONE), "{finished:?}");
    assert_eq!(names(directory.path()), sorted(FILES));
    for name in FILES {
        let text = read(&directory, name);
        if !QUICK.contains(&name) {
            assert_eq!(text, old(name));
            let said = format!("hvmail-tls: {}: not made: ", path(name).display());
            assert!(finished.stderr.iter().any(|line| line.starts_with(&said)
                && line.ends_with("only OpenSSL makes one, and it is not compiled in")));
            continue;
        }
        assert!(is_whole(name, &text), "{name}: {text}");
        assert_eq!(fs::metadata(path(name)).unwrap().permissions().mode() & 0o7777, 0o600);
        let said = format!("made {}: ", path(name).display());
        assert!(finished.stderr.iter().any(|line| line.starts_with(&said)), "{finished:?}");
    }
    fs::write(path("me"), "mx.example.org\n").unwrap();
    let control = Control::load(&Directory::open(directory.path()).unwrap());
    for name in QUICK {
        let about = |text: &str| text.contains(name) && !text.contains(": note[");
        let said = control.diagnostics.iter().map(|d| d.display(&control.snapshot).to_string());
        let said: Vec<_> = said.filter(|text| about(text) && text.contains(": error[")).collect();
        assert_eq!(said, [] as [String; 0]);
    }
    let Some(openssl) = require_peer("openssl") else { return };
    for name in QUICK {
        let kind = if name.contains("rsa") { "rsa" } else { "dhparam" };
        let checked = process::run(
            Command::new(&openssl).args([kind, "-check", "-noout", "-in"]).arg(path(name)),
            b"",
        );
        assert_eq!(checked.code, Some(0), "{name}: {checked:?}");
    }
}

/// The group of 2048 bits, searched for: it is told that this lasts, and who ends it loses nothing.
#[cfg(feature = "openssl")]
#[test]
fn the_search_for_a_large_group_is_shown_and_can_be_ended() {
    let directory = directory();
    let mut program =
        Program::spawn(Command::new(TLS_TOOL).arg("update-tmprsadh").arg(directory.path()));
    let name = "tls.dh2048.pem";
    let deadline = std::time::Instant::now() + Duration::from_secs(240);
    let found = |what: &str| program.stderr().iter().any(|line| line.contains(what));
    loop {
        assert!(std::time::Instant::now() < deadline, "{:?}", program.stderr());
        if found("making a DH group of 2048 bits: 10 s") {
            program.signal("TERM");
            assert_eq!(program.wait(process::PATIENCE).code(), None);
            let text = read(&directory, name);
            assert!(text == old(name) || is_whole(name, &text));
            break;
        }
        if found("tls.dh2048.pem: DH group") {
            assert!(program.wait(process::PATIENCE).success());
            assert!(is_whole(name, &read(&directory, name)));
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(names(directory.path()), sorted(FILES));
}

#[test]
fn a_kill_at_any_moment_leaves_each_file_old_or_new() {
    let directory = directory();
    let mut before: Vec<_> = FILES.map(|name| read(&directory, name)).into();
    let (mut replaced, mut step) = (0, Duration::from_micros(500));
    // From the start of the program on, in steps; in longer ones where the host is slow.
    for round in 0..600 {
        if round >= 60 && replaced > 0 {
            break;
        }
        if round % 60 == 0 && round > 0 {
            step *= 2;
        }
        let mut program = Program::spawn(&mut command(directory.path()));
        std::thread::sleep(step * (round % 60));
        program.kill();
        for (name, before) in FILES.iter().zip(&mut before) {
            let now = read(&directory, name);
            assert!(now == *before || is_whole(name, &now), "round {round}: {name}: {now}");
            replaced += usize::from(now != *before);
            *before = now;
        }
    }
    assert!(replaced > 0, "every run was killed before it did anything");
    // What was left half done keeps nobody from it, and is removed when it is old enough.
    let left: Vec<_> = names(directory.path())
        .into_iter()
        .filter(|name| !FILES.contains(&name.as_str()))
        .collect();
    let abandoned = format!(".{}.1-0.new", QUICK[0]);
    for name in left.iter().chain([&abandoned]) {
        let file = fs::File::create(directory.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(7200)).unwrap();
    }
    let finished = update(directory.path());
    assert_eq!(finished.code, Some(DONE), "{finished:?}");
    let said = format!("removed {}", directory.path().join(&abandoned).display());
    assert!(finished.stderr.iter().any(|line| line.starts_with(&said)), "{finished:?}");
    assert_eq!(names(directory.path()), sorted(FILES));
}

/// Killed before each step in turn that changes something on the disk.
#[test]
fn a_kill_before_any_step_leaves_each_file_old_or_new() {
    let Some(strace) = require_peer("strace") else { return };
    let directory = directory();
    for (call, times) in [("write", 3), ("fchmod", 2), ("fsync", 4), ("rename", 1), ("unlink", 2)] {
        for time in 1..=times {
            let mut traced = Command::new(&strace);
            traced.args(["-f", "-o", "/dev/null", "-e"]);
            traced.arg(format!("inject={call}:signal=KILL:when={time}"));
            let update = command(directory.path());
            let finished = run(traced.arg(update.get_program()).args(update.get_args()));
            assert_eq!(finished.code, None, "{call} {time}: {finished:?}");
            for name in FILES {
                let now = read(&directory, name);
                assert!(now == old(name) || is_whole(name, &now), "{call} {time}: {name}: {now}");
            }
        }
    }
}

#[test]
fn runs_at_the_same_time_leave_whole_files_and_no_others() {
    let directory = directory();
    let mut programs: Vec<_> =
        (0..3).map(|_| Program::spawn(&mut command(directory.path()))).collect();
    for program in &mut programs {
        let code = program.wait(Duration::from_secs(200)).code();
        assert_eq!(code, Some(DONE), "{:?}", program.stderr());
    }
    for name in QUICK {
        assert!(is_whole(name, &read(&directory, name)));
    }
    assert_eq!(names(directory.path()), sorted(FILES));
}

#[test]
fn the_owner_is_the_one_that_was_or_the_one_that_is_given() {
    if !root() {
        eprintln!("skipped: only root gives files away");
        return;
    }
    let directory = directory();
    let owner = |name: &str| {
        let metadata = fs::metadata(directory.path().join(name)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    chown(directory.path().join("tls.dh2048.pem"), Some(1234), Some(5678)).unwrap();
    assert_eq!(update(directory.path()).code, Some(DONE));
    assert_eq!(owner("tls.dh2048.pem"), (1234, 5678, 0o600));

    let given = run(command(directory.path()).args(["--owner", "root:4321"]));
    assert_eq!(given.code, Some(DONE), "{given:?}");
    for name in QUICK {
        assert_eq!(owner(name), (0, 4321, 0o600));
    }
}

#[test]
fn without_the_privilege_to_keep_the_owner_nothing_is_changed() {
    let directory = directory();
    let Some(mut update) = as_nobody(&command(directory.path())) else { return };
    // The directory is nobody's, and the files are root's.
    chown(directory.path(), Some(65534), Some(65534)).unwrap();
    let finished = process::run(&mut update, b"");
    assert_eq!(finished.code, Some(75), "{finished:?}");
    for name in FILES {
        assert_eq!(read(&directory, name), old(name));
        let path = directory.path().join(name);
        let said = format!(
            "hvmail-tls: {}: cannot give the file to its owner: only a privileged process may give a \
             file to 0:0",
            path.display()
        );
        assert!(finished.stderr.contains(&said), "{finished:?}");
    }
    assert_eq!(names(directory.path()), sorted(FILES));
}

#[test]
fn a_directory_that_cannot_be_written_to_is_told_before_the_long_work() {
    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // With a search for a large prime, which would be told of.
    let mut searching = Command::new(TLS_TOOL);
    searching.arg("update-tmprsadh").arg(directory.path());
    let Some(mut update) = as_nobody(&searching) else { return };
    let finished = run(&mut update);
    assert_eq!(finished.code, Some(75), "{finished:?}");
    for name in FILES {
        assert_eq!(read(&directory, name), old(name));
        let said =
            format!("{}: cannot make a temporary file: ", directory.path().join(name).display());
        assert!(finished.stderr.iter().any(|line| line.contains(&said)), "{finished:?}");
    }
    assert!(!finished.stderr.iter().any(|line| line.starts_with("making")), "{finished:?}");
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let Some(unshare) = find_program("unshare") else {
        eprintln!("skipped: no unshare");
        return;
    };
    let directory = directory();
    let mount = directory.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let private = |script: &str, size: &str| {
        let mut command = Command::new(&unshare);
        command.args(["--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
        command.arg(&mount).arg(directory.path()).arg(format!("size={size}"));
        command
    };
    let mounted = "mount -t tmpfs -o \"$3\" tmpfs \"$1\"";
    let tried = process::run(&mut private(mounted, "64k"), b"");
    if tried.code != Some(0) {
        eprintln!("skipped: cannot mount: {}", tried.stderr.join(" "));
        return;
    }
    // A page for each of the five old files, and none for a new one.
    let script = format!(
        "{mounted}; cp \"$2\"/tls.* \"$1\"; shift 3; set +e; \"$@\"; echo code $?; cd {}; ls -A; cat *",
        mount.display()
    );
    for (size, code, failed) in [("20k", 75, 5), ("24k", DONE, 5 - QUICK.len())] {
        let update = command(&mount);
        let mut filled = private(&script, size);
        let finished = run(filled.arg(update.get_program()).args(update.get_args()));
        let said = finished.stderr.iter().filter(|line| line.starts_with("hvmail-tls: ")).count();
        assert_eq!(said, failed, "{finished:?}");
        let mut expected = vec![format!("code {code}")];
        expected.extend(sorted(FILES));
        assert!(finished.stdout.starts_with(&expected), "{finished:?}");
        if code == 75 {
            expected.extend(sorted(FILES).iter().map(|name| old(name).trim_end().to_owned()));
            assert_eq!(finished.stdout, expected);
            assert!(finished.stderr.iter().all(|line| line.contains(": cannot write: ")));
        }
    }
}

#[test]
fn a_link_is_replaced_and_what_it_names_is_left_alone() {
    let directory = directory();
    let outside = process::temp_dir();
    let precious = outside.path().join("passwd");
    fs::write(&precious, "precious\n").unwrap();
    let linked: Vec<PathBuf> =
        ["tls.dh2048.pem", QUICK[0]].iter().map(|name| directory.path().join(name)).collect();
    for (link, target) in linked.iter().zip([&precious, &outside.path().join("nowhere")]) {
        fs::remove_file(link).unwrap();
        symlink(target, link).unwrap();
    }
    let finished = update(directory.path());
    assert_eq!(finished.code, Some(DONE), "{finished:?}");
    assert!(linked.iter().all(|link| link.symlink_metadata().unwrap().is_file()));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
    assert_eq!(names(outside.path()), ["passwd"]);
    let said =
        format!("was a link to {}, which is as it was", outside.path().join("nowhere").display());
    assert!(finished.stderr.iter().any(|line| line.ends_with(&said)), "{finished:?}");
}

#[test]
fn one_file_that_cannot_be_replaced_keeps_none_of_the_others_from_it() {
    let directory = directory();
    let taken = directory.path().join("tls.rsa512.pem");
    fs::remove_file(&taken).unwrap();
    fs::create_dir(&taken).unwrap();
    let finished = update(directory.path());
    assert_eq!(finished.code, Some(75), "{finished:?}");
    let said = format!("hvmail-tls: {}: cannot look at the file: it is neither", taken.display());
    assert!(finished.stderr.iter().any(|line| line.starts_with(&said)), "{finished:?}");
    assert!(taken.is_dir());
    for name in QUICK.iter().filter(|name| **name != "tls.rsa512.pem") {
        assert!(is_whole(name, &read(&directory, name)));
    }
    assert_eq!(names(directory.path()), sorted(FILES));
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_and_no_directory_is_bad_configuration() {
    let directory = directory();
    for owner in ["", "root", "root:", "nosuchuser:root", "0:-1"] {
        let finished = run(command(directory.path()).args(["--owner", owner]));
        assert_eq!(finished.code, Some(64), "{owner:?}: {finished:?}");
    }
    let no_directory = [directory.path().join("absent"), directory.path().join("tls.dh512.pem")];
    for path in no_directory {
        let finished = update(&path);
        assert_eq!(finished.code, Some(78), "{finished:?}");
        assert!(finished.stderr[0].contains(&path.display().to_string()), "{finished:?}");
    }
    assert!(FILES.iter().all(|name| read(&directory, name) == old(name)));
}
