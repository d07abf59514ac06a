//! A reload: what a new configuration changes at once, and what waits for a restart.

use super::settings::{Dataset, Server, Settings, StatsFile};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::net::SocketAddr;

/// The changes of a reload, as sentences for the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Changes that take effect now.
    pub live: Vec<String>,
    /// Changes that wait for a restart.
    pub restart: Vec<String>,
}

/// The settings that follow `running` when `wanted` was read: `wanted`, except for the values that only a
/// restart can change, which stay those of `running`.
///
/// A later reload compares with the running settings, so it repeats what still waits for the restart.
pub fn reload(running: &Settings, mut wanted: Settings) -> (Settings, Changes) {
    let mut changes = Changes::default();
    changes.keep_what_needs_a_restart(&running.server, &mut wanted.server);
    changes.compare_server(&running.server, &wanted.server);
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
            format!("{all} connections, {each} per client, idle for {idle:?}")
        });
        self.keep("server.tls", &running.tls, &mut wanted.tls, |tls| match tls {
            None => "off".to_owned(),
            Some(tls) => format!(
                "on {} with {} and {}",
                addresses(&tls.listen),
                tls.certificate.display(),
                tls.key.display()
            ),
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
        self.keep("server.query-log", &running.query_log, &mut wanted.query_log, |log| match log {
            None => "off".to_owned(),
            Some(log) if log.flush => format!("{} without buffering", log.target),
            Some(log) => log.target.to_string(),
        });
        self.keep("server.stats-...", &running.stats_file, &mut wanted.stats_file, |stats| {
            let Some(StatsFile { path, increments, interval }) = stats else {
                return "off".to_owned();
            };
            let what = if *increments { "increments" } else { "counts" };
            let when = interval.map_or("on signals".to_owned(), |time| format!("every {time:?}"));
            format!("{what} to {} {when}", path.display())
        });
    }

    fn keep<T: Clone + PartialEq>(
        &mut self,
        key: &str,
        running: &T,
        wanted: &mut T,
        print: impl Fn(&T) -> String,
    ) {
        if running != wanted {
            let (old, new) = (print(running), print(wanted));
            let sentence = format!("{key} needs a restart to change from {old} to {new}");
            self.restart.push(sentence);
            wanted.clone_from(running);
        }
    }

    fn compare_server(&mut self, old: &Server, new: &Server) {
        self.value("server.default-ttl", old.ttl.default, new.ttl.default);
        self.value("server.min-ttl", old.ttl.min, new.ttl.min);
        self.value("server.max-ttl", old.ttl.max, new.ttl.max);
        self.value("server.negative-ttl", old.ttl.negative, new.ttl.negative);
        self.value("server.minimal-answers", old.minimal_answers, new.minimal_answers);
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "hide".to_owned());
        self.value("server.version", text(&old.version), text(&new.version));
        self.value("server.id", text(&old.id), text(&new.id));
        self.value("server.accept-host-bits", old.accept_host_bits, new.accept_host_bits);
        let names = |list: &[String]| match list {
            [] => "none".to_owned(),
            list => list.join(", "),
        };
        self.value("server.acl", names(&old.acl), names(&new.acl));
    }

    fn value<T: PartialEq + Display>(&mut self, key: &str, old: T, new: T) {
        if old != new {
            self.live.push(format!("{key} changes from {old} to {new}"));
        }
    }

    fn compare_datasets(&mut self, old: &Settings, new: &Settings) {
        let before: HashMap<_, _> = old.datasets.iter().map(|set| (&set.name, set)).collect();
        for dataset in &new.datasets {
            match before.get(&dataset.name) {
                None => self.live.push(format!("dataset {} is new", dataset.name)),
                Some(&before) if before == dataset => {}
                Some(before) => {
                    self.live.push(format!("dataset {} {}", dataset.name, how(before, dataset)));
                }
            }
        }
        let now: HashSet<_> = new.datasets.iter().map(|dataset| &dataset.name).collect();
        for gone in old.datasets.iter().filter(|gone| !now.contains(&gone.name)) {
            self.live.push(format!("dataset {} is removed", gone.name));
        }
    }

    fn compare_zones(&mut self, old: &Settings, new: &Settings) {
        let before: HashMap<_, _> = old.zones.iter().map(|zone| (&zone.name, zone)).collect();
        for zone in &new.zones {
            match before.get(&zone.name) {
                None => self.live.push(format!("zone {} is new", zone.name)),
                Some(&before) if before == zone => {}
                Some(_) => self.live.push(format!("zone {} changes its settings", zone.name)),
            }
        }
        let now: HashSet<_> = new.zones.iter().map(|zone| &zone.name).collect();
        for gone in old.zones.iter().filter(|gone| !now.contains(&gone.name)) {
            self.live.push(format!("zone {} is removed; queries for it are refused", gone.name));
        }
    }
}

/// The most important difference between two datasets of one name: type, files, then overrides.
fn how(old: &Dataset, new: &Dataset) -> String {
    if old.kind != new.kind {
        return format!("changes its type from {} to {}", old.kind, new.kind);
    }
    let what = if old.files == new.files { "overrides" } else { "files" };
    format!("changes its {what}")
}

fn addresses(list: &[SocketAddr]) -> String {
    let list: Vec<String> = list.iter().map(SocketAddr::to_string).collect();
    if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ControlPath, LogTarget, QueryLog, TcpLimits, Tls, TtlBounds, Zone};
    use crate::zonefile::Kind;
    use std::num::NonZeroUsize;
    use std::time::Duration;

    fn settings() -> Settings {
        let dataset = |name: &str| Dataset::new(name.into(), Kind::Ip4Set, vec!["/f".into()]);
        let zone = |name: &str, set: &str| Zone::new(name.parse().unwrap(), vec![set.into()]);
        Settings {
            server: Server::default(),
            datasets: vec![dataset("a"), dataset("b")],
            zones: vec![zone("a.example", "a"), zone("b.example", "b")],
        }
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
            tls: Some(Tls { listen: vec![], certificate: "/c".into(), key: "/k".into() }),
            check_interval: Some(Duration::from_secs(9)),
            quiet_period: Duration::from_secs(8),
            state_dir: Some("/state".into()),
            control: ControlPath::Off,
            query_log: Some(QueryLog { target: LogTarget::File("/log".into()), flush: true }),
            stats_file: Some(StatsFile {
                path: "/stats".into(),
                increments: true,
                interval: Some(StatsFile::INTERVAL),
            }),
            ..Server::default()
        };
        let (now, changes) = reload(&settings(), wanted.clone());
        assert_eq!(now, settings());
        assert_eq!(changes.live, [""; 0]);
        let want = [
            "server.listen needs a restart to change from 127.0.0.1:5300, [::1]:5300 to \
             127.0.0.2:53",
            "server.workers needs a restart to change from one per core to 3",
            "server.tcp-... needs a restart to change from 512 connections, 16 per client, idle \
             for 10s to 9 connections, 16 per client, idle for 10s",
            "server.tls needs a restart to change from off to on nothing with /c and /k",
            "server.check-interval needs a restart to change from 1s to 9s",
            "server.quiet-period needs a restart to change from 200ms to 8s",
            "server.state-dir needs a restart to change from none to /state",
            "server.control needs a restart to change from the usual place to off",
            "server.query-log needs a restart to change from off to /log without buffering",
            "server.stats-... needs a restart to change from off to increments to /stats every 60s",
        ];
        assert_eq!(changes.restart, want);
        assert_eq!(reload(&now, wanted).1, changes, "the next reload says it again");
    }

    #[test]
    fn everything_else_is_live() {
        let mut wanted = settings();
        wanted.server = Server {
            ttl: TtlBounds { default: 1, min: 2, max: 3, negative: 4 },
            minimal_answers: false,
            version: None,
            id: Some("ns1".into()),
            accept_host_bits: true,
            acl: vec!["a".into(), "c".into()],
            ..Server::default()
        };
        wanted.datasets[0].files.push("/g".into());
        wanted.datasets[1].name = "c".into();
        wanted.datasets[1].ttl = Some(5);
        wanted.zones[0].test_points = false;
        wanted.zones[1].name = "c.example".parse().unwrap();
        let (now, changes) = reload(&settings(), wanted.clone());
        assert_eq!(now, wanted);
        assert_eq!(changes.restart, [""; 0]);
        let want = [
            "server.default-ttl changes from 1800 to 1",
            "server.min-ttl changes from 0 to 2",
            "server.max-ttl changes from 2147483647 to 3",
            "server.negative-ttl changes from 300 to 4",
            "server.minimal-answers changes from true to false",
            "server.version changes from dnsbld to hide",
            "server.id changes from hide to ns1",
            "server.accept-host-bits changes from false to true",
            "server.acl changes from none to a, c",
            "dataset a changes its files",
            "dataset c is new",
            "dataset b is removed",
            "zone a.example changes its settings",
            "zone c.example is new",
            "zone b.example is removed; queries for it are refused",
        ];
        assert_eq!(changes.live, want);
        let mut other = now.clone();
        other.datasets[0].default_text = Some("text".into());
        assert_eq!(reload(&now, other).1.live, ["dataset a changes its overrides"]);
        let mut other = now.clone();
        other.datasets[0].kind = Kind::Ip4Trie;
        let told = ["dataset a changes its type from ip4set to ip4trie"];
        assert_eq!(reload(&now, other).1.live, told, "regression: it said that the files changed");
    }
}
