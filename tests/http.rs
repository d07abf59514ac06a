//! The page, metrics, health and the status over HTTP, from outside.

mod accessible;
mod browser;
mod client;
mod deploy;
mod exposition;
mod hung;
mod markup;
mod page;

use crate::common::{Daemon, Setup, dig, free_port, run, slow_list, wait_until};
use client::Http;
use exposition::Samples;
use hickory_proto::rr::RecordType;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// Two zones, and a list with two values.
const ZONES: &str = "\
    [[dataset]]\nname = \"list\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
    [[dataset]]\nname = \"late\"\ntype = \"dnset\"\nfiles = [\"late\"]\n\
    [[zone]]\nname = \"bl.example\"\ndatasets = [\"list\"]\n\
    [[zone]]\nname = \"late.example\"\ndatasets = [\"late\"]\n";

/// A server with HTTP, the second zone of which has no data.
fn start() -> (Daemon, Http) {
    let (setup, http) = set_up("");
    (setup.start(), http)
}

/// What it starts with, and more lines of the table `[http]`.
fn set_up(settings: &str) -> (Setup, Http) {
    let setup = Setup::new();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    setup.write("list", "192.0.2.1 :127.0.0.3:three\n192.0.2.2 :4:four\n192.0.2.0/28 :2:two\n");
    setup.configure("", &format!("[http]\nlisten = [\"{address}\"]\n{settings}\n{ZONES}"));
    (setup, Http(address))
}

#[test]
fn what_is_asked_and_answered_is_counted() {
    let (server, http) = start();
    let before = Samples::of(&http);
    let counted = |samples: &Samples, name: &str, labels: &str| {
        samples.value(name, labels).unwrap_or(0.0) - before.value(name, labels).unwrap_or(0.0)
    };
    server.ask("1.2.0.192.bl.example", RecordType::A);
    server.ask("1.2.0.192.bl.example", RecordType::A);
    server.ask("2.2.0.192.bl.example", RecordType::TXT);
    server.ask("2.2.0.192.bl.example", RecordType::AAAA);
    server.ask("9.9.9.9.bl.example", RecordType::A);
    server.ask("a.late.example", RecordType::A);
    server.ask("a.example.org", RecordType::A);
    let over_tcp = dig(server.addr(), "+tcp 2.2.0.192.bl.example");
    assert_eq!(over_tcp.data(), ["127.0.0.2", "127.0.0.4"]);
    assert!(wait_until(LIMIT, || counted(
        &Samples::of(&http),
        "dnsbld_queries_total",
        "type=\"A\",transport=\"tcp\",zone=\"bl.example\""
    ) == 1.0));

    let after = Samples::of(&http);
    for (name, labels, want) in [
        ("dnsbld_queries_total", "zone=\"bl.example\",type=\"A\",transport=\"udp\"", 3.0),
        ("dnsbld_queries_total", "zone=\"bl.example\",type=\"TXT\",transport=\"udp\"", 1.0),
        ("dnsbld_queries_total", "zone=\"bl.example\",type=\"AAAA\",transport=\"udp\"", 1.0),
        ("dnsbld_queries_total", "zone=\"-\",type=\"A\",transport=\"udp\"", 1.0),
        ("dnsbld_answers_total", "zone=\"bl.example\",rcode=\"NOERROR\"", 5.0),
        ("dnsbld_answers_total", "zone=\"bl.example\",rcode=\"NXDOMAIN\"", 1.0),
        ("dnsbld_answers_total", "zone=\"late.example\",rcode=\"SERVFAIL\"", 1.0),
        ("dnsbld_answers_total", "zone=\"-\",rcode=\"REFUSED\"", 1.0),
        ("dnsbld_listed_answers_total", "zone=\"bl.example\"", 4.0),
        ("dnsbld_answer_values_total", "zone=\"bl.example\",value=\"127.0.0.2\"", 3.0),
        ("dnsbld_answer_values_total", "zone=\"bl.example\",value=\"127.0.0.3\"", 2.0),
        ("dnsbld_answer_values_total", "zone=\"bl.example\",value=\"127.0.0.4\"", 1.0),
        ("dnsbld_connections_total", "transport=\"tcp\"", 1.0),
    ] {
        assert_eq!(counted(&after, name, labels), want, "{name}{{{labels}}}");
    }
    let size = "1.2.0.192.bl.example".len() + 1 + 1 + 12 + 4;
    let bytes = counted(&after, "dnsbld_query_bytes_total", "zone=\"-\",transport=\"udp\"");
    assert!(bytes > 0.0 && bytes < 2.0 * size as f64, "{bytes}");
}

#[test]
fn data_and_its_state_are_told() {
    let (_server, http) = start();
    let samples = Samples::of(&http);
    for (name, labels, want) in [
        ("dnsbld_zone_ready", "zone=\"bl.example\"", 1.0),
        ("dnsbld_zone_ready", "zone=\"late.example\"", 0.0),
        ("dnsbld_zone_state", "zone=\"bl.example\",state=\"live\"", 1.0),
        ("dnsbld_zone_state", "zone=\"bl.example\",state=\"never-loaded\"", 0.0),
        ("dnsbld_zone_state", "zone=\"late.example\",state=\"never-loaded\"", 1.0),
        ("dnsbld_dataset_state", "dataset=\"late\",state=\"never-loaded\"", 1.0),
        ("dnsbld_dataset_entries", "dataset=\"list\"", 3.0),
        ("dnsbld_dataset_addresses", "dataset=\"list\"", 16.0),
        ("dnsbld_dataset_loads_total", "dataset=\"list\"", 1.0),
        ("dnsbld_config_last_reload_successful", "", 1.0),
    ] {
        assert_eq!(samples.value(name, labels), Some(want), "{name}{{{labels}}}");
    }
    assert_eq!(samples.value("dnsbld_dataset_entries", "dataset=\"late\""), None);
}

#[test]
fn what_is_wrong_with_a_dataset_is_told_with_the_remedy() {
    let (server, http) = start();
    let text = || http.get("/metrics").body;
    server.write("list", "<html>oops</html>\n");
    let told = || {
        text().lines().any(|line| line.starts_with("dnsbld_dataset_problem_info{dataset=\"list\""))
    };
    assert!(wait_until(LIMIT, told), "{}", text());
    let text = text();
    let of = |dataset: &str| {
        let start = format!("dnsbld_dataset_problem_info{{dataset=\"{dataset}\",");
        text.lines().find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
    };
    let list = of("list");
    for want in ["rule=\"foreign\"", "cause=\"is an HTML or XML page\"", "dnsbld accept "] {
        assert!(list.contains(want), "{list}");
    }
    assert!(of("late").contains("rule=\"\",cause=\"there is no such file\""), "{text}");
    server.write("list", "192.0.2.1 :127.0.0.3:three\n");
    let is_good = || !http.get("/metrics").body.contains("problem_info{dataset=\"list\"");
    assert!(wait_until(LIMIT, is_good));
}

#[test]
fn prometheus_finds_no_fault_with_the_metrics() {
    let (server, http) = deploy::in_use();
    server.write("metrics", http.get("/metrics").body);
    let mut promtool = Command::new("promtool");
    let file = File::open(server.path("metrics")).expect("it was written");
    let output = promtool.args(["check", "metrics"]).stdin(file).output().expect("it is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Runs promtool, which is to find no fault.
fn promtool(arguments: &[&str]) {
    run(Command::new("promtool").args(arguments));
}

#[test]
fn a_bad_reload_is_told_until_a_good_one() {
    let (server, http) = start();
    let good = std::fs::read_to_string(server.path("dnsbld.toml")).expect("it was written");
    let is_good = || Samples::of(&http).value("dnsbld_config_last_reload_successful", "");
    server.write("dnsbld.toml", "nonsense");
    server.reload();
    assert!(wait_until(LIMIT, || is_good() == Some(0.0)));
    server.write("dnsbld.toml", good);
    server.reload();
    assert!(wait_until(LIMIT, || is_good() == Some(1.0)));
    let samples = Samples::of(&http);
    for result in ["success", "failure"] {
        let labels = format!("result=\"{result}\"");
        assert_eq!(samples.value("dnsbld_config_reloads_total", &labels), Some(1.0), "{result}");
    }
}

#[test]
fn health_is_that_of_the_zones() {
    let (server, http) = start();
    let told = |path: &str| {
        let reply = http.get(path);
        (reply.status, reply.body)
    };
    assert_eq!(told("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(told("/readyz/bl.example"), (200, "ready\n".to_owned()));
    assert_eq!(told("/readyz/BL.example."), (200, "ready\n".to_owned()));
    let not_ready = (503, "late.example: late: nothing was ever loaded\n".to_owned());
    assert_eq!(told("/readyz/late.example"), not_ready);
    assert_eq!(told("/readyz"), not_ready);
    assert_eq!(told("/readyz/other.example").0, 404);
    server.write("late", "a\n");
    assert!(wait_until(LIMIT, || told("/readyz") == (200, "ready\n".to_owned())));
}

#[test]
fn the_status_is_that_of_the_command() {
    let (server, http) = start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["status", "--json", "--socket"]).arg(server.path("control"));
    let output = command.output().expect("it runs");
    let mut want: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let reply = http.get("/api/status");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let mut got: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    // A second may have passed, and who asks over HTTP has a connection.
    for status in [&mut want, &mut got] {
        status["time"].take();
        status["server"]["connections"].take();
    }
    assert_eq!(got, want);
}

#[test]
fn only_what_is_there_is_told_and_nothing_is_changed() {
    let (_server, http) = start();
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET // HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405),
        ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 421),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(http.send(request).status, status, "{request}");
    }
    let long =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(http.send(&long).status, 431);
    let many =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(100));
    assert_eq!(http.send(&many).status, 431);
    let head = http.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
}

#[test]
fn who_may_not_ask_is_not_answered() {
    let (setup, http) = set_up("allow = [\"127.0.0.2\", \"192.0.2.0/24\"]");
    let _server = setup.start();
    let mut closed = http.connect_from(Ipv4Addr::LOCALHOST);
    closed.set_read_timeout(Some(LIMIT)).expect("it is not zero");
    assert_eq!(closed.read(&mut [0; 1]).expect("it is closed"), 0);
    let allowed = http.connect_from(Ipv4Addr::new(127, 0, 0, 2));
    assert_eq!(http.send_over(allowed, "GET /healthz HTTP/1.0\r\n\r\n").status, 200);
}

#[test]
fn while_the_first_lists_are_read_it_lives_and_is_not_ready() {
    let (setup, http) = set_up("");
    slow_list(&setup.path("list"));
    let server = setup.launch();
    assert!(wait_until(LIMIT, || TcpStream::connect(http.0).is_ok()), "{}", server.log());
    let told = |path: &str| {
        let reply = http.get(path);
        (reply.status, reply.body)
    };
    assert_eq!(told("/healthz"), (200, "ok\n".to_owned()));
    let (status, why) = told("/readyz");
    assert_eq!(status, 503, "{why}");
    let says = |words: &str| told("/readyz").1.contains(words);
    assert!(wait_until(LIMIT, || says("bl.example: list: still loading\n")), "{}", server.log());
    assert_eq!(told("/readyz/bl.example").0, 503);
    assert_eq!(Samples::of(&http).value("dnsbld_loading", ""), Some(1.0));
    server.write("list", "192.0.2.1\n");
    assert!(wait_until(LIMIT, || told("/readyz/bl.example").0 == 200), "{}", server.log());
}

#[test]
fn without_descriptors_it_answers_when_there_are_some_again() {
    let (server, http) = start();
    let status: serde_json::Value =
        serde_json::from_str(&http.get("/api/status").body).expect("JSON");
    let pid = status["server"]["pid"].to_string();
    let limit = |soft: &str| {
        run(Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]));
    };
    // Those that are open stay so.
    limit("3");
    let waiting = TcpStream::connect(http.0).expect("the system takes it");
    server.expect_log(&[&format!("{}", http.0), "event=\"accept-failed\""], LIMIT);
    assert_eq!(server.ask("1.2.0.192.bl.example", RecordType::A).addresses().len(), 2);
    limit("256");
    assert_eq!(http.send_over(waiting, "GET /healthz HTTP/1.0\r\n\r\n").status, 200);
}
