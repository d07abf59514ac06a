//! Exports, read back by naive readers.

use super::*;
use crate::trie::names::NameLookup;
use crate::wire::name::NameBuf;
use crate::zone::sweep::{SweepOptions, sections};
use crate::zone::{Dataset, testing};
use crate::zonefile::Kind;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

fn dataset(text: &str) -> Dataset {
    testing::dataset(Kind::Mixed, text)
}

fn zone(datasets: Vec<Dataset>, allow: &str) -> Zone {
    let allow = vec![Arc::new(dataset(allow))];
    Zone { allow, content_id: 0xbeef, ..testing::zone("bl.test", datasets) }
}

fn section(zone: &Zone) -> SweepSection<'_> {
    sections(zone, SweepOptions { now: 0, ip4_in_ip6: false }).unwrap().next().unwrap()
}

fn exported(zone: &Zone, format: ExportFormat, options: ExportOptions<'_>) -> String {
    let mut out = Vec::new();
    export((zone, &section(zone)), format, options, None, &mut out, None).unwrap();
    String::from_utf8(out).unwrap()
}

fn changed(zone: &Zone, format: ExportFormat, earlier: &str) -> Result<String, ExportError> {
    let (mut out, mut lines) = (Vec::new(), earlier.as_bytes());
    let since = Some(Earlier { lines: &mut lines });
    export((zone, &section(zone)), format, ExportOptions::default(), since, &mut out, None)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The keys of an export, by a reader that knows no more than where they stand.
fn keys(format: ExportFormat, text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with(['#', ';']));
    let key = |line: &str| -> Option<String> {
        let key = match format {
            ExportFormat::Plain | ExportFormat::Rspamd => line,
            ExportFormat::Csv => line.split(',').next()?,
            ExportFormat::Nftables => line.strip_suffix(',')?,
            ExportFormat::Ipset => line.strip_prefix("add ")?.split(' ').nth(1)?,
            ExportFormat::PostfixCidr | ExportFormat::Postscreen => line.split(' ').next()?,
            ExportFormat::Exim => line
                .strip_prefix('"')
                .map_or(line.split(':').next()?, |line| line.split('"').next().unwrap_or_default()),
            ExportFormat::Jsonl => {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                return Some(value["cidr"].as_str()?.to_owned());
            }
            ExportFormat::Rpz => return of_rpz(line.split(' ').next()?),
            ExportFormat::Unbound => line,
        };
        (key != "key").then(|| key.to_owned())
    };
    lines.filter_map(key).collect()
}

/// The prefix that an owner of `rpz-ip` means.
fn of_rpz(owner: &str) -> Option<String> {
    let mut labels: Vec<_> = owner.strip_suffix(".rpz-ip")?.split('.').collect();
    let len = labels.remove(0);
    labels.reverse();
    if labels.len() == 4 && !labels.contains(&"zz") {
        return Some(format!("{}/{len}", labels.join(".")));
    }
    let text = labels.join(":").replace("zz", "");
    let text = format!("{text}{}", if text.ends_with(':') { ":" } else { "" });
    Some(format!("{}{text}/{len}", if text.starts_with(':') { ":" } else { "" }))
}

fn nets(keys: &[String]) -> Vec<IpNet> {
    let net = |key: &String| {
        key.parse().unwrap_or_else(|_| {
            let address: std::net::IpAddr = key.parse().unwrap_or_else(|_| panic!("{key}"));
            address.into()
        })
    };
    keys.iter().map(net).collect()
}

/// All formats of addresses.
const OF_ADDRESSES: [ExportFormat; 10] = [
    ExportFormat::Plain,
    ExportFormat::Jsonl,
    ExportFormat::Csv,
    ExportFormat::Nftables,
    ExportFormat::Ipset,
    ExportFormat::Rpz,
    ExportFormat::PostfixCidr,
    ExportFormat::Postscreen,
    ExportFormat::Exim,
    ExportFormat::Rspamd,
];

/// What the sweep lists, address by address, without the test points: none of the lists here has them.
fn swept(zone: &Zone) -> (BTreeSet<Ipv4Addr>, BTreeSet<Ipv6Addr>) {
    let section = section(zone);
    let ip4 = section.ip4().flat_map(|range| range.start..=range.end).map(Ipv4Addr::from);
    let ip6 = section.ip6().flat_map(|range| range.start..=range.end).map(Ipv6Addr::from);
    let (mut ip4, mut ip6): (BTreeSet<_>, BTreeSet<_>) = (ip4.collect(), ip6.collect());
    ip4.remove(&Ipv4Addr::new(127, 0, 0, 2));
    ip6.remove(&Ipv4Addr::new(127, 0, 0, 2).to_ipv6_mapped());
    (ip4, ip6)
}

fn any_list() -> impl Strategy<Value = String> {
    let key4 = "(10\\.0\\.0\\.([0-9]|1[0-9]|25[0-5])|10\\.0\\.1\\.0/(2[4-9]|3[0-2]))|0\\.0\\.0\\.[01]|\
                255\\.255\\.255\\.25[45]|10\\.0\\.0\\.[0-9]-10\\.0\\.0\\.(1[0-9]|2[0-9])";
    let key6 = "2001:db8::[0-9a-f](/12[0-8])?|::1|ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let value = prop::sample::select(vec!["", " :2:see $", " :3:other"]);
    let line = (any::<bool>(), prop_oneof![3 => key4, 1 => key6], value);
    prop::collection::vec(line, 0..12).prop_map(|lines| {
        let line = |(not, key, value): &(bool, String, &str)| match not {
            true if value.is_empty() => format!("!{key}\n"),
            _ => format!("{key}{value}\n"),
        };
        lines.iter().map(line).collect()
    })
}

/// Names with and without what is below them, and exclusions.
fn any_names() -> impl Strategy<Value = String> {
    let line = (any::<bool>(), "(\\*\\.|\\.)?([ab]\\.){0,3}(com|net)");
    prop::collection::vec(line, 0..10).prop_map(|lines| {
        let line = |(not, key): &(bool, String)| format!("{}{key}\n", if *not { "!" } else { "" });
        lines.iter().map(line).collect()
    })
}

/// All names that the lists can tell apart.
fn asked() -> Vec<NameBuf> {
    let mut names = vec![String::from("com"), "net".into()];
    let mut from = 0;
    for _ in 0..4 {
        let to = names.len();
        for at in from..to {
            for label in ["a", "b", "x"] {
                names.push(format!("{label}.{}", names[at]));
            }
        }
        from = to;
    }
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn is_listed(dataset: &Dataset, name: &NameBuf) -> bool {
    let found = dataset.names.as_ref().map(|names| names.lookup(name.as_wire()));
    matches!(found, Some(NameLookup::Listed { .. }))
}

/// Whether an export lists a name: the nearest entry decides.
fn nearest<'k>(name: &NameBuf, entry: impl Fn(&str) -> Option<&'k str>) -> bool {
    let text = name.to_string();
    if let Some(found) = entry(&text) {
        return found == "listed";
    }
    let mut rest = &*text;
    while let Some((_, above)) = rest.split_once('.') {
        if let Some(found) = entry(&format!("*.{above}")) {
            return found == "listed";
        }
        rest = above;
    }
    false
}

/// Whether a partial lookup of Exim finds a name.
fn by_exim<'k>(name: &NameBuf, entry: impl Fn(&str) -> Option<&'k str>) -> bool {
    let text = name.to_string();
    if let Some(found) = entry(&text) {
        return found == "listed";
    }
    let above = std::iter::successors(Some(&*text), |name| Some(name.split_once('.')?.1));
    let found = above.filter_map(|name| entry(&format!("*.{name}"))).next();
    found == Some("listed")
}

/// Whether a policy zone lists a name, by RFC 4592: the wildcard of the nearest name that exists.
fn by_rfc4592<'k>(name: &NameBuf, zone: &str, entry: impl Fn(&str) -> Option<&'k str>) -> bool {
    let exists = |name: &str| {
        let owners = zone.lines().filter_map(|line| line.split_once(" CNAME "));
        let mut owners = owners.map(|(owner, _)| owner);
        owners.any(|owner| owner == name || owner.ends_with(&format!(".{name}")))
    };
    let text = name.to_string();
    if exists(&text) {
        return entry(&text) == Some("listed");
    }
    let mut rest = &*text;
    while let Some((_, above)) = rest.split_once('.') {
        if exists(above) {
            return entry(&format!("*.{above}")) == Some("listed");
        }
        rest = above;
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_format_has_the_addresses_of_the_sweep(
        lists in prop::collection::vec(any_list(), 1..3), allow in any_list(),
    ) {
        let zone = zone(lists.iter().map(|text| dataset(text)).collect(), &allow);
        let (ip4, ip6) = swept(&zone);
        for format in OF_ADDRESSES {
            let text = exported(&zone, format, ExportOptions::default());
            let nets = nets(&keys(format, &text));
            let found: Vec<Ipv4Net> = nets.iter().filter_map(|net| match net {
                IpNet::V4(net) => Some(*net),
                IpNet::V6(_) => None,
            }).collect();
            let found6: Vec<Ipv6Net> = nets.iter().filter_map(|net| match net {
                IpNet::V6(net) => Some(*net),
                IpNet::V4(_) => None,
            }).collect();
            let ends = |net: &Ipv4Net| u32::from(net.network())..=u32::from(net.broadcast());
            let addresses: Vec<_> = found.iter().flat_map(ends).map(Ipv4Addr::from).collect();
            prop_assert!(addresses.iter().eq(&ip4), "{format:?}: {text}");
            let ends = |net: &Ipv6Net| u128::from(net.network())..=u128::from(net.broadcast());
            let addresses: Vec<_> = found6.iter().flat_map(ends).map(Ipv6Addr::from).collect();
            prop_assert!(addresses.iter().eq(&ip6), "{format:?}: {text}");
            if format == ExportFormat::Plain {
                let single: Vec<_> = ip4.iter().map(|address| Ipv4Net::from(*address)).collect();
                prop_assert_eq!(found, Ipv4Net::aggregate(&single));
                let single: Vec<_> = ip6.iter().map(|address| Ipv6Net::from(*address)).collect();
                prop_assert_eq!(found6, Ipv6Net::aggregate(&single));
            }
        }
    }

    #[test]
    fn names_are_listed_as_they_are(list in any_names(), allow in any_names()) {
        // The zone lists names even if the list has none.
        let list = list + "x.org\n";
        let (all, allowed) = (dataset(&list), dataset(&allow));
        let zone = zone(vec![dataset(&list)], &allow);
        let plain = exported(&zone, ExportFormat::Plain, ExportOptions::default());
        let again = dataset(&plain);
        let rpz = exported(&zone, ExportFormat::Rpz, ExportOptions::default());
        let in_rpz = |name: &str| rpz.lines().find_map(|line| {
            let target = line.strip_prefix(name)?.strip_prefix(" CNAME ")?;
            Some(if target == "." { "listed" } else { "excluded" })
        });
        let exim = exported(&zone, ExportFormat::Exim, ExportOptions { names: true, ..Default::default() });
        let in_exim = |name: &str| exim.lines().find_map(|line| {
            let data = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(if data.is_empty() { "excluded" } else { "listed" })
        });
        for name in asked() {
            let wanted = is_listed(&all, &name) && !is_listed(&allowed, &name);
            prop_assert_eq!(is_listed(&again, &name), wanted, "{} in {}", name, plain);
            // Resolvers read it either way.
            prop_assert_eq!(nearest(&name, in_rpz), wanted, "{} in {}", name, rpz);
            prop_assert_eq!(by_rfc4592(&name, &rpz, in_rpz), wanted, "{} in {}", name, rpz);
            prop_assert_eq!(by_exim(&name, in_exim), wanted, "{} in {}", name, exim);
        }
    }

    #[test]
    fn changes_make_the_new_export_of_the_old_one(
        (old, new) in (any_list(), any_list()), (old_names, new_names) in (any_names(), any_names()),
    ) {
        let [old, new] = [old + &old_names, new + &new_names].map(|text| zone(vec![dataset(&text)], ""));
        let earlier = exported(&old, ExportFormat::Jsonl, ExportOptions::default());
        for format in [ExportFormat::Nftables, ExportFormat::Ipset] {
            let has = |zone| {
                BTreeSet::from_iter(keys(format, &exported(zone, format, ExportOptions::default())))
            };
            let mut set: BTreeSet<String> = has(&old);
            let text = changed(&new, format, &earlier).unwrap();
            let mut verb = "";
            for line in text.lines() {
                if let Some((word, _)) = line.split_once(" element ") {
                    verb = word;
                }
                let words: Vec<_> = line.split(' ').collect();
                let (verb, key) = match (&words[..], line.strip_suffix(',')) {
                    (_, Some(key)) => (verb, key),
                    ([verb @ ("add" | "del"), _, key, "-exist"], _) => (*verb, *key),
                    _ => continue,
                };
                // Nothing is removed that is not there, or added that is.
                prop_assert!(match verb {
                    "add" => set.insert(key.to_owned()),
                    _ => set.remove(key),
                }, "{line} in {text}");
            }
            prop_assert_eq!(set, has(&new), "{}", text);
        }
        let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let key = |line: &serde_json::Value| {
            format!("{} {} {}", line["cidr"], line["name"], line["scope"])
        };
        let lines = |text: &str| {
            let lines = text.lines().skip(1).map(parse);
            lines.map(|line| (key(&line), line)).collect::<std::collections::BTreeMap<_, _>>()
        };
        let mut all = lines(&earlier);
        for mut line in changed(&new, ExportFormat::Jsonl, &earlier).unwrap().lines().skip(1).map(parse) {
            let change = line.as_object_mut().unwrap().remove("change").unwrap();
            match change.as_str() {
                Some("add") => prop_assert!(all.insert(key(&line), line.clone()) != Some(line)),
                _ => prop_assert!(all.remove(&key(&line)).is_some()),
            }
        }
        prop_assert_eq!(all, lines(&exported(&new, ExportFormat::Jsonl, ExportOptions::default())));
    }
}

#[test]
fn prefixes_reach_both_ends() {
    let all = |start: u32, end: u32| entries::prefixes(start, end).collect::<Vec<_>>();
    assert_eq!(all(0, u32::MAX), [(0, 0)]);
    assert_eq!(all(1, 4), [(1, 32), (2, 31), (4, 32)]);
    assert_eq!(all(u32::MAX, u32::MAX), [(u32::MAX, 32)]);
    assert_eq!(all(1, u32::MAX).len(), 32);
    assert_eq!(entries::prefixes(0, u128::MAX).collect::<Vec<_>>(), [(0, 0)]);
}

#[test]
fn the_test_point_stays_where_it_is_in_a_network_or_is_asked_for() {
    let plain = |text: &str, test_points| {
        let zone = zone(vec![dataset(text)], "");
        let options = ExportOptions { test_points, ..ExportOptions::default() };
        keys(ExportFormat::Plain, &exported(&zone, ExportFormat::Plain, options)).join(" ")
    };
    assert_eq!(plain("127.0.0.2\n192.0.2.1\na.example\ntest\n", false), "192.0.2.1 a.example");
    let with = "127.0.0.2 192.0.2.1 a.example test";
    assert_eq!(plain("127.0.0.2\n192.0.2.1\na.example\ntest\n", true), with);
    assert_eq!(plain("127.0.0.2/31\n", false), "127.0.0.2/31");
    assert_eq!(plain("127.0.0.2 :5:own\n127.0.0.3\n", false), "127.0.0.2/31");
}

#[test]
fn all_addresses_are_two_halves_where_one_is_not_taken() {
    let list = "0.0.0.0/0\n";
    let whole = Zone { test_points: false, ..zone(vec![dataset(list)], "") };
    let keys = |format| keys(format, &exported(&whole, format, ExportOptions::default()));
    assert_eq!(keys(ExportFormat::Plain), ["0.0.0.0/0"]);
    assert_eq!(keys(ExportFormat::Ipset), ["0.0.0.0/1", "128.0.0.0/1"]);
    assert_eq!(keys(ExportFormat::Rpz), ["0.0.0.0/1", "128.0.0.0/1"]);
}

#[test]
fn what_a_format_cannot_say_is_counted() {
    let zone =
        zone(vec![dataset("192.0.2.1\n*.below.example\n.both.example\n!good.both.example\n")], "");
    let text = exported(&zone, ExportFormat::Unbound, ExportOptions::default());
    // The address, what is below a name alone, and the exclusion of a name alone.
    assert!(
        text.contains("# 1 name\n# left out, because this format cannot say it: 3\n"),
        "{text}"
    );
    let text = exported(&zone, ExportFormat::Nftables, ExportOptions::default());
    assert!(text.contains("# 1 IPv4 address in 1 prefix\n# left out"), "{text}");
}

#[test]
fn sets_have_names_that_the_programs_take() {
    let zone = zone(vec![dataset("192.0.2.1\n")], "");
    let refused = |format, set: &str| {
        let options = ExportOptions { set: Some(set), ..ExportOptions::default() };
        let done = export((&zone, &section(&zone)), format, options, None, &mut Vec::new(), None);
        done.is_err_and(|error| matches!(error, ExportError::SetName { .. }))
    };
    assert!(
        refused(ExportFormat::Nftables, "0spam.example") && refused(ExportFormat::Nftables, "a b")
    );
    assert!(
        refused(ExportFormat::Ipset, &"a".repeat(25))
            && !refused(ExportFormat::Ipset, &"a".repeat(24))
    );
    assert!(!refused(ExportFormat::Nftables, "dnsbl-1.uceprotect.net"));
}

#[test]
fn a_zone_of_names_has_nothing_for_a_firewall() {
    let only = |list: &str| {
        let mut list = dataset(list);
        list.ip4 = None;
        list.ip6 = None;
        zone(vec![list], "")
    };
    let zone = only("a.example\n");
    let done = export(
        (&zone, &section(&zone)),
        ExportFormat::Ipset,
        ExportOptions::default(),
        None,
        &mut Vec::new(),
        None,
    );
    assert_eq!(
        done.unwrap_err().to_string(),
        "the zone lists only names, and ipset holds addresses"
    );
}

#[test]
fn an_earlier_export_is_whole_and_of_the_zone() {
    let new = zone(vec![dataset("192.0.2.1\n192.0.2.3\n")], "");
    let earlier = exported(&new, ExportFormat::Jsonl, ExportOptions::default());
    let why =
        |earlier: &str| changed(&new, ExportFormat::Nftables, earlier).unwrap_err().to_string();
    let lines: Vec<_> = earlier.lines().collect();
    assert!(why(&lines[..2].join("\n")).contains("it has 1 entries, and should have 2"));
    assert!(why(&format!("{earlier}{}\n", lines[2])).contains("it has 2 entries"));
    assert!(why(&earlier.replace("bl.test", "other.test")).contains("an export of other.test"));
    assert!(why(&[lines[0], lines[2], lines[1]].join("\n")).contains("line 3 is not"));
    assert!(why("192.0.2.1\n").contains("line 1 is not"));
    let changes = changed(&new, ExportFormat::Jsonl, &earlier).unwrap();
    assert!(changes.contains(r#""since":"000000000000beef","records":0"#), "{changes}");
    assert!(why(&changes).contains("it says what has changed only"));
    let no_form = changed(&new, ExportFormat::Plain, &earlier).unwrap_err().to_string();
    assert!(no_form.contains("plain has no form for changes"), "{no_form}");
}

#[test]
fn values_and_texts_stand_where_there_is_room_for_them() {
    let zone = zone(vec![dataset("192.0.2.8/31 :2:see \"$\", or\n2001:db8::1 :3:\n")], "");
    let text = |format| {
        let text = exported(&zone, format, ExportOptions::default());
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        text(ExportFormat::PostfixCidr),
        "192.0.2.8/31 REJECT listed in bl.test: see \"192.0.2.8\", or\n\
         2001:db8::1 REJECT listed in bl.test"
    );
    assert_eq!(
        text(ExportFormat::Csv),
        "key,values,texts\n192.0.2.8/31,127.0.0.2,\"see \"\"192.0.2.8\"\", or\"\n2001:db8::1,127.0.0.3,"
    );
    assert_eq!(
        text(ExportFormat::Exim),
        "192.0.2.8/31: listed in bl.test: see \"192.0.2.8\", or\n\"2001:db8::1\": listed in bl.test"
    );
    let lines = text(ExportFormat::Jsonl);
    assert_eq!(
        lines.lines().skip(1).collect::<Vec<_>>(),
        [
            r#"{"cidr":"192.0.2.8/31","values":[{"a":"127.0.0.2","text":"see \"192.0.2.8\", or"}]}"#,
            r#"{"cidr":"2001:db8::1","values":[{"a":"127.0.0.3"}]}"#
        ]
    );
}

#[test]
fn a_listed_name_is_no_trigger_of_a_policy_zone() {
    let list =
        "bad.example\n.rpz-ip\n!32.1.2.0.192.rpz-ip\n8.0.0.0.10.rpz-client-ip\nrpz-ip.example\n";
    let text =
        exported(&zone(vec![dataset(list)], ""), ExportFormat::Rpz, ExportOptions::default());
    let owners = text.lines().filter_map(|line| Some(line.split_once(" CNAME ")?.0));
    assert_eq!(owners.collect::<Vec<_>>(), ["bad.example", "rpz-ip.example"], "{text}");
    assert!(text.contains("; left out, because this format cannot say it: "), "{text}");
}
