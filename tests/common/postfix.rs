//! Postfix in a folder of its own, and the client of a mail server.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::{Process, add_address, run, temp_dir, wait_until};

/// The port of smtpd.
pub(crate) const MAIL: u16 = 25;
/// The port of postscreen, which hands on to smtpd who passes.
pub(crate) const SCREENED: u16 = 26;

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
25 inet n - n - 1 smtpd
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

/// What the server says to the recipient of a mail that comes from `client`.
pub(crate) fn mail(port: u16, client: [u8; 4], sender: &str) -> String {
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
pub(crate) struct Postfix {
    _master: Process,
    folder: TempDir,
}

impl Postfix {
    /// Starts it with these lines in main.cf.
    pub(crate) fn start(lines: &str) -> Self {
        let folder = temp_dir();
        let path = folder.path();
        for sub in ["config", "queue", "data"] {
            fs::create_dir(path.join(sub)).expect("the folder is empty");
        }
        let main_cf = MAIN_CF.replace("FOLDER", &path.display().to_string()) + lines;
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
    pub(crate) fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("output") + &read("mail.log")
    }
}

impl Postfix {
    /// Has it read its settings again, and end the processes that hold answers.
    pub(crate) fn reload(&self) {
        run(Command::new("postfix").arg("-c").arg(self.folder.path().join("config")).arg("reload"));
    }
}

fn user_id(name: &str) -> u32 {
    run(Command::new("id").args(["-u", name])).trim().parse().expect("a number")
}
