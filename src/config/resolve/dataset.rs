//! The tables `[[dataset]]`.

use super::super::error::Problem;
use super::super::guard::Guard;
use super::super::policy::Policy;
use super::super::settings::{Dataset, FreshnessLimits, Soa, TtlBounds};
use super::super::spec::{DatasetSpec, SoaSpec, Time, Typed};
use super::super::value;
use super::Resolver;
use crate::wire::name::NameBuf;
use crate::zonefile::{Format, HashForm, Kind, MAX_TEXT};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;

impl Resolver<'_> {
    pub(super) fn datasets(
        &mut self,
        specs: &[Spanned<DatasetSpec>],
        bounds: &TtlBounds,
        guard: &(Guard, Policy),
    ) -> Vec<Dataset> {
        let mut places = HashMap::new();
        let mut datasets = Vec::new();
        for typed in specs {
            let spec = typed.get_ref();
            let name = self.required("dataset.name", &spec.name, typed.span());
            let name = name.and_then(|name| self.entry_name("dataset", name, &mut places));
            let kind = self.required("dataset.type", &spec.kind, typed.span());
            let kind = kind.and_then(|word| self.value("dataset.type", word, value::kind));
            let format = self.format(spec, kind);
            let hash = self.hash_form(spec, kind);
            let files = self.required("dataset.files", &spec.files, typed.span());
            let files = files.map(|files| self.files(files));
            let overrides = self.overrides(spec, bounds);
            let (guard, policy) = self.guard_of_dataset(&spec.guard, guard);
            if let (Some(typed), Some(true)) = (&spec.soa, kind.map(Kind::is_access_list)) {
                let message = "an access list cannot have a SOA record";
                let help = "set soa at a dataset that the zone serves";
                self.error("dataset.soa", typed.span(), Problem::new(message, help));
            }
            if let (Some(name), Some(kind), Some(files)) = (name, kind, files) {
                datasets.push(Dataset {
                    name,
                    kind,
                    format,
                    hash,
                    files,
                    guard,
                    policy,
                    ..overrides
                });
            }
        }
        datasets
    }

    /// The form of the lines, which must suit the type.
    fn format(&mut self, spec: &DatasetSpec, kind: Option<Kind>) -> Format {
        let format = spec.format.as_ref();
        let read = format.and_then(|word| self.value("dataset.format", word, value::format));
        if let (Some(column), false) =
            (&spec.column, matches!(read, Some(Format::Csv | Format::Jsonl)))
        {
            let message = "column has no effect without a format that has several";
            let help = "set format = \"csv\" or format = \"jsonl\", or remove column";
            self.error("dataset.column", column.span(), Problem::new(message, help));
        }
        let (Some(typed), Some(read), Some(kind)) = (format, read, kind) else {
            return read.unwrap_or_default();
        };
        if !read.suits(kind) {
            let message = format!("a dataset of type {kind} cannot be read in the format {read}");
            let help = match read.is_for_names_alone() {
                true => "set type = \"dnset\", or type = \"mixed\"",
                false => "set a type of addresses or names, or remove format",
            };
            self.error("dataset.format", typed.span(), Problem::new(message, help));
        }
        read
    }

    /// How hashes are written, for the type that has some.
    fn hash_form(&mut self, spec: &DatasetSpec, kind: Option<Kind>) -> HashForm {
        let spans = [
            ("dataset.encoding", spec.encoding.as_ref().map(Spanned::span)),
            ("dataset.length", spec.length.as_ref().map(Spanned::span)),
        ];
        if kind.is_some_and(|kind| kind != Kind::Hashset) {
            for (key, span) in spans {
                let Some(span) = span else { continue };
                let message = format!("{} has no effect on other types than hashset", &key[8..]);
                let help = format!("set type = \"hashset\", or remove {}", &key[8..]);
                self.error(key, span, Problem::new(message, help));
            }
            return HashForm::default();
        }
        let encoding = spec.encoding.as_ref();
        let encoding =
            encoding.and_then(|word| self.value("dataset.encoding", word, value::encoding));
        let length = spec.length.as_ref();
        let digits = length.map(|length| usize::try_from(*length.get_ref()).unwrap_or(0));
        HashForm::new(encoding, digits).unwrap_or_else(|| {
            let (_, span) = &spans[1];
            let message = "no hash has so many digits";
            let help = "count the digits of one: 32 for MD5 in hex, 40 for SHA-1 in hex, 52 for SHA-256 in base32";
            self.error("dataset.length", span.clone().unwrap_or_default(), Problem::new(message, help));
            HashForm::default()
        })
    }

    /// The name of a dataset or a feed, if it can be one and is not taken.
    pub(super) fn entry_name(
        &mut self,
        what: &str,
        typed: &Spanned<String>,
        places: &mut HashMap<String, Range<usize>>,
    ) -> Option<String> {
        let (name, key) = (typed.get_ref(), format!("{what}.name"));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(allowed) || name.starts_with('.') {
            let message = format!("{name:?} is not a valid {what} name");
            let help = "allowed: letters, digits, -, _ and dots, but no dot at the start";
            self.error(&key, typed.span(), Problem::new(message, help));
            return None;
        }
        self.first_use(&key, what, name.clone(), typed.span(), places)
    }

    fn files(&mut self, list: &Spanned<Vec<Spanned<String>>>) -> Vec<PathBuf> {
        let key = "dataset.files";
        if list.get_ref().is_empty() {
            let problem = Problem::new("the list of files is empty", "name at least one file");
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

    /// The overrides of a dataset; the caller fills in name, type and files.
    fn overrides(&mut self, spec: &DatasetSpec, bounds: &TtlBounds) -> Dataset {
        let blank = Dataset::new(String::new(), Kind::Ip4Set, Vec::new());
        let allow_any_a = spec.allow_any_a.unwrap_or(blank.allow_any_a);
        if let (Some(typed), None) = (&spec.ns_ttl, &spec.ns) {
            let problem =
                Problem::new("ns-ttl has no effect without ns", "add ns, or remove ns-ttl");
            self.error("dataset.ns-ttl", typed.span(), problem);
        }
        Dataset {
            soa: spec.soa.as_ref().and_then(|soa| self.soa(soa, bounds)),
            ns: spec.ns.as_ref().map_or_else(Vec::new, |list| self.name_servers(list)),
            ns_ttl: self.ttl("dataset.ns-ttl", &spec.ns_ttl, bounds),
            ttl: self.ttl("dataset.ttl", &spec.ttl, bounds),
            default_a: spec.default_a.as_ref().and_then(|a| self.default_a(a, allow_any_a)),
            default_text: spec.default_text.as_ref().and_then(|text| self.default_text(text)),
            column: spec.column.as_ref().map(|column| column.get_ref().clone()),
            allow_any_a,
            accept_empty: spec.accept_empty.unwrap_or(blank.accept_empty),
            accept_snapshot: spec.accept_snapshot.unwrap_or(blank.accept_snapshot),
            freshness: self.freshness(spec, blank.freshness),
            own: spec.own,
            ..blank
        }
    }

    fn freshness(&mut self, spec: &DatasetSpec, default: FreshnessLimits) -> FreshnessLimits {
        let FreshnessLimits { max_age, keep_bad_for } = default;
        FreshnessLimits {
            max_age: self.age_limit("dataset.max-age", &spec.max_age, max_age),
            keep_bad_for: self.age_limit("dataset.keep-bad-for", &spec.keep_bad_for, keep_bad_for),
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

    fn name_servers(&mut self, list: &Spanned<Vec<Spanned<String>>>) -> Vec<NameBuf> {
        let key = "dataset.ns";
        if list.get_ref().is_empty() {
            let help = "name at least one server, or leave the key out";
            self.error(key, list.span(), Problem::new("the list of name servers is empty", help));
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
            let help =
                "clients may not take it for a listing; set allow-any-a = true if you mean it";
            self.error(key, typed.span(), Problem::new(message, help));
        }
        Some(address)
    }

    fn default_text(&mut self, typed: &Spanned<String>) -> Option<String> {
        let text = typed.get_ref();
        let problem = if text.chars().any(char::is_control) {
            let message = "the text contains a control character";
            Problem::new(message, "write the text on one line, without tabs")
        } else if text.len() > MAX_TEXT {
            let message =
                format!("the text has {} bytes, more than the allowed {MAX_TEXT}", text.len());
            Problem::new(message, "shorten it, or link to a page that says the rest")
        } else {
            return Some(text.clone());
        };
        self.error("dataset.default-text", typed.span(), problem);
        None
    }
}
