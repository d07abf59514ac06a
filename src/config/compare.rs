//! A reload: what a new configuration changes at once, and what waits for a restart.

use super::client::ClientPrefixes;
use super::limit::Quota;
use super::secondary::{CatalogZone, Key};
use super::settings::{Dataset, QueryLog, QueryLogFormat, Server, Settings, StatsFile, WatchEntry};
use crate::wire::name::NameBuf;
use crate::zonefile::Kind;
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The changes of a reload.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Changes that take effect now.
    pub live: Vec<SettingChange>,
    /// Changes that wait for a restart.
    pub restart: Vec<ValueChange>,
}

/// A setting of the server that has another value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueChange {
    /// The setting, as `server.default-ttl`; several that belong together as `server.tcp-...`.
    pub key: &'static str,
    /// The old value, for people.
    pub from: String,
    /// The new value, for people.
    pub to: String,
}

/// A change of settings that takes effect at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingChange {
    /// A setting of the server has another value.
    Value(ValueChange),
    /// A dataset is new.
    DatasetAdded {
        /// Its name.
        dataset: String,
    },
    /// A dataset has other settings.
    DatasetChanged {
        /// Its name.
        dataset: String,
        /// What differs.
        difference: DatasetDifference,
    },
    /// A dataset is gone.
    DatasetRemoved {
        /// Its name.
        dataset: String,
    },
    /// A zone is new.
    ZoneAdded {
        /// Its name.
        zone: NameBuf,
    },
    /// A zone has other settings.
    ZoneChanged {
        /// Its name.
        zone: NameBuf,
    },
    /// A zone is gone: queries for it are refused.
    ZoneRemoved {
        /// Its name.
        zone: NameBuf,
    },
}

/// The most important difference between two datasets of one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DatasetDifference {
    /// The types.
    Type {
        /// The old type.
        from: Kind,
        /// The new type.
        to: Kind,
    },
    /// The files.
    Files,
    /// The settings that take the place of what the files say.
    Overrides,
}

/// The settings that follow `running` when `wanted` was read: `wanted`, except for the values that only a
/// restart can change, which stay those of `running`.
///
/// A later reload compares with the running settings, so it repeats what still waits for the restart.
pub fn reload(running: &Settings, mut wanted: Settings) -> (Settings, Changes) {
    let mut changes = Changes::default();
    changes.keep_what_needs_a_restart(&running.server, &mut wanted.server);
    changes.compare_server(&running.server, &wanted.server);
    changes.compare_watch(&running.watch, &wanted.watch);
    changes.compare_keys(&running.keys, &wanted.keys);
    changes.compare_catalog_zone(running.catalog_zone.as_ref(), wanted.catalog_zone.as_ref());
    changes.compare_datasets(running, &wanted);
    changes.compare_zones(running, &wanted);
    (wanted, changes)
}

impl Changes {
    /// True if the new configuration has the same meaning as the old one.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    fn keep_what_needs_a_restart(&mut self, running: &Server, wanted: &mut Server) {
        self.keep("server.listen", &running.listen, &mut wanted.listen, |list| addresses(list));
        self.keep("server.workers", &running.workers, &mut wanted.workers, |workers| {
            workers.map_or_else(|| "one per core".to_owned(), |workers| workers.to_string())
        });
        self.keep("server.tcp-...", &running.tcp, &mut wanted.tcp, |tcp| {
            let (all, each, idle) = (tcp.connections, tcp.per_client, tcp.idle_timeout);
            let ClientPrefixes { ipv4, ipv6 } = tcp.client;
            format!("{all} connections, {each} per client (/{ipv4}, /{ipv6}), idle for {idle:?}")
        });
        self.keep("server.tls", &running.tls, &mut wanted.tls, |tls| match tls {
            None => "off".to_owned(),
            Some(tls) => format!(
                "on {}, HTTPS on {}, with {} and {}",
                addresses(&tls.listen),
                addresses(&tls.https_listen),
                tls.certificate.display(),
                tls.key.display()
            ),
        });
        self.keep("http", &running.http, &mut wanted.http, |http| match http {
            None => "off".to_owned(),
            Some(http) if http.allow.is_empty() => format!("on {}", addresses(&http.listen)),
            Some(http) => {
                let allow: Vec<String> = http.allow.iter().map(ToString::to_string).collect();
                format!("on {} for {}", addresses(&http.listen), allow.join(", "))
            }
        });
        let interval = &mut wanted.check_interval;
        self.keep("server.check-interval", &running.check_interval, interval, |time| {
            time.map_or_else(|| "never".to_owned(), |time| format!("{time:?}"))
        });
        let period = &mut wanted.quiet_period;
        self.keep("server.quiet-period", &running.quiet_period, period, |time| format!("{time:?}"));
        self.keep("server.state-dir", &running.state_dir, &mut wanted.state_dir, |dir| {
            dir.as_ref().map_or_else(|| "none".to_owned(), |dir| dir.display().to_string())
        });
        self.keep("server.control", &running.control, &mut wanted.control, ToString::to_string);
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "the usual".to_owned());
        self.keep("server.user", &running.user, &mut wanted.user, name);
        self.keep("server.group", &running.group, &mut wanted.group, name);
        self.keep("server.chroot", &running.chroot, &mut wanted.chroot, |folder| {
            folder.as_ref().map_or_else(|| "none".to_owned(), |folder| folder.display().to_string())
        });
        self.keep("server.sandbox", &running.sandbox, &mut wanted.sandbox, bool::to_string);
        self.keep("server.xdp", &running.xdp, &mut wanted.xdp, |devices| {
            match devices.is_empty() {
                true => "off".to_owned(),
                false => devices.join(", "),
            }
        });
        self.keep("server.query-log", &running.query_log, &mut wanted.query_log, |log| match log {
            None => "off".to_owned(),
            Some(QueryLog { target, flush, format, .. }) => {
                let form = match format {
                    QueryLogFormat::Rbldnsd => "",
                    QueryLogFormat::Json => " in JSON",
                };
                let buffering = if *flush { " without buffering" } else { "" };
                format!("{target}{form}{buffering}")
            }
        });
        let filter = &mut wanted.query_filter;
        self.keep("server.query-log-...", &running.query_filter, filter, ToString::to_string);
        self.keep("server.dnstap", &running.dnstap, &mut wanted.dnstap, |socket| {
            socket.as_ref().map_or_else(|| "off".to_owned(), |path| path.display().to_string())
        });
        let format = &mut wanted.log_format;
        self.keep("server.log-format", &running.log_format, format, ToString::to_string);
        self.keep("server.stats-...", &running.stats_file, &mut wanted.stats_file, |stats| {
            let Some(StatsFile { path, increments, interval, .. }) = stats else {
                return "off".to_owned();
            };
            let what = if *increments { "increments" } else { "counts" };
            let when = interval.map_or("on signals".to_owned(), |time| format!("every {time:?}"));
            format!("{what} to {} {when}", path.display())
        });
    }

    fn keep<T: Clone + PartialEq>(
        &mut self,
        key: &'static str,
        running: &T,
        wanted: &mut T,
        print: impl Fn(&T) -> String,
    ) {
        if running != wanted {
            self.restart.push(ValueChange { key, from: print(running), to: print(wanted) });
            wanted.clone_from(running);
        }
    }

    fn compare_server(&mut self, old: &Server, new: &Server) {
        self.value("server.default-ttl", old.ttl.default, new.ttl.default);
        self.value("server.min-ttl", old.ttl.min, new.ttl.min);
        self.value("server.max-ttl", old.ttl.max, new.ttl.max);
        self.value("server.negative-ttl", old.ttl.negative, new.ttl.negative);
        self.value("server.minimal-answers", old.minimal_answers, new.minimal_answers);
        self.value("server.minimal-any", old.minimal_any, new.minimal_any);
        self.value("server.extended-errors", old.extended_errors, new.extended_errors);
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "hide".to_owned());
        self.value("server.version", text(&old.version), text(&new.version));
        self.value("server.id", text(&old.id), text(&new.id));
        let size = |size: Option<u64>| match size {
            None => "the usual".to_owned(),
            Some(u64::MAX) => "off".to_owned(),
            Some(size) => format!("{} MiB", size >> 20),
        };
        self.value("server.max-memory", size(old.max_memory), size(new.max_memory));
        self.value("server.accept-host-bits", old.accept_host_bits, new.accept_host_bits);
        self.value("stats.top", old.top.is_on, new.top.is_on);
        let (before, after) = (old.top.anonymise_clients, new.top.anonymise_clients);
        self.value("stats.anonymise-clients", before, after);
        self.value("limit", &old.rate_limit, &new.rate_limit);
        let list = |quotas: &[Quota]| match quotas {
            [] => "none".to_owned(),
            quotas => quotas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        if old.quotas != new.quotas {
            let (from, to) = (list(&old.quotas), list(&new.quotas));
            self.live.push(SettingChange::Value(ValueChange { key: "quota", from, to }));
        }
        self.value("history.days", old.history.days, new.history.days);
        let (before, after) = (old.history.max_size, new.history.max_size);
        self.value("history.max-size", size(Some(before)), size(Some(after)));
        let names = |list: &[String]| match list {
            [] => "none".to_owned(),
            list => list.join(", "),
        };
        self.value("server.acl", names(&old.acl), names(&new.acl));
        let prefixes =
            |list: &[IpNet]| names(&list.iter().map(IpNet::to_string).collect::<Vec<_>>());
        self.value("server.proxies", prefixes(&old.proxies), prefixes(&new.proxies));
        self.value("server.cookies", old.cookies, new.cookies);
        let file = |file: &Option<PathBuf>| {
            file.as_ref().map_or_else(|| "its own".to_owned(), |file| file.display().to_string())
        };
        let (before, after) = (file(&old.cookie_secrets), file(&new.cookie_secrets));
        self.value("server.cookie-secrets", before, after);
    }

    fn compare_watch(&mut self, old: &[WatchEntry], new: &[WatchEntry]) {
        let named = |WatchEntry { subject, label }: &WatchEntry| format!("{subject} ({label})");
        let list = |watch: &[WatchEntry]| match watch {
            [] => "none".to_owned(),
            watch => watch.iter().map(named).collect::<Vec<_>>().join(", "),
        };
        self.value("watch", list(old), list(new));
    }

    fn compare_catalog_zone(&mut self, old: Option<&CatalogZone>, new: Option<&CatalogZone>) {
        let named = |zone: Option<&CatalogZone>| {
            zone.map_or_else(|| "off".to_owned(), |zone| zone.name.to_string())
        };
        let (from, to) = (named(old), named(new));
        if from != to {
            self.value("catalog-zone", from, to);
        } else if old != new {
            self.value("catalog-zone", from, format!("{to} for other secondaries"));
        }
    }

    fn compare_keys(&mut self, old: &[Key], new: &[Key]) {
        let named = |Key { name, algorithm, secret_file }: &Key| {
            format!("{name} ({algorithm}, {})", secret_file.display())
        };
        let list = |keys: &[Key]| match keys {
            [] => "none".to_owned(),
            keys => keys.iter().map(named).collect::<Vec<_>>().join(", "),
        };
        self.value("key", list(old), list(new));
    }

    fn value<T: PartialEq + Display>(&mut self, key: &'static str, old: T, new: T) {
        if old != new {
            let change = ValueChange { key, from: old.to_string(), to: new.to_string() };
            self.live.push(SettingChange::Value(change));
        }
    }

    fn compare_datasets(&mut self, old: &Settings, new: &Settings) {
        let before: HashMap<_, _> = old.datasets.iter().map(|set| (&set.name, set)).collect();
        for new in &new.datasets {
            let dataset = || new.name.clone();
            match before.get(&new.name) {
                None => self.live.push(SettingChange::DatasetAdded { dataset: dataset() }),
                Some(&old) if old == new => {}
                Some(old) => {
                    let difference = difference(old, new);
                    let change = SettingChange::DatasetChanged { dataset: dataset(), difference };
                    self.live.push(change);
                }
            }
        }
        let now: HashSet<_> = new.datasets.iter().map(|dataset| &dataset.name).collect();
        for gone in old.datasets.iter().filter(|gone| !now.contains(&gone.name)) {
            self.live.push(SettingChange::DatasetRemoved { dataset: gone.name.clone() });
        }
    }

    fn compare_zones(&mut self, old: &Settings, new: &Settings) {
        let before: HashMap<_, _> = old.zones.iter().map(|zone| (&zone.name, zone)).collect();
        for new in &new.zones {
            let zone = || new.name.clone();
            match before.get(&new.name) {
                None => self.live.push(SettingChange::ZoneAdded { zone: zone() }),
                Some(&old) if old == new => {}
                Some(_) => self.live.push(SettingChange::ZoneChanged { zone: zone() }),
            }
        }
        let now: HashSet<_> = new.zones.iter().map(|zone| &zone.name).collect();
        for gone in old.zones.iter().filter(|gone| !now.contains(&gone.name)) {
            self.live.push(SettingChange::ZoneRemoved { zone: gone.name.clone() });
        }
    }
}

fn difference(old: &Dataset, new: &Dataset) -> DatasetDifference {
    if old.kind != new.kind {
        return DatasetDifference::Type { from: old.kind, to: new.kind };
    }
    if old.files == new.files { DatasetDifference::Overrides } else { DatasetDifference::Files }
}

fn addresses(list: &[SocketAddr]) -> String {
    let list: Vec<String> = list.iter().map(SocketAddr::to_string).collect();
    if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        ControlPath, CookieMode, HistoryBounds, Http, LogFormat, LogTarget, QueryFilter, QueryLog,
        TcpLimits, Tls, Top, TtlBounds, Zone,
    };
    use std::num::NonZeroUsize;
    use std::time::Duration;

    fn settings() -> Settings {
        let dataset = |name: &str| Dataset::new(name.into(), Kind::Ip4Set, vec!["/f".into()]);
        let zone = |name: &str, set: &str| Zone::new(name.parse().unwrap(), vec![set.into()]);
        Settings {
            server: Server::default(),
            datasets: vec![dataset("a"), dataset("b")],
            zones: vec![zone("a.example", "a"), zone("b.example", "b")],
            ..Settings::default()
        }
    }

    fn value((key, from, to): (&'static str, &str, &str)) -> ValueChange {
        ValueChange { key, from: from.into(), to: to.into() }
    }

    #[test]
    fn the_same_changes_nothing() {
        let (now, changes) = reload(&settings(), settings());
        assert_eq!(now, settings());
        assert!(changes.is_empty());
    }

    #[test]
    fn what_needs_a_restart_is_said_and_kept() {
        let mut wanted = settings();
        wanted.server = Server {
            listen: vec!["127.0.0.2:53".parse().unwrap()],
            workers: NonZeroUsize::new(3),
            tcp: TcpLimits { connections: 9, ..TcpLimits::default() },
            tls: Some(Tls {
                listen: vec![],
                https_listen: vec![],
                certificate: "/c".into(),
                key: "/k".into(),
            }),
            http: Some(Http {
                listen: vec!["192.0.2.1:80".parse().unwrap()],
                allow: vec!["192.0.2.0/24".parse().unwrap()],
            }),
            check_interval: Some(Duration::from_secs(9)),
            quiet_period: Duration::from_secs(8),
            state_dir: Some("/state".into()),
            control: ControlPath::Off,
            user: Some("dns".into()),
            group: Some("list".into()),
            chroot: Some("/jail".into()),
            sandbox: false,
            xdp: vec!["eth0".into(), "eth1".into()],
            query_log: Some(QueryLog {
                flush: true,
                ..QueryLog::new(LogTarget::File("/log".into()))
            }),
            dnstap: Some("/tap".into()),
            query_filter: QueryFilter { sample: 5.try_into().unwrap(), ..Default::default() },
            log_format: LogFormat::Json,
            stats_file: Some(StatsFile {
                path: "/stats".into(),
                increments: true,
                interval: Some(StatsFile::INTERVAL),
                mode: StatsFile::MODE,
            }),
            ..Server::default()
        };
        let (now, changes) = reload(&settings(), wanted.clone());
        assert_eq!(now, settings());
        assert_eq!(changes.live, []);
        let want = [
            ("server.listen", "127.0.0.1:5300, [::1]:5300", "127.0.0.2:53"),
            ("server.workers", "one per core", "3"),
            (
                "server.tcp-...",
                "512 connections, 16 per client (/32, /64), idle for 10s",
                "9 connections, 16 per client (/32, /64), idle for 10s",
            ),
            ("server.tls", "off", "on nothing, HTTPS on nothing, with /c and /k"),
            ("http", "off", "on 192.0.2.1:80 for 192.0.2.0/24"),
            ("server.check-interval", "1s", "9s"),
            ("server.quiet-period", "200ms", "8s"),
            ("server.state-dir", "none", "/state"),
            ("server.control", "the usual place", "off"),
            ("server.user", "the usual", "dns"),
            ("server.group", "the usual", "list"),
            ("server.chroot", "none", "/jail"),
            ("server.sandbox", "true", "false"),
            ("server.xdp", "off", "eth0, eth1"),
            ("server.query-log", "off", "/log without buffering"),
            ("server.query-log-...", "all", "1 of 5"),
            ("server.dnstap", "off", "/tap"),
            ("server.log-format", "text", "json"),
            ("server.stats-...", "off", "increments to /stats every 60s"),
        ];
        assert_eq!(changes.restart, want.map(value));
        assert_eq!(reload(&now, wanted).1, changes, "the next reload says it again");
    }

    #[test]
    fn everything_else_is_live() {
        let mut wanted = settings();
        wanted.server = Server {
            ttl: TtlBounds { default: 1, min: 2, max: 3, negative: 4 },
            minimal_answers: false,
            minimal_any: true,
            version: None,
            id: Some("ns1".into()),
            accept_host_bits: true,
            top: Top { is_on: false, anonymise_clients: true },
            history: HistoryBounds { days: 1, max_size: 16 << 20 },
            acl: vec!["a".into(), "c".into()],
            proxies: vec!["192.0.2.0/24".parse().unwrap()],
            cookies: CookieMode::Demand,
            cookie_secrets: Some("/secrets".into()),
            ..Server::default()
        };
        wanted.datasets[0].files.push("/g".into());
        wanted.datasets[1].name = "c".into();
        wanted.datasets[1].ttl = Some(5);
        wanted.zones[0].test_points = false;
        wanted.zones[1].name = "c.example".parse().unwrap();
        let (now, changes) = reload(&settings(), wanted.clone());
        assert_eq!(now, wanted);
        assert_eq!(changes.restart, []);
        let values = [
            ("server.default-ttl", "1800", "1"),
            ("server.min-ttl", "0", "2"),
            ("server.max-ttl", "2147483647", "3"),
            ("server.negative-ttl", "300", "4"),
            ("server.minimal-answers", "true", "false"),
            ("server.minimal-any", "false", "true"),
            ("server.version", "dnsbld", "hide"),
            ("server.id", "hide", "ns1"),
            ("server.accept-host-bits", "false", "true"),
            ("stats.top", "true", "false"),
            ("stats.anonymise-clients", "false", "true"),
            ("history.days", "90", "1"),
            ("history.max-size", "256 MiB", "16 MiB"),
            ("server.acl", "none", "a, c"),
            ("server.proxies", "none", "192.0.2.0/24"),
            ("server.cookies", "off", "demand"),
            ("server.cookie-secrets", "its own", "/secrets"),
        ];
        let changed = |dataset: &str, difference| SettingChange::DatasetChanged {
            dataset: dataset.into(),
            difference,
        };
        let zone = |name: &str| name.parse().unwrap();
        let others = [
            changed("a", DatasetDifference::Files),
            SettingChange::DatasetAdded { dataset: "c".into() },
            SettingChange::DatasetRemoved { dataset: "b".into() },
            SettingChange::ZoneChanged { zone: zone("a.example") },
            SettingChange::ZoneAdded { zone: zone("c.example") },
            SettingChange::ZoneRemoved { zone: zone("b.example") },
        ];
        let values = values.map(value).map(SettingChange::Value);
        assert_eq!(changes.live, [&values[..], &others].concat());
        let mut other = now.clone();
        other.datasets[0].default_text = Some("text".into());
        assert_eq!(reload(&now, other).1.live, [changed("a", DatasetDifference::Overrides)]);
        let mut other = now.clone();
        other.datasets[0].kind = Kind::Ip4Trie;
        let difference = DatasetDifference::Type { from: Kind::Ip4Set, to: Kind::Ip4Trie };
        let told = [changed("a", difference)];
        assert_eq!(reload(&now, other).1.live, told, "regression: it said that the files changed");
    }
}
