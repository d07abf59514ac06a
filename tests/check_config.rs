//! `dnsbld check-config`: it says OK to what would be served whole, and tells all that stands in the way of that.

use crate::common::{Setup, is_root, names_in, wait_until};
use serde_json::Value;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Duration;

struct Checked {
    code: Option<i32>,
    out: String,
}

impl Checked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn check(setup: &Setup, arguments: &[&str]) -> Checked {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .arg("check-config")
        .args(arguments)
        .arg("dnsbld.toml")
        .current_dir(setup.path("."))
        .env_remove("DNSBLD_LOG")
        .env("RUNTIME_DIRECTORY", setup.path("."))
        .output()
        .expect("it can be started");
    assert_eq!(String::from_utf8_lossy(&stderr), "");
    Checked { code: status.code(), out: String::from_utf8(stdout).expect("text") }
}

/// A list and a zone of it.
fn one_list(setup: &Setup, server: &str) {
    setup.configure_lists(server, &[("z.test".to_owned(), "list".to_owned())]);
    setup.write("list", "192.0.2.1\n192.0.2.0/28\n");
}

/// It told one of them, and "OK, 0 warnings" of the file that has the others.
#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let setup = Setup::new();
    let text = "[server]
listen = [\"192.0.2.1:53\", \"127.0.0.1\"]
lisen = []
[server.tls]
listen = [\"127.0.0.1:0\"]
certificate = \"cert.pem\"
key = \"key.pem\"

[[dataset]]
name = \"spam\"
type = \"ip4set\"
files = [\"spam\"]

[[dataset]]
name = \"odd\"
type = \"ip4sets\"
files = \"odd\"

[[dataset]]
name = \"white\"
type = \"dnset\"
files = [\"white\"]
max-age = \"late\"

[[zone]]
name = \"spam.test\"
datasets = [\"spam\"]
allow = [\"white\"]

[[zone]]
name = \"odd.test\"
datasets = [\"spam\", \"od\"]
";
    setup.write("dnsbld.toml", text);
    setup.write("spam", "<html>no list</html>\n");
    setup.write("white", "good.test\n");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(78), "{}", checked.out);
    let problems: Vec<&str> = checked
        .out
        .lines()
        .filter(|line| line.starts_with("error: ") || line.starts_with("warning: "))
        .collect();
    let folder = fs::canonicalize(setup.path(".")).expect("our folder").display().to_string();
    let want = [
        "error: dnsbld.toml:2:27: server.listen: \"127.0.0.1\" has no port",
        "error: dnsbld.toml:3:1: unknown key \"lisen\" in server",
        "error: dnsbld.toml:16:8: dataset.type: \"ip4sets\" is not a dataset type",
        "error: dnsbld.toml:17:9: dataset.files: invalid type: string \"odd\", expected a sequence",
        // It was taken for 0, for which the data is too old.
        "error: dnsbld.toml:23:11: dataset.max-age: \"late\" is not a time",
        "error: dnsbld.toml:32:21: zone.datasets: there is no dataset \"od\"",
        "error: cannot listen on 192.0.2.1:53 (UDP): ",
        "error: FOLDER/cert.pem: the server does not start: the file cannot be read: ",
        "error: FOLDER/key.pem: the server does not start: the file cannot be read: ",
        "error: FOLDER/spam: dataset spam: ",
        "error: zone spam.test would not be served: ",
        "warning: dnsbld.toml:15:8: no zone uses dataset \"odd\"",
    ];
    assert_eq!(problems.len(), want.len(), "{}", checked.out);
    for (told, want) in problems.iter().zip(want) {
        assert!(told.starts_with(&want.replace("FOLDER", &folder)), "{want}\n{}", checked.out);
    }
    let end = "NOT OK: a start would not serve all zones: 11 errors, 1 warning\n";
    assert!(checked.out.ends_with(end), "{}", checked.out);
    assert_eq!(names_in(&setup.path(".")), ["dnsbld.toml", "spam", "white"]);
}

#[test]
fn what_would_be_served_whole_is_ok_and_the_json_says_so() {
    let setup = Setup::new();
    one_list(&setup, "state-dir = \"state\"");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains("dataset z.test (ip4set): "), "{}", checked.out);
    assert!(checked.out.contains("/list, 2 entries\n"), "{}", checked.out);
    assert!(checked.out.ends_with("OK: 1 zone, 1 dataset, 0 warnings\n"), "{}", checked.out);
    // A start is not needed for it, and nothing is left behind.
    assert_eq!(names_in(&setup.path(".")), ["dnsbld.toml", "list"]);

    let json = check(&setup, &["--json"]).json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["problems"], serde_json::json!([]));
    assert_eq!(json["listen"][0]["address"], setup.addr().to_string());
    assert_eq!(json["datasets"][0]["entries"], 2);
    assert_eq!(json["zones"][0]["served"], true);
    let page = include_str!("../docs/check-config.md");
    let bad = Setup::new();
    one_list(&bad, "bogus = 1");
    let bad = check(&bad, &["--json"]);
    assert_eq!(bad.code, Some(78));
    for key in keys(&json).into_iter().chain(keys(&bad.json())) {
        assert!(page.contains(&format!("`{key}`")), "docs/check-config.md says nothing of {key}");
    }
    let json = bad.json();
    let problem = &json["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&3.into(), &1.into()), "{problem}");
    assert_eq!(problem["message"], "unknown key \"bogus\" in server");

    let json = check(&setup, &["--json", "--no-data"]).json();
    assert_eq!((&json["ok"], &json["datasets"][0]["entries"]), (&true.into(), &Value::Null));
}

fn keys(json: &Value) -> Vec<String> {
    match json {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat()).collect()
        }
        Value::Array(list) => list.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn bad_lines_are_told_with_their_places() {
    let setup = Setup::new();
    one_list(&setup, "");
    setup.write("list", "192.0.2.1\n192.0.2.O/24\n192.0.2.0/33\n");
    let json = check(&setup, &["--json"]).json();
    let places: Vec<_> = json["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| (problem["severity"].clone(), problem["line"].clone()))
        .collect();
    let want: [(Value, Value); 3] =
        [2.into(), 3.into(), Value::Null].map(|at| ("warning".into(), at));
    assert_eq!(places, want, "{json:#}");
    assert_eq!(json["ok"], true);
}

#[test]
fn a_missing_file_is_an_error_but_without_data_a_warning() {
    let setup = Setup::new();
    one_list(&setup, "");
    fs::remove_file(setup.path("list")).expect("it was written");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("nothing of it would be served"), "{}", checked.out);
    assert!(checked.out.contains("zone    z.test: z.test: NOT served\n"), "{}", checked.out);
    let checked = check(&setup, &["--no-data"]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains("/list: dataset z.test: there is no such file yet\n"));
}

#[test]
fn an_allow_list_that_can_never_match_is_told() {
    let setup = Setup::new();
    let text = "dataset = [
        { name = 'four', type = 'ip4set', files = ['four'] },
        { name = 'six', type = 'ip6trie', files = ['six'] },
        { name = 'names', type = 'mixed', files = ['names'] },
        { name = 'none', type = 'dnset', files = ['none'], accept-empty = true, own = true },
    ]
    zone = [{ name = 'z.test', datasets = ['four'], allow = ['six', 'names', 'none'] }]";
    setup.write("dnsbld.toml", format!("server.listen = ['{}']\n{text}", setup.addr()));
    for (name, text) in
        [("four", "192.0.2.1\n"), ("six", "2001:db8::/32\n"), ("names", "a.test\n"), ("none", "")]
    {
        setup.write(name, text);
    }
    let never = |arguments: &[&str]| {
        let checked = check(&setup, arguments);
        assert_eq!(checked.code, Some(0), "{}", checked.out);
        let lines = checked.out.lines().filter(|line| line.contains("can never match"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let told = never(&[]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("the allow list six can never match: it has IPv6 addresses"));
    assert!(told[1].contains("the allow list names can never match: it has names"), "{told:?}");
    // By the types alone, the mixed list may have addresses.
    let told = never(&["--no-data"]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|line| !line.contains("list names ")), "{told:?}");
}

#[test]
fn a_port_in_use_is_an_error_unless_the_server_of_this_configuration_has_it() {
    let setup = Setup::new();
    one_list(&setup, "state-dir = \"state\"");
    let udp = UdpSocket::bind(setup.addr()).expect("it is free");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("(UDP): Address already in use"), "{}", checked.out);
    drop(udp);
    let tcp = TcpListener::bind(setup.addr()).expect("it is free");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("(TCP): Address already in use"), "{}", checked.out);
    drop(tcp);

    let server = setup.start();
    let checked = check(&server, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains(", the running server of this configuration, has it\n"));
    assert!(checked.out.ends_with(" 0 warnings\n"), "{}", checked.out);

    // The server may write a record again at any time: the file has a name with a dot until it is whole.
    let snapshots = || {
        let mut names = names_in(&server.path("state/snapshots"));
        names.retain(|name| !name.starts_with('.'));
        names
    };
    let is_written = || snapshots().len() == 2;
    assert!(wait_until(Duration::from_secs(10), is_written), "{:?}", snapshots());
    // What a guard refuses is told, and neither the state folder nor the server hears of it.
    server.write("list", "<html></html>\n");
    let before = snapshots();
    let checked = check(&server, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains("; a start would serve the 2 entries accepted before\n"));
    assert_eq!(snapshots(), before);

    // Another configuration at the same control socket.
    let text = fs::read_to_string(server.path("dnsbld.toml")).expect("it was written");
    fs::remove_file(server.path("dnsbld.toml")).expect("it is ours");
    fs::create_dir(server.path("x")).expect("it is new");
    fs::rename(server.path("list"), server.path("x/list")).expect("our folder");
    server.write("x/list", "192.0.2.1\n");
    server
        .write("dnsbld.toml", text.replace("\"state\"", "\"x\"").replace("\"list\"", "\"x/list\""));
    fs::rename(server.path("dnsbld.toml"), server.path("x/dnsbld.toml")).expect("our folder");
    let run = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(["check-config", "x/dnsbld.toml"])
        .current_dir(server.path("."))
        .env("RUNTIME_DIRECTORY", server.path("."))
        .output()
        .expect("it can be started");
    let out = String::from_utf8_lossy(&run.stdout);
    assert!(out.contains(", a dnsbld with the configuration "), "{out}");
}

#[test]
fn what_the_servers_user_may_not_do_is_told() {
    if !is_root() {
        return;
    }
    let setup = Setup::new();
    one_list(&setup, "state-dir = \"state\"\nquery-log = \"log/queries\"");
    let mode = |name: &str, mode| {
        fs::set_permissions(setup.path(name), fs::Permissions::from_mode(mode))
            .expect("it is ours");
    };
    mode(".", 0o755);
    mode("dnsbld.toml", 0o644);
    fs::create_dir(setup.path("state")).expect("it is new");
    fs::create_dir(setup.path("log")).expect("it is new");
    mode("list", 0o600);
    let checked = check(&setup, &["--user", "nobody"]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("user    nobody\n"), "{}", checked.out);
    for want in [
        "/list: dataset z.test: cannot be read: Permission denied",
        "state folder: user nobody may not write to it",
        "query log: user nobody cannot write to it",
    ] {
        assert!(checked.out.contains(want), "{want}:\n{}", checked.out);
    }
    mode("list", 0o644);
    let checked = check(&setup, &["--user", "nobody"]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    mode("dnsbld.toml", 0o600);
    let checked = check(&setup, &["--user", "nobody"]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("cannot read the configuration: "), "{}", checked.out);
}

#[test]
fn what_a_feed_would_bring_is_to_be_fetched() {
    let setup = Setup::new();
    let feed = "[mirror]\ndir = \"mirror\"\n[[feed]]\nname = \"far\"\nsource = \"rsync://127.0.0.1/far/\"\n\
                [[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"mirror/far/list\"]\n\
                [[zone]]\nname = \"z.test\"\ndatasets = [\"list\"]\n";
    setup.configure("", feed);
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    let want = "    help: fetch it: dnsbld sync --config dnsbld.toml far\n";
    assert!(checked.out.contains(want), "{}", checked.out);
}

#[test]
fn the_port_of_http_is_tried() {
    let setup = Setup::new();
    let http = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = http.local_addr().expect("it is bound");
    one_list(&setup, "");
    let text = fs::read_to_string(setup.path("dnsbld.toml")).expect("it was written");
    setup.write("dnsbld.toml", format!("[http]\nlisten = [\"{address}\"]\n{text}"));
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    let want = format!("error: cannot listen on {address} (TCP): Address already in use");
    assert!(checked.out.contains(&want), "{}", checked.out);
    drop(http);
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains(&format!("listen  {address} (HTTP)\n")), "{}", checked.out);

    let server = setup.start();
    let checked = check(&server, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(
        checked.out.contains(&format!("listen  {address} (HTTP): process ")),
        "{}",
        checked.out
    );
}

/// The settings said where it is, and only the start said that it could not be made there.
#[test]
fn a_control_socket_that_cannot_be_made_is_told() {
    let setup = Setup::new();
    setup.write("file", "");
    fs::create_dir(setup.path("closed")).expect("it is new");
    fs::set_permissions(setup.path("closed"), fs::Permissions::from_mode(0o755)).expect("ours");
    fs::set_permissions(setup.path("."), fs::Permissions::from_mode(0o755)).expect("ours");
    let long = "x".repeat(108);
    let mut faults = vec![
        ("file", "there is a file that is no socket", &[][..]),
        (&long, "the path is too long for a socket (107 bytes)", &[]),
    ];
    if is_root() {
        faults.push((
            "closed/new/control",
            "user nobody cannot make it in ",
            &["--user", "nobody"],
        ));
    }
    for (place, fault, arguments) in faults {
        one_list(&setup, &format!("control = \"{place}\""));
        for name in ["dnsbld.toml", "list"] {
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(setup.path(name), mode).expect("ours");
        }
        let checked = check(&setup, arguments);
        assert_eq!(checked.code, Some(0), "{}", checked.out);
        let want = format!("/{place}: control socket: {fault}");
        assert!(checked.out.contains(&want), "{want}\n{}", checked.out);
        assert!(checked.out.ends_with(" 1 warning\n"), "{}", checked.out);
    }
}

#[test]
fn certificates_are_looked_at() {
    let setup = Setup::new();
    one_list(
        &setup,
        "tls = { listen = [\"127.0.0.1:0\"], certificate = \"cert.pem\", key = \"key.pem\" }",
    );
    let make = |days: &str, cert: &str, key: &str| {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-subj", "/CN=x", "-days", days, "-out", cert, "-keyout", key])
            .current_dir(setup.path("."))
            .output()
            .expect("openssl");
        assert!(made.status.success(), "{made:?}");
    };
    make("5", "cert.pem", "key.pem");
    fs::set_permissions(setup.path("key.pem"), fs::Permissions::from_mode(0o640)).expect("ours");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains("cert.pem: the certificate expires in "), "{}", checked.out);
    fs::set_permissions(setup.path("key.pem"), fs::Permissions::from_mode(0o644)).expect("ours");
    make("90", "cert.pem", "other.pem");
    let checked = check(&setup, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    assert!(checked.out.contains("the server does not start: certificate "), "{}", checked.out);
    assert!(checked.out.contains("key.pem: every user of this machine can use the private key"));
}
