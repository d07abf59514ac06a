//! The examples of `deploy/` for programs besides Postfix that ask lists, each read or run by the real program.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Exim, Process, Server, Unbound, add_address, hide, is_root, run, sealed, skip, temp_dir,
};
use socket2::{Domain, Socket, Type};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const LIMIT: Duration = Duration::from_secs(10);

/// A listed client, one on the allow list, one in no list.
const LISTED: [u8; 4] = [61, 135, 132, 132];
const ALLOWED: [u8; 4] = [198, 51, 100, 25];
const UNLISTED: [u8; 4] = [100, 64, 9, 9];

fn example(file: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(file)).expect("it is there")
}

/// What a server says, until it closes the connection, to what this client says.
fn said(client: [u8; 4], server: SocketAddr, words: &str) -> String {
    add_address(client);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((client, 0)).into()).expect("the address is ours");
    socket.connect(&server.into()).expect("it listens");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).expect("it is not zero");
    stream.write_all(words.as_bytes()).expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    reply
}

#[test]
fn exim_refuses_who_is_listed_and_puts_mail_off_while_nobody_answers() {
    if !is_root() {
        return skip("Exim changes its user, which only root may");
    }
    sealed(|| {
        let server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let exim = Exim::new(&example("exim.acl"));
        let reply = |client: [u8; 4], sender: &str| exim.reply(client, sender);
        let refused = reply(LISTED, "joe@clean.example");
        assert!(
            refused.starts_with("550")
                && refused.contains("blocked using l2.apews.org; E-492519 See"),
            "{refused}"
        );
        assert!(reply(ALLOWED, "joe@clean.example").starts_with("250 "));
        assert!(reply(UNLISTED, "joe@clean.example").starts_with("250 "));
        let refused = reply(UNLISTED, "joe@www.casino.example");
        assert!(refused.starts_with("550") && refused.contains("l1.apews.org"), "{refused}");
        drop(server);
        let put_off = reply([203, 0, 113, 9], "joe@clean.example");
        assert!(put_off.starts_with("451"), "{put_off}");
    });
}

#[test]
fn haproxy_refuses_who_is_listed_and_lets_others_through_at_once() {
    sealed(|| {
        let folder = temp_dir();
        let _server = Server::samples();
        let (resolvers, rules) = {
            let text = example("haproxy.cfg");
            let (top, rules) = text.split_once("# In a frontend:\n").expect("two parts");
            (top.to_owned(), rules.to_owned())
        };
        let config = folder.path().join("haproxy.cfg");
        let text = format!(
            "{resolvers}\ndefaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n\
             frontend web\n    bind 127.0.0.1:80\n{rules}http-request return status 200\n"
        );
        fs::write(&config, text).expect("our folder");
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&config);
        let mut haproxy = Process::start(&mut command, &folder.path().join("log"));
        let web = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        haproxy.wait(LIMIT, |_| TcpStream::connect(web).is_ok());
        let status = |client: [u8; 4]| {
            let reply = said(client, web, "GET / HTTP/1.0\r\n\r\n");
            reply.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(status(LISTED), "403");
        let started = std::time::Instant::now();
        assert_eq!(status(UNLISTED), "200");
        let took = started.elapsed();
        assert!(took < Duration::from_millis(1900), "{took:?}");
    });
}

#[test]
fn nagios_sees_a_zone_that_is_not_ready_and_a_server_that_is_down() {
    sealed(|| {
        let server = Server::samples();
        let text = example("nagios.cfg");
        let line = text.lines().find_map(|line| line.trim().strip_prefix("command_line"));
        let line = line.expect("a command").trim().replace("$HOSTADDRESS$", "127.0.0.1");
        let check = |zone: &str| {
            let line = line.replace("$ARG1$", zone);
            let mut words = line.split_whitespace();
            let mut command = Command::new(words.next().expect("a program"));
            command.args(words).status().expect("it starts").code()
        };
        assert_eq!(check("l2.apews.org"), Some(0));
        assert_eq!(check("other.example"), Some(2));
        // Without a reply, the plugin only warns.
        drop(server);
        assert_eq!(check("l2.apews.org"), Some(1));
    });
}

#[test]
fn rspamd_reads_its_lines() {
    if !is_root() {
        return skip("the folder of rspamd's settings is root's");
    }
    sealed(|| {
        let local = Path::new("/etc/rspamd/local.d");
        hide(local);
        for name in ["rbl", "rbl_group"] {
            fs::write(local.join(format!("{name}.conf")), example(&format!("rspamd-{name}.conf")))
                .expect("the folder is ours");
        }
        let said = run(Command::new("rspamadm").arg("configtest"));
        assert!(said.contains("syntax OK"), "{said}");
        let rules = run(Command::new("rspamadm").args(["configdump", "rbl"]));
        assert!(rules.contains("DNSBLD_L1_APEWS_ORG"), "{rules}");
        let weights = run(Command::new("rspamadm").args(["configdump", "-g"]));
        assert!(weights.contains("DNSBLD_ZEN_EXAMPLE"), "{weights}");
    });
}

#[test]
fn courier_is_told_to_refuse_who_is_listed() {
    sealed(|| {
        let folder = temp_dir();
        let _server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let text = example("courier-esmtpd");
        let options = text.lines().find_map(|line| line.strip_prefix("BLACKLISTS='"));
        let options = options.expect("a line").trim_end_matches('\'');
        let mut command = Command::new("couriertcpd");
        command.args(["-address=127.0.0.1", "-nodnslookup", "-noidentlookup"]);
        // The program that it starts for each client shows what it was told.
        command.args(options.split(' ')).args(["25", "/usr/bin/env"]);
        let mut courier = Process::start(&mut command, &folder.path().join("log"));
        let mail = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
        courier.wait(LIMIT, |_| TcpStream::connect(mail).is_ok());
        let told = |client| {
            let environment = said(client, mail, "");
            let block = environment.lines().find_map(|line| line.strip_prefix("BLOCK="));
            block.unwrap_or_default().to_owned()
        };
        assert!(told(LISTED).contains("E-492519 See"), "{}", told(LISTED));
        assert_eq!((told(UNLISTED), told(ALLOWED)), (String::new(), String::new()));
    });
}

#[test]
fn spamassassin_reads_its_lines() {
    let folder = temp_dir();
    for file in fs::read_dir("/etc/spamassassin").expect("it is installed") {
        let file = file.expect("it can be read");
        if file.path().extension().is_some_and(|extension| extension == "pre") {
            fs::copy(file.path(), folder.path().join(file.file_name())).expect("our folder");
        }
    }
    fs::write(folder.path().join("dnsbld.cf"), example("spamassassin.cf")).expect("our folder");
    let site = format!("--siteconfigpath={}", folder.path().display());
    // It wants a folder for what it keeps.
    let mut command = Command::new("spamassassin");
    command.args(["--lint", "--local", &site]).arg("-p").arg("/dev/null");
    assert_eq!(run(command.env("HOME", folder.path())), "");
}
