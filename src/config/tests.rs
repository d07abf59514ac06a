//! Whole texts: what they mean, and mistakes that are told together.

use super::resolve::resolve;
use super::{
    AgeLimit, ClientPrefixes, ConfigDiagnostic, ControlPath, CookieMode, Dataset, FreshnessLimits,
    Guard, Http, Loaded, LogFormat, LogTarget, NotifyTarget, OnlyAnswers, Policy, QueryFilter,
    QueryLog, QueryLogFormat, Ratio, Sentinel, Server, Settings, Soa, StalePolicy, StatsFile,
    TcpLimits, Tls, Top, TtlBounds, Usage, Zone, parse,
};
use super::{HistoryBounds, Quota, QuotaAnswer, RateLimit};
use crate::wire::name::NameBuf;
use crate::zone::{QuotaSubject, TransferAccess, Unlisted};
use crate::zonefile::Kind;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A dataset and a zone, to be put behind a text that needs them.
pub(super) const REST: &str = "
[[dataset]]
name = 'd'
type = 'ip4set'
files = ['f']
[[zone]]
name = 'z.example'
datasets = ['d']
";

const LISTS: Usage = Usage { lists: true, allows: false, admits: false };

pub(super) fn load(text: &str) -> Result<Loaded, Vec<ConfigDiagnostic>> {
    super::loaded(resolve(text, parse::parse(text)?, Path::new("/etc/dnsbld"), &[]))
}

fn settings(text: &str) -> Settings {
    load(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).settings
}

#[test]
fn what_is_left_out_has_its_default() {
    let files = vec!["/etc/dnsbld/f".into()];
    let want = Settings {
        server: Server::default(),
        datasets: vec![Dataset { usage: LISTS, ..Dataset::new("d".into(), Kind::Ip4Set, files) }],
        zones: vec![Zone::new("z.example".parse().unwrap(), vec!["d".into()])],
        ..Settings::default()
    };
    assert_eq!(settings(REST), want);
    assert_eq!(settings(&format!("[server]{REST}")), want);
}

#[test]
fn every_setting_of_the_server_arrives() {
    let text = "[server]
        listen = ['192.0.2.1:53', '[2001:db8::1]:53']
        workers = 4
        tcp-connections = 100
        tcp-connections-per-client = 10
        tcp-client-prefix-ipv4 = 24
        tcp-client-prefix-ipv6 = 48
        tcp-idle-timeout = 2
        default-ttl = 7200
        min-ttl = '1m'
        max-ttl = '1d'
        negative-ttl = '90s'
        minimal-answers = false
        extended-errors = true
        minimal-any = true
        proxies = ['192.0.2.0/24', '2001:db8::1']
        cookies = 'demand'
        cookie-secrets = 'secrets'
        version = 'some text'
        id = 'ns1'
        check-interval = '5s'
        quiet-period = '1s'
        state-dir = 'state'
        max-memory = '2G'
        accept-host-bits = true
        query-log = 'queries'
        query-log-flush = true
        query-log-format = 'json'
        query-log-only = ['listed', 'refused']
        query-log-zones = ['Z.example']
        query-log-sample = 100
        dnstap = '/run/tap'
        log-format = 'journald'
        stats-file = '/var/stats'
        stats-increments = true
        stats-interval = '5m'
        acl = ['clients']
        control = 'run/control'
        user = 'dns'
        group = '53'
        chroot = '/srv/jail'
        sandbox = false
        xdp = ['eth0', 'enp1s0f0.v']
        [stats]
        top = false
        anonymise-clients = true
        [limit]
        queries-per-second = 50
        burst = 75
        dry-run = true
        exempt = ['192.0.2.1']
        [[quota]]
        name = 'free'
        per = 'client'
        ip4-prefix = 24
        queries = 1000
        period = '1h'
        answer = '127.255.255.255 too many from $'
        zones = ['z.example']
        exempt = []
        [history]
        days = 7
        max-size = '1G'
        [server.tls]
        listen = ['192.0.2.1:853']
        https-listen = ['192.0.2.1:443']
        certificate = 'x.pem'
        key = '/keys/y.pem'
        [http]
        listen = ['192.0.2.1:9153']
        allow = ['192.0.2.0/24', '2001:db8::1']
        [[dataset]]
        name = 'clients'
        type = 'acl'
        files = ['c']";
    let want = Server {
        listen: vec!["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()],
        workers: NonZeroUsize::new(4),
        tcp: TcpLimits {
            connections: 100,
            per_client: 10,
            client: ClientPrefixes { ipv4: 24, ipv6: 48 },
            idle_timeout: Duration::from_secs(2),
        },
        ttl: TtlBounds { default: 7200, min: 60, max: 86400, negative: 90 },
        minimal_answers: false,
        extended_errors: true,
        minimal_any: true,
        proxies: ["192.0.2.0/24", "2001:db8::1/128"].map(|prefix| prefix.parse().unwrap()).into(),
        cookies: CookieMode::Demand,
        cookie_secrets: Some("/etc/dnsbld/secrets".into()),
        version: Some("some text".into()),
        id: Some("ns1".into()),
        check_interval: Some(Duration::from_secs(5)),
        quiet_period: Duration::from_secs(1),
        state_dir: Some("/etc/dnsbld/state".into()),
        accept_host_bits: true,
        decompress: true,
        max_memory: Some(2 << 30),
        query_log: Some(QueryLog {
            flush: true,
            format: QueryLogFormat::Json,
            ..QueryLog::new(LogTarget::File("/etc/dnsbld/queries".into()))
        }),
        query_filter: QueryFilter {
            only: Some(OnlyAnswers { listed: true, refused: true }),
            zones: vec!["z.example".parse().unwrap()],
            sample: NonZeroU32::new(100).unwrap(),
        },
        dnstap: Some("/run/tap".into()),
        log_format: LogFormat::Journald,
        stats_file: Some(StatsFile {
            path: "/var/stats".into(),
            increments: true,
            interval: Some(Duration::from_secs(300)),
            mode: 0o640,
        }),
        top: Top { is_on: false, anonymise_clients: true },
        rate_limit: RateLimit {
            queries_per_second: 50,
            burst: 75,
            dry_run: true,
            exempt: vec!["192.0.2.1/32".parse().unwrap()],
        },
        quotas: vec![Quota {
            name: "free".to_owned(),
            subject: QuotaSubject::Client { ip4: 24, ip6: 64 },
            queries: 1000,
            period: Duration::from_secs(3600),
            answer: QuotaAnswer::Listed([127, 255, 255, 255].into(), "too many from $".to_owned()),
            zones: vec!["z.example".parse().unwrap()],
            exempt: Vec::new(),
        }],
        history: HistoryBounds { days: 7, max_size: 1 << 30 },
        acl: vec!["clients".into()],
        control: ControlPath::At("/etc/dnsbld/run/control".into()),
        user: Some("dns".into()),
        group: Some("53".into()),
        chroot: Some("/srv/jail".into()),
        sandbox: false,
        xdp: vec!["eth0".into(), "enp1s0f0.v".into()],
        tls: Some(Tls {
            listen: vec!["192.0.2.1:853".parse().unwrap()],
            https_listen: vec!["192.0.2.1:443".parse().unwrap()],
            certificate: "/etc/dnsbld/x.pem".into(),
            key: "/keys/y.pem".into(),
        }),
        http: Some(Http {
            listen: vec!["192.0.2.1:9153".parse().unwrap()],
            allow: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::1/128".parse().unwrap()],
        }),
    };
    assert_eq!(settings(&format!("{text}{REST}")).server, want);
    let text = format!("[server]\nversion = 'hide'\nid = 'hide'\ncontrol = 'off'{REST}");
    let hidden = settings(&text).server;
    assert_eq!(hidden.control, ControlPath::Off);
    assert_eq!((hidden.version, hidden.id), (None, None));
}

#[test]
fn the_query_log_may_go_to_standard_output_and_statistics_be_written_on_signals_only() {
    let text = "[server]\nquery-log = '-'\nstats-file = 's'\nstats-interval = 0";
    let server = settings(&format!("{text}{REST}")).server;
    assert_eq!(server.query_log, Some(QueryLog::new(LogTarget::Stdout)));
    let stats = server.stats_file.unwrap();
    assert_eq!((stats.increments, stats.interval), (false, None));
}

#[test]
fn every_setting_of_datasets_and_zones_arrives() {
    let text = "[guard]
        shrink = 0.3
        sentinels = ['192.0.2.77/24', '2001:db8::1', 'Big.example.']
        off = ['shrank']
        [[dataset]]
        name = 'd'
        type = 'dnhash'
        files = ['f', '/g']
        ns = ['NS1.example.']
        ns-ttl = '1d'
        ttl = 60
        default-a = '192.0.2.1'
        default-text = ''
        allow-any-a = true
        max-age = '2d'
        keep-bad-for = 0
        own = true
        guard = { shrink = 0.25, grow = 10, bad-lines = 0.5, sentinels = false, off = ['backwards'] }
        [dataset.soa]
        mname = 'ns1.example'
        rname = 'hostmaster.example'
        serial = 7
        refresh = '2h'
        retry = '1h'
        expire = '1w'
        minimum = 0
        ttl = '2m'
        [[dataset]]
        name = 'white'
        type = 'ip4trie'
        files = ['w']
        soa = { mname = 'a', rname = 'b', serial = 0, refresh = 1, retry = 1, expire = 1, minimum = 1 }
        [[dataset]]
        name = 'keys'
        type = 'aclkey'
        files = ['k']
        [[zone]]
        name = 'Z.Example.'
        datasets = ['d']
        allow = ['white']
        acl = ['keys']
        transfer = ['192.0.2.53', '2001:db8::/64']
        transfer-max-records = 1000
        notify = ['192.0.2.53']
        test-points = false
        health = false
        partial = 'answer'
        stale = 'unlist'
        example = '127.0.0.2'";
    let got = settings(text);
    let soa = Soa {
        mname: "ns1.example".parse().unwrap(),
        rname: "hostmaster.example".parse().unwrap(),
        serial: Some(7),
        refresh: 7200,
        retry: 3600,
        expire: 604_800,
        minimum: 0,
        ttl: Some(120),
    };
    let sentinels: Arc<[Sentinel]> = Arc::new([
        Sentinel::Prefix("192.0.2.0/24".parse().unwrap()),
        Sentinel::Prefix("2001:db8::1/128".parse().unwrap()),
        Sentinel::Name(Box::new("big.example".parse().unwrap())),
    ]);
    let dataset = Dataset {
        soa: Some(soa),
        ns: vec!["ns1.example".parse().unwrap()],
        ns_ttl: Some(86400),
        ttl: Some(60),
        default_a: Some([192, 0, 2, 1].into()),
        default_text: Some(String::new()),
        allow_any_a: true,
        freshness: FreshnessLimits {
            max_age: AgeLimit::Limit(Duration::from_secs(172_800)),
            keep_bad_for: AgeLimit::Off,
        },
        own: Some(true),
        guard: Guard {
            shrink: Ratio::new(0.25),
            grow: Ratio::new(10.0),
            bad_lines: Ratio::new(0.5),
            sentinels: sentinels.clone(),
        },
        policy: Policy { sentinel: false, shrank: false, backwards: false, ..Policy::NATIVE },
        usage: LISTS,
        ..Dataset::new("d".into(), Kind::Dnset, vec!["/etc/dnsbld/f".into(), "/g".into()])
    };
    assert_eq!(got.dataset("d"), Some(&dataset));
    let white = got.dataset("white").unwrap();
    assert_eq!(white.own, None);
    assert_eq!(white.usage, Usage { lists: false, allows: true, admits: false });
    let guard = Guard { shrink: Ratio::new(0.3), grow: Ratio::new(4.0), ..white.guard.clone() };
    assert_eq!((&white.guard, &white.guard.sentinels), (&guard, &sentinels));
    assert_eq!(white.policy, Policy { shrank: false, ..Policy::NATIVE });
    assert!(got.dataset("keys").unwrap().usage.admits);
    let soa = got.dataset("white").and_then(|white| white.soa.clone()).unwrap();
    assert_eq!((soa.serial, soa.ttl), (None, None));
    let zone = Zone {
        name: "z.example".parse().unwrap(),
        datasets: vec!["d".into()],
        allow: vec!["white".into()],
        scoring: None,
        acl: vec!["keys".into()],
        notify: vec![NotifyTarget { address: "192.0.2.53:53".parse().unwrap(), key: None }],
        transfer: TransferAccess {
            prefixes: vec!["192.0.2.53/32".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
            keys: Vec::new(),
            max_records: 1000,
        },
        test_points: false,
        health: false,
        partial: Unlisted::Answer,
        stale: StalePolicy::Unlist,
        example: Some("2.0.0.127.z.example".parse().unwrap()),
    };
    assert_eq!(got.zones, [zone]);
}

#[test]
fn datasets_know_whether_they_share_a_zone_with_ipv4_lists() {
    let text = "dataset = [
            { name = 'four', type = 'ip4set', files = ['f'] },
            { name = 'names', type = 'dnset', files = ['f'] },
            { name = 'alone', type = 'dnset', files = ['f'] },
        ]
        zone = [
            { name = 'a.example', datasets = ['four', 'names'] },
            { name = 'b.example', datasets = ['alone', 'names'] },
        ]";
    let settings = load(text).unwrap().settings;
    let are_beside: Vec<_> = settings.datasets.iter().map(|set| set.is_beside_ip4).collect();
    assert_eq!(are_beside, [false, true, false]);
}

#[test]
fn access_lists_and_lists_are_not_mixed_up() {
    let text = "dataset = [
            { name = 'd', type = 'ip4set', files = ['f'] },
            { name = 'c', type = 'acl', files = ['g'] },
            { name = 'k', type = 'aclkey', files = ['h'], soa = { mname = 'a', rname = 'b', \
            refresh = 1, retry = 1, expire = 1, minimum = 1 } },
        ]
        server = { acl = ['d', 'x'] }
        zone = [{ name = 'z.example', datasets = ['d', 'c'], allow = ['k'], acl = ['d', 'c'] }]";
    let errors = load(text).unwrap_err();
    let mut messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
    messages.sort_unstable();
    let want = [
        "dataset.soa: an access list cannot have a SOA record",
        "server.acl: \"d\" is not an access list",
        "server.acl: there is no dataset \"x\"",
        "zone.acl: \"d\" is not an access list",
        "zone.allow: \"k\" is an access list",
        "zone.datasets: \"c\" is an access list",
    ];
    assert_eq!(messages, want);
}

#[test]
fn addresses_from_outside_take_the_place_of_those_in_the_file() {
    let address: SocketAddr = "127.0.0.9:53".parse().unwrap();
    let text = format!("[server]\nlisten = ['127.0.0.1:53']{REST}");
    let parsed = parse::parse(&text).unwrap();
    let resolved = resolve(&text, parsed, Path::new("/"), &[address]);
    assert_eq!(resolved.errors, []);
    assert_eq!(resolved.settings.server.listen, [address]);
}

/// One mistake of form hid all others, and what it left out would be told as missing.
#[test]
fn mistakes_of_form_and_of_meaning_are_told_together_and_each_once() {
    let told = |text: &str| {
        let errors = load(text).unwrap_err().into_iter();
        errors.map(|error| error.to_string().lines().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let text = "[server]
        lisen = []
        workers = 5000
        [[dataset]]
        nam = 'd'
        type = 'ip4sets'
        [[dataset]]
        name = 'e'
        type = 'ip4set'
        files = 'g'
        default-ttl = 1
        [[zone]]
        name = 'z.example'
        dataset = ['d']
        [[zone]]
        name = 'z example'
        datasets = ['d', 'e', 'x']
        ";
    let want = [
        "2:9: unknown key \"lisen\" in server",
        "3:19: server.workers: 5000 is out of range",
        "5:9: unknown key \"nam\" in dataset",
        "6:16: dataset.type: \"ip4sets\" is not a dataset type",
        "10:17: dataset.files: invalid type: string \"g\", expected a sequence",
        "11:9: unknown key \"default-ttl\" in dataset",
        "14:9: unknown key \"dataset\" in zone",
        "16:16: zone.name: \"z example\" is not a domain name: it has the character ' '",
    ];
    assert_eq!(told(text), want);
    // The name of the dataset that "x" should be may be that which cannot be read.
    let known = text.replace("nam =", "name =");
    assert!(told(&known).iter().any(|line| line.contains("there is no dataset \"x\"")));
    let whole = format!("[[zones]]\nname = 'a'\n[[dataset]]\nname = 5\n{REST}");
    assert_eq!(told(&whole).len(), 2, "{:?}", told(&whole));
    assert_eq!(told("[dataset]\nname = 'd'\n[[zone]]\nname = 'z'\ndatasets = ['d']").len(), 1);
}

#[test]
fn a_dataset_without_a_zone_is_a_warning() {
    let text =
        format!("dataset = []\n{REST}[[dataset]]\nname = 'e'\ntype = 'dnset'\nfiles = ['g']");
    let text = text.strip_prefix("dataset = []\n").unwrap();
    let loaded = load(text).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    let warning = loaded.warnings[0].to_string();
    assert!(
        warning.starts_with("10:8: no zone uses dataset \"e\", so it is not loaded"),
        "{warning}"
    );
}

/// A text that is too long was cut without a word.
#[test]
fn a_default_text_fits_an_answer() {
    let load = |len| {
        let text = "x".repeat(len);
        let files = "name = 'd'\ntype = 'ip4set'\nfiles = ['f']";
        let zone = "[[zone]]\nname = 'z.example'\ndatasets = ['d']";
        load(&format!("[[dataset]]\n{files}\ndefault-text = '{text}'\n{zone}"))
    };
    assert!(load(1020).is_ok());
    let error = load(1021).unwrap_err()[0].to_string();
    let want = "5:16: dataset.default-text: the text has 1021 bytes, more than the allowed 1020\n    help: ";
    assert!(error.starts_with(want), "{error}");
}

/// Each wildcard is for one family.
#[test]
fn addresses_that_do_not_collide_may_have_one_port() {
    for list in ["'[::]:53', '0.0.0.0:53'", "'127.0.0.1:53', '[::]:53', '127.0.0.2:53'"] {
        settings(&format!("[server]\nlisten = [{list}, '[::]:54', '0.0.0.0:0']{REST}"));
    }
}

#[test]
fn one_bracket_is_not_enough() {
    let errors = load("[zone]\nname = 'a'").unwrap_err();
    let want = "1:1: zone: invalid type: map, expected a sequence\n    help: write [[zone]], with \
                two brackets";
    assert_eq!(errors[0].to_string(), want);
    let errors = load(&format!("[dataset]{REST}")).unwrap_err();
    assert!(errors[0].to_string().starts_with("2:3: duplicate key"), "{errors:?}");
    assert!(errors[0].help.contains("two brackets"), "{errors:?}");
}

#[test]
fn a_text_without_zones_is_not_good() {
    for text in ["", "# nothing\n", "[server]\n"] {
        let errors = load(text).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with("there is no zone to serve\n    help: add"));
    }
}

#[test]
fn all_mistakes_are_said_at_once_in_the_order_of_the_file() {
    let form =
        format!("a = 1\n[server]\nb = 2\nid = 3\nlisten = [4]\n[server.tls]\nc = 1{REST}d = 1");
    let lines = |errors: Vec<ConfigDiagnostic>| -> Vec<usize> {
        errors.iter().map(|error| error.place.map_or(0, |(line, _)| line)).collect()
    };
    assert_eq!(lines(load(&form).unwrap_err()), [1, 3, 4, 5, 7, 15]);
    let meaning =
        format!("[server]\nlisten = ['a', 'b']\nid = ''{REST}allow = ['e', 'f']\n[[zone]]");
    assert_eq!(lines(load(&meaning).unwrap_err()), [2, 2, 3, 11, 11, 12, 12]);
    let syntax = "a =\nb = 'c\n[d\n";
    assert_eq!(lines(load(syntax).unwrap_err()), [1, 2, 3]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(edits in proptest::collection::vec((0_usize..400, proptest::char::any()), 1..8)) {
        let mut text: Vec<char> = format!("[server]\nlisten = ['127.0.0.1:53']\nmin-ttl = '1m'{REST}").chars().collect();
        for (at, char) in edits {
            let at = at % text.len();
            text[at] = char;
        }
        let _ = load(&text.into_iter().collect::<String>());
    }
}

#[test]
fn a_check_interval_of_0_is_never() {
    let text = "server.check-interval = 0\n\
                dataset = [{ name = 'd', type = 'ip4set', files = ['f'] }]\n\
                zone = [{ name = 'z.example', datasets = ['d'] }]";
    let loaded = super::read(text, std::path::Path::new("/")).unwrap();
    assert_eq!(loaded.settings.server.check_interval, None);
}

#[test]
fn sentinels_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours");
    let text = |file: &Path| format!("[guard]\nsentinels = ['{}', '10/8']{REST}", file.display());
    std::fs::write(&file, "# ours\n192.0.2.0/24  # mail\n\nbig.example\n").unwrap();
    let told: Vec<_> = load(&text(&file)).unwrap_err().into_iter().map(|bad| bad.message).collect();
    assert!(told[0].contains("10/8 cannot be read"), "{told:?}");
    let text = text(&file).replace("10/8", "10.0.0.0/8");
    let sentinels = &settings(&text).datasets[0].guard.sentinels;
    let shown: Vec<_> = sentinels.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.0.2.0/24", "big.example", "10.0.0.0/8"]);
    std::fs::write(&file, "192.0.2.0/24\na b\n").unwrap();
    let told = &load(&text).unwrap_err()[0].message;
    assert!(told.contains("ours:2: \"a b\" is not a domain name"), "{told}");
}

#[test]
fn secondaries_are_known_by_addresses_and_keys() {
    let keys = "[[key]]\nname = 'One.Key'\nsecret-file = 's'\n\
                [[key]]\nname = 'two.key'\nalgorithm = 'HMAC-SHA512'\nsecret-file = '/t'\n";
    let text = |zone: &str| format!("{keys}{REST}{zone}\n");
    let good = settings(&text(
        "transfer = ['key:one.key', '192.0.2.0/24']\n\
         notify = ['192.0.2.1', '192.0.2.2:5300@ONE.key', '2001:db8::1', '[2001:db8::1]:54@two.key']",
    ));
    let shown: Vec<_> = good.keys.iter().map(|key| format!("{key:?}")).collect();
    assert!(shown[0].contains("Sha256") && shown[0].contains("/etc/dnsbld/s"), "{shown:?}");
    assert!(shown[1].contains("Sha512") && shown[1].contains("\"/t\""), "{shown:?}");
    let zone = &good.zones[0];
    let one: NameBuf = "one.key".parse().unwrap();
    assert_eq!((&zone.transfer.keys[..], zone.transfer.prefixes.len()), (&[one][..], 1));
    let shown: Vec<_> = zone
        .notify
        .iter()
        .map(|target| {
            format!("{} {:?}", target.address, target.key.as_ref().map(ToString::to_string))
        })
        .collect();
    let want = [
        "192.0.2.1:53 None",
        "192.0.2.2:5300 Some(\"one.key\")",
        "[2001:db8::1]:53 None",
        "[2001:db8::1]:54 Some(\"two.key\")",
    ];
    assert_eq!(shown, want);
    for (bad, word) in [
        (text("transfer = ['key:three.key']"), "there is no key three.key"),
        (text("notify = ['192.0.2.1@three.key']"), "there is no key three.key"),
        (text("[catalog-zone]\nname = 'z.example'\ntransfer = []"), "z.example is a zone"),
        (text("[catalog-zone]\nname = 'c.example'"), "catalog-zone.transfer"),
        (text("notify = ['ns.example']"), "not the address of a name server"),
        (text("").replace("HMAC-SHA512", "hmac-md5"), "not an algorithm"),
        (text("").replace("two.key", "one.key"), "already defined"),
        (text("").replace("secret-file = '/t'", ""), "secret-file"),
    ] {
        let told = load(&bad).unwrap_err();
        assert!(told[0].to_string().contains(word), "{told:?}");
    }
}
