//! The life of an access list in the real server: who may ask is never left to chance.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::common::{Server, Setup, Shown, dig, temp_dir, wait_until};

const SOON: Duration = Duration::from_secs(20);
const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;

/// The return code for a listed name, asked from this address.
fn code(server: &Server, from: [u8; 4]) -> u8 {
    let socket = UdpSocket::bind((Ipv4Addr::from(from), 0)).expect("some port is free");
    socket.connect(server.addr()).expect("loopback can be reached");
    socket.set_read_timeout(Some(SOON)).expect("not zero");
    let query = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x03bad\x01l\x07example\0\0\x01\0\x01";
    socket.send(query).expect("the server listens");
    let mut buffer = [0; 512];
    socket.recv(&mut buffer).expect("a reply");
    buffer[3] & 15
}

fn comes(server: &Server, from: [u8; 4], wanted: u8) -> bool {
    wait_until(SOON, || code(server, from) == wanted)
}

fn replace(folder: &Path, text: &str) {
    fs::write(folder.join("new"), text).expect("our folder");
    fs::rename(folder.join("new"), folder.join("who")).expect("our folder");
}

#[test]
fn nobody_may_ask_until_it_is_known_who_may_and_then_the_last_good_list_holds() {
    const USUAL: [u8; 4] = [127, 0, 0, 1];
    const BANNED: [u8; 4] = [127, 0, 0, 9];
    let folder = temp_dir();
    fs::write(folder.path().join("list"), "bad :2:x\n").expect("our folder");
    for scope in ["l.example", ""] {
        let of_scope = format!("{scope}:acl:who");
        let arguments = ["--listen", "127.0.0.1:0", "l.example:dnset:list", &of_scope];
        let server = Server::reporting(&arguments, folder.path());
        assert_eq!(code(&server, USUAL), SERVFAIL, "{scope:?}");
        // rbldnsd crashes on this one.
        replace(folder.path(), ":refuse\n127.0.0.9\n127.0.0.10 text\n");
        assert!(comes(&server, USUAL, NOERROR));
        assert_eq!(code(&server, BANNED), REFUSED);
        let says = |text: &str| wait_until(SOON, || server.log().contains(text));
        replace(folder.path(), "<html>\n");
        assert!(says("event=\"dataset-refused\""), "{}", server.log());
        assert_eq!((code(&server, USUAL), code(&server, BANNED)), (NOERROR, REFUSED));
        fs::remove_file(folder.path().join("who")).expect("our folder");
        assert!(says("there is no such file"));
        assert_eq!((code(&server, USUAL), code(&server, BANNED)), (NOERROR, REFUSED));
        replace(folder.path(), "127.0.0.8 :refuse\n");
        assert!(comes(&server, BANNED, NOERROR));
        drop(server);
        fs::remove_file(folder.path().join("who")).expect("our folder");
    }
}

#[test]
fn a_client_is_told_that_it_may_not_ask_whatever_it_is_answered() {
    let setup = Setup::new();
    setup.write("list", "bad :2:x\n");
    let lists = "[[dataset]]\nname = \"list\"\ntype = \"dnset\"\nfiles = [\"list\"]\n\
                 [[dataset]]\nname = \"who\"\ntype = \"acl\"\nfiles = [\"who\"]\n\
                 [[zone]]\nname = \"bl.example\"\ndatasets = [\"list\"]\nacl = [\"who\"]\n";
    setup.write("who", "127.0.0.0/8 :pass\n");
    setup.configure("extended-errors = true", lists);
    let daemon = setup.start();
    let prohibited = Some("18 (Prohibited)");
    for (action, code, answer, error) in [
        ("pass", "NOERROR", &["127.0.0.2"][..], None),
        ("refuse", "REFUSED", &[], prohibited),
        ("empty", "NXDOMAIN", &[], prohibited),
        ("127.255.255.254:you are no client", "NOERROR", &["127.255.255.254"], prohibited),
    ] {
        daemon.write("who", format!("127.0.0.0/8 :{action}\n"));
        let is_so = |shown: Shown| {
            let told = shown.0.lines().find_map(|line| line.strip_prefix("; EDE: "));
            (shown.is(code), shown.data() == answer, told) == (true, true, error)
        };
        let ask = || dig(daemon.addr(), "bad.bl.example A");
        assert!(wait_until(SOON, || is_so(ask())), "{action}: {}", ask().0);
    }
}
