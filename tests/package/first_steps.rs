//! From nothing to a mail server that refuses: `docs/first-steps.md` is what this says and sees.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{Machine, Process, Random, add_address, sealed, temp_dir, wait_until};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-steps.md");
/// In the environment: the page is written, not compared.
const REGENERATE: &str = "DNSBLD_WRITE_GOLDEN";

/// Where the publisher of the list is, and its name.
const PUBLISHER: ([u8; 4], &str) = ([198, 51, 100, 10], "psbl-mirror.surriel.com");
/// Two senders that are listed, the second of which is a customer.
const SENDERS: [[u8; 4]; 2] = [[203, 0, 113, 7], [203, 0, 113, 8]];
/// So many addresses are listed.
const LISTED: usize = 20_000;

const INIT: &str = "dnsbld init --feed psbl --allow white.example:ip4trie:white.example --resolver unbound --mta postfix";

#[test]
fn a_mail_server_refuses_listed_senders_after_less_than_a_minute() {
    let Some(package) = Machine::package() else { return };
    sealed(|| {
        let (publisher, name) = PUBLISHER;
        for address in SENDERS.iter().chain([&publisher]) {
            add_address(*address);
        }
        let feeds = temp_dir();
        let _publisher = publish(feeds.path(), publisher);
        let machine = Machine::boot("mail");
        machine.bring(&package);
        machine.must(&format!("echo '{} {name}' >> /etc/hosts", Ipv4Addr::from(publisher)));
        let started = Instant::now();
        let mut page = Page { machine: &machine, text: String::new() };

        page.say(
            "# First steps\n\nFrom the package file to a Postfix that refuses mail from listed senders. The machine runs \
             Debian, Postfix and\nunbound, and its `/etc/resolv.conf` names unbound (`nameserver 127.0.0.1`). \
             `scripts/package` makes the package file\nfrom the sources. A test runs every command of this page on \
             such a machine, in less than a minute, and compares\nwhat it prints.",
        );
        page.say("## Install it\n\nNothing is started yet.");
        page.run("apt-get install -qq ./dnsbld_*.deb");
        page.say(
            "## Set it up\n\n`psbl` is a public list, which is mirrored; `white.example` is a list of your own \
             exceptions.\nWithout options, `dnsbld init` asks ([doctor.md](doctor.md)).",
        );
        let next = page.run(INIT);
        page.say("These are the commands that it names, one after the other.");
        let (_, next) = next.split_once("next:\n").expect("it names them");
        let (doctor, next) = next.trim_end().rsplit_once('\n').map(|(a, b)| (b, a)).expect("lines");
        for command in next.lines() {
            page.run(command.trim());
        }
        assert_eq!(doctor.trim(), "dnsbld doctor");
        let said = page.run("dnsbld doctor");
        assert!(said.contains("no fault found"), "{said}");

        page.say("## Let a customer in\n\n203.0.113.8 is listed, and one of yours. It gets in, before it was ever refused.");
        page.run("dnsbld allow add 203.0.113.8 --reason 'a customer'");
        page.say(
            "## See it refuse\n\nThe first sender is listed, the second one is listed and let in.",
        );
        let [refused, taken] = SENDERS.map(|sender| {
            let sender = Ipv4Addr::from(sender);
            page.mail(&format!(
                "swaks --server 127.0.0.1 --local-interface {sender} --helo client.example --from joe@client.example \
                 --to root@mail.example --quit-after RCPT"
            ))
        });
        assert!(
            refused.contains("554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked"),
            "{refused}"
        );
        assert!(taken.contains("250 2.1.5 Ok"), "{taken}");

        page.say("## Ask why\n\nThe exit code of `dnsbld check` is 1 for an address that is listed ([check.md](check.md)).");
        let why = page.run_with("dnsbld check 203.0.113.7", 1);
        assert!(why.contains("psbl.surriel.com: listed (in psbl)"), "{why}");
        let why = page.run("dnsbld check 203.0.113.8");
        assert!(why.contains("not listed, because the allow list own-white has it"), "{why}");

        page.say("## See how it is");
        page.run("dnsbld status");
        page.say(
            "`man dnsbld` has all commands, `man dnsbld.toml` all settings. From here:\n\n\
             - a blocklist of your own: [own-entries.md](own-entries.md)\n\
             - more public lists: [feeds.md](feeds.md)\n\
             - other mail servers and resolvers: [mail-server.md](mail-server.md)\n\
             - how to watch it: [metrics.md](metrics.md)",
        );
        let took = started.elapsed();
        assert!(took < Duration::from_secs(60), "{took:?}");
        page.compare();
    });
}

/// Offers a list of many addresses, and the senders, by rsync.
fn publish(folder: &Path, address: [u8; 4]) -> Process {
    let mut random = Random::new(7);
    let mut listed = BTreeSet::from(SENDERS);
    while listed.len() < LISTED {
        let [.., b, c, d] = random.next().to_be_bytes();
        listed.insert([100, 64 | b & 63, c, d]);
    }
    let line = |address: &[u8; 4]| format!("{}\n", Ipv4Addr::from(*address));
    fs::write(folder.join("psbl.txt"), listed.iter().map(line).collect::<String>())
        .expect("our folder");
    let address = SocketAddr::from((address, 873));
    let config = format!(
        "address = {}\nport = {}\nuse chroot = no\nreverse lookup = no\nuid = 0\ngid = 0\n[psbl]\npath = {}\nread only = yes\n",
        address.ip(),
        address.port(),
        folder.display()
    );
    fs::write(folder.join("rsyncd.conf"), config).expect("our folder");
    let mut command = Command::new("rsync");
    command.args(["--daemon", "--no-detach", "--config"]).arg(folder.join("rsyncd.conf"));
    let publisher = Process::start(&mut command, &folder.join("log"));
    assert!(wait_until(Duration::from_secs(10), || TcpStream::connect(address).is_ok()));
    publisher
}

/// The page, as it grows with what is done.
struct Page<'a> {
    machine: &'a Machine,
    text: String,
}

impl Page<'_> {
    fn say(&mut self, text: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}{text}");
    }

    /// Runs a command that must succeed, and shows it and what it prints.
    fn run(&mut self, command: &str) -> String {
        self.run_with(command, 0)
    }

    fn run_with(&mut self, command: &str, code: i32) -> String {
        let said = self.machine.run(command);
        assert_eq!(said.code, code, "{command}: {said:?}");
        let text = said.out + &said.err;
        self.show(command, &text);
        text
    }

    /// Shows what a mail server says, which is at the end of the dialogue.
    fn mail(&mut self, command: &str) -> String {
        let text = self.machine.run(command).out;
        let at = text.find(" -> MAIL FROM").expect("it greets");
        self.show(command, &text[at..]);
        text
    }

    fn show(&mut self, command: &str, said: &str) {
        let is_shown = |line: &&str| !line.starts_with("debconf: ");
        // dpkg writes over how far it is.
        let last = |line: &str| {
            line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned()
        };
        let said: Vec<String> = said.lines().filter(is_shown).map(last).collect();
        let _ = write!(self.text, "\n```\n# {command}\n");
        for line in said {
            let _ = writeln!(self.text, "{line}");
        }
        self.text.push_str("```\n");
    }

    /// Writes it, or compares it with the one that is there.
    fn compare(&self) {
        if std::env::var_os(REGENERATE).is_some() {
            fs::write(PAGE, &self.text).expect("the checkout can be written");
        }
        // Two lists that are loaded side by side are ready in either order.
        let lines = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(steady).collect();
            lines.sort();
            lines
        };
        let page = fs::read_to_string(PAGE).expect("the page");
        assert_eq!(lines(&self.text), lines(&page), "{REGENERATE}=1 writes {PAGE}");
    }
}

/// A line without what no two runs have in common: times, durations, sizes, process ids, widths of columns.
fn steady(line: &str) -> String {
    let units = ["ms", "s", "min", "h", "B", "KiB", "MiB"];
    let word = |word: &str| {
        let bare = word.trim_matches([',', '(', ')', ';']);
        let is_time = bare.get(4..5) == Some("-") && bare.get(7..8) == Some("-");
        match bare.parse::<f64>() {
            Ok(_) => "N".to_owned(),
            Err(_) if is_time => "TIME".to_owned(),
            Err(_) if units.contains(&bare) => "UNIT".to_owned(),
            Err(_) => word.to_owned(),
        }
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn only_what_may_differ_is_left_out() {
    assert_eq!(steady("up 4 s, with (10686 files)"), steady("up 12 ms with 7 files)"));
    assert_eq!(steady("made 2026-11-30T15:39:44Z,"), steady("made 2027-01-01T00:00:00Z"));
    assert_ne!(steady("203.0.113.7: listed"), steady("203.0.113.8: listed"));
    assert_ne!(steady("zone ok"), steady("zone see below"));
}
