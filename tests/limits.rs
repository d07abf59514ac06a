//! Limits of what clients may ask, in the real server.

use crate::common::{Daemon, Setup, query, wait_until};
use hickory_proto::rr::RecordType;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);
/// The bit of the third byte that says that the answer is cut short.
const TC: u8 = 2;
const NOERROR: u16 = 0;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;

/// A server with one worker that has a text of some 1,000 bytes, and these limits.
fn serve(limits: &str) -> Daemon {
    let setup = Setup::new();
    let text = |letter: &str| format!("x.y :2:{}\n", letter.repeat(240));
    let list: String = ["a", "b", "c", "d"].iter().map(|letter| text(letter)).collect();
    fs::write(setup.path("list"), list).expect("our folder");
    let dataset = "[[dataset]]\nname = \"list\"\ntype = \"dnset\"\nfiles = [\"list\"]\n";
    let zone = "[[zone]]\nname = \"bl.test\"\ndatasets = [\"list\"]\n";
    setup.configure("workers = 1", &format!("{limits}\n{dataset}{zone}"));
    setup.start()
}

/// A query for the text, by somebody who says that he can take a large answer.
fn question() -> Vec<u8> {
    let mut query = query(7, "x.y.bl.test", RecordType::TXT);
    query[11] = 1;
    query.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    query
}

/// What the server was sent in a flood, and what it sent to whom the flood seems to come from.
#[derive(Default, Debug)]
struct Flood {
    queries: usize,
    bytes_in: usize,
    answers: usize,
    truncated: usize,
    bytes_out: usize,
}

impl Flood {
    /// Floods the server for a time from one address, which stands for the one that is forged.
    fn run(server: SocketAddr, time: Duration) -> Self {
        const AT_ONCE: usize = 50;
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket.connect(server).expect("loopback can be reached");
        socket.set_read_timeout(Some(LIMIT)).expect("not zero");
        let (question, start, mut flood) = (question(), Instant::now(), Self::default());
        let mut buffer = [0; 2048];
        while start.elapsed() < time {
            for _ in 0..AT_ONCE {
                flood.bytes_in += socket.send(&question).expect("the server listens");
            }
            flood.queries += AT_ONCE;
            while flood.answers < flood.queries {
                flood.bytes_out += socket.recv(&mut buffer).expect("never silence");
                flood.answers += 1;
                flood.truncated += usize::from(buffer[2] & TC != 0);
            }
        }
        flood
    }

    /// How many bytes came out for each that went in.
    fn factor(&self) -> f64 {
        self.bytes_out as f64 / self.bytes_in as f64
    }
}

/// What `dnsbld stats --json` or `dnsbld status --json` says.
fn json(server: &Daemon, verb: &[&str]) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(verb).arg("--json").env("RUNTIME_DIRECTORY", server.path(""));
    let output = command.output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[test]
fn a_reflected_flood_of_large_texts_is_cut_to_the_size_of_the_queries() {
    let open = serve("");
    let flood = Flood::run(open.addr(), Duration::from_millis(300));
    assert!(flood.factor() > 20.0 && flood.truncated == 0, "{flood:?}");

    // So few that a slow machine floods enough, too.
    let server = serve("[limit]\nqueries-per-second = 5\nexempt = []\n");
    let start = Instant::now();
    let flood = Flood::run(server.addr(), Duration::from_secs(3));
    assert!(flood.factor() < 1.5, "{} of {flood:?}", flood.factor());
    let whole = flood.answers - flood.truncated;
    let seconds = start.elapsed().as_secs() as usize + 1;
    assert!((10..=10 + seconds * 5).contains(&whole), "{whole} of {flood:?}");

    let stats = json(&server, &["stats", "--interval", "0"]);
    assert_eq!(stats["zones"][0]["limited"], flood.truncated, "{stats}");
    assert_eq!(json(&server, &["status"])["server"]["rate_limit"]["limited"], flood.truncated);

    // A true client asks again over TCP, and gets all of it.
    let mut stream = TcpStream::connect(server.addr()).expect("it listens");
    for _ in 0..100 {
        let question = question();
        let length = (question.len() as u16).to_be_bytes();
        stream.write_all(&[&length[..], &question].concat()).expect("it reads");
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("it answers");
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer).expect("it answers");
        assert!(answer.len() > 900 && answer[2] & TC == 0);
    }
}

#[test]
fn a_reload_sets_changes_and_ends_a_limit() {
    let server = serve("[limit]\nqueries-per-second = 5\nexempt = []\ndry-run = true\n");
    let flood = || Flood::run(server.addr(), Duration::from_millis(50));
    assert_eq!(flood().truncated, 0);
    let spared = json(&server, &["status"])["server"]["rate_limit"]["spared"].clone();
    assert!(spared.as_u64() > Some(0), "{spared}");
    let file = server.path("dnsbld.toml");
    let settings = fs::read_to_string(&file).expect("our folder");
    for (limits, is_limited) in [
        ("queries-per-second = 5\nexempt = []\n", true),
        ("queries-per-second = 5\nexempt = [\"127.0.0.1\"]\n", false),
        ("queries-per-second = 0\nexempt = []\n", false),
        ("queries-per-second = 5\nexempt = []\nburst = 6\n", true),
    ] {
        let old = "queries-per-second = 5\nexempt = []\ndry-run = true\n";
        assert!(settings.contains(old), "{settings}");
        fs::write(&file, settings.replace(old, limits)).expect("our folder");
        server.reload();
        let comes = wait_until(LIMIT, || (flood().truncated > 0) == is_limited);
        assert!(comes, "{limits}{}", server.log());
    }
    // Without the setting there is nothing to tell.
    server.expect_log(&["limit", "5 queries a second, 6 at once"], LIMIT);
}

#[test]
fn quotas_bound_clients_and_keys_over_reloads() {
    let setup = Setup::new();
    fs::write(setup.path("list"), ":2:listed\nbad\n").expect("our folder");
    fs::write(setup.path("keys"), ":pass\nsecret :pass\n").expect("our folder");
    let quota = |name: &str, per: &str, queries: u32, answer: &str| {
        format!(
            "[[quota]]\nname = \"{name}\"\nper = \"{per}\"\nqueries = {queries}\nperiod = \"30d\"\n\
             exempt = []\nanswer = \"{answer}\"\n"
        )
    };
    let free = quota("free", "client", 3, "127.255.255.255 too many of $");
    let paid = quota("paid", "key", 5, "refuse");
    let datasets = "[[dataset]]\nname = \"list\"\ntype = \"dnset\"\nfiles = [\"list\"]\n\
                    [[dataset]]\nname = \"keys\"\ntype = \"aclkey\"\nfiles = [\"keys\"]\n";
    let zone = "[[zone]]\nname = \"bl.test\"\ndatasets = [\"list\"]\nacl = [\"keys\"]\n";
    setup.configure("extended-errors = true", &format!("{free}{paid}{datasets}{zone}"));
    let server = setup.start();
    let ask = |name: &str, qtype: RecordType| server.client().ask(name, qtype).expect("a reply");
    let codes = |name: &str, times: usize| -> Vec<u16> {
        (0..times).map(|_| ask(name, RecordType::A).rcode).collect()
    };
    assert_eq!(codes("other.bl.test", 3), [NXDOMAIN; 3]);
    server.reload();
    let reply = ask("other.bl.test", RecordType::TXT).to_string();
    assert!(reply.contains("too many of 127.0.0.1"), "{reply}");
    let codes = codes("bad.secret.bl.test", 7);
    assert_eq!(codes, [NOERROR, NOERROR, NOERROR, NOERROR, NOERROR, REFUSED, REFUSED]);
    let quotas = json(&server, &["stats", "--interval", "0"])["quotas"].clone();
    assert_eq!(quotas, serde_json::json!({"free": 1, "paid": 2}));
}

#[test]
fn misconfigured_clients_are_told_by_the_real_server() {
    let setup = Setup::new();
    fs::write(setup.path("list"), "192.0.2.1\n").expect("our folder");
    let dataset = "[[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n";
    let zone = "[[zone]]\nname = \"bl.test\"\ndatasets = [\"list\"]\n";
    setup.configure("workers = 1", &format!("{dataset}{zone}"));
    let server = setup.start();
    let client = server.client();
    let is_told = || {
        (0..300).for_each(|_| {
            client.ask("mail.example.org.bl.test", RecordType::A).expect("a reply");
        });
        let stats = json(&server, &["stats", "--interval", "0"]);
        let first = &stats["top"]["misconfigured"][0];
        first["client"] == "127.0.0.1"
            && first["fault"] == "name-in-address-zone"
            && first["example"] == "mail.example.org.bl.test"
    };
    assert!(wait_until(LIMIT, is_told));
}
