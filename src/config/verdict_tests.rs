//! Verdict zones: what arrives, and what is refused.

use super::{Errors, Loaded, Scoring, Settings, read};
use crate::zone::Threshold;
use std::path::Path;

const DATASETS: &str = "dataset = [
    { name = 'few', type = 'ip4set', files = ['f'] },
    { name = 'many', type = 'ip4tset', files = ['f'] },
    { name = 'six', type = 'ip6trie', files = ['f'] },
    { name = 'names', type = 'dnset', files = ['f'] },
    { name = 'both', type = 'mixed', files = ['f'] },
    { name = 'white', type = 'ip4trie', files = ['f'] },
    { name = 'records', type = 'generic', files = ['f'] },
    { name = 'parts', type = 'combined', files = ['f'] },
    { name = 'who', type = 'acl', files = ['f'] },
]\n";

fn load(zone: &str) -> Result<Loaded, Errors> {
    read(&format!("{DATASETS}[[zone]]\nname = 'all.example'\n{zone}"), Path::new("/"))
}

fn settings(zone: &str) -> Settings {
    load(zone).unwrap_or_else(|errors| panic!("{errors}")).settings
}

#[test]
fn a_sum_makes_lists_and_allow_lists_the_strongest_first() {
    let settings = settings(
        "sum = { few = 2, many = 5, white = -10, names = -1, six = 5 }\n\
         at = { 10 = '127.0.0.10', 5 = '127.0.0.5', 9 = '127.1.2.3' }",
    );
    let [zone] = &settings.zones[..] else { panic!("{:?}", settings.zones) };
    assert_eq!(zone.datasets, ["many", "six", "few"]);
    assert_eq!(zone.allow, ["white", "names"]);
    let weights = [("few", 2), ("many", 5), ("white", -10), ("names", -1), ("six", 5)];
    let at = |sum, a: [u8; 4]| Threshold { sum, a: a.into() };
    let want = Scoring {
        weights: weights.map(|(name, weight)| (name.to_owned(), weight)).into(),
        thresholds: vec![at(5, [127, 0, 0, 5]), at(9, [127, 1, 2, 3]), at(10, [127, 0, 0, 10])],
    };
    assert_eq!(zone.scoring, Some(want));
    let usage = |name: &str| {
        let usage = settings.dataset(name).unwrap().usage;
        (usage.lists, usage.allows)
    };
    assert_eq!((usage("many"), usage("white")), ((true, false), (false, true)));
}

#[test]
fn what_makes_no_verdict_is_refused() {
    let at = "at = { 5 = '127.0.0.5' }";
    let cases = [
        ("sum = { few = 5 }", "zone.at: the zone has no threshold"),
        ("sum = { few = 5 }\nat = {}", "zone.at: the zone has no threshold"),
        ("datasets = ['few']\nat = { 5 = '127.0.0.5' }", "zone.at: at has no effect without sum"),
        (&format!("sum = {{}}\n{at}"), "zone.sum: the zone has no dataset"),
        (&format!("sum = {{ few = 5, man = 5 }}\n{at}"), "there is no dataset \"man\""),
        (&format!("sum = {{ few = 5, 'all.example' = 5 }}\n{at}"), "\"all.example\" is a zone"),
        (&format!("sum = {{ few = 5, who = 5 }}\n{at}"), "\"who\" is an access list"),
        (
            &format!("sum = {{ few = 5, records = 5 }}\n{at}"),
            "\"records\" cannot be weighed: it has records",
        ),
        (
            &format!("sum = {{ few = 5, parts = 5 }}\n{at}"),
            "\"parts\" cannot be weighed: it has lists below",
        ),
        (
            &format!("sum = {{ few = 5, many = 0 }}\n{at}"),
            "a dataset with the weight 0 changes no sum",
        ),
        (
            &format!("sum = {{ few = 10001 }}\n{at}"),
            "10001 is out of range\n    help: allowed: -10000 to 10000",
        ),
        (&format!("sum = {{ few = 4294967301 }}\n{at}"), "4294967301 is out of range"),
        (
            &format!("sum = {{ few = 2, many = 2, white = -9 }}\n{at}"),
            "no key can reach 5: the weights make 4",
        ),
        // An address is in no list of names.
        (
            &format!("sum = {{ few = 3, names = 3 }}\n{at}"),
            "no key can reach 5: the weights make 3",
        ),
        (&format!("sum = {{ white = -9 }}\n{at}"), "no key can reach 5: the weights make 0"),
        ("sum = { few = 5 }\nat = { 0 = '127.0.0.5' }", "\"0\" is not a threshold"),
        ("sum = { few = 5 }\nat = { -1 = '127.0.0.5' }", "\"-1\" is not a threshold"),
        ("sum = { few = 5 }\nat = { 05 = '127.0.0.5' }", "\"05\" is not a threshold"),
        (
            "sum = { few = 5 }\nat = { 5 = '10.0.0.5' }",
            "\"10.0.0.5\" is not an address of 127.0.0.0/8",
        ),
        ("sum = { few = 5 }\nat = { 5 = 'x' }", "\"x\" is not an address of 127.0.0.0/8"),
        (
            &format!("datasets = ['many']\nsum = {{ few = 5 }}\n{at}"),
            "zone.datasets: a verdict zone has its datasets in sum",
        ),
        (
            &format!("allow = ['white']\nsum = {{ few = 5 }}\n{at}"),
            "zone.allow: a verdict zone has its allow lists in sum",
        ),
    ];
    for (zone, want) in cases {
        let said = load(zone).expect_err(zone).to_string();
        assert!(said.contains(want), "{zone}\nwant {want}\ngot {said}");
    }
    // A mixed list has addresses and names.
    for sum in ["few = 3, both = 3", "names = 3, both = 3", "few = 3, six = 3"] {
        assert_eq!(load(&format!("sum = {{ {sum} }}\n{at}")).unwrap().settings.zones.len(), 1);
    }
}

#[test]
fn a_preset_adds_nothing_to_a_verdict_zone_of_the_name_of_its_own() {
    let text = format!(
        "{DATASETS}[[feed]]\npreset = 'psbl'\n[[zone]]\nname = 'psbl.surriel.com'\n\
         sum = {{ psbl = 5, few = 1 }}\nat = {{ 5 = '127.0.0.5' }}"
    );
    let settings = read(&text, Path::new("/")).unwrap().settings;
    assert_eq!(settings.zones[0].datasets, ["psbl", "few"]);
    assert!(settings.dataset("psbl").is_some());
}
