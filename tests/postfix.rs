//! Postfix as `deploy/postfix-main.cf` sets it up, behind unbound as `deploy/unbound.conf` does,
//! against the sample zones: what a mail server does with what is listed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Process, Server, Unbound, add_address, is_root, run, sealed, skip, temp_dir, wait_until,
};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// The port of smtpd.
const MAIL: u16 = 25;
/// The port of postscreen, which hands on to smtpd who passes.
const SCREENED: u16 = 26;

/// What a Postfix needs besides the snippet under test to run by itself in a folder, and to have
/// nothing but the lists to refuse a mail for.
const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = FOLDER/queue
data_directory = FOLDER/data
maillog_file = FOLDER/mail.log
maillog_file_prefixes = FOLDER
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mydestination = rcpt.test
mynetworks = 127.0.0.1/32
alias_maps =
alias_database =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_error_sleep_time = 0
postscreen_access_list =
postscreen_greet_wait = 1s
postscreen_cache_map =
";

const MASTER_CF: &str = "\
25 inet n - n - - smtpd
26 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
cleanup unix n - n - 0 cleanup
pickup unix n - n 60 1 pickup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
postlog unix-dgram n - n - 1 postlogd
";

#[test]
fn postfix_does_as_the_lists_say() {
    if !is_root() {
        return skip("Postfix changes its user, which only root may");
    }
    sealed(|| {
        let _server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let postfix = Postfix::start();
        smtpd_refuses_with_the_reason();
        smtpd_lets_the_whitelist_through();
        smtpd_refuses_listed_sender_domains();
        postscreen_adds_up_weights();
        // Such as names that could not be looked up.
        let log = postfix.log();
        assert!(!log.contains("warning:") && !log.contains("fatal:"), "{log}");
    });
}

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

fn smtpd_refuses_with_the_reason() {
    let listed = mail(MAIL, [61, 135, 132, 132], "joe@clean.example");
    assert_eq!(
        listed,
        "554 5.7.1 Service unavailable; Client host [61.135.132.132] blocked using l2.apews.org; \
         E-492519 See: http://www.apews.org/?page=test&C=131&E=492519&ip=61.135.132.132"
    );
    // Listed by a network, and in the hole of one.
    let in_network = mail(MAIL, [203, 191, 244, 7], "joe@clean.example");
    assert!(
        in_network.starts_with("554 5.7.1 ") && in_network.contains("the network of 203.191.244.7")
    );
    assert_accepted(&mail(MAIL, [162, 39, 36, 73], "joe@clean.example"));
    assert_accepted(&mail(MAIL, [192, 0, 2, 99], "joe@clean.example"));
}

fn smtpd_lets_the_whitelist_through() {
    let neighbour = mail(MAIL, [198, 51, 100, 26], "joe@clean.example");
    assert!(neighbour.contains("blocked using zen.example; https://zen.example/sbl/"));
    assert_accepted(&mail(MAIL, [198, 51, 100, 25], "joe@clean.example"));
    // End users have a value of zen.example that smtpd is not told to refuse.
    assert_accepted(&mail(MAIL, [203, 0, 113, 130], "joe@clean.example"));
}

fn smtpd_refuses_listed_sender_domains() {
    let reply = mail(MAIL, [192, 0, 2, 99], "joe@www.casino.example");
    assert!(
        reply.starts_with(
            "554 5.7.1 Service unavailable; Sender address [joe@www.casino.example] blocked using \
             l1.apews.org; APEWS L1: casino spam since 2011. See: http://www.apews.org/?page=test"
        ),
        "{reply}"
    );
    // Another value, which counts as well.
    assert!(mail(MAIL, [192, 0, 2, 99], "joe@phish.example").starts_with("554 5.7.1 "));
    assert_accepted(&mail(MAIL, [192, 0, 2, 99], "joe@sub.pills.example"));
}

fn postscreen_adds_up_weights() {
    // Of weight 2, which is the threshold; of zen.example's end users, weight 1; in no list.
    let listed = mail(SCREENED, [61, 135, 132, 132], "joe@clean.example");
    let refused =
        "550 5.7.1 Service unavailable; client [61.135.132.132] blocked using l2.apews.org";
    assert_eq!(listed, refused);
    assert_accepted(&mail(SCREENED, [203, 0, 113, 130], "joe@clean.example"));
    assert_accepted(&mail(SCREENED, [10, 99, 0, 1], "joe@clean.example"));
    // Of weight 2 for zen.example, and -4 for the whitelist.
    assert_accepted(&mail(SCREENED, [198, 51, 100, 25], "joe@clean.example"));
}

fn assert_accepted(reply: &str) {
    assert!(reply.starts_with("250 2.1.5 "), "{reply}");
}

/// What the server says to the recipient of a mail that comes from `client`.
fn mail(port: u16, client: [u8; 4], sender: &str) -> String {
    add_address(client);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((client, 0)).into()).expect("the address is ours");
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect(&server.into()).expect("the server listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is not zero");
    let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut last = reply(&mut replies);
    for command in ["EHLO client.test", &format!("MAIL FROM:<{sender}>"), "RCPT TO:<joe@rcpt.test>"]
    {
        (&stream).write_all(format!("{command}\r\n").as_bytes()).expect("the server reads");
        last = reply(&mut replies);
    }
    last
}

/// The last line of a reply, which may have several.
fn reply(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        lines.read_line(&mut line).expect("a reply in time");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line.trim_end().to_owned();
        }
    }
}

/// A running Postfix in a folder of its own; what is left of it when this is dropped ends with
/// the sealed test.
struct Postfix {
    _master: Process,
    folder: TempDir,
}

impl Postfix {
    fn start() -> Self {
        let folder = temp_dir();
        let path = folder.path();
        for sub in ["config", "queue", "data"] {
            fs::create_dir(path.join(sub)).expect("the folder is empty");
        }
        let snippet = fs::read_to_string(format!("{DEPLOY}/postfix-main.cf")).expect("it is there");
        let main_cf = MAIN_CF.replace("FOLDER", &path.display().to_string()) + &snippet;
        fs::write(path.join("config/main.cf"), main_cf).expect("the folder is ours");
        fs::write(path.join("config/master.cf"), MASTER_CF).expect("the folder is ours");
        chown(path.join("data"), Some(user_id("postfix")), None).expect("we are root");

        let mut command = Command::new("postfix");
        command.arg("-c").arg(path.join("config")).arg("start-fg");
        let mut postfix =
            Self { _master: Process::start(&mut command, &path.join("output")), folder };
        let listens = wait_until(Duration::from_secs(30), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, SCREENED)).is_ok()
                || postfix._master.has_ended()
        });
        assert!(listens && !postfix._master.has_ended(), "no Postfix: {}", postfix.log());
        postfix
    }

    /// What it has said so far.
    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("output") + &read("mail.log")
    }
}

fn user_id(name: &str) -> u32 {
    run(Command::new("id").args(["-u", name])).trim().parse().expect("a number")
}
