//! The metrics of a server in use, and what is written of them: the documentation, the alarms, the dashboard.

use super::client::Http;
use super::exposition::Families;
use super::promtool;
use crate::common::{Daemon, Setup, dig, event, free_port, temp_dir, wait_until};
use hickory_proto::rr::RecordType;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A server with all that there are metrics of.
pub(super) fn in_use() -> (Daemon, Http) {
    let setup = Setup::new();
    let [http, tls] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    setup.write("list", "192.0.2.1\n");
    setup.write("dated", "$TIMESTAMP 2026-01-01-00-00-00 +3650d\n192.0.2.2\n");
    setup.write("page", "<!DOCTYPE html><html><body>moved</body></html>\n");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-nodes", "-days", "30", "-subj", "/CN=bl.example", "-keyout", "tls.key"]);
    openssl.args(["-out", "tls.pem"]).current_dir(setup.path("."));
    assert!(openssl.output().expect("openssl is there").status.success());
    setup.write(
        "mirror/.sync/one/record.json",
        r#"{"name": "one", "last-try": 1700000000, "last-success": 1700000000, "last-change": 1700000000}"#,
    );
    let dataset = |name: &str| {
        format!(
            "[[dataset]]\nname = \"{name}\"\ntype = \"ip4set\"\nfiles = [\"{name}\"]\n\
             [[zone]]\nname = \"{name}.example\"\ndatasets = [\"{name}\"]\n"
        )
    };
    let datasets: String = ["list", "dated", "page"].map(dataset).concat();
    let datasets = datasets
        .replace("datasets = [\"list\"]\n", "datasets = [\"list\"]\ntransfer = [\"127.0.0.1\"]\n");
    let tables = format!(
        "[server.tls]\nlisten = [\"{tls}\"]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"\n\
         [http]\nlisten = [\"{http}\"]\n[mirror]\ndir = \"mirror\"\n[[feed]]\n\
         name = \"one\"\nsource = \"rsync.example::one/\"\n{datasets}"
    );
    let tables = format!(
        "{tables}[[quota]]\nname = \"free\"\nper = \"client\"\nqueries = 9\nperiod = \"1d\"\n"
    );
    let tables = format!("{tables}[watch]\n\"192.0.2.0/24\" = \"ours\"\n");
    setup.configure("state-dir = \"state\"\nxdp = [\"nosuch\"]", &tables);
    let server = setup.start();
    server.expect_log(&[&event("snapshot-written", "dated")], super::LIMIT);
    server.expect_log(&[&event("snapshot-written", "list")], super::LIMIT);
    server.ask("1.2.0.192.list.example", RecordType::A);
    assert!(dig(server.addr(), "list.example AXFR").0.contains("XFR size"));
    (server, Http(http))
}

/// The names of the metrics, with those of the series that a histogram has.
fn series(families: &Families) -> BTreeSet<String> {
    let suffixes = |kind: &str| match kind {
        "histogram" => ["_bucket", "_sum", "_count"].as_slice(),
        _ => &[""],
    };
    let names = families.0.iter().flat_map(|(name, (kind, _))| {
        suffixes(kind).iter().map(move |suffix| format!("{name}{suffix}"))
    });
    names.collect()
}

/// The metrics of dnsbld and of processes that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_name(c));
    let ours = words.filter(|word| word.starts_with("dnsbld_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

#[test]
fn the_documentation_has_each_metric_with_its_type_and_labels() {
    let (_server, http) = in_use();
    let told = Families::of(&http);
    let text = fs::read_to_string(format!("{ROOT}/docs/metrics.md")).expect("it is there");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| `dnsbld_") || line.starts_with("| `process_"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect::<BTreeSet<_>>();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    };
    let documented: BTreeMap<_, _> = rows.map(row).collect();
    for (name, family) in &told.0 {
        assert_eq!(documented.get(name), Some(family), "{name}");
    }
    for name in documented.keys() {
        assert!(told.0.contains_key(name), "{name} is documented, and not told");
    }
}

#[test]
fn alarms_and_the_dashboard_are_of_metrics_that_there_are() {
    let (_server, http) = in_use();
    let series = series(&Families::of(&http));
    let rules = fs::read_to_string(format!("{ROOT}/deploy/prometheus/dnsbld.rules.yml"));
    let rules = rules.expect("they are there");
    let dashboard = fs::read_to_string(format!("{ROOT}/deploy/grafana/dnsbld.json"));
    let dashboard: serde_json::Value =
        serde_json::from_str(&dashboard.expect("it is there")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("a list"));
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().expect("a text")).collect();
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let definitions = variables.iter().filter_map(|variable| variable["definition"].as_str());
    let texts: Vec<_> = queries.iter().copied().chain(definitions).chain([&*rules]).collect();
    assert!(queries.len() > 20 && named(&rules).len() > 7);
    for text in texts {
        for name in named(text) {
            assert!(series.contains(&name), "{name} of {text}");
        }
    }
    // Each is a query: a rule that records it is taken.
    let folder = temp_dir();
    let record = |(number, query): (usize, &&str)| {
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        let query = query.replace("$zone", ".*").replace("$job", ".*").replace('\'', "''");
        format!("      - record: r{number}\n        expr: '{query}'\n")
    };
    let all: String = queries.iter().enumerate().map(record).collect();
    let file = folder.path().join("rules.yml");
    fs::write(&file, format!("groups:\n  - name: all\n    rules:\n{all}")).expect("it is ours");
    promtool(&["check", "rules", "--lint=none", file.to_str().expect("ASCII")]);
}

#[test]
fn alarms_ring_when_they_should() {
    let folder = format!("{ROOT}/deploy/prometheus");
    promtool(&["check", "rules", &format!("{folder}/dnsbld.rules.yml")]);
    promtool(&["test", "rules", &format!("{folder}/dnsbld.tests.yml")]);
    promtool(&["check", "config", "--syntax-only", &format!("{folder}/scrape.yml")]);
    let rules = fs::read_to_string(format!("{folder}/dnsbld.rules.yml")).expect("there");
    let tests = fs::read_to_string(format!("{folder}/dnsbld.tests.yml")).expect("there");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let ringing = format!("- alertname: {alert}\n");
        assert!(tests.contains(&ringing), "no test rings {alert}");
    }
}

#[test]
fn an_answer_that_is_no_name_is_counted_as_one() {
    let (server, http) = in_use();
    let count = |rcode: &str| {
        let labels = format!("zone=\"page.example\",rcode=\"{rcode}\"");
        super::Samples::of(&http).value("dnsbld_answers_total", &labels)
    };
    server.ask("_ready.page.example", RecordType::A);
    server.ask("_health.page.example", RecordType::TXT);
    assert!(wait_until(super::LIMIT, || count("NXDOMAIN") == Some(1.0)));
    assert_eq!(count("NOERROR"), Some(1.0));
}
