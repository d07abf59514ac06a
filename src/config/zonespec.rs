//! Zone specs on the command line, as rbldnsd takes them: `zone:type:file,file...`
//!
//! A zone may be repeated to stack datasets. The same type and files written twice are one
//! dataset, loaded once. An access list (`acl`, `aclkey`) applies to its zone; if the zone's name is empty
//! or a dot, it applies to all zones. A list with `@own` behind its files is somebody's own, and no feed.

use super::error::{ConfigDiagnostic, Problem};
use super::settings::{Dataset, Server, Settings, Zone};
use super::value;
use crate::wire::name::NameBuf;
use crate::zonefile::Kind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The meaning of `specs`, with files relative to `folder`; an empty `listen` means the default addresses.
pub(super) fn settings(
    specs: &[String],
    folder: &Path,
    listen: &[SocketAddr],
) -> Result<Settings, Vec<ConfigDiagnostic>> {
    let mut server = Server::default();
    if !listen.is_empty() {
        server.listen = listen.to_vec();
    }
    let mut settings = Settings { server, ..Settings::default() };
    let mut errors = Vec::new();
    for spec in specs {
        let added = parse(spec, folder).and_then(|parsed| add(&mut settings, parsed));
        if let Err(problem) = added {
            errors.push(ConfigDiagnostic::general(problem.of(spec)));
        }
    }
    for zone in settings.zones.iter().filter(|zone| zone.datasets.is_empty()) {
        let message = format!("zone {} has an access list but no data", zone.name);
        let help = "add a spec of the zone with the type and files of its data";
        errors.push(ConfigDiagnostic::general(Problem::new(message, help)));
    }
    if errors.is_empty() { Ok(settings.with_neighbours()) } else { Err(errors) }
}

/// The dataset of a spec without a zone, `type:file,file...`, with files relative to `folder`.
///
/// # Errors
///
/// The mistake, and what to write instead.
pub fn dataset_spec(spec: &str, folder: &Path) -> Result<Dataset, String> {
    let Files { kind, words, files, own } = parse_files(spec, folder, "type:file,file...")
        .map_err(|problem| format!("{}; {}", problem.message, problem.help))?;
    Ok(Dataset { own, ..Dataset::new(format!("{kind}:{words}"), kind, files) })
}

/// Behind the files of a spec: they are somebody's own list.
const OWN: &str = "@own";

struct Parsed {
    /// None for an access list of the server.
    zone: Option<NameBuf>,
    files: Files,
}

struct Files {
    kind: Kind,
    /// The files as written, separated by commas.
    words: String,
    files: Vec<PathBuf>,
    own: Option<bool>,
}

fn parse(spec: &str, folder: &Path) -> Result<Parsed, Problem> {
    let form = "zone:type:file,file...";
    let (zone, rest) = spec.split_once(':').ok_or_else(|| wrong("there is no colon", form))?;
    let files = parse_files(rest, folder, form)?;
    let is_nameless = files.kind.is_access_list() && zone.bytes().all(|byte| byte == b'.');
    let zone = if is_nameless { None } else { Some(value::domain(zone)?) };
    Ok(Parsed { zone, files })
}

fn wrong(message: &str, form: &str) -> Problem {
    Problem::new(message, format!("write it as {form}"))
}

fn parse_files(rest: &str, folder: &Path, form: &str) -> Result<Files, Problem> {
    let wrong = |message| wrong(message, form);
    let (kind, files) = rest.split_once(':').ok_or_else(|| wrong("there is no dataset type"))?;
    let (files, own) = match files.strip_suffix(OWN) {
        Some(files) => (files, Some(true)),
        None => (files, None),
    };
    let words: Vec<&str> = files.split([',', ':']).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(wrong("there is no file"));
    }
    Ok(Files {
        kind: value::kind(kind)?,
        words: words.join(","),
        files: words.iter().map(|word| folder.join(word)).collect(),
        own,
    })
}

fn add(settings: &mut Settings, parsed: Parsed) -> Result<(), Problem> {
    let Parsed { zone, files: Files { kind, words, files, own } } = parsed;
    let name = format!("{kind}:{words}");
    match settings.datasets.iter_mut().find(|dataset| dataset.name == name) {
        Some(known) => known.own = known.own.or(own),
        None => {
            settings.datasets.push(Dataset { own, ..Dataset::new(name.clone(), kind, files) });
        }
    }
    let list = match zone {
        None => &mut settings.server.acl,
        Some(zone) => {
            let place = settings.zones.iter().position(|known| known.name == zone);
            if place.is_none() {
                settings.zones.push(Zone::new(zone, Vec::new()));
            }
            let last = settings.zones.len() - 1;
            let zone = &mut settings.zones[place.unwrap_or(last)];
            if kind.is_access_list() { &mut zone.acl } else { &mut zone.datasets }
        }
    };
    // rbldnsd accepts a dataset twice; asking it twice would change no answer.
    if !list.contains(&name) {
        list.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(specs: &[&str]) -> Result<Settings, Vec<ConfigDiagnostic>> {
        let specs: Vec<String> = specs.iter().map(|&spec| spec.to_owned()).collect();
        settings(&specs, Path::new("/data"), &[])
    }

    #[test]
    fn zones_stack_and_datasets_are_shared() {
        let settings = read(&[
            "Zen.example:ip4set:sbl,css",
            "zen.example.:ip4tset:xbl",
            "xbl.example:ip4tset:xbl",
            "names.example:dnhash:a:b",
            "names2.example:dnset:a,,b,",
        ])
        .unwrap();
        let datasets: Vec<_> = settings.datasets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(datasets, ["ip4set:sbl,css", "ip4tset:xbl", "dnset:a,b"]);
        assert_eq!(settings.datasets[0].kind, Kind::Ip4Set);
        let files = [PathBuf::from("/data/sbl"), PathBuf::from("/data/css")];
        assert_eq!(settings.datasets[0].files, files);
        let zones: Vec<_> =
            settings.zones.iter().map(|z| (z.name.to_string(), z.datasets.join(" "))).collect();
        let want = [
            ("zen.example", "ip4set:sbl,css ip4tset:xbl"),
            ("xbl.example", "ip4tset:xbl"),
            ("names.example", "dnset:a,b"),
            ("names2.example", "dnset:a,b"),
        ];
        assert_eq!(zones, want.map(|(zone, sets)| (zone.to_owned(), sets.to_owned())));
        assert!(settings.zones.iter().all(|zone| zone.test_points && zone.allow.is_empty()));
        assert_eq!(settings.server, Server::default());
    }

    #[test]
    fn access_lists_hold_for_a_zone_or_for_all() {
        let settings = read(&[
            "a.example:acl:who",
            ":acl:all",
            "a.example:ip4set:x",
            "A.example:aclkey:keys",
            ".:aclkey:keys",
            "b.example:ip4set:x",
            "b.example:acl:who",
        ])
        .unwrap();
        assert_eq!(settings.server.acl, ["acl:all", "aclkey:keys"]);
        let acls: Vec<_> = settings.zones.iter().map(|zone| zone.acl.join(" ")).collect();
        assert_eq!(acls, ["acl:who aclkey:keys", "acl:who"]);
        assert!(settings.zones.iter().all(|zone| zone.datasets == ["ip4set:x"]));
        let errors = read(&["a.example:acl:who", "b.example:ip4set:x"]).unwrap_err();
        assert!(errors[0].message.contains("a.example has an access list but no data"));
    }

    #[test]
    fn an_absolute_file_stays_where_it_is() {
        let settings = read(&["a.example:ip4set:/var/lib/x"]).unwrap();
        assert_eq!(settings.datasets[0].files, [PathBuf::from("/var/lib/x")]);
    }

    #[test]
    fn the_order_of_files_matters() {
        let settings = read(&["a.example:ip4set:x,y", "a.example:ip4set:y,x"]).unwrap();
        assert_eq!(settings.datasets.len(), 2);
    }

    #[test]
    fn every_bad_spec_is_reported() {
        let cases = [
            ("zone", "no colon"),
            ("a.example:ip4set", "no dataset type"),
            ("a.example:ip4set:", "no file"),
            ("a.example:ip4set:,:", "no file"),
            (":ip4set:x", "is empty"),
            ("a..example:ip4set:x", "empty label"),
            ("a.example:ip4sett:x", "\"ip4sett\" is not a dataset type"),
            (":ip4set:x", "is empty"),
            ("a..b:acl:x", "empty label"),
        ];
        for (spec, want) in cases {
            let errors = read(&[spec]).unwrap_err();
            assert_eq!(errors.len(), 1, "{spec}");
            assert!(errors[0].message.starts_with(&format!("{spec}: ")), "{:?}", errors[0]);
            assert!(errors[0].message.contains(want), "{:?}", errors[0]);
            assert!(!errors[0].help.is_empty());
        }
        assert_eq!(read(&["x", "a.example:ip4set:f", "y"]).unwrap_err().len(), 2);
    }

    #[test]
    fn a_list_can_be_somebodys_own() {
        let settings =
            read(&["a.example:ip4set:x,y@own", "b.example:ip4set:x,y", "b.example:dnset:me@own.x"])
                .unwrap();
        let own: Vec<_> = settings.datasets.iter().map(|set| (&*set.name, set.own)).collect();
        assert_eq!(own, [("ip4set:x,y", Some(true)), ("dnset:me@own.x", None)]);
        assert_eq!(settings.datasets[0].files, [PathBuf::from("/data/x"), "/data/y".into()]);
        assert_eq!(dataset_spec("ip4set:x@own", Path::new("/data")).unwrap().own, Some(true));
        assert!(read(&["a.example:ip4set:@own"]).unwrap_err()[0].message.contains("no file"));
    }

    #[test]
    fn a_dataset_given_twice_is_asked_once() {
        let twice = read(&["a.example:ip4set:f", "A.example:ip4set:f"]).unwrap();
        assert_eq!(twice.zones[0].datasets, ["ip4set:f"]);
    }
}
