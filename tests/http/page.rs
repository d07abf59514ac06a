//! The page for people.

use super::client::{Http, HttpReply};
use super::markup::{Part, attributes, parts, text};
use crate::common::{Daemon, Setup, free_port, wait_until};
use hickory_proto::rr::RecordType;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

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
    [[zone]]\nname = \"<u>late.example\"\ndatasets = [\"late\"]\n";

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
            "192.0.2.1 :127.0.0.3:see https://bl.example/lookup?key=$\n\
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
        let known = "html head meta title link script body a header form label input button p main h1 h2 h3 \
                     div span small strong code time ul ol li dl dt dd section figure figcaption svg desc \
                     path rect details summary table thead tbody tr th td";
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
    assert!(scripts.iter().all(|source| *source == "/page.js"), "{scripts:?}");
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
fn a_key_has_a_page_with_all_answers() {
    let site = Site::start();
    let page = |key: &str| text(&safe(&site.http.get(&format!("/lookup?key={key}"))));
    let listed = page("192.0.2.1");
    for want in [
        "192.0.2.1 is listed in 1 zone",
        "127.0.0.3",
        "see https://bl.example/lookup?key=192.0.2.1",
        "Allowed by white",
        "1.2.0.192.bl.example",
    ] {
        assert!(listed.contains(want), "{want}: {listed}");
    }
    assert!(page("192.0.2.2").contains(HOSTILE));
    assert!(page("%3Cb%3E.example").contains("<b>.example: not all zones answer"));
    assert!(page("").contains("is neither an address"));
    assert_eq!(site.http.get("/lookup?key=a%20b").status, 400);
    let json = |key: &str| -> serde_json::Value {
        serde_json::from_str(&site.http.get(&format!("/api/lookup?key={key}")).body).expect("JSON")
    };
    let told = json("192.0.2.1");
    assert_eq!(told["listed"], true);
    assert_eq!(told["zones"][0]["addresses"], serde_json::json!(["127.0.0.3"]));
    assert_eq!(told["zones"][1]["verdict"], "allowed");
    assert!(json("a%20b")["error"].is_string());
}

#[test]
fn programs_read_the_past_and_the_figures() {
    let site = Site::start();
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_str(&site.http.get(path).body).expect("JSON")
    };
    let history = json("/api/history");
    assert_eq!(history["all"]["queries"].as_array().map(Vec::len), Some(1440));
    assert_eq!(history["zones"][0]["name"], "bl.example");
    assert!(json("/api/stats")["top"]["is_on"].as_bool().expect("it is told"));
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
    let strategy = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[<>\"'&;=/ a-z\\\\.@#%]{0,60}".prop_map(String::into_bytes),
        any::<String>().prop_map(String::into_bytes),
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let result = runner.run(&strategy, |key| {
        let mut path = "/lookup?key=".to_owned();
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
