//! The page for people.

use super::client::{Http, HttpReply};
use super::markup::{Part, attributes, parts, text};
use crate::common::{Daemon, Setup, free_port, wait_until};
use hickory_proto::rr::RecordType;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const LIMIT: Duration = Duration::from_secs(10);

/// A text that would be a script if anything let it.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&#x3c;";

const ZONES: &str = "\
    [[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
    [[dataset]]\nname = \"names\"\ntype = \"dnset\"\nfiles = [\"names\"]\n\
    [[dataset]]\nname = \"white\"\ntype = \"ip4set\"\nfiles = [\"white\"]\n\
    [[dataset]]\nname = \"late\"\ntype = \"ip4set\"\nfiles = [\"<i>&late\"]\n\
    [[zone]]\nname = \"bl.example\"\ndatasets = [\"list\"]\n\
    [[zone]]\nname = \"net.bl.example\"\ndatasets = [\"list\"]\nallow = [\"white\"]\n\
    [[zone]]\nname = \"domains.example\"\ndatasets = [\"names\"]\n\
    [[zone]]\nname = \"<u>late.example\"\ndatasets = [\"late\"]\n\
    [watch]\n\"192.0.2.0/24\" = \"our <b>mail\"\n\"example.org\" = \"our domain\"\n";

/// A server with a past, one list of which is missing, all with names that are to be escaped.
pub(super) struct Site {
    pub(super) server: Daemon,
    pub(super) http: Http,
}

impl Site {
    pub(super) fn start() -> Self {
        let setup = Setup::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let list = format!(
            "192.0.2.1 :127.0.0.3:see https://bl.example/k/$\n\
                            192.0.2.2 :4:{HOSTILE}\n192.0.2.16/28 :2:a net\n"
        );
        setup.write("list", list);
        setup.write("names", "spam.example :2:$\n");
        setup.write("white", "192.0.2.1\n");
        std::fs::create_dir_all(setup.path("state")).expect("a new folder");
        setup.write("state/traffic", past());
        let state = format!("state-dir = {:?}\n", setup.path("state"));
        setup.configure(&state, &format!("[http]\nlisten = [\"{address}\"]\n{ZONES}"));
        Self { server: setup.start(), http: Http(address) }
    }

    fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.http.get(path).body).expect("JSON")
    }

    /// Has it answer what the page shows.
    pub(super) fn ask(&self) {
        for name in [
            "1.2.0.192.bl.example",
            "2.2.0.192.bl.example",
            "17.2.0.192.bl.example",
            "1.2.0.192.net.bl.example",
            "9.9.9.9.bl.example",
            "spam.example.domains.example",
        ] {
            for rtype in [RecordType::A, RecordType::TXT] {
                let _ = self.server.ask(name, rtype);
            }
        }
    }
}

/// A day of queries.
fn past() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later").as_secs();
    let mut past = format!("dnsbld traffic 1\n{}\n", now / 60 - 1);
    for (zone, scale) in [(".", 3), ("bl.example", 2), ("domains.example", 1)] {
        past.push_str(zone);
        for minute in 0..1440_u64 {
            let wave = 100 + minute * (1440 - minute) / 1500 + minute * 7919 % 61;
            let _ = write!(past, " {}/{}", wave * scale * 10, wave * scale * 3);
        }
        past.push('\n');
    }
    past
}

/// The parts of a page that is safe by its head and by what is in it.
fn safe(reply: &HttpReply) -> Vec<Part> {
    let policy = reply.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    for (field, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(reply.header(field), Some(value));
    }
    assert_eq!(reply.header("set-cookie"), None);
    let parts = parts(&reply.body);
    for part in &parts {
        let Part::Open(name, attributes) = part else { continue };
        let known = "html head meta title link script body a header form label input button p main h1 h2 h3 h4 \
                     div nav span small strong code time ul ol li dl dt dd section figure figcaption svg desc \
                     path rect details summary img map area caption table thead tbody tr th td";
        assert!(known.split(' ').any(|known| known == name.trim()), "{name}");
        for (attribute, value) in attributes {
            assert!(!attribute.starts_with("on") && attribute != "style", "{attribute}");
            let is_link = ["href", "src", "action"].contains(&&**attribute);
            assert!(
                !is_link
                    || value == "#content"
                    || value.starts_with('/') && !value.starts_with("//"),
                "{value}"
            );
        }
    }
    let scripts: Vec<_> = attributes(&parts, "src").collect();
    assert!(
        scripts.iter().all(|source| *source == "/page.js" || source.starts_with("/picture/")),
        "{scripts:?}"
    );
    parts
}

#[test]
fn the_overview_shows_what_is_wrong_and_what_there_is() {
    let site = Site::start();
    site.ask();
    let page = || text(&safe(&site.http.get("/")));
    assert!(wait_until(LIMIT, || page().contains("127.0.0.4")), "{}", page());
    let page = page();
    for want in [
        "1 of 4 zones is not ready",
        "<i>&late: there is no such file",
        "What to do: check the mirror job",
        "<u>late.example",
        "Zones ready 3 of 4",
        "net.bl.example",
        "except white",
        "Last day",
        "127.0.0.1:",
    ] {
        assert!(page.contains(want), "{want}: {page}");
    }
}

#[test]
fn a_key_has_a_page_with_all_answers_and_why() {
    let site = Site::start();
    let page = |key: &str| {
        let page = || text(&safe(&site.http.get(&format!("/lookup?key={key}"))));
        // Where much runs at once, it takes its time.
        assert!(wait_until(LIMIT, || !page().contains("The time for a search was over")));
        page()
    };
    // Each dataset has a history of its own, which is written after it is served.
    let has_history = || {
        let page = page("192.0.2.1");
        page.contains("or earlier: the history begins with it")
            && page.contains("Never listed in names")
    };
    assert!(wait_until(LIMIT, has_history), "{}", page("192.0.2.1"));
    let listed = page("192.0.2.1");
    let line = format!("{}:1", site.server.path("list").display());
    for want in [
        "192.0.2.1 is listed in 1 zone",
        "127.0.0.3",
        "see https://bl.example/k/192.0.2.1",
        "Allowed by white",
        "1.2.0.192.bl.example",
        "To let it in now",
        &line,
        "192.0.2.1 :127.0.0.3:see https://bl.example/k/$",
        "It decides",
        "Never listed in names",
    ] {
        assert!(listed.contains(want), "{want}: {listed}");
    }
    let prefix = page("192.0.2.0/24");
    for want in ["addresses of it are listed", "None of it was ever listed in", HOSTILE] {
        assert!(prefix.contains(want), "{want}: {prefix}");
    }
    // In the answer, in the line and in the history.
    assert_eq!(page("192.0.2.2").matches(HOSTILE).count(), 4);
    for (key, want) in [
        ("2.2.0.192.bl.example", "192.0.2.2 is listed in 2 zones"),
        ("192.0.2.0/24", "18 of 256 addresses (7.0\u{a0}%), in 2 ranges"),
        ("someone@spam.example", "someone@spam.example is listed in 1 zone"),
        ("b%c3%bccher.example", "xn--bcher-kva.example: not all zones answer"),
        ("0.0.0.0/0", "A prefix that wide takes a server too long"),
        ("", "is no address, prefix, name"),
        ("%3Cb%3E.example", "is no address, prefix, name"),
    ] {
        assert!(page(key).contains(want), "{want}: {}", page(key));
    }
    assert_eq!(site.http.get("/lookup?key=a%20b").status, 400);
    let told = site.json("/api/lookup?key=192.0.2.1");
    assert_eq!(told["listed"], true);
    assert_eq!(told["zones"][0]["addresses"], serde_json::json!(["127.0.0.3"]));
    assert_eq!(told["zones"][1]["verdict"], "allowed");
    assert!(site.json("/api/lookup?key=a%20b")["error"].is_string());
}

#[test]
fn a_key_has_a_page_for_everybody() {
    let site = Site::start();
    let page = |path: &str| text(&safe(&site.http.get(path)));
    let has_history = || page("/k/192.0.2.1").contains("or earlier: the history begins with it");
    assert!(wait_until(LIMIT, has_history), "{}", page("/k/192.0.2.1"));
    let told = page("/k/192.0.2.1");
    assert!(told.contains("see https://bl.example/k/192.0.2.1"), "{told}");
    assert!(!told.contains(&*site.server.path("").to_string_lossy()), "{told}");
    assert!(!told.contains("To let it in"), "{told}");
    assert_eq!(page("/k?key=192.0.2.1"), told);
    for (path, want) in [
        ("/k", "Is it listed?"),
        ("/k/2001:db8::7", "2001:db8::7"),
        ("/k/%3Cb%3E.example", "<b>.example: not all zones answer"),
        ("/k/192.0.2.0/24", "There is no key"),
    ] {
        assert!(page(path).contains(want), "{want}: {}", page(path));
    }
    // What an access list keeps from who asks is not in the history either.
    let text = std::fs::read_to_string(site.server.path("dnsbld.toml")).expect("it was written");
    let acl = "[[dataset]]\nname = \"closed\"\ntype = \"acl\"\nfiles = [\"closed\"]\n";
    let text = format!("{text}{acl}");
    let text = text
        .replace("name = \"domains.example\"", "name = \"domains.example\"\nacl = [\"closed\"]");
    assert!(page("/k/spam.example").contains("127.0.0.2"), "{}", page("/k/spam.example"));
    site.server.write("closed", "127.0.0.0/8 :refuse\n");
    site.server.write("dnsbld.toml", text);
    site.server.reload();
    let is_closed = || page("/k/spam.example").contains("An access list refuses your address");
    assert!(wait_until(LIMIT, is_closed), "{}", site.server.log());
    assert!(!page("/k/spam.example").contains("127.0.0.2"), "{}", page("/k/spam.example"));
}

#[test]
fn a_zone_has_a_page_with_its_last_loads() {
    let site = Site::start();
    let page = |path: &str| text(&safe(&site.http.get(path)));
    let has_history = || page("/zone/BL.example.").contains("all that was listed");
    assert!(wait_until(LIMIT, has_history), "{}", page("/zone/bl.example"));
    let hostile =
        format!("192.0.2.1 :127.0.0.3:new {HOSTILE}\n192.0.2.32/27\n192.0.2.200-192.0.2.202\n");
    site.server.write("list", hostile);
    let has_changed = || page("/zone/bl.example").contains("Delisted:");
    assert!(wait_until(LIMIT, has_changed), "{}", page("/zone/bl.example"));
    let told = page("/zone/bl.example");
    for want in [
        "Zone bl.example",
        "+35",
        "\u{2212}17",
        "~1",
        "192.0.2.32/27",
        "192.0.2.16/28",
        "Entries",
        "dig ",
    ] {
        assert!(told.contains(want), "{want}: {told}");
    }
    let zone = site.json("/api/zone/bl.example");
    assert_eq!(zone["zone"]["name"], "bl.example");
    assert_eq!(zone["datasets"][0]["name"], "list");
    let load = &zone["loads"][0]["loads"][0];
    assert_eq!((&load["what"], &load["added"]), (&"loaded".into(), &35.into()), "{zone:#}");
    assert_eq!(load["delisted"], serde_json::json!(["192.0.2.2", "192.0.2.16/28"]));
    let path = format!("/load/list/{}", load["number"]);
    let told = page(&path);
    for want in ["Load of list", "delisted", "192.0.2.200-192.0.2.202", HOSTILE] {
        assert!(told.contains(want), "{want}: {told}");
    }
    let load = site.json(&format!("/api{path}"));
    assert_eq!(load["keys"].as_array().map(Vec::len), Some(5), "{load:#}");
    // A load that was refused.
    site.server.write("list", "<html>oops</html>\n");
    let is_refused = || page("/zone/bl.example").contains("is an HTML or XML page");
    assert!(wait_until(LIMIT, is_refused), "{}", page("/zone/bl.example"));
    assert!(page("/zone/%3Cu%3Elate.example").contains("Zone <u>late.example"));
    for path in
        ["/zone/other.example", "/zone/%3Cb%3E", "/load/list/99", "/load/other/1", "/load/list/x"]
    {
        let reply = site.http.get(path);
        assert_eq!(reply.status, 404, "{path}");
        safe(&reply);
        assert_eq!(site.http.get(&format!("/api{path}")).status, 404, "{path}");
    }
}

#[test]
fn what_is_watched_is_a_table_of_the_overview() {
    let site = Site::start();
    let page = || text(&safe(&site.http.get("/")));
    assert!(wait_until(LIMIT, || page().contains("listed in 1 list")), "{}", page());
    let page = page();
    for want in [
        "192.0.2.0/24",
        "our <b>mail",
        "in bl.example, net.bl.example",
        "192.0.2.1-192.0.2.2",
        "list:1",
        "192.0.2.16/28 :2:a net",
        "our domain",
        "not listed",
    ] {
        assert!(page.contains(want), "{want}: {page}");
    }
}

#[test]
fn senders_that_allow_lists_let_in_have_a_page() {
    let site = Site::start();
    let page = || text(&safe(&site.http.get("/overrides")));
    assert!(page().contains("no allow list has changed an answer"), "{}", page());
    let _ = site.server.ask("1.2.0.192.net.bl.example", RecordType::A);
    let told = || site.json("/api/overrides")["overrides"][0].clone();
    assert!(wait_until(LIMIT, || told()["count"] == 1), "{:#}", site.json("/api/overrides"));
    assert_eq!((&told()["list"], &told()["allow"]), (&"list".into(), &"white".into()));
    for want in ["192.0.2.1", "list", "white"] {
        assert!(page().contains(want), "{want}: {}", page());
    }
}

#[test]
fn a_zone_has_a_map_that_leads_to_entries() {
    let site = Site::start();
    let links = |path: &str| {
        let parts = safe(&site.http.get(path));
        attributes(&parts, "href").map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |links: &[String], link: &str| links.iter().any(|other| other == link);
    assert!(has(&links("/zone/bl.example"), "/map/bl.example"));
    let whole = links("/map/bl.example");
    assert!(has(&whole, "/map/bl.example?net=192.0.0.0%2F8"), "{whole:?}");
    let part = links("/map/bl.example?net=192.0.0.0%2F8");
    assert!(has(&part, "/lookup?key=192.0.0.0%2F16"), "{part:?}");
    let mut curl = Command::new("curl");
    let url = format!("http://{}/picture/bl.example?net=192.0.2.0/24", site.http.0);
    let picture = curl.args(["-sS", &url]).output().expect("it is installed").stdout;
    let reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().expect("a picture");
    assert_eq!((reader.info().width, reader.info().height), (1088, 1192));
    assert!(!has(&links("/zone/domains.example"), "/map/domains.example"));
    for path in
        ["domains.example", "other.example", "bl.example?net=x", "bl.example?net=10.0.0.0/25"]
    {
        assert_eq!(site.http.get(&format!("/map/{path}")).status, 404, "{path}");
        assert_eq!(site.http.get(&format!("/picture/{path}")).status, 404, "{path}");
    }
}

#[test]
fn programs_read_what_the_commands_print() {
    let site = Site::start();
    let printed = |arguments: &[&str]| -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        let output = command.args(arguments).current_dir(site.server.path(".")).output();
        serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON")
    };
    let check = printed(&["check", "--json", "--socket", "control", "192.0.2.1"]);
    assert_eq!(check[0]["from"], "server");
    assert!(wait_until(LIMIT, || site.json("/api/check?key=192.0.2.1") == check), "{check:#}");
    // A load is kept a moment after it is served.
    let history = || printed(&["history", "--json", "--config", "dnsbld.toml", "192.0.2.1"]);
    let timeline = || site.json("/api/timeline?key=192.0.2.1");
    assert!(wait_until(LIMIT, || timeline()["datasets"].as_array().map(Vec::len) == Some(3)));
    assert_eq!(timeline(), history());
    let long = format!("/api/timeline?key={}", "a".repeat(64));
    for (path, status) in [("/api/check?key=a%20b", 400), (&*long, 400)] {
        let reply = site.http.get(path);
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.body.contains("\"error\""), "{}", reply.body);
    }
}

/// Reading files takes no core from those who answer queries, and has an end.
#[test]
fn many_look_ups_delay_no_answer() {
    let site = Site::start();
    let entries: String = (0..400_000_u32)
        .map(|number| {
            format!("{} :2:a text of an entry\n", Ipv4Addr::from_bits(0x0a00_0000 + number))
        })
        .collect();
    site.server.write("<i>&late", entries);
    assert!(wait_until(LIMIT * 3, || site.http.get("/readyz").status == 200));
    let slowest_of_most = || {
        let mut times: Vec<_> = (0..200)
            .map(|_| {
                let start = Instant::now();
                let reply = site.server.ask("1.2.0.192.bl.example", RecordType::A);
                assert_eq!(reply.addresses().len(), 1);
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() * 9 / 10]
    };
    let alone = slowest_of_most();
    let http = &site.http;
    let clients: Vec<_> = (0..50_u8).map(|number| Ipv4Addr::new(127, 0, 0, 10 + number)).collect();
    thread::scope(|scope| {
        let replies: Vec<_> = clients
            .iter()
            .map(|client| {
                let stream = http.connect_from(*client);
                let request = format!(
                    "GET /lookup?key=10.0.0.{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    client.octets()[3],
                    http.0
                );
                scope.spawn(move || http.send_over(stream, &request))
            })
            .collect();
        let beside = slowest_of_most();
        assert!(beside < alone * 10 + Duration::from_millis(50), "{alone:?} and {beside:?}");
        for reply in replies {
            let reply = reply.join().expect("it is answered");
            assert_eq!(reply.status, 200, "{}", reply.body);
            let is_told = ["It decides", "The time for a search was over", "Too many look-ups"];
            assert!(is_told.iter().any(|words| reply.body.contains(words)), "{}", reply.body);
        }
    });
}

#[test]
fn programs_read_the_past_and_the_figures() {
    let site = Site::start();
    let history = site.json("/api/history");
    assert_eq!(history["all"]["queries"].as_array().map(Vec::len), Some(1440));
    assert_eq!(history["zones"][0]["name"], "bl.example");
    assert!(site.json("/api/stats")["top"]["is_on"].as_bool().expect("it is told"));
}

#[test]
fn files_of_the_page_are_what_they_say() {
    let site = Site::start();
    for (path, content_type) in [
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon/well.svg", "image/svg+xml"),
        ("/icon/bad.svg", "image/svg+xml"),
    ] {
        let reply = site.http.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
        assert!(!reply.body.is_empty());
    }
    assert_eq!(site.http.get("/icon/other.svg").status, 404);
}

/// Whatever is sent as a key, the page is well formed, has no element but its own, and shows no character that
/// changes those beside it.
#[test]
fn any_key_is_escaped() {
    let site = Site::start();
    let strategy = (
        any::<bool>(),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "[<>\"'&;=/ a-z\\\\.@#%]{0,60}".prop_map(String::into_bytes),
            any::<String>().prop_map(String::into_bytes),
        ],
    );
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let result = runner.run(&strategy, |(is_public, key)| {
        let mut path = if is_public { "/k?key=" } else { "/lookup?key=" }.to_owned();
        key.iter().for_each(|byte| _ = write!(path, "%{byte:02x}"));
        let reply = site.http.get(&path);
        prop_assert!([200, 400].contains(&reply.status), "{}", reply.status);
        let parts = safe(&reply);
        let is_hidden =
            |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!reply.body.contains(is_hidden));
        // Browsers show what was typed.
        let typed: String = String::from_utf8_lossy(&key)
            .chars()
            .map(|c| if is_hidden(c) || c == '\n' { ' ' } else { c })
            .take(255)
            .collect();
        if typed.chars().all(|c| c.is_ascii_graphic()) {
            prop_assert!(attributes(&parts, "value").any(|value| value == typed));
        }
        Ok(())
    });
    result.unwrap();
}
