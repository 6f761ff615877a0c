//! Programs as child processes: those of the workspace, and foreign ones.
//!
//! Does: start a program with both outputs collected line by line, wait for a line, signal it,
//! wait for its end; find foreign programs; give folders. Does not: leave a
//! process behind, whatever the test does. Fails: by panicking with what the program said.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use tempfile::TempDir;

pub use crate::port::free_port;

/// How long a program may take for a line or for its end, unless a test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    stdout: Output,
    stderr: Output,
}

impl Program {
    /// Starts a program with arguments and no input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        path: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::spawn(Command::new(path.as_ref()).args(arguments))
    }

    /// Starts a command that is already put together; its input and outputs are set here.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::from_child(command)
    }

    fn from_child(command: &mut Command) -> Self {
        let path = Path::new(command.get_program());
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stdout = Output::collect(child.stdout.take().expect("stdout is piped"));
        let stderr = Output::collect(child.stderr.take().expect("stderr is piped"));
        Self { name, child, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on stderr that begins with `prefix`, and gives the first one, whenever it
    /// came.
    ///
    /// # Panics
    /// When stderr ends without one, or none comes within [`PATIENCE`].
    pub fn wait_for_stderr(&self, prefix: &str) -> String {
        match self.stderr.wait_for(prefix, PATIENCE) {
            Some(line) => line,
            None => self.fail(&format!("said no line {prefix:?} on stderr")),
        }
    }

    /// As [`Program::wait_for_stderr`], on stdout.
    ///
    /// # Panics
    /// When stdout ends without one, or none comes within [`PATIENCE`].
    pub fn wait_for_stdout(&self, prefix: &str) -> String {
        match self.stdout.wait_for(prefix, PATIENCE) {
            Some(line) => line,
            None => self.fail(&format!("said no line {prefix:?} on stdout")),
        }
    }

    /// The lines said on stderr so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// The lines said on stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Kills it at once (SIGKILL), and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name, as `TERM` or `HUP`.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal(&self, signal: &str) {
        // The standard library sends SIGKILL alone.
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.id().to_string())
            .status()
            .expect("kill is a command of every POSIX system");
        assert!(status.success(), "cannot send SIG{signal} to {}", self.name);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.stdout.join();
                    self.stderr.join();
                    return status;
                }
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(None) => self.fail(&format!("still runs after {patience:?}")),
                Err(error) => self.fail(&format!("cannot be waited for: {error}")),
            }
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!(
            "{} {what}\nstdout:\n{}\nstderr:\n{}",
            self.name,
            self.stdout().join("\n"),
            self.stderr().join("\n")
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program that ran to its end left.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output, one string a line.
    pub stdout: Vec<String>,
    /// Its standard error, one string a line.
    pub stderr: Vec<String>,
}

/// Runs a command to its end, with `input` as its standard input.
///
/// # Panics
/// When it cannot be started, or still runs after [`PATIENCE`].
pub fn run(command: &mut Command, input: &[u8]) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::from_child(command);
    let mut stdin = program.child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    // In a thread, as a program that never reads its input must not block the test; and an early
    // end of the program is for the caller to judge, by what it said.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let status = program.wait(PATIENCE);
    let _ = writer.join();
    Finished { code: status.code(), stdout: program.stdout(), stderr: program.stderr() }
}

/// A fresh folder, removed when it is dropped.
///
/// # Panics
/// When it cannot be made.
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new()
        .prefix("hvmail-test-")
        .tempdir()
        .unwrap_or_else(|error| panic!("cannot make a folder: {error}"))
}

/// Finds a program in `PATH` and where systems keep those of an administrator.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Finds a foreign program that a test needs, or says by the test's name that it was skipped.
///
/// ```no_run
/// # use smtp_testkit::process::require_peer;
/// let Some(swaks) = require_peer("swaks") else { return };
/// ```
///
/// # Panics
/// When it is absent and the environment has `REQUIRE_PEERS=1`.
pub fn require_peer(name: &str) -> Option<PathBuf> {
    let found = find_program(name);
    if found.is_none() {
        let required = std::env::var_os("REQUIRE_PEERS").is_some_and(|value| value == "1");
        absent(name, required);
    }
    found
}

fn absent(name: &str, required: bool) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!required, "{test}: no {name}, and REQUIRE_PEERS=1");
    eprintln!("skipped: {test}: no {name}");
}

#[derive(Debug)]
struct Output {
    shared: Arc<(Mutex<Collected>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Collected {
    lines: Vec<String>,
    ended: bool,
}

impl Output {
    fn collect(from: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Collected::default()), Condvar::new()));
        let ours = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let (collected, changed) = &*ours;
            for line in BufReader::new(from).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line);
                let line = line.strip_suffix('\r').unwrap_or(&line).to_owned();
                collected.lock().unwrap_or_else(PoisonError::into_inner).lines.push(line);
                changed.notify_all();
            }
            collected.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            changed.notify_all();
        });
        Self { shared, reader: Some(reader) }
    }

    fn lines(&self) -> Vec<String> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    fn wait_for(&self, prefix: &str, patience: Duration) -> Option<String> {
        let (collected, changed) = &*self.shared;
        let guard = collected.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |collected: &Collected| {
            collected.lines.iter().find(|line| line.starts_with(prefix)).cloned()
        };
        let (guard, _) = changed
            .wait_timeout_while(guard, patience, |collected| {
                !collected.ended && find(collected).is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        find(&guard)
    }

    /// Waits for the last lines of a program that has ended; not for long, as a grandchild may
    /// still hold the pipe.
    fn join(&mut self) {
        let (collected, changed) = &*self.shared;
        let guard = collected.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, Duration::from_secs(2), |collected| !collected.ended)
            .unwrap_or_else(PoisonError::into_inner);
        if guard.ended
            && let Some(reader) = self.reader.take()
        {
            drop(guard);
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_signals_and_the_end() {
        let script = "trap 'echo bye; exit 3' TERM; echo ready >&2; while :; do sleep 0.05; done";
        let mut program = Program::spawn(&mut shell(script));
        assert_eq!(program.wait_for_stderr("rea"), "ready");
        program.signal("TERM");
        assert_eq!(program.wait(PATIENCE).code(), Some(3));
        assert_eq!(program.stdout(), ["bye"]);
    }

    #[test]
    fn a_killed_program_has_no_exit_code() {
        let mut program = Program::spawn(&mut shell("echo up >&2; exec sleep 60"));
        program.wait_for_stderr("up");
        program.kill();
        assert_eq!(program.wait(PATIENCE).code(), None);
    }

    #[test]
    #[should_panic(expected = "said no line \"ready\"")]
    fn a_program_that_ends_without_the_line_fails_the_test_at_once() {
        Program::spawn(&mut shell("echo other >&2")).wait_for_stderr("ready");
    }

    #[test]
    fn input_goes_in_and_both_outputs_come_out() {
        let finished = run(&mut shell("cat; echo done >&2; exit 7"), b"one\ntwo\n");
        assert_eq!(finished.code, Some(7));
        assert_eq!(finished.stdout, ["one", "two"]);
        assert_eq!(finished.stderr, ["done"]);
    }

    #[test]
    fn an_unread_input_blocks_nothing() {
        assert_eq!(run(&mut shell("exit 0"), &vec![b'x'; 1 << 20]).code, Some(0));
    }

    #[test]
    #[should_panic(expected = "no swaks, and REQUIRE_PEERS=1")]
    fn an_absent_peer_that_is_required_fails_its_test() {
        absent("swaks", false);
        absent("swaks", true);
    }

    #[test]
    fn a_program_is_found_or_not() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program").is_none());
    }
}
