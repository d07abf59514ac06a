//! The shape of `dnsbld.toml` as it is written, with the place of every value.
//!
//! Every key is optional here, so that missing keys and wrong values are reported together and in the same
//! words. `docs/configuration.toml` explains each key.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use toml::Spanned;

/// A value with its place in the file.
pub(super) type Typed<T> = Option<Spanned<T>>;
/// A list, and each of its values, with their places.
pub(super) type TypedList = Typed<Vec<Spanned<String>>>;
/// A table with any keys, and each of its keys and values, with their places.
pub(super) type TypedMap<T> = Typed<BTreeMap<Spanned<String>, Spanned<T>>>;

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Spec {
    pub(super) server: ServerSpec,
    pub(super) http: Typed<HttpSpec>,
    pub(super) guard: GuardSpec,
    pub(super) limit: LimitSpec,
    pub(super) quota: Vec<Spanned<QuotaSpec>>,
    pub(super) stats: StatsSpec,
    pub(super) history: HistorySpec,
    pub(super) watch: HashMap<Spanned<String>, Spanned<String>>,
    pub(super) key: Vec<Spanned<KeySpec>>,
    pub(super) catalog_zone: Typed<CatalogZoneSpec>,
    pub(super) dataset: Vec<Spanned<DatasetSpec>>,
    pub(super) zone: Vec<Spanned<ZoneSpec>>,
    pub(super) mirror: MirrorSpec,
    pub(super) alert: AlertSpec,
    pub(super) feed: Vec<Spanned<FeedSpec>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct ServerSpec {
    pub(super) listen: TypedList,
    pub(super) workers: Typed<i64>,
    pub(super) tcp_connections: Typed<i64>,
    pub(super) tcp_connections_per_client: Typed<i64>,
    pub(super) tcp_client_prefix_ipv4: Typed<i64>,
    pub(super) tcp_client_prefix_ipv6: Typed<i64>,
    pub(super) tcp_idle_timeout: Typed<Time>,
    pub(super) default_ttl: Typed<Time>,
    pub(super) min_ttl: Typed<Time>,
    pub(super) max_ttl: Typed<Time>,
    pub(super) negative_ttl: Typed<Time>,
    pub(super) minimal_answers: Option<bool>,
    pub(super) minimal_any: Option<bool>,
    pub(super) extended_errors: Option<bool>,
    pub(super) version: Typed<String>,
    pub(super) id: Typed<String>,
    pub(super) check_interval: Typed<Time>,
    pub(super) quiet_period: Typed<Time>,
    pub(super) state_dir: Typed<String>,
    pub(super) max_memory: Typed<String>,
    pub(super) accept_host_bits: Option<bool>,
    pub(super) query_log: Typed<String>,
    pub(super) query_log_flush: Option<bool>,
    pub(super) query_log_format: Typed<String>,
    pub(super) query_log_only: TypedList,
    pub(super) query_log_zones: TypedList,
    pub(super) query_log_sample: Typed<i64>,
    pub(super) dnstap: Typed<String>,
    pub(super) log_format: Typed<String>,
    pub(super) stats_file: Typed<String>,
    pub(super) stats_increments: Option<bool>,
    pub(super) stats_interval: Typed<Time>,
    pub(super) acl: TypedList,
    pub(super) proxies: TypedList,
    pub(super) cookies: Typed<String>,
    pub(super) cookie_secrets: Typed<String>,
    pub(super) control: Typed<String>,
    pub(super) user: Typed<String>,
    pub(super) group: Typed<String>,
    pub(super) chroot: Typed<String>,
    pub(super) sandbox: Option<bool>,
    pub(super) xdp: TypedList,
    pub(super) tls: Typed<TlsSpec>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct LimitSpec {
    pub(super) queries_per_second: Typed<i64>,
    pub(super) burst: Typed<i64>,
    pub(super) dry_run: Option<bool>,
    pub(super) exempt: TypedList,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct QuotaSpec {
    pub(super) name: Typed<String>,
    pub(super) per: Typed<String>,
    pub(super) queries: Typed<i64>,
    pub(super) period: Typed<Time>,
    pub(super) answer: Typed<String>,
    pub(super) zones: TypedList,
    pub(super) ip4_prefix: Typed<i64>,
    pub(super) ip6_prefix: Typed<i64>,
    pub(super) exempt: TypedList,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct StatsSpec {
    pub(super) top: Option<bool>,
    pub(super) anonymise_clients: Option<bool>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct HistorySpec {
    pub(super) days: Typed<i64>,
    pub(super) max_size: Typed<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct TlsSpec {
    pub(super) listen: TypedList,
    pub(super) https_listen: TypedList,
    pub(super) certificate: Typed<String>,
    pub(super) key: Typed<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct HttpSpec {
    pub(super) listen: TypedList,
    pub(super) allow: TypedList,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct DatasetSpec {
    pub(super) name: Typed<String>,
    #[serde(rename = "type")]
    pub(super) kind: Typed<String>,
    pub(super) format: Typed<String>,
    pub(super) column: Typed<String>,
    pub(super) encoding: Typed<String>,
    pub(super) length: Typed<i64>,
    pub(super) files: TypedList,
    pub(super) soa: Typed<SoaSpec>,
    pub(super) ns: TypedList,
    pub(super) ns_ttl: Typed<Time>,
    pub(super) ttl: Typed<Time>,
    pub(super) default_a: Typed<String>,
    pub(super) default_text: Typed<String>,
    pub(super) allow_any_a: Option<bool>,
    pub(super) accept_empty: Option<bool>,
    pub(super) accept_snapshot: Option<bool>,
    pub(super) max_age: Typed<Time>,
    pub(super) keep_bad_for: Typed<Time>,
    pub(super) own: Option<bool>,
    pub(super) guard: DatasetGuardSpec,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct GuardSpec {
    pub(super) shrink: Typed<f64>,
    pub(super) grow: Typed<f64>,
    pub(super) bad_lines: Typed<f64>,
    pub(super) sentinels: TypedList,
    pub(super) off: TypedList,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct DatasetGuardSpec {
    pub(super) shrink: Typed<f64>,
    pub(super) grow: Typed<f64>,
    pub(super) bad_lines: Typed<f64>,
    pub(super) sentinels: Option<bool>,
    pub(super) off: TypedList,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct SoaSpec {
    pub(super) mname: Typed<String>,
    pub(super) rname: Typed<String>,
    pub(super) serial: Typed<i64>,
    pub(super) refresh: Typed<Time>,
    pub(super) retry: Typed<Time>,
    pub(super) expire: Typed<Time>,
    pub(super) minimum: Typed<Time>,
    pub(super) ttl: Typed<Time>,
}

#[derive(Clone, Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct ZoneSpec {
    pub(super) name: Typed<String>,
    pub(super) datasets: TypedList,
    pub(super) sum: TypedMap<i64>,
    pub(super) at: TypedMap<String>,
    pub(super) allow: TypedList,
    pub(super) acl: TypedList,
    pub(super) transfer: TypedList,
    pub(super) transfer_max_records: Typed<i64>,
    pub(super) notify: TypedList,
    pub(super) test_points: Option<bool>,
    pub(super) health: Option<bool>,
    pub(super) partial: Typed<String>,
    pub(super) stale: Typed<String>,
    pub(super) example: Typed<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct CatalogZoneSpec {
    pub(super) name: Typed<String>,
    pub(super) transfer: TypedList,
    pub(super) notify: TypedList,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct KeySpec {
    pub(super) name: Typed<String>,
    pub(super) algorithm: Typed<String>,
    pub(super) secret_file: Typed<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct MirrorSpec {
    pub(super) dir: Typed<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct AlertSpec {
    pub(super) command: TypedList,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct FeedSpec {
    pub(super) name: Typed<String>,
    pub(super) preset: Typed<String>,
    #[serde(rename = "type")]
    pub(super) kind: Typed<String>,
    pub(super) zone: Typed<String>,
    pub(super) default_text: Typed<String>,
    pub(super) source: Typed<String>,
    pub(super) from: Typed<String>,
    pub(super) files: TypedList,
    pub(super) folder: Typed<String>,
    pub(super) interval: Typed<Time>,
    pub(super) jitter: Typed<Time>,
    pub(super) timeout: Typed<Time>,
    pub(super) time_limit: Typed<Time>,
    pub(super) bandwidth_limit: Typed<String>,
    pub(super) min_size: Typed<String>,
    pub(super) max_size: Typed<String>,
    pub(super) max_age: Typed<Time>,
    pub(super) compress: Option<bool>,
    pub(super) key: Typed<String>,
    pub(super) password_file: Typed<String>,
    pub(super) verify: TypedList,
    pub(super) plain_http: Option<bool>,
}

/// A time as written: a text such as `"35m"`, or a number of seconds.
#[derive(Clone, Debug)]
pub(super) struct Time(pub(super) String);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E>(self, text: &str) -> Result<Time, E> {
        Ok(Time(text.to_owned()))
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<Time, E> {
        Ok(Time(seconds.to_string()))
    }
}
