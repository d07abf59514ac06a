use super::super::super::sample::Sample;
use super::*;
use crate::stats::report::StatsReport;
use crate::stats::top::TopReport;

/// A server with two zones, of which one is not ready, as it tells of itself in JSON.
fn view() -> View {
    let zone = |name: &str, ready: bool| {
        serde_json::json!({
            "name": name, "ready": ready, "reason": null, "state": if ready { "live" } else { "never-loaded" },
            "serial": 7, "datasets": ["list"], "allow": [], "acl": [], "entries": 2, "addresses": 2,
            "bytes": 100, "load_seconds": 0.5, "queries": 0, "listed": 0, "content_id": null, "question": "",
        })
    };
    let event = |number: u64, severity: &str, text: &str| {
        serde_json::json!({
            "number": number, "time": "2026-11-30T08:29:00Z", "severity": severity, "event": "some-event",
            "dataset": null, "zone": null, "file": null, "text": text,
        })
    };
    let status = serde_json::json!({
        "schema": 1, "time": "2026-11-30T08:30:00Z",
        "server": {
            "version": "1.2.3", "pid": 9, "config": "a.toml", "since": "2026-11-30T06:30:00Z",
            "listening": {"plain": [], "tls": []}, "loading": false,
            "connections": [{"protocol": "tcp", "open": 3, "limit": 512}],
        },
        "zones": [zone("a.example", true), zone("b.example", false)],
        "datasets": [{
            "name": "list", "type": "ip4set", "state": "live", "entries": 2, "addresses": 2, "bytes": 100,
            "mapped": 0, "files": [], "fetched": null, "changed": null, "accepted": "2026-11-30T08:20:00Z",
            "expires": null, "last_change": null, "load_seconds": 0.5, "content_id": null, "problem": null,
        }],
        "events": [event(1, "info", "list: loaded"), event(2, "error", "b.example: \u{1b}[2Jnot loaded")],
    });
    let counts = |name: Option<&str>, queries, listed| ZoneStats {
        name: name.map(str::to_owned),
        queries,
        listed,
        bytes_in: queries * 40,
        bytes_out: queries * 100,
        ..ZoneStats::default()
    };
    let key = |key: &str, zone: Option<&str>, per_second, share| TopKey {
        zone: zone.map(str::to_owned),
        key: key.to_owned(),
        per_second,
        share,
    };
    let report = |uptime_seconds, a, b, rest| StatsReport {
        uptime_seconds,
        zones: vec![
            counts(Some("a.example"), a, a / 2),
            counts(Some("b.example"), b, 0),
            counts(None, rest, 0),
        ],
        top: TopReport {
            is_on: true,
            listed: vec![key("192.0.2.1", Some("a.example"), 12.0, 0.25)],
            unlisted: vec![key("elsewhere.example", None, 0.5, 0.01)],
            clients: vec![TopClient {
                client: "198.51.100.7".to_owned(),
                per_second: 40.0,
                share: 0.8,
            }],
            misconfigured: vec![TopMisconfigured {
                client: "192.0.2.9".to_owned(),
                fault: "doubled-suffix".to_owned(),
                example: "2.0.0.127.a.example.a.example".to_owned(),
                per_second: 3.0,
                share: 0.06,
            }],
        },
        ..StatsReport::default()
    };
    let mut sample = Sample::default();
    sample.add(report(7200.0, 1000, 30, 5));
    sample.add(report(7202.0, 1200, 32, 5));
    View { sample, status: Some(serde_json::from_value(status).unwrap()), ..View::default() }
}

fn text(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_block_has_all_sections_in_plain_text() {
    let want = "\
dnsbld 1.2.3, up 2 h, 2026-11-30T08:30:00Z
101 queries/s, 50 listed/s, 0 unanswered/s, in 4040 B/s, out 10100 B/s, TCP 3/512
1 zone is not ready: see `dnsbld status`

zone       state         queries/s  listed/s  queries  listed
a.example  live                100        50     1200  50.0 %
b.example  never-loaded        1.0         0       32   0.0 %
(no zone)  -                     0         0        5   0.0 %
listed     zone       queries/s   share
192.0.2.1  a.example         12  25.0 %
not listed         zone       queries/s  share
elsewhere.example  (no zone)        0.5  1.0 %
client        queries/s   share
198.51.100.7         40  80.0 %
asks wrongly  fault           such as                        queries/s  share
192.0.2.9     doubled-suffix  2.0.0.127.a.example.a.example        3.0  6.0 %
dataset  state  entries    accepted
list     live         2  10 min ago
events, the newest first
2026-11-30T08:29:00Z ERROR b.example: ?[2Jnot loaded
2026-11-30T08:29:00Z  INFO list: loaded

";
    assert_eq!(block(&view()), want);
}

#[test]
fn a_screen_has_its_size_whatever_that_is() {
    for (width, height) in [(80, 24), (20, 5), (1, 1), (200, 60), (0, 0), (80, 2)] {
        for section in Section::ALL.map(Some).into_iter().chain([None]) {
            for (scroll, shows_keys) in [(0, false), (1, false), (1000, false), (0, true)] {
                let view = View { section, scroll, shows_keys, ..view() };
                let lines = screen(&view, width, height);
                assert_eq!(lines.len(), height);
                assert!(lines.iter().all(|line| line.text.chars().count() <= width));
            }
        }
    }
    let all = screen(&view(), 80, 24);
    assert_eq!(text(&all)[4], "zone       state         queries/s  listed/s  queries  listed");
    assert!(text(&all)[23].starts_with("q quit"));
    let alarms: Vec<_> = all.iter().filter(|line| line.look == Look::Alarm).collect();
    assert!(alarms[0].text.starts_with("1 zone is not ready"), "{alarms:?}");
    assert!(alarms[1].text.starts_with("b.example"), "{alarms:?}");
    assert!(alarms[2].text.contains("ERROR"), "{alarms:?}");
}

#[test]
fn a_section_alone_scrolls_to_its_last_row_under_its_head() {
    let rows = |scroll, height| {
        let view = View { section: Some(Section::Zones), scroll, ..view() };
        let lines = screen(&view, 80, height);
        let first = |line: &Line| line.text.split(' ').next().unwrap_or_default().to_owned();
        lines[4..height - 1].iter().map(first).collect::<Vec<_>>()
    };
    assert_eq!(rows(0, 9), ["zone", "a.example", "b.example", "(no"]);
    assert_eq!(rows(1, 7), ["zone", "b.example"]);
    assert_eq!(rows(99, 7), ["zone", "(no"]);
    assert_eq!(rows(99, 9), ["zone", "a.example", "b.example", "(no"], "all of it has room");
}

#[test]
fn zones_are_in_the_order_that_was_asked_for() {
    let report = |uptime_seconds, counts: [(&str, u64, u64); 3]| {
        let zone = |(name, queries, listed): (&str, u64, u64)| ZoneStats {
            name: (!name.is_empty()).then(|| name.to_owned()),
            queries,
            listed,
            ..ZoneStats::default()
        };
        StatsReport { uptime_seconds, zones: counts.map(zone).into(), ..StatsReport::default() }
    };
    let mut sample = Sample::default();
    sample.add(report(10.0, [("", 500, 0), ("b", 100, 50), ("a", 10, 5)]));
    sample.add(report(11.0, [("", 501, 0), ("b", 110, 53), ("a", 15, 10)]));
    let names = |sort| -> Vec<String> {
        let view = View { sort, sample: sample.clone(), ..view() };
        let lines = zones(&view, view.status.as_ref().unwrap());
        lines[1..].iter().map(|line| line.text.chars().take(1).collect()).collect()
    };
    assert_eq!(names(Sort::Queries), ["b", "a", "("]);
    assert_eq!(names(Sort::Listed), ["a", "b", "("]);
    assert_eq!(names(Sort::Total), ["(", "b", "a"]);
    assert_eq!(names(Sort::Name), ["a", "b", "("]);
}

#[test]
fn room_is_dealt_out_fairly() {
    for (room, wanted, want) in [
        (20, &[3, 0, 9, 9][..], &[3, 0, 9, 8][..]),
        (20, &[1, 2, 3], &[1, 2, 3]),
        (5, &[9, 9, 9], &[2, 2, 0]),
        (0, &[9], &[0]),
        (1, &[9], &[0]),
        (1, &[1], &[1]),
    ] {
        assert_eq!(shares(room, wanted), want, "{room} {wanted:?}");
    }
}

#[test]
fn a_server_that_has_gone_is_an_alarm() {
    let mut view = View::default();
    assert_eq!(text(&screen(&view, 80, 3))[0], "asking the server");
    view.take(Err("no server answers".to_owned()));
    assert_eq!(screen(&view, 80, 3)[0], Line::alarm("no server answers"));
}

#[test]
fn a_feed_that_is_not_fetched_is_an_alarm() {
    let mut view = view();
    let status = view.status.as_mut().unwrap();
    let feed = serde_json::json!({
        "name": "far", "source": "rsync://far.example/", "state": "failing", "datasets": ["list"],
        "last_try": null, "last_success": null, "last_change": null, "next_try": null, "size": null,
        "transferred": null, "speed_up": null, "failures": 2,
        "problem": {"cause": "it is away", "remedy": "wait"},
    });
    status.feeds.push(serde_json::from_value(feed).unwrap());
    let text = block(&view);
    let want = "1 zone is not ready, 1 feed is not fetched as it should be: see `dnsbld status`\n";
    assert!(text.contains(want), "{text}");
}
