use super::*;
use std::collections::BTreeSet;

fn zone(name: &str, health: Health, addresses: Option<u128>) -> ZoneStatus {
    ZoneStatus {
        name: name.to_owned(),
        reason: None,
        ready: health <= Health::Kept,
        state: health,
        serial: Some(7),
        datasets: vec!["list".to_owned()],
        allow: Vec::new(),
        acl: Vec::new(),
        entries: 12,
        addresses,
        bytes: 20_480,
        load_time: Duration::from_micros(1500),
        queries: 30,
        listed: 2,
        content_id: Some("00ff".to_owned()),
        stale: "serve".to_owned(),
        question: format!("{name} SOA"),
    }
}

#[test]
fn the_report_has_a_line_for_each_zone_and_a_question_to_the_best() {
    let status = Status {
        schema: 1,
        time: Time(1_000_000),
        server: ServerStatus {
            version: "1.2.3".to_owned(),
            pid: 9,
            config: "a.toml".to_owned(),
            since: Time(999_000),
            listening: Listening {
                plain: vec!["127.0.0.1:53".parse().unwrap()],
                http: vec!["127.0.0.1:9153".parse().unwrap()],
                ..Listening::default()
            },
            listeners: Vec::new(),
            connections: Vec::new(),
            xdp: Vec::new(),
            certificates: Vec::new(),
            loading: false,
            lost: LostQueries { query_log: Some(12), dnstap: Some(0) },
            rate_limit: None,
            confinement: None,
        },
        zones: vec![
            zone("a.example", Health::Unloaded, None),
            zone("b.example", Health::Whole, Some(1 << 50)),
        ],
        datasets: Vec::new(),
        events: Vec::new(),
        feeds: Vec::new(),
        watched: Vec::new(),
    };
    let want = "\
dnsbld 1.2.3: 2 zones, 0 datasets from a.toml

zone       datasets    entries       addresses     memory      time  state
a.example         1         12               -     20 KiB    1.5 ms  SERVFAIL, see the log
b.example         1         12          1.1e15     20 KiB    1.5 ms  serving

ready after 20 ms
listening on 127.0.0.1:53 (UDP and TCP)
metrics at http://127.0.0.1:9153/metrics
try: dig @127.0.0.1 -p 53 b.example SOA
";
    assert_eq!(status.start_report(Duration::from_millis(20)), want);
}

fn status(zones: Vec<ZoneStatus>, datasets: Vec<DatasetStatus>) -> Status {
    Status {
        schema: 1,
        time: Time(1_000_000),
        server: ServerStatus {
            version: "1.2.3".to_owned(),
            pid: 9,
            config: "a.toml".to_owned(),
            since: Time(992_000),
            listening: Listening::default(),
            listeners: vec![ListenerStatus {
                address: "192.0.2.1:53".parse().unwrap(),
                protocols: vec![Protocol::Udp, Protocol::Tcp],
            }],
            connections: vec![
                ConnectionStatus { protocol: Protocol::Tcp, open: 3, limit: 512, gave_way: 0 },
                ConnectionStatus { protocol: Protocol::Tls, open: 1, limit: 512, gave_way: 7 },
            ],
            xdp: vec![
                DeviceStatus {
                    device: "eth0".to_owned(),
                    mode: DeviceMode::Copy,
                    reason: None,
                    queues: 4,
                    workers: vec![queue(0), queue(1)],
                },
                DeviceStatus {
                    device: "eth1".to_owned(),
                    mode: DeviceMode::Sockets,
                    reason: Some("it is old; buy a new one".to_owned()),
                    queues: 1,
                    workers: Vec::new(),
                },
            ],
            certificates: vec![CertificateStatus {
                file: "/tls/c.pem".to_owned(),
                names: vec!["dns.test".to_owned(), "192.0.2.1".to_owned()],
                expires: Some(Time(1_000_000 + 20 * 86_400)),
            }],
            loading: true,
            lost: LostQueries { query_log: Some(12), dnstap: Some(0) },
            rate_limit: Some(RateLimitStatus {
                queries_per_second: 50,
                burst: 100,
                dry_run: true,
                limited: 1,
                spared: 12,
            }),
            confinement: Some(ConfinementStatus {
                user: "dnsbld".to_owned(),
                sandbox: SandboxState::On,
                reads: vec!["/lists".to_owned()],
                ..ConfinementStatus::default()
            }),
        },
        zones,
        datasets,
        feeds: Vec::new(),
        watched: Vec::new(),
        events: vec![event(8, Some("list"), None), event(9, None, Some("b.example"))],
    }
}

fn queue(queue: u32) -> QueueStatus {
    let lost = LostFrames { dropped: 1, ring_full: 2, no_frame: 1, invalid: 0 };
    QueueStatus { queue, answers: 100, passed: u64::from(queue), lost }
}

fn event(number: u64, dataset: Option<&str>, zone: Option<&str>) -> EventStatus {
    EventStatus {
        number,
        time: Time(990_000 + number as i64),
        severity: Severity::Warning,
        event: "some-event".to_owned(),
        dataset: dataset.map(str::to_owned),
        zone: zone.map(str::to_owned),
        file: None,
        text: "something happened".to_owned(),
    }
}

fn dataset(name: &str, problem: Option<ProblemStatus>) -> DatasetStatus {
    DatasetStatus {
        name: name.to_owned(),
        kind: "ip4set".to_owned(),
        state: if problem.is_some() { "stale" } else { "live" }.to_owned(),
        entries: Some(12),
        addresses: Some(1 << 60),
        bytes: Some(20_480),
        mapped: Some(0),
        files: vec![FileStatus {
            path: "/lists/one".to_owned(),
            size: 100,
            modified: Time(900_000),
            entries: 12,
            bad_lines: 1,
        }],
        fetched: Some(Time(900_000)),
        changed: Some(Time(999_000)),
        accepted: Some(Time(999_000)),
        expires: None,
        last_change: Some(ChangeStatus { added: 3, removed: 0, changed: 1 << 54 }),
        load_time: Some(Duration::from_micros(1500)),
        content_id: Some("1f".to_owned()),
        overdue: false,
        problem,
    }
}

fn feed(name: &str, failures: u32) -> FeedStatus {
    let problem = FeedProblem { cause: "it broke".to_owned(), remedy: "mend it".to_owned() };
    FeedStatus {
        name: name.to_owned(),
        source: "host::module/list".to_owned(),
        state: if failures > 0 { "failing" } else { "live" }.to_owned(),
        datasets: vec!["list".to_owned()],
        last_try: Some(Time(999_900)),
        last_success: Some(Time(999_000)),
        last_change: Some(Time(900_000)),
        next_try: Some(Time(1_003_000)),
        size: Some(1000),
        transferred: Some(100),
        speed_up: Some(10),
        failures,
        problem: (failures > 0).then_some(problem),
    }
}

fn watched() -> WatchedStatus {
    let key = |key: &str, since| WatchedKey {
        key: key.to_owned(),
        since: Time(since),
        file: Some("/lists/one".to_owned()),
        line: Some(7),
        text: Some("203.0.113.0/24 spam".to_owned()),
    };
    WatchedStatus {
        watched: "203.0.113.0/24".to_owned(),
        label: "our mail".to_owned(),
        listed: vec![WatchedListing {
            dataset: "list".to_owned(),
            zones: vec!["bl.example".to_owned()],
            total: 3,
            keys: vec![key("203.0.113.8/31", 900_000), key("203.0.113.7", 800_000)],
            more: 1,
        }],
    }
}

#[test]
fn a_listing_is_told_in_one_line() {
    let listing = &watched().listed[0];
    assert_eq!(
        listing.words(),
        "list lists 203.0.113.8/31, 203.0.113.7 and 1 more in bl.example by /lists/one:7: 203.0.113.0/24 spam"
    );
    assert_eq!(listing.newest(), Time(900_000));
}

fn problem() -> ProblemStatus {
    ProblemStatus {
        file: "/lists/one".to_owned(),
        rule: None,
        cause: "there is no file".to_owned(),
        shown: Vec::new(),
        remedy: "put it back".to_owned(),
        since: Time(999_700),
        attempts: 2,
    }
}

#[test]
fn the_text_has_two_tables_and_what_is_wrong() {
    let zones =
        vec![zone("a.example", Health::Unloaded, None), zone("b.example", Health::Kept, Some(9))];
    let status = status(zones, vec![dataset("list", Some(problem()))]);
    let want = "\
dnsbld 1.2.3, process 9, up 2 h, with a.toml, reading files
user dnsbld, no capabilities, sandbox on (reads 1 folder, writes 0)
listening on 192.0.2.1:53 (UDP and TCP), 3 of 512 TCP connections, 1 of 512 TLS connections (7 gave way to others)
xdp eth0: 2 of 4 queues past the kernel's stack, with copies; 200 answers, 1 frame left to the kernel, 6 lost
xdp eth1: the sockets have its queries: it is old; buy a new one
certificate /tls/c.pem of dns.test, 192.0.2.1: expires in 20 days
query log: 12 queries lost since the start
rate limit of 50 queries a second for an address: 1 query told to use TCP, 12 queries let pass (dry run)

zone       ready  state         serial  entries  addresses  queries  listed
a.example  NO     never-loaded       7       12          -       30       2
b.example  yes    kept               7       12          9       30       2

dataset  type    state  entries  addresses  memory  fetched  accepted
list     ip4set  stale       12     1.2e18  20 KiB  27 h ago  16 min ago

last events
1970-01-12T11:00:08Z WARN something happened
1970-01-12T11:00:09Z WARN something happened

dataset list: stale: /lists/one: there is no file (met 5 min ago); 12 entries stay in service; put it back
zone a.example: nothing of it was ever loaded; the zone answers SERVFAIL
";
    let squeezed =
        |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&status.to_text()), squeezed(want));
    assert!(!status.is_well());
}

#[test]
fn feeds_have_a_table_and_what_is_wrong_with_them() {
    let mut status = status(vec![zone("a.example", Health::Whole, None)], Vec::new());
    status.events.clear();
    assert!(!status.to_text().contains("feed"));
    status.feeds = vec![feed("good", 0)];
    assert!(status.is_well());
    let never = FeedStatus { last_success: None, last_try: None, next_try: None, ..feed("new", 1) };
    status.feeds.extend([feed("bad", 2), never]);
    assert!(!status.is_well());
    let want = "
feed  state    fetched      changed   next try  failures  speed-up
good  live     16 min ago  27 h ago  in 50 min         0        10
bad   failing  16 min ago  27 h ago  in 50 min         2        10
new   failing  -           27 h ago          -         1        10

feed bad: failing: it broke; 2 tries have failed, the last good one was 16 min ago; mend it
feed new: failing: it broke; 1 try has failed, and none went well; mend it
";
    let text = status.to_text();
    assert!(text.ends_with(want), "{text}");
    let bad = status.of("bad").unwrap();
    assert_eq!((bad.feeds.len(), bad.zones.len()), (1, 0));
    assert_eq!(status.of("a.example").unwrap().feeds.len(), 0, "it has no dataset of that name");
}

#[test]
fn what_is_well_is_ready_live_and_without_a_problem() {
    let good = || status(vec![zone("a.example", Health::Whole, None)], vec![dataset("list", None)]);
    assert!(good().is_well());
    let mut other = good();
    other.zones[0].state = Health::Kept;
    assert!(!other.is_well());
    let mut other = good();
    other.zones[0].ready = false;
    assert!(!other.is_well());
    let mut other = good();
    other.datasets[0].state = "quarantined".to_owned();
    assert!(!other.is_well());
    let mut other = good();
    other.datasets[0].problem = Some(problem());
    assert!(!other.is_well());
}

#[test]
fn a_certificate_that_expires_soon_is_wrong_but_not_for_a_zone() {
    let expires_in = |seconds: i64| {
        let mut status =
            status(vec![zone("a.example", Health::Whole, None)], vec![dataset("list", None)]);
        status.server.certificates[0].expires = Some(Time(1_000_000 + seconds));
        status
    };
    assert!(expires_in(14 * 86_400).is_well());
    for (seconds, words) in [(14 * 86_400 - 1, "expires in 13 days"), (-7200, "expired 2 h ago")] {
        let status = expires_in(seconds);
        assert!(!status.is_well());
        let line = format!(
            "\n\ncertificate /tls/c.pem of dns.test, 192.0.2.1: {words}; clients refuse it from then on; renew it\n"
        );
        assert!(status.to_text().ends_with(&line), "{}", status.to_text());
        assert!(status.of("a.example").unwrap().is_well());
    }
}

#[test]
fn a_zone_brings_its_datasets_and_a_dataset_its_zones() {
    let mut other = zone("b.example", Health::Whole, None);
    (other.datasets, other.allow) = (vec!["second".to_owned()], vec!["list".to_owned()]);
    let zones = vec![zone("a.example", Health::Whole, None), other];
    let all = status(zones, vec![dataset("list", None), dataset("second", None)]);
    let names = |status: Option<Status>| {
        status.map(|status| {
            let zones = status.zones.into_iter().map(|zone| zone.name);
            zones.chain(status.datasets.into_iter().map(|set| set.name)).collect::<Vec<_>>()
        })
    };
    assert_eq!(names(all.of("A.example.")).unwrap(), ["a.example", "list"]);
    assert_eq!(names(all.of("b.example")).unwrap(), ["b.example", "list", "second"]);
    assert_eq!(names(all.of("list")).unwrap(), ["a.example", "b.example", "list"]);
    assert_eq!(names(all.of("second")).unwrap(), ["b.example", "second"]);
    assert_eq!(names(all.of("third")), None);
    let events = |name: &str| -> Vec<u64> {
        all.of(name).unwrap().events.iter().map(|event| event.number).collect()
    };
    assert_eq!(events("a.example"), [8]);
    assert_eq!(events("b.example"), [8, 9]);
}

#[test]
fn json_is_read_as_it_was_written() {
    let zones = vec![zone("a.example", Health::Whole, Some((1 << 53) + 1))];
    let status = status(zones, vec![dataset("list", Some(problem())), dataset("other", None)]);
    let json = status.to_json();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["schema"], 1);
    assert_eq!(value["zones"][0]["addresses"], "9007199254740993");
    assert_eq!(value["zones"][0]["load_seconds"], 0.0015);
    assert_eq!(value["datasets"][0]["last_change"]["added"], 3);
    assert_eq!(value["datasets"][0]["last_change"]["changed"], "18014398509481984");
    assert_eq!(value["datasets"][0]["fetched"], "1970-01-11T10:00:00Z");
    assert_eq!(value["datasets"][0]["problem"]["remedy"], "put it back");
    assert_eq!(value["datasets"][1]["problem"], serde_json::Value::Null);
    // A newer server may tell more.
    let more = json.replacen("\"schema\"", "\"new\": [1], \"schema\"", 1);
    assert_eq!(serde_json::from_str::<Status>(&more).unwrap(), status);
}

#[test]
fn times_are_read_as_they_are_written() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1_795_297_662, "2026-11-21T21:47:42Z"),
    ] {
        assert_eq!(Time(seconds).to_string(), text);
        assert_eq!(text.parse(), Ok(Time(seconds)));
    }
    for bad in
        ["", "Z", "T", "2026-11-21", "2026-11-21T21:47:42", "2026-11-31T00:00:00Z", "-6-1-1T0:0:0Z"]
    {
        assert_eq!(bad.parse::<Time>(), Err(NotATime), "{bad}");
    }
}

/// `docs/status.md` has a row for each field, by its path, and no others.
#[test]
fn the_documentation_has_every_field() {
    fn paths(value: &serde_json::Value, above: &str, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    let path = format!("{above}{name}");
                    paths(value, &format!("{path}."), found);
                    found.insert(path);
                }
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|item| paths(item, above, found));
            }
            _ => {}
        }
    }
    let zones = vec![zone("a.example", Health::Whole, None)];
    let mut status = status(zones, vec![dataset("list", Some(problem()))]);
    status.feeds.push(feed("feed", 1));
    status.watched.push(watched());
    let mut told = BTreeSet::new();
    paths(&serde_json::to_value(status).unwrap(), "", &mut told);
    let text = include_str!("../../docs/status.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), told);
}
