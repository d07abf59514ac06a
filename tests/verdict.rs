//! Verdict zones on the real server, and in front of mail servers that know one list at a time.

use crate::common::postfix::{MAIL, Postfix, mail};
use crate::common::{Daemon, Exim, Setup, Unbound, dig, is_root, sealed, skip, wait_until};
use std::fs;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// In a strong list and a weak one, in a weak one, in all and the allow list, in none.
const STRONG: [u8; 4] = [198, 51, 100, 7];
const WEAK: [u8; 4] = [198, 51, 100, 8];
const ALLOWED: [u8; 4] = [198, 51, 100, 9];
const UNLISTED: [u8; 4] = [198, 51, 100, 10];

const LISTS: &str = "
[[dataset]]
name = 'uceprotect-1'
type = 'ip4set'
files = ['strong']

[[dataset]]
name = 'psbl'
type = 'ip4tset'
files = ['middle']

[[dataset]]
name = 'apews-l2'
type = 'ip4set'
files = ['weak']
ttl = '10m'

[[dataset]]
name = 'own-white'
type = 'ip4set'
files = ['white']
own = true
";

fn zone(sum: &str, at: &str) -> String {
    format!("{LISTS}\n[[zone]]\nname = 'all.bl.example'\nsum = {{ {sum} }}\nat = {{ {at} }}\n")
}

const SUM: &str = "uceprotect-1 = 5, psbl = 5, apews-l2 = 2, own-white = -10";
const AT: &str = "2 = '127.0.0.2', 5 = '127.0.0.5', 10 = '127.0.0.10'";

fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("strong", ":2:listed by uceprotect, $\n198.51.100.7\n198.51.100.9\n127.0.0.2\n");
    setup.write("middle", ":2:\n198.51.100.7\n198.51.100.9\n127.0.0.2\n");
    setup.write("weak", ":2:a bad network\n198.51.100.0/29\n198.51.100.8/31\n127.0.0.2\n");
    setup.write("white", "198.51.100.9 :2:a friend\n");
    setup.configure("", &zone(SUM, AT));
    setup
}

/// What the zone says of an address of 198.51.100.0/24.
fn told(daemon: &Daemon, last: u8) -> (Vec<String>, Vec<String>) {
    let ask =
        |rtype| dig(daemon.addr(), &format!("{last}.100.51.198.all.bl.example {rtype}")).data();
    (ask("A"), ask("TXT"))
}

/// What a command says, with its exit code.
fn run(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
    let output = command.args(arguments).output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_sum_is_served_and_new_weights_need_no_new_data() {
    let daemon = setup().start();
    let reasons = "\"psbl +5; uceprotect-1 +5: listed by uceprotect, 198.51.100.7; apews-l2 +2: a bad network\"";
    assert_eq!(told(&daemon, 7), (vec!["127.0.0.10".into()], vec![reasons.into()]));
    assert_eq!(
        told(&daemon, 8),
        (vec!["127.0.0.2".into()], vec!["\"apews-l2 +2: a bad network\"".into()])
    );
    // The least TTL of those that have it.
    let answer = dig(daemon.addr(), "7.100.51.198.all.bl.example A");
    assert_eq!(answer.ttl("ANSWER"), Some(600), "{}", answer.0);
    assert_eq!(told(&daemon, 10), (vec![], vec![]));
    assert_eq!(told(&daemon, 9).0, ["127.0.0.2"], "12 - 10");
    let (_, text) = run(&daemon, &["check", "--config", "dnsbld.toml", "198.51.100.9"]);
    assert!(
        text.contains(
            "  sum  2, listed from 2 on: psbl +5, uceprotect-1 +5, apews-l2 +2, own-white -10"
        ),
        "{text}"
    );
    assert_eq!(dig(daemon.addr(), "2.0.0.127.all.bl.example A").data(), ["127.0.0.10"]);
    assert!(dig(daemon.addr(), "1.0.0.127.all.bl.example A").is("NXDOMAIN"));
    assert_eq!(dig(daemon.addr(), "_health.all.bl.example A").data(), ["127.0.0.2"]);
    // Another weight is another content, of the same data.
    let serial = daemon.serial("all.bl.example");
    let loads = daemon.log_lines(&["dataset"]).len();
    daemon.configure("", &zone(&SUM.replace("-10", "-20"), AT));
    daemon.reload();
    assert_eq!(told(&daemon, 9), (vec![], vec![]));
    assert!(daemon.serial("all.bl.example") > serial);
    assert_eq!(daemon.log_lines(&["dataset"]).len(), loads, "{}", daemon.log());
    let (code, text) = run(&daemon, &["check", "--config", "dnsbld.toml", "198.51.100.9"]);
    assert!(text.contains("all.bl.example: not listed") && text.contains("sum  -8,"), "{text}");
    assert_eq!(code, Some(0), "{text}");
    let (_, status) = run(&daemon, &["status", "--config", "dnsbld.toml"]);
    assert!(status.contains("all.bl.example"), "{status}");
    // A list that is away is in no sum, and what it may list is not denied.
    daemon.configure(
        "",
        &zone(&SUM.replace("psbl = 5", "psbl = 5, gone = 5"), AT).replace(
            "[[zone]]",
            "[[dataset]]\nname = 'gone'\ntype = 'ip4set'\nfiles = ['gone']\n[[zone]]",
        ),
    );
    daemon.reload();
    assert_eq!(told(&daemon, 7).0, ["127.0.0.10"]);
    assert!(dig(daemon.addr(), "10.100.51.198.all.bl.example A").is("SERVFAIL"));
    assert!(dig(daemon.addr(), "_ready.all.bl.example A").is("NXDOMAIN"));
    daemon.write("gone", "198.51.100.10 :2:now\n");
    assert!(wait_until(SOON, || told(&daemon, 10).1 == ["\"gone +5: now\""]));
}

#[test]
fn commands_know_verdict_zones() {
    let setup = setup();
    let (code, text) = run(&setup, &["check", "--config", "dnsbld.toml", "198.51.100.7"]);
    assert!(
        text.contains("A    127.0.0.10") && text.contains("sum  12, listed from 2 on"),
        "{text}"
    );
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = run(&setup, &["check", "--config", "dnsbld.toml", "198.51.100.0/24"]);
    assert!(text.contains("10 of 256 addresses") && text.contains("before it 127.0.0.2"), "{text}");
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = run(&setup, &["check-config", "dnsbld.toml"]);
    assert!(text.contains("all.bl.example: psbl uceprotect-1 apews-l2, allow own-white"), "{text}");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&setup, &["dump", "--config", "dnsbld.toml", "all.bl.example"]);
    assert!(text.contains("cannot dump zone all.bl.example: it is a verdict zone"), "{text}");
    assert_eq!(code, Some(1), "{text}");
    setup.configure("", &zone("psbl = 4, own-white = -10", "5 = '127.0.0.5'"));
    let (code, text) = run(&setup, &["check-config", "dnsbld.toml"]);
    assert!(text.contains("no key can reach 5: the weights make 4 at the most"), "{text}");
    assert_eq!(code, Some(78), "{text}");
}

/// The server, and the resolver that mail servers ask.
fn serve() -> (Daemon, Unbound) {
    let daemon = setup().start();
    let unbound = Unbound::start(&format!(
        "do-not-query-localhost: no\n domain-insecure: all.bl.example\nstub-zone:\n name: all.bl.example\n \
         stub-addr: 127.0.0.1@{}\n",
        daemon.addr().port()
    ));
    (daemon, unbound)
}

/// The lines of docs/verdict-zones.md for a program.
fn documented(program: &str) -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verdict-zones.md"));
    let text = text.expect("it is there");
    let (_, rest) = text.split_once(&format!("```{program}\n")).expect("it has such lines");
    rest.split_once("```").expect("they end").0.to_owned()
}

#[test]
fn postfix_refuses_by_the_sum_and_says_the_reasons() {
    if !is_root() {
        return skip("Postfix changes its user, which only root may");
    }
    sealed(|| {
        let _servers = serve();
        let _postfix = Postfix::start(&documented("postfix"));
        let refused = mail(MAIL, STRONG, "joe@clean.example");
        assert_eq!(
            refused,
            "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using all.bl.example; psbl +5; \
             uceprotect-1 +5: listed by uceprotect, 198.51.100.7; apews-l2 +2: a bad network"
        );
        for client in [WEAK, ALLOWED, UNLISTED] {
            let reply = mail(MAIL, client, "joe@clean.example");
            assert!(reply.starts_with("250 2.1.5 "), "{client:?}: {reply}");
        }
    });
}

#[test]
fn exim_refuses_by_the_sum_and_says_the_reasons() {
    if !is_root() {
        return skip("Exim changes its user, which only root may");
    }
    sealed(|| {
        let _servers = serve();
        let exim = Exim::new(&documented("exim"));
        let refused = exim.reply(STRONG, "joe@clean.example");
        // Exim breaks long lines.
        let words = refused.replace("\r\n550 ", " ").replacen("550-", "550 ", 1);
        let reasons = "550 blocked using all.bl.example; psbl +5; uceprotect-1 +5: listed by uceprotect, \
                       198.51.100.7; apews-l2 +2: a bad network\r\n";
        assert!(words.starts_with(reasons), "{refused}");
        for client in [WEAK, ALLOWED, UNLISTED] {
            let reply = exim.reply(client, "joe@clean.example");
            assert!(reply.starts_with("250 "), "{client:?}: {reply}");
        }
    });
}
