//! The table `[server]`, `[server.tls]` in it, and `[stats]`.

use super::super::client::ClientPrefixes;
use super::super::error::{Problem, suggest};
use super::super::settings::{
    ControlPath, CookieMode, HistoryBounds, LogTarget, OnlyAnswers, QueryFilter, QueryLog, Server,
    StatsFile, TcpLimits, Tls, Top, TtlBounds, Zone,
};
use super::super::spec::{HistorySpec, ServerSpec, StatsSpec, TlsSpec, Typed};
use super::super::value::{self, collide};
use super::{Resolver, span_of};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;
use toml::Spanned;

/// The longest text in one character-string of a TXT record (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;

/// The table `[stats]`.
pub(super) fn top(spec: &StatsSpec) -> Top {
    let defaults = Top::default();
    Top {
        is_on: spec.top.unwrap_or(defaults.is_on),
        anonymise_clients: spec.anonymise_clients.unwrap_or(defaults.anonymise_clients),
    }
}

impl Resolver<'_> {
    /// The table `[history]`.
    pub(super) fn history(&mut self, spec: &HistorySpec) -> HistoryBounds {
        let defaults = HistoryBounds::default();
        let size = spec.max_size.as_ref();
        let size = size.and_then(|size| self.value("history.max-size", size, value::size));
        HistoryBounds {
            days: self.number("history.days", &spec.days, defaults.days, 0..=36_500),
            max_size: size.unwrap_or(defaults.max_size),
        }
    }

    pub(super) fn server(&mut self, spec: &ServerSpec) -> Server {
        let defaults = Server::default();
        let tls = spec.tls.as_ref().and_then(|tls| self.tls(tls));
        let workers = self.number("server.workers", &spec.workers, 0, 0..=1024);
        Server {
            listen: self.listen(spec, tls.as_ref(), defaults.listen),
            workers: NonZeroUsize::new(workers as usize),
            tcp: self.tcp(spec),
            ttl: self.ttl_bounds(spec),
            minimal_answers: spec.minimal_answers.unwrap_or(defaults.minimal_answers),
            minimal_any: spec.minimal_any.unwrap_or(defaults.minimal_any),
            extended_errors: spec.extended_errors.unwrap_or(defaults.extended_errors),
            version: self.text_or_hide("server.version", &spec.version, defaults.version),
            id: self.text_or_hide("server.id", &spec.id, defaults.id),
            check_interval: self.duration_or_never(
                "server.check-interval",
                &spec.check_interval,
                defaults.check_interval,
                Duration::from_millis(100)..=Duration::from_secs(24 * 60 * 60),
                "0, or \"100ms\" to \"1d\"",
            ),
            quiet_period: self.duration(
                "server.quiet-period",
                &spec.quiet_period,
                defaults.quiet_period,
                Duration::ZERO..=Duration::from_secs(60),
                "0 to \"1m\"",
            ),
            state_dir: spec.state_dir.as_ref().and_then(|dir| self.file("server.state-dir", dir)),
            max_memory: spec
                .max_memory
                .as_ref()
                .and_then(|size| self.value("server.max-memory", size, value::size)),
            accept_host_bits: spec.accept_host_bits.unwrap_or(defaults.accept_host_bits),
            decompress: defaults.decompress,
            log_format: spec
                .log_format
                .as_ref()
                .and_then(|word| self.value("server.log-format", word, value::log_format))
                .unwrap_or_default(),
            query_log: self.query_log(spec),
            dnstap: spec.dnstap.as_ref().and_then(|socket| self.file("server.dnstap", socket)),
            query_filter: self.query_filter(spec),
            stats_file: self.stats_file(spec),
            top: defaults.top,
            rate_limit: defaults.rate_limit,
            quotas: defaults.quotas,
            history: defaults.history,
            acl: Vec::new(),
            proxies: self.proxies(spec),
            cookies: self.cookies(spec),
            cookie_secrets: (spec.cookie_secrets.as_ref())
                .and_then(|file| self.file("server.cookie-secrets", file)),
            control: self.control(spec),
            user: self.account("server.user", &spec.user),
            group: self.account("server.group", &spec.group),
            chroot: spec.chroot.as_ref().and_then(|folder| self.file("server.chroot", folder)),
            sandbox: spec.sandbox.unwrap_or(defaults.sandbox),
            xdp: self.devices(spec),
            http: None,
            tls,
        }
    }

    fn listen(
        &mut self,
        spec: &ServerSpec,
        tls: Option<&Tls>,
        defaults: Vec<SocketAddr>,
    ) -> Vec<SocketAddr> {
        let key = "server.listen";
        let typed = match &spec.listen {
            Some(list) => self.addresses(key, list),
            None => defaults,
        };
        let listen = if self.listen.is_empty() { typed } else { self.listen.to_vec() };
        let span = span_of(&spec.listen);
        let typed_none = spec.listen.as_ref().is_some_and(|list| list.get_ref().is_empty());
        if typed_none && listen.is_empty() && spec.tls.is_none() {
            let help = "name at least one address, or leave the key out for the default";
            self.error(key, span, Problem::new("there is nothing to listen on", help));
        }
        let of_tls = tls.into_iter().flat_map(|tls| tls.listen.iter().chain(&tls.https_listen));
        let mut pairs = of_tls.flat_map(|tls| listen.iter().map(move |plain| (*tls, *plain)));
        if let Some((tls, plain)) = pairs.find(|&(tls, plain)| collide(tls, plain)) {
            let message = match tls == plain {
                true => format!("{tls} is in server.listen as well"),
                false => format!("{tls} and {plain} of server.listen collide"),
            };
            let help = "give DNS over TLS and HTTPS ports of their own, such as 853 and 443";
            let span = span_of(&spec.tls);
            self.error("server.tls.listen", span, Problem::new(message, help));
        }
        listen
    }

    fn tcp(&mut self, spec: &ServerSpec) -> TcpLimits {
        let TcpLimits { connections, per_client, client, idle_timeout } = TcpLimits::default();
        let all = self.number(
            "server.tcp-connections",
            &spec.tcp_connections,
            connections as u32,
            1..=65536,
        );
        let key = "server.tcp-connections-per-client";
        let typed = &spec.tcp_connections_per_client;
        let each = self.number(key, typed, (per_client as u32).min(all), 1..=65536);
        if each > all {
            let message = format!("{each} is more than tcp-connections ({all})");
            let span = span_of(typed);
            let help = format!("allowed: 1 to {all}, or more tcp-connections");
            self.error(key, span, Problem::new(message, help));
        }
        let (typed, default) = (&spec.tcp_client_prefix_ipv4, client.ipv4.into());
        let ipv4 = self.number("server.tcp-client-prefix-ipv4", typed, default, 0..=32);
        let (typed, default) = (&spec.tcp_client_prefix_ipv6, client.ipv6.into());
        let ipv6 = self.number("server.tcp-client-prefix-ipv6", typed, default, 0..=128);
        TcpLimits {
            connections: all as usize,
            per_client: each as usize,
            client: ClientPrefixes { ipv4: ipv4 as u8, ipv6: ipv6 as u8 },
            idle_timeout: self.duration(
                "server.tcp-idle-timeout",
                &spec.tcp_idle_timeout,
                idle_timeout,
                Duration::from_millis(100)..=Duration::from_secs(60 * 60),
                "\"100ms\" to \"1h\"",
            ),
        }
    }

    fn ttl_bounds(&mut self, spec: &ServerSpec) -> TtlBounds {
        let defaults = TtlBounds::default();
        let min = self.seconds("server.min-ttl", &spec.min_ttl).unwrap_or(defaults.min);
        let max = match self.seconds("server.max-ttl", &spec.max_ttl) {
            None | Some(0) => TtlBounds::UNBOUNDED,
            Some(max) => max,
        };
        let default = self.seconds("server.default-ttl", &spec.default_ttl);
        let negative = self.seconds("server.negative-ttl", &spec.negative_ttl);
        let bounds = TtlBounds {
            default: default.unwrap_or(defaults.default),
            min,
            max,
            negative: negative.unwrap_or(defaults.negative),
        };
        if min > max {
            let message = format!("{min} s is above max-ttl ({max} s)");
            let help = "make min-ttl smaller or max-ttl larger";
            self.error("server.min-ttl", span_of(&spec.min_ttl), Problem::new(message, help));
        } else {
            let typed = [&spec.default_ttl, &spec.min_ttl, &spec.max_ttl];
            let place = typed.into_iter().find(|typed| typed.is_some()).unwrap_or(&None);
            self.within_bounds("server.default-ttl", span_of(place), bounds.default, &bounds);
        }
        bounds
    }

    fn control(&mut self, spec: &ServerSpec) -> ControlPath {
        match &spec.control {
            None => ControlPath::Usual,
            Some(typed) if typed.get_ref() == "off" => ControlPath::Off,
            Some(typed) => {
                self.file("server.control", typed).map_or(ControlPath::Off, ControlPath::At)
            }
        }
    }

    fn proxies(&mut self, spec: &ServerSpec) -> Vec<IpNet> {
        let typed = spec.proxies.iter().flat_map(Spanned::get_ref);
        typed.filter_map(|typed| self.value("server.proxies", typed, value::prefix)).collect()
    }

    fn cookies(&mut self, spec: &ServerSpec) -> CookieMode {
        let Some(typed) = &spec.cookies else { return CookieMode::default() };
        let mode = CookieMode::ALL.into_iter().find(|mode| mode.to_string() == *typed.get_ref());
        mode.unwrap_or_else(|| {
            let word = typed.get_ref();
            let help = suggest(
                word,
                &CookieMode::ALL.map(|mode| mode.to_string()).each_ref().map(|word| &**word),
            );
            let problem = Problem::new(format!("cookies cannot be {word:?}"), help);
            self.error("server.cookies", typed.span(), problem);
            CookieMode::default()
        })
    }

    /// A user or a group, by name or number.
    fn account(&mut self, key: &str, typed: &Typed<String>) -> Option<String> {
        let typed = typed.as_ref()?;
        if typed.get_ref().is_empty() || typed.get_ref().contains([':', '\n', '\0']) {
            let problem = Problem::new("it is no name", "write one name or number");
            self.error(key, typed.span(), problem);
        }
        Some(typed.get_ref().clone())
    }

    /// The names of network devices, each once.
    fn devices(&mut self, spec: &ServerSpec) -> Vec<String> {
        let mut devices: Vec<String> = Vec::new();
        for typed in spec.xdp.iter().flat_map(|list| list.get_ref()) {
            let name = typed.get_ref();
            // As the kernel takes them (dev_valid_name).
            let is_name = (1..=15).contains(&name.len())
                && name.chars().all(|letter| letter.is_ascii_graphic() && !"/:".contains(letter));
            let problem = match (is_name, devices.contains(name)) {
                (false, _) => Problem::new(
                    format!("{name:?} is no name of a network device"),
                    "name one that `ip link` shows, such as \"eth0\"",
                ),
                (true, true) => Problem::new(format!("{name:?} is named twice"), "name it once"),
                (true, false) => {
                    devices.push(name.clone());
                    continue;
                }
            };
            self.error("server.xdp", typed.span(), problem);
        }
        devices
    }

    fn query_log(&mut self, spec: &ServerSpec) -> Option<QueryLog> {
        let typed = spec.query_log.as_ref()?;
        let target = match typed.get_ref().as_str() {
            "-" => LogTarget::Stdout,
            _ => LogTarget::File(self.file("server.query-log", typed)?),
        };
        let format = spec.query_log_format.as_ref();
        let format = format
            .and_then(|word| self.value("server.query-log-format", word, value::query_log_format));
        Some(QueryLog {
            flush: spec.query_log_flush.unwrap_or(false),
            format: format.unwrap_or_default(),
            ..QueryLog::new(target)
        })
    }

    fn query_filter(&mut self, spec: &ServerSpec) -> QueryFilter {
        let key = "server.query-log-only";
        let mut only = OnlyAnswers::default();
        for typed in spec.query_log_only.iter().flat_map(Spanned::get_ref) {
            match typed.get_ref().as_str() {
                "listed" => only.listed = true,
                "refused" => only.refused = true,
                word => {
                    let help = suggest(word, &["listed", "refused"]);
                    let problem = Problem::new(format!("{word:?} is no kind of answer"), help);
                    self.error(key, typed.span(), problem);
                }
            }
        }
        let key = "server.query-log-zones";
        let typed = spec.query_log_zones.iter().flat_map(Spanned::get_ref);
        let zones = typed.filter_map(|name| self.value(key, name, value::domain)).collect();
        let key = "server.query-log-sample";
        let sample = self.number(key, &spec.query_log_sample, 1, 1..=1_000_000);
        QueryFilter {
            only: (only != OnlyAnswers::default()).then_some(only),
            zones,
            sample: NonZeroU32::new(sample).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// Tells of zones to be logged that are not served.
    pub(super) fn logged_zones(&mut self, spec: &ServerSpec, zones: &[Zone]) {
        let is_complete = !self.lacks_tables();
        for typed in spec.query_log_zones.iter().flat_map(Spanned::get_ref) {
            let Ok(name) = value::domain(typed.get_ref()) else { continue };
            if is_complete && !zones.iter().any(|zone| zone.name == name) {
                let names: Vec<_> = zones.iter().map(|zone| zone.name.to_string()).collect();
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let help = suggest(typed.get_ref(), &names);
                let problem = Problem::new(format!("there is no zone {:?}", typed.get_ref()), help);
                self.error("server.query-log-zones", typed.span(), problem);
            }
        }
    }

    fn stats_file(&mut self, spec: &ServerSpec) -> Option<StatsFile> {
        let interval = self.duration_or_never(
            "server.stats-interval",
            &spec.stats_interval,
            Some(StatsFile::INTERVAL),
            Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60),
            "0, or \"1s\" to \"1d\"",
        );
        Some(StatsFile {
            path: self.file("server.stats-file", spec.stats_file.as_ref()?)?,
            increments: spec.stats_increments.unwrap_or(false),
            interval,
            mode: StatsFile::MODE,
        })
    }

    fn tls(&mut self, typed: &Spanned<TlsSpec>) -> Option<Tls> {
        let spec = typed.get_ref();
        let list = self.required("server.tls.listen", &spec.listen, typed.span());
        let listen = list.map(|list| (self.addresses("server.tls.listen", list), list.span()));
        let certificate = self.required("server.tls.certificate", &spec.certificate, typed.span());
        let certificate = certificate.and_then(|file| self.file("server.tls.certificate", file));
        let key = self.required("server.tls.key", &spec.key, typed.span());
        let key = key.and_then(|file| self.file("server.tls.key", file));
        let (listen, span) = listen?;
        if spec.listen.as_ref().is_some_and(|list| list.get_ref().is_empty()) {
            let help = "name at least one address, or leave out server.tls";
            let problem = Problem::new("there is nothing to listen on", help);
            self.error("server.tls.listen", span, problem);
        }
        let key_of_https = "server.tls.https-listen";
        let https_listen = match &spec.https_listen {
            Some(list) => self.addresses(key_of_https, list),
            None => Vec::new(),
        };
        let pairs =
            https_listen.iter().flat_map(|https| listen.iter().map(move |tls| (https, tls)));
        if let Some((https, tls)) = { pairs }.find(|&(https, tls)| collide(*https, *tls)) {
            let help = "give DNS over HTTPS a port of its own, such as 443";
            let problem =
                Problem::new(format!("{https} and {tls} of server.tls.listen collide"), help);
            self.error(key_of_https, span_of(&spec.https_listen), problem);
        }
        Some(Tls { listen, https_listen, certificate: certificate?, key: key? })
    }

    /// The text for `version.bind` or `id.server`; "hide" means none.
    fn text_or_hide(
        &mut self,
        key: &str,
        typed: &Typed<String>,
        default: Option<String>,
    ) -> Option<String> {
        let Some(typed) = typed else { return default };
        let text = typed.get_ref();
        if text.is_empty() || text.len() > MAX_STRING || text.chars().any(char::is_control) {
            let message = "the text does not fit a TXT record";
            let help = "allowed: 1 to 255 bytes without control characters, or \"hide\"";
            self.error(key, typed.span(), Problem::new(message, help));
        }
        (text != "hide").then(|| text.clone())
    }
}
