//! Zone specs, `zone:type:file,file...` (rbldnsd(8), "Zone specification").

use crate::config::{Dataset, Server, Settings, Zone};
use crate::wire::name::NameBuf;
use crate::zonefile::Kind;
use anyhow::{anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The settings that the specs mean, with files relative to `folder`. A dataset is named
/// `type:file,file...` as typed, because rbldnsd's log names it so.
///
/// # Errors
///
/// The first invalid spec, in rbldnsd's words.
pub(super) fn settings(
    specs: &[OsString],
    folder: &Path,
    server: Server,
) -> anyhow::Result<Settings> {
    let mut settings = Settings { server, ..Settings::default() };
    for spec in specs {
        add(&mut settings, spec.as_bytes(), folder)?;
    }
    if let Some(zone) = settings.zones.iter().find(|zone| zone.datasets.is_empty()) {
        bail!("missing data for zone `{}'", zone.name);
    }
    Ok(settings)
}

fn add(settings: &mut Settings, spec: &[u8], folder: &Path) -> anyhow::Result<()> {
    let whole = String::from_utf8_lossy(spec);
    let (zone, rest) = cut(spec).ok_or_else(|| anyhow!("invalid zone spec `{whole}'"))?;
    let name = NameBuf::from_text(if zone.is_empty() { b"." } else { zone })
        .map_err(|_| anyhow!("invalid domain name `{}'", String::from_utf8_lossy(zone)))?
        .to_lowercase();
    let set = dataset(rest, folder)?;
    let (label, kind) = (set.name.clone(), set.kind);
    if name.is_root() && !kind.is_access_list() {
        bail!("missing domain name in `{whole}'");
    }
    if settings.dataset(&label).is_none() {
        settings.datasets.push(set);
    }
    let what = if kind == Kind::AclKey { "ACL key" } else { "ACL" };
    if name.is_root() {
        if has_kind(settings, &settings.server.acl, kind) {
            bail!("global {} specified more than once", what.to_lowercase());
        }
        settings.server.acl.push(label);
        return Ok(());
    }
    let place = zone_place(&mut settings.zones, name);
    if kind.is_access_list() {
        if has_kind(settings, &settings.zones[place].acl, kind) {
            bail!("repeated {what} definition for zone `{}'", String::from_utf8_lossy(zone));
        }
        settings.zones[place].acl.push(label);
        return Ok(());
    }
    let datasets = &mut settings.zones[place].datasets;
    // rbldnsd looks a repeated dataset up twice, which changes no answer.
    if !datasets.contains(&label) {
        datasets.push(label);
    }
    Ok(())
}

/// The index of the zone with this name, which is inserted if it is missing.
fn zone_place(zones: &mut Vec<Zone>, name: NameBuf) -> usize {
    if let Some(place) = zones.iter().position(|zone| zone.name == name) {
        return place;
    }
    // A zone stands before the zones above it, also in statistics.
    let above = zones.iter().position(|zone| is_below(&name, &zone.name));
    let place = above.unwrap_or(zones.len());
    zones.insert(place, Zone { test_points: false, health: false, ..Zone::new(name, Vec::new()) });
    place
}

fn has_kind(settings: &Settings, names: &[String], kind: Kind) -> bool {
    names.iter().any(|name| settings.dataset(name).is_some_and(|set| set.kind == kind))
}

fn dataset(spec: &[u8], folder: &Path) -> anyhow::Result<Dataset> {
    let whole = String::from_utf8_lossy(spec);
    let (kind, words) =
        cut(spec).ok_or_else(|| anyhow!("invalid zone data specification `{whole}'"))?;
    let kind_name = String::from_utf8_lossy(kind);
    let kind = kind_name.parse().ok().filter(|kind: &Kind| kind.is_of_rbldnsd());
    let kind = kind.ok_or_else(|| anyhow!("unknown dataset type `{kind_name}'"))?;
    let words = words.split(|byte| b",:".contains(byte)).filter(|word| !word.is_empty());
    let files: Vec<_> = words.map(|word| folder.join(OsStr::from_bytes(word))).collect();
    if files.is_empty() {
        bail!("missing filenames for {kind_name}");
    }
    Ok(Dataset {
        allow_any_a: true,
        accept_empty: true,
        hides_empty_non_terminals: kind_name == "dnhash",
        freshness: crate::config::FreshnessLimits::OFF,
        policy: crate::config::Policy::RBLDNSD,
        ..Dataset::new(whole.into_owned(), kind, files)
    })
}

/// Cuts at the first colon.
fn cut(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b':')?;
    Some((&text[..at], &text[at + 1..]))
}

fn is_below(name: &NameBuf, apex: &NameBuf) -> bool {
    let [name, apex] = [name, apex].map(|name| name.labels().collect::<Vec<_>>());
    name.len() > apex.len() && name.ends_with(&apex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn read(specs: &[&str]) -> anyhow::Result<Settings> {
        let specs: Vec<OsString> = specs.iter().map(OsString::from).collect();
        settings(&specs, Path::new("/data"), Server::default())
    }

    #[test]
    fn zones_stack_and_share_datasets() {
        let settings = read(&[
            "Example.COM:ip4set:a,b",
            "other.test:dnset:/abs/x",
            "sub.example.com.:ip4set:a,b",
            "example.com:ip4trie:c:,d",
            "example.com:ip4set:a,b",
        ])
        .unwrap();
        let zones: Vec<_> =
            settings.zones.iter().map(|z| (z.name.to_string(), z.datasets.join(" "))).collect();
        let want = [
            ("sub.example.com", "ip4set:a,b"),
            ("example.com", "ip4set:a,b ip4trie:c:,d"),
            ("other.test", "dnset:/abs/x"),
        ];
        assert_eq!(zones, want.map(|(zone, sets)| (zone.to_owned(), sets.to_owned())));
        let files = |number: usize| settings.datasets[number].files.clone();
        assert_eq!(files(0), [PathBuf::from("/data/a"), PathBuf::from("/data/b")]);
        assert_eq!(files(1), [PathBuf::from("/abs/x")]);
        assert_eq!(files(2), [PathBuf::from("/data/c"), PathBuf::from("/data/d")]);
        assert!(settings.zones.iter().all(|zone| !zone.test_points));
        assert!(
            settings
                .datasets
                .iter()
                .all(|set| set.allow_any_a && set.policy == crate::config::Policy::RBLDNSD)
        );
    }

    #[test]
    fn access_lists_hold_for_a_zone_or_for_all() {
        let settings = read(&[
            "a.test:acl:who",
            ":acl:all",
            "a.test:ip4set:x",
            ".:aclkey:keys",
            "A.test:aclkey:keys",
            "b.test:dnhash:x",
            "b.test:acl:who",
        ])
        .unwrap();
        assert_eq!(settings.server.acl, ["acl:all", "aclkey:keys"]);
        let acls: Vec<_> = settings.zones.iter().map(|zone| zone.acl.join(" ")).collect();
        assert_eq!(acls, ["acl:who aclkey:keys", "acl:who"]);
        let sets: Vec<_> = settings.zones.iter().map(|zone| zone.datasets.join(" ")).collect();
        assert_eq!(sets, ["ip4set:x", "dnhash:x"]);
        let hides = |name| settings.dataset(name).unwrap().hides_empty_non_terminals;
        assert!(hides("dnhash:x") && !hides("ip4set:x"));
        let twice = [
            ([":acl:x", ".:acl:y"], "global acl specified more than once"),
            ([":aclkey:x", ":aclkey:x"], "global acl key specified more than once"),
            (["a.B:acl:x", "A.b:acl:x"], "repeated ACL definition for zone `A.b'"),
            (["a.b:aclkey:x", "a.b:aclkey:y"], "repeated ACL key definition for zone `a.b'"),
            (["a.b:ip4set:x", "b.B:acl:y"], "missing data for zone `b.b'"),
        ];
        for (specs, want) in twice {
            assert_eq!(read(&specs).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn specs_that_mean_nothing() {
        let cases = [
            ("a", "invalid zone spec `a'"),
            ("a:b", "invalid zone data specification `b'"),
            ("a:b:c", "unknown dataset type `b'"),
            ("a:ip4set:", "missing filenames for ip4set"),
            ("a:ip4set:,:", "missing filenames for ip4set"),
            ("a\\400:ip4set:x", "invalid domain name `a\\400'"),
            (":ip4set:x", "missing domain name in `:ip4set:x'"),
            (".:ip4set:x", "missing domain name in `.:ip4set:x'"),
        ];
        for (spec, want) in cases {
            assert_eq!(read(&[spec]).unwrap_err().to_string(), want);
        }
    }
}
