//! [`Spec`] -> [`Settings`]: checks every value and every reference, and fills in the defaults.

use super::error::{Diagnostic, Problem, suggest};
use super::settings::{
    Dataset, LogTarget, QueryLog, Server, Settings, Soa, StatsFile, TcpLimits, Tls, TtlBounds, Zone,
};
use super::source::Loaded;
use super::spec::{
    DatasetSpec, ServerSpec, SoaSpec, Spec, Time, TlsSpec, Typed, TypedList, ZoneSpec,
};
use super::value;
use crate::net::listen::collide;
use crate::zonefile::{Kind, MAX_TEXT};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// The longest text in one character-string of a TXT record (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;

/// What `spec`, typed as `text`, means. Relative files are looked for in `folder`; addresses in
/// `listen` take the place of those in the file.
pub(super) fn resolve(
    text: &str,
    spec: &Spec,
    folder: &Path,
    listen: &[SocketAddr],
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut resolver = Resolver { text, folder, listen, errors: Vec::new(), warnings: Vec::new() };
    let server = resolver.server(&spec.server);
    let datasets = resolver.datasets(&spec.dataset, &server.ttl);
    let (zones, acl) = resolver.zones(&spec.zone, &spec.dataset, &spec.server);
    let server = Server { acl, ..server };
    if !resolver.errors.is_empty() {
        resolver.errors.sort_by_key(|diagnostic| diagnostic.place);
        return Err(resolver.errors);
    }
    Ok(Loaded { settings: Settings { server, datasets, zones }, warnings: resolver.warnings })
}

struct Resolver<'a> {
    text: &'a str,
    folder: &'a Path,
    listen: &'a [SocketAddr],
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn server(&mut self, spec: &ServerSpec) -> Server {
        let defaults = Server::default();
        let tls = spec.tls.as_ref().and_then(|tls| self.tls(tls));
        let workers = self.number("server.workers", &spec.workers, 0, 0..=1024);
        Server {
            listen: self.listen(spec, tls.as_ref(), defaults.listen),
            workers: NonZeroUsize::new(workers as usize),
            tcp: self.tcp(spec),
            ttl: self.ttl_bounds(spec),
            minimal_answers: spec.minimal_answers.unwrap_or(defaults.minimal_answers),
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
            accept_host_bits: spec.accept_host_bits.unwrap_or(defaults.accept_host_bits),
            decompress: defaults.decompress,
            query_log: self.query_log(spec),
            stats_file: self.stats_file(spec),
            acl: Vec::new(),
            tls,
        }
    }

    fn query_log(&mut self, spec: &ServerSpec) -> Option<QueryLog> {
        let typed = spec.query_log.as_ref()?;
        let target = match typed.get_ref().as_str() {
            "-" => LogTarget::Stdout,
            _ => LogTarget::File(self.file("server.query-log", typed)?),
        };
        Some(QueryLog { target, flush: spec.query_log_flush.unwrap_or(false) })
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
        })
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
        let of_tls = tls.map_or(&[][..], |tls| &tls.listen);
        let mut pairs =
            of_tls.iter().flat_map(|tls| listen.iter().map(move |plain| (*tls, *plain)));
        if let Some((tls, plain)) = pairs.find(|&(tls, plain)| collide(tls, plain)) {
            let message = match tls == plain {
                true => format!("{tls} is in server.listen too"),
                false => format!("{tls} and {plain} of server.listen collide"),
            };
            let help = "give DNS over TLS a port of its own, such as 853";
            let span = span_of(&spec.tls);
            self.error("server.tls.listen", span, Problem::new(message, help));
        }
        listen
    }

    fn tcp(&mut self, spec: &ServerSpec) -> TcpLimits {
        let TcpLimits { connections, per_client, idle_timeout } = TcpLimits::default();
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
        TcpLimits {
            connections: all as usize,
            per_client: each as usize,
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

    /// A time to live that is typed here must keep the bounds that are typed here.
    fn within_bounds(&mut self, key: &str, span: Range<usize>, ttl: u32, bounds: &TtlBounds) {
        let least = bounds.min.max(1);
        if bounds.min <= bounds.max && !(least..=bounds.max).contains(&ttl) {
            let message = format!("{ttl} s is outside what min-ttl and max-ttl allow");
            let help = format!("allowed: {least} to {} seconds", bounds.max);
            self.error(key, span, Problem::new(message, help));
        }
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
        Some(Tls { listen, certificate: certificate?, key: key? })
    }

    fn datasets(&mut self, specs: &[Spanned<DatasetSpec>], bounds: &TtlBounds) -> Vec<Dataset> {
        let mut places = HashMap::new();
        let mut datasets = Vec::new();
        for typed in specs {
            let spec = typed.get_ref();
            let name = self.required("dataset.name", &spec.name, typed.span());
            let name = name.and_then(|name| self.dataset_name(name, &mut places));
            let kind = self.required("dataset.type", &spec.kind, typed.span());
            let kind = kind.and_then(|word| self.value("dataset.type", word, value::kind));
            let files = self.required("dataset.files", &spec.files, typed.span());
            let files = files.map(|files| self.files(files));
            let overrides = self.overrides(spec, bounds);
            if let (Some(typed), Some(true)) = (&spec.soa, kind.map(Kind::is_access_list)) {
                let message = "an access list has no records of its own";
                let help = "write it at a dataset of the zone";
                self.error("dataset.soa", typed.span(), Problem::new(message, help));
            }
            if let (Some(name), Some(kind), Some(files)) = (name, kind, files) {
                datasets.push(Dataset { name, kind, files, ..overrides });
            }
        }
        datasets
    }

    fn dataset_name(
        &mut self,
        typed: &Spanned<String>,
        places: &mut HashMap<String, Range<usize>>,
    ) -> Option<String> {
        let name = typed.get_ref();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) || name.starts_with('.') {
            let message = format!("{name:?} is not a name for a dataset");
            let help = "allowed: letters, digits, - _ and, not in front, dots";
            self.error("dataset.name", typed.span(), Problem::new(message, help));
            return None;
        }
        self.first_use("dataset.name", "a dataset", name.clone(), typed.span(), places)
    }

    /// `name`, unless it is taken.
    fn first_use(
        &mut self,
        key: &str,
        what: &str,
        name: String,
        span: Range<usize>,
        places: &mut HashMap<String, Range<usize>>,
    ) -> Option<String> {
        if let Some(first) = places.get(&name) {
            let (line, _) = self.line_column(first.clone());
            let message = format!("there is {what} {name:?} already, in line {line}");
            let help = "give it another name, or make the two into one";
            self.error(key, span, Problem::new(message, help));
            return None;
        }
        places.insert(name.clone(), span);
        Some(name)
    }

    fn files(&mut self, list: &Spanned<Vec<Spanned<String>>>) -> Vec<PathBuf> {
        let key = "dataset.files";
        if list.get_ref().is_empty() {
            let problem = Problem::new("there is no file", "name at least one file");
            self.error(key, list.span(), problem);
        }
        let mut files = Vec::new();
        for typed in list.get_ref() {
            let Some(file) = self.file(key, typed) else { continue };
            if files.contains(&file) {
                let message = format!("{:?} is named twice", typed.get_ref());
                self.error(key, typed.span(), Problem::new(message, "name it once"));
            }
            files.push(file);
        }
        files
    }

    /// The overrides of a dataset; name, type and files are left to the caller.
    fn overrides(&mut self, spec: &DatasetSpec, bounds: &TtlBounds) -> Dataset {
        let blank = Dataset::new(String::new(), Kind::Ip4Set, Vec::new());
        let allow_any_a = spec.allow_any_a.unwrap_or(blank.allow_any_a);
        if let (Some(typed), None) = (&spec.ns_ttl, &spec.ns) {
            let problem = Problem::new("there is no ns it could belong to", "add ns, or drop it");
            self.error("dataset.ns-ttl", typed.span(), problem);
        }
        Dataset {
            soa: spec.soa.as_ref().and_then(|soa| self.soa(soa, bounds)),
            ns: spec.ns.as_ref().map_or_else(Vec::new, |list| self.name_servers(list)),
            ns_ttl: self.ttl("dataset.ns-ttl", &spec.ns_ttl, bounds),
            ttl: self.ttl("dataset.ttl", &spec.ttl, bounds),
            default_a: spec.default_a.as_ref().and_then(|a| self.default_a(a, allow_any_a)),
            default_text: spec.default_text.as_ref().and_then(|text| self.default_text(text)),
            allow_any_a,
            accept_empty: spec.accept_empty.unwrap_or(blank.accept_empty),
            ..blank
        }
    }

    fn soa(&mut self, typed: &Spanned<SoaSpec>, bounds: &TtlBounds) -> Option<Soa> {
        let spec = typed.get_ref();
        let mut name = |key: &str, text: &Typed<String>| {
            let text = self.required(key, text, typed.span())?;
            self.value(key, text, value::domain)
        };
        let mname = name("dataset.soa.mname", &spec.mname);
        let rname = name("dataset.soa.rname", &spec.rname);
        let mut time = |key: &str, time: &Typed<Time>| {
            self.required(key, time, typed.span())?;
            self.seconds(key, time)
        };
        let refresh = time("dataset.soa.refresh", &spec.refresh);
        let retry = time("dataset.soa.retry", &spec.retry);
        let expire = time("dataset.soa.expire", &spec.expire);
        let minimum = time("dataset.soa.minimum", &spec.minimum);
        let serial = self.number("dataset.soa.serial", &spec.serial, 0, 0..=u32::MAX);
        Some(Soa {
            ttl: self.ttl("dataset.soa.ttl", &spec.ttl, bounds),
            mname: mname?,
            rname: rname?,
            serial: (serial != 0).then_some(serial),
            refresh: refresh?,
            retry: retry?,
            expire: expire?,
            minimum: minimum?,
        })
    }

    fn name_servers(
        &mut self,
        list: &Spanned<Vec<Spanned<String>>>,
    ) -> Vec<crate::wire::name::NameBuf> {
        let key = "dataset.ns";
        if list.get_ref().is_empty() {
            let help = "name at least one server, or leave the key out";
            self.error(key, list.span(), Problem::new("there is no name server", help));
        }
        list.get_ref().iter().filter_map(|ns| self.value(key, ns, value::domain)).collect()
    }

    fn default_a(&mut self, typed: &Spanned<String>, any: bool) -> Option<Ipv4Addr> {
        let key = "dataset.default-a";
        let text = typed.get_ref();
        let Ok(address) = text.parse::<Ipv4Addr>() else {
            let message = format!("{text:?} is not an IPv4 address");
            let problem = Problem::new(message, "write all four numbers, such as \"127.0.0.2\"");
            self.error(key, typed.span(), problem);
            return None;
        };
        if !address.is_loopback() && !any {
            let message = format!("{address} is not in 127.0.0.0/8");
            let help = "clients may not take it for a listing; if you are sure, set allow-any-a";
            self.error(key, typed.span(), Problem::new(message, help));
        }
        Some(address)
    }

    fn default_text(&mut self, typed: &Spanned<String>) -> Option<String> {
        let text = typed.get_ref();
        let problem = if text.chars().any(char::is_control) {
            let message = "there is a control character in it";
            Problem::new(message, "write the text on one line, without tabs")
        } else if text.len() > MAX_TEXT {
            let message =
                format!("the text is longer than {MAX_TEXT} bytes: it has {}", text.len());
            Problem::new(message, "shorten it, or write a link to what it says")
        } else {
            return Some(text.clone());
        };
        self.error("dataset.default-text", typed.span(), problem);
        None
    }

    fn zones(
        &mut self,
        specs: &[Spanned<ZoneSpec>],
        datasets: &[Spanned<DatasetSpec>],
        server: &ServerSpec,
    ) -> (Vec<Zone>, Vec<String>) {
        let typed_names = datasets.iter().filter_map(|typed| typed.get_ref().name.as_ref());
        let known = Known::of(datasets);
        if specs.is_empty() {
            let help = "add a [[zone]] with a name and its datasets";
            self.errors.push(Diagnostic::general(Problem::new("there is no zone to serve", help)));
        }
        let (mut places, mut used) = (HashMap::new(), HashSet::new());
        let mut access_lists = |resolver: &mut Self, key: &str, list: &TypedList| match list {
            Some(list) => resolver.references(key, list, &known, true, &mut used),
            None => Vec::new(),
        };
        let server_acl = access_lists(self, "server.acl", &server.acl);
        let acls: Vec<Vec<String>> = specs
            .iter()
            .map(|typed| access_lists(self, "zone.acl", &typed.get_ref().acl))
            .collect();
        let mut zones = Vec::new();
        for (typed, acl) in specs.iter().zip(acls) {
            let spec = typed.get_ref();
            let served = match self.required("zone.datasets", &spec.datasets, typed.span()) {
                Some(list) => self.references("zone.datasets", list, &known, false, &mut used),
                None => Vec::new(),
            };
            if let Some(list) = spec.datasets.as_ref().filter(|list| list.get_ref().is_empty()) {
                let problem = Problem::new("the zone has no dataset", "name at least one");
                self.error("zone.datasets", list.span(), problem);
            }
            let allow = match &spec.allow {
                Some(list) => self.references("zone.allow", list, &known, false, &mut used),
                None => Vec::new(),
            };
            if let Some(both) = allow.iter().find(|name| served.contains(name)) {
                let message = format!("{both:?} is in datasets too, so nothing of it is listed");
                let span = span_of(&spec.allow);
                self.error("zone.allow", span, Problem::new(message, "keep it in one of the two"));
            }
            let is = |typed: &Typed<String>, word: &str| {
                typed.as_ref().is_some_and(|t| t.get_ref() == word)
            };
            let lists_nothing = |name: &&String| {
                let specs = datasets.iter().map(Spanned::get_ref);
                specs.into_iter().any(|set| is(&set.name, name) && is(&set.kind, "generic"))
            };
            if let Some(name) = allow.iter().find(lists_nothing) {
                let message = format!("{name:?} is of type generic, which lists nothing to allow");
                let help = "take a list, or name it in datasets if its records are to be served";
                self.error("zone.allow", span_of(&spec.allow), Problem::new(message, help));
            }
            let Some(text) = self.required("zone.name", &spec.name, typed.span()) else { continue };
            let Some(name) = self.value("zone.name", text, value::domain) else { continue };
            let print = name.to_string();
            self.first_use("zone.name", "a zone", print, text.span(), &mut places);
            let defaults = Zone::new(name, served);
            let test_points = spec.test_points.unwrap_or(defaults.test_points);
            let example = spec.example.as_ref().and_then(|key| {
                self.value("zone.example", key, |text| value::name_of_key(text, &defaults.name))
            });
            zones.push(Zone { allow, acl, test_points, example, ..defaults });
        }
        for name in typed_names.filter(|name| !used.contains(name.get_ref())) {
            let message = format!("dataset {:?} is in no zone, and is not loaded", name.get_ref());
            let problem = Problem::new(message, "add it to the datasets, allow or acl of a zone");
            self.warnings.push(Diagnostic::at(self.text, name.span(), problem));
        }
        (zones, server_acl)
    }

    fn references(
        &mut self,
        key: &str,
        list: &Spanned<Vec<Spanned<String>>>,
        known: &Known<'_>,
        access_lists: bool,
        used: &mut HashSet<String>,
    ) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for typed in list.get_ref() {
            let name = typed.get_ref();
            used.insert(name.clone());
            if names.contains(name) {
                let problem = Problem::new(format!("{name:?} is named twice"), "name it once");
                self.error(key, typed.span(), problem);
            } else if let Some(&is_access_list) = known.0.get(name.as_str()) {
                if is_access_list != access_lists {
                    let (message, help) = match access_lists {
                        true => ("is no access list", "name a dataset of type acl or aclkey"),
                        false => ("is an access list", "name it in the acl of the zone or server"),
                    };
                    let message = format!("{name:?} {message}");
                    self.error(key, typed.span(), Problem::new(message, help));
                }
            } else {
                let message = format!("there is no dataset {name:?}");
                let known: Vec<&str> = known.0.keys().copied().collect();
                let help = match suggest(name, &known) {
                    help if help.is_empty() => "add a [[dataset]] of that name".to_owned(),
                    help => help,
                };
                self.error(key, typed.span(), Problem::new(message, help));
            }
            names.push(name.clone());
        }
        names
    }

    fn addresses(&mut self, key: &str, list: &Spanned<Vec<Spanned<String>>>) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for typed in list.get_ref() {
            let Some(address) = self.value(key, typed, value::address) else { continue };
            if let Some(problem) = value::collision(&addresses, address) {
                self.error(key, typed.span(), problem);
            }
            addresses.push(address);
        }
        addresses
    }

    fn file(&mut self, key: &str, typed: &Spanned<String>) -> Option<PathBuf> {
        if typed.get_ref().is_empty() {
            let problem = Problem::new("the path is empty", "write the path of a file or folder");
            self.error(key, typed.span(), problem);
            return None;
        }
        Some(self.folder.join(typed.get_ref()))
    }

    /// A text of `version.bind` or `id.server`; "hide" for none.
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

    fn number(
        &mut self,
        key: &str,
        typed: &Typed<i64>,
        default: u32,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> u32 {
        let Some(typed) = typed else { return default };
        let number = u32::try_from(*typed.get_ref()).ok().filter(|number| allowed.contains(number));
        if number.is_none() {
            let message = format!("{} is out of range", typed.get_ref());
            let help = format!("allowed: {} to {}", allowed.start(), allowed.end());
            self.error(key, typed.span(), Problem::new(message, help));
        }
        number.unwrap_or(default)
    }

    fn duration(
        &mut self,
        key: &str,
        typed: &Typed<Time>,
        default: Duration,
        allowed: std::ops::RangeInclusive<Duration>,
        words: &str,
    ) -> Duration {
        let Some(typed) = typed else { return default };
        match value::duration(&typed.get_ref().0) {
            Ok(time) if allowed.contains(&time) => return time,
            Ok(_) => {
                let message = format!("{:?} is out of range", typed.get_ref().0);
                let problem = Problem::new(message, format!("allowed: {words}"));
                self.error(key, typed.span(), problem);
            }
            Err(problem) => self.error(key, typed.span(), problem),
        }
        default
    }

    /// The same where 0 stands for never, which is `None`.
    fn duration_or_never(
        &mut self,
        key: &str,
        typed: &Typed<Time>,
        default: Option<Duration>,
        allowed: std::ops::RangeInclusive<Duration>,
        words: &str,
    ) -> Option<Duration> {
        let typed_time = typed.as_ref().map(|time| value::duration(&time.get_ref().0));
        match typed_time {
            None => default,
            Some(Ok(Duration::ZERO)) => None,
            Some(_) => Some(self.duration(key, typed, Duration::ZERO, allowed, words)),
        }
    }

    /// A time to live within the bounds.
    fn ttl(&mut self, key: &str, typed: &Typed<Time>, bounds: &TtlBounds) -> Option<u32> {
        let ttl = self.seconds(key, typed)?;
        let span = span_of(typed);
        self.within_bounds(key, span, ttl, bounds);
        Some(ttl)
    }

    fn seconds(&mut self, key: &str, typed: &Typed<Time>) -> Option<u32> {
        let typed = typed.as_ref()?;
        value::seconds(&typed.get_ref().0)
            .map_err(|problem| self.error(key, typed.span(), problem))
            .ok()
    }

    fn value<T>(
        &mut self,
        key: &str,
        typed: &Spanned<String>,
        read: impl Fn(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        read(typed.get_ref()).map_err(|problem| self.error(key, typed.span(), problem)).ok()
    }

    /// The value of a key that must be there, in the table at `table`.
    fn required<'t, T>(
        &mut self,
        key: &str,
        typed: &'t Typed<T>,
        table: Range<usize>,
    ) -> Option<&'t Spanned<T>> {
        if typed.is_none() {
            let last = key.rsplit('.').next().unwrap_or(key);
            let problem = Problem::new("the key is missing", format!("add {last} = ..."));
            self.error(key, table, problem);
        }
        typed.as_ref()
    }

    fn error(&mut self, key: &str, span: Range<usize>, problem: Problem) {
        self.errors.push(Diagnostic::at(self.text, span, problem.of(key)));
    }

    fn line_column(&self, span: Range<usize>) -> (usize, usize) {
        let nothing = Problem::new("", "");
        Diagnostic::at(self.text, span, nothing).place.unwrap_or_default()
    }
}

/// The datasets that are typed somewhere, by name, and whether they are access lists. Of equal names the
/// first counts.
struct Known<'t>(BTreeMap<&'t str, bool>);

impl<'t> Known<'t> {
    fn of(datasets: &'t [Spanned<DatasetSpec>]) -> Self {
        let mut known = BTreeMap::new();
        for spec in datasets.iter().map(Spanned::get_ref) {
            let kind = spec.kind.as_ref().and_then(|word| word.get_ref().parse().ok());
            if let Some(name) = &spec.name {
                known
                    .entry(name.get_ref().as_str())
                    .or_insert_with(|| kind.is_some_and(Kind::is_access_list));
            }
        }
        Self(known)
    }
}

/// The place of a value; the start of the file for one that was not typed.
fn span_of<T>(typed: &Typed<T>) -> Range<usize> {
    typed.as_ref().map_or(0..0, Spanned::span)
}
