//! `dnsbld init`, from nothing to a mail server that refuses, with its files as they are; and the doctor's word on
//! answers that somebody still holds.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::postfix::{MAIL, Postfix, mail};
use crate::common::{
    Ended, Server, Unbound, dig, ended, is_root, names_in, sealed, skip, temp_dir, wait_until,
};

fn dnsbld(arguments: &str, folder: &Path) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    let arguments = arguments.replace("DIR", folder.to_str().expect("ASCII"));
    command.args(arguments.split_whitespace()).env_remove("RUNTIME_DIRECTORY");
    ended(command)
}

const OWN: &str = "--zone bl.example:ip4set:bl --allow white.example:ip4trie:white";

#[test]
fn it_writes_files_that_fit_together_and_says_what_comes_next() {
    sealed(|| {
        let folder = temp_dir();
        let line = format!("init --yes --dir DIR {OWN} --feed psbl --resolver bind --mta exim");
        let said = dnsbld(&line, folder.path());
        assert_eq!(said.code, 0, "{said:?}");
        let dir = folder.path().display();
        assert_eq!(
            said.out,
            format!(
                "made    {dir}/bl (bl.example, for entries of your own)\n\
                 made    {dir}/white (white.example, for entries of your own)\n\
                 wrote   {dir}/dnsbld.toml\n\
                 wrote   {dir}/bind.conf\n\
                 wrote   {dir}/exim.acl\n\
                 listens 127.0.0.1:5300, [::1]:5300 (once it is started)\n\n\
                 next:\n    \
                 dnsbld sync --config {dir}/dnsbld.toml\n    \
                 dnsbld check-config {dir}/dnsbld.toml\n    \
                 dnsbld serve --config {dir}/dnsbld.toml\n    \
                 cat {dir}/bind.conf >> /etc/bind/named.conf.local && named-checkconf && systemctl reload named\n    \
                 add {dir}/exim.acl to the ACL of acl_smtp_rcpt, after what lets your own clients in; \
                 systemctl reload exim4\n    \
                 dnsbld doctor --config {dir}/dnsbld.toml\n"
            )
        );
        let files = ["bind.conf", "bl", "dnsbld.toml", "exim.acl", "state", "white"];
        assert_eq!(names_in(folder.path()), files);

        // Nothing is overwritten, but what is asked for; lists are not.
        fs::write(folder.path().join("bl"), "192.0.2.1\n").expect("our folder");
        let again = dnsbld(&line, folder.path());
        assert_eq!(again.code, 1);
        assert!(
            again.err.contains("dnsbld.toml is there already; --force overwrites it"),
            "{again:?}"
        );
        assert_eq!(dnsbld(&format!("{line} --force"), folder.path()).code, 0);
        assert_eq!(fs::read_to_string(folder.path().join("bl")).unwrap(), "192.0.2.1\n");
    });
}

/// The package has it as `/etc/dnsbld/dnsbld.toml`.
#[test]
fn an_untouched_starter_configuration_makes_way() {
    sealed(|| {
        let folder = temp_dir();
        let config = folder.path().join("dnsbld.toml");
        let starter = include_str!("../deploy/dnsbld.toml");
        let line = format!("init --yes --dir DIR {OWN}");
        fs::write(&config, format!("{starter}\n# mine\n")).expect("our folder");
        assert_eq!(dnsbld(&line, folder.path()).code, 1);
        fs::write(&config, starter).expect("our folder");
        assert_eq!(dnsbld(&line, folder.path()).code, 0);
        assert!(fs::read_to_string(&config).unwrap().contains("bl.example"));
    });
}

#[test]
fn a_port_that_is_in_use_is_named_and_another_offered() {
    sealed(|| {
        let folder = temp_dir();
        let taken = std::net::UdpSocket::bind("127.0.0.1:5300").expect("a port of ours");
        let said =
            dnsbld(&format!("init --yes --dir DIR/a {OWN} --listen 127.0.0.1:5300"), folder.path());
        assert_eq!(said.code, 1);
        assert!(
            said.err.contains("cannot listen on 127.0.0.1:5300: Address already in use"),
            "{said:?}"
        );
        assert!(said.err.contains("; --listen 127.0.0.1:5301 is free"), "{said:?}");
        assert!(!folder.path().join("a").exists());
        let said =
            dnsbld(&format!("init --yes --dir DIR/a {OWN} --resolver unbound"), folder.path());
        assert!(said.out.contains("listens 127.0.0.1:5301, [::1]:5301"), "{said:?}");
        let lines =
            fs::read_to_string(folder.path().join("a/unbound.conf")).expect("it was written");
        assert!(lines.contains("stub-addr: 127.0.0.1@5301\n"), "{lines}");
        drop(taken);
    });
}

#[test]
fn what_cannot_be_set_up_is_said_and_nothing_is_written() {
    let folder = temp_dir();
    for (arguments, words) in [
        ("", "there is nothing to serve; name a public list with --feed NAME (known: "),
        ("--feed surbl", "surbl cannot be set up here: it needs rsync access"),
        ("--feed nonsense", "there is no public list \"nonsense\"; known: apews, "),
        ("--zone bl.example", "write ZONE:TYPE:FILE"),
        ("--zone bl.example:ip4set:a --zone BL.example:ip4set:b", "bl.example"),
    ] {
        let said = dnsbld(&format!("init --yes --dir DIR/a {arguments}"), folder.path());
        assert_ne!(said.code, 0, "{arguments}");
        assert!(said.err.contains(words), "{arguments}: {said:?}");
        assert!(!folder.path().join("a/dnsbld.toml").exists(), "{arguments}");
    }
}

#[test]
fn at_a_terminal_it_asks_for_what_no_option_says() {
    let folder = temp_dir();
    let line = format!("{} init --dir {}", env!("CARGO_BIN_EXE_dnsbld"), folder.path().display());
    // It gives the program a terminal.
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("util-linux is everywhere");
    let answers = "nonsense\npsbl\nbl.example:ip4set:bl\n\nnosuch\nunbound\npostfix\n";
    child.stdin.take().expect("a pipe").write_all(answers.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for words in [
        "  psbl           PSBL: ",
        "there is no public list \"nonsense\"",
        "A list of your own that lets in, as ZONE:TYPE:FILE (or none)? [white.example:ip4trie:white.example]",
        "Which resolver do mail servers ask (unbound, bind, dnsmasq, ",
        "there is no \"nosuch\"; known: unbound, bind, dnsmasq, ",
        "next:",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let files = ["bl", "dnsbld.toml", "postfix-main.cf", "state", "unbound.conf", "white.example"];
    assert_eq!(names_in(folder.path()), files);
}

#[test]
fn what_it_writes_refuses_mail_and_the_doctor_finds_who_holds_an_old_answer() {
    if !is_root() {
        return skip("Postfix changes its user, which only root may");
    }
    sealed(|| {
        let folder = temp_dir();
        let path = |name: &str| folder.path().join(name);
        let line = format!("init --yes --dir DIR {OWN} --resolver unbound --mta postfix");
        let said = dnsbld(&line, folder.path());
        assert_eq!(said.code, 0, "{said:?}");
        let text = fs::read_to_string(path("dnsbld.toml")).expect("it was written");
        assert!(text.lines().count() <= 25, "{text}");
        let checked = dnsbld("check-config DIR/dnsbld.toml", folder.path());
        assert_eq!(checked.code, 0, "{checked:?}");

        let add = |file: &str, entry: &str| {
            let text = fs::read_to_string(path(file)).expect("it was made");
            fs::write(path(file), text + entry).expect("our folder");
        };
        add("bl", "198.51.100.0/24 :2:spam from $\n");
        add("white", "198.51.100.25\n");
        let config = path("dnsbld.toml");
        let server = ([127, 0, 0, 1], 5300).into();
        let _server = Server::configured(&config, server, &["bl.example", "white.example"]);
        let include = format!("include: {}\n", path("unbound.conf").display());
        let unbound = Unbound::start(&include);
        let lines = fs::read_to_string(path("postfix-main.cf")).expect("it was written");
        let postfix = Postfix::start(&lines);
        let accepts = |client| mail(MAIL, client, "joe@clean.example").starts_with("250 2.1.5 ");
        assert_eq!(
            mail(MAIL, [198, 51, 100, 7], "joe@clean.example"),
            "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using bl.example; \
             spam from 198.51.100.7"
        );
        assert!(accepts([198, 51, 100, 25]) && accepts([192, 0, 2, 9]), "{}", postfix.log());
        let doctor = |options: &str| {
            dnsbld(&format!("doctor --config DIR/dnsbld.toml {options}"), folder.path())
        };
        let well = doctor("");
        assert_eq!(well.code, 0, "{well:?}");
        assert!(
            well.out.ends_with(
                "zone      white.example: ok\nzone      bl.example: ok\n\n\
             no fault found: 2 zones through 1 resolver, every answer came from this server\n"
            ),
            "{well:?}"
        );

        // A sender is let in: the resolver holds the old answer, then Postfix alone, then nobody.
        std::thread::sleep(Duration::from_secs(2));
        add("white", "198.51.100.7\n");
        let is_lifted = || dig(server, "7.100.51.198.bl.example").is("NXDOMAIN");
        assert!(wait_until(Duration::from_secs(20), is_lifted));
        let old = doctor("--key 198.51.100.7");
        assert_eq!(old.code, 1);
        for line in [
            "bl.example: the resolver holds an old answer for 7.100.51.198.bl.example: 127.0.0.2, for ",
            "    unbound-control flush_zone bl.example\n",
            "    unbound-control flush_zone white.example\n",
        ] {
            assert!(old.out.contains(line), "{old:?}");
        }
        drop(unbound);
        let _unbound = Unbound::start(&include);
        let held = doctor("--key 198.51.100.7");
        assert_eq!(held.code, 1, "{held:?}");
        assert!(
            held.out.contains("Postfix may hold old answers: ")
                && held.out.contains("    postfix reload\n"),
            "{held:?}"
        );
        assert!(!accepts([198, 51, 100, 7]));
        postfix.reload();
        assert!(wait_until(Duration::from_secs(10), || accepts([198, 51, 100, 7])));
        let well = doctor("--key 198.51.100.7");
        assert_eq!(well.code, 0, "{well:?}");
    });
}
