//! The directory is replaced while it is read: it is taken as the one or as the other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use smtp_testkit::peer::Peer;
use smtp_testkit::process::{PATIENCE, Program, require_peer};

use super::{REFUSED, TAKEN, outcomes, reload_is_taken, said};
use crate::support::Host;

/// How long it goes on, and how often at least.
const TIME: Duration = Duration::from_secs(4);
const TIMES: usize = 100;

/// What each of the two directories says: its name, its limit in octets and the domain it takes mail for.
const ONES: [(&str, u32, &str); 2] =
    [("a.example.org", 1_111_111, "a.example"), ("b.example.org", 2_222_222, "b.example")];

/// Makes the other directory, each with its own values, in files that are read early and late.
fn two_directories(host: &Host) -> [std::path::PathBuf; 2] {
    let live = host.control();
    let ones = ["one", "two"].map(|name| live.with_file_name(name));
    for (folder, (me, limit, domain)) in ones.iter().zip(ONES) {
        fs::create_dir(folder).unwrap();
        for entry in fs::read_dir(&live).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        fs::write(folder.join("me"), format!("{me}\n")).unwrap();
        fs::write(folder.join("databytes"), format!("{limit}\n")).unwrap();
        fs::write(folder.join("smtp.tcp"), ":allow\n").unwrap();
        // A list that takes a while, so that some of the changes come in the middle.
        let mut domains: String = (0..3000).map(|n| format!("d{n}.{domain}\n")).collect();
        domains.push_str(domain);
        domains.push('\n');
        fs::write(folder.join("rcpthosts"), domains).unwrap();
    }
    ones
}

fn point_at(link: &Path, to: &Path) {
    let new = link.with_extension("new");
    symlink(to, &new).unwrap();
    fs::rename(new, link).unwrap();
}

/// Which of the two a connection has: by its banner, by SIZE and by its recipients.
fn served(port: u16) -> [usize; 3] {
    let which = |found: [bool; 2]| {
        assert_ne!(found[0], found[1]);
        usize::from(found[1])
    };
    let mut peer = Peer::connect(("127.0.0.1", port));
    let banner = peer.expect("220 ");
    let me = which(ONES.map(|(me, ..)| banner.contains(me)));
    let offered = peer.ask("EHLO client.example.net", "250").join("\n");
    let size = which(ONES.map(|(_, limit, _)| offered.contains(&format!("SIZE {limit}"))));
    peer.ask("MAIL FROM:<>", "250");
    let taken = ONES.map(|(_, _, domain)| {
        peer.line(&format!("RCPT TO:<u@{domain}>"));
        let reply = peer.read_line().unwrap();
        reply.starts_with(b"250")
    });
    [me, size, which(taken)]
}

/// Replaces the directory for a while, each time with a signal, and asks in between.
fn is_never_mixed(host: &Host, program: &Program, mut replace: impl FnMut(usize)) {
    let since = Instant::now();
    let mut times = 0;
    while since.elapsed() < TIME || times < TIMES {
        times += 1;
        program.signal("HUP");
        // Each time a little later in the reading.
        sleep(Duration::from_micros(times as u64 * 137 % 20_000));
        replace(times);
        let [me, size, recipients] = served(host.starttls);
        assert!(me == size && me == recipients, "{me} {size} {recipients} after {times}");
    }
    let settled = Instant::now();
    let last = loop {
        let before = outcomes(program).len();
        sleep(Duration::from_millis(500));
        if outcomes(program).len() == before {
            break before;
        }
        assert!(settled.elapsed() < PATIENCE);
    };
    reload_is_taken(program);
    assert_eq!(served(host.starttls), [times % 2; 3], "the one that is there at last");
    for refused in said(program, REFUSED) {
        assert_eq!(refused, "reload refused: the directory keeps changing while it is read");
    }
    assert!(last > 0 && said(program, TAKEN).len() > 1, "{times}, {last}");
    assert!(!program.stderr().iter().any(|line| line.contains(": error[")));
}

#[test]
fn a_link_to_the_directory_is_changed() {
    let host = Host::new();
    let ones = two_directories(&host);
    fs::rename(host.control(), host.control().with_file_name("unused")).unwrap();
    point_at(&host.control(), &ones[0]);
    let program = host.serve(&["--tls", crate::support::BACKENDS[0]]);
    is_never_mixed(&host, &program, |times| point_at(&host.control(), &ones[times % 2]));
}

/// There is none for a moment, and then the other.
#[test]
fn the_directory_is_moved_away_and_another_into_its_place() {
    let host = Host::new();
    let live = host.control();
    let [one, two] = two_directories(&host);
    fs::rename(&live, live.with_file_name("unused")).unwrap();
    fs::rename(&one, &live).unwrap();
    let program = host.serve(&["--tls", crate::support::BACKENDS[0]]);
    is_never_mixed(&host, &program, |_| {
        fs::rename(&live, &one).unwrap();
        fs::rename(&two, &live).unwrap();
        fs::rename(&one, &two).unwrap();
    });
}

/// Changes `me` whenever `rcpthosts` is about to be read: its opening waits for that. Where it is read
/// already, `me` is changed until it no longer is.
const RESTLESS: &str = "import fcntl, os, signal, sys
control = sys.argv[1]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
file = os.open(control + '/rcpthosts', os.O_RDWR)
count = 0
def change():
    global count
    count += 1
    with open(control + '/../me.new', 'w') as new:
        new.write(f'mx{count}.example.org\\n')
    os.rename(control + '/../me.new', control + '/me')
while True:
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        change()
        continue
    except OSError as error:
        print('cannot', error, flush=True)
        break
    if count == 0:
        print('can', flush=True)
    signal.sigwait({signal.SIGIO})
    change()
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";

/// One that is never at rest is not served in the end: a start says so, and can be tried again.
#[test]
fn a_directory_that_keeps_changing_is_not_served() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let mut command = Command::new(python);
    let restless = Program::spawn(command.args(["-c", RESTLESS]).arg(host.control()));
    let said = restless.wait_for_stdout("can");
    if said != "can" {
        eprintln!("skipped: no lease on a control file: {said}");
        return;
    }
    let mut program = host.start(&[]);
    assert_eq!(program.wait(PATIENCE).code(), Some(75));
    let said = program.stderr();
    assert!(said.iter().any(|line| line.contains("keeps changing while it is read")), "{said:#?}");
}
