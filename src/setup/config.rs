//! The text of a first configuration.

use super::{OwnList, Plan};
use std::fmt::Write as _;

/// The name of the allow list.
const ALLOW: &str = "own-white";

pub(super) fn text(plan: &Plan) -> String {
    let mut out = String::from(
        "# docs/configuration.toml explains every setting; `dnsbld check-config` checks this file.\n[server]\n",
    );
    let listen: Vec<_> = plan.listen.iter().map(|address| format!("\"{address}\"")).collect();
    line(&mut out, format_args!("listen = [{}]", listen.join(", ")));
    line(&mut out, format_args!("state-dir = {:?}", plan.state_dir));
    for feed in &plan.feeds {
        line(&mut out, format_args!("\n[[feed]]    # {}", feed.about));
        line(&mut out, format_args!("preset = {:?}", feed.name));
        if let Some(needs) = feed.needs {
            line(&mut out, format_args!("# It needs {needs}."));
        }
    }
    if let Some(list) = &plan.allow {
        dataset(&mut out, ALLOW, list);
        zone(&mut out, &list.zone, Some(ALLOW), false);
    }
    for (number, list) in plan.own.iter().enumerate() {
        let name = format!("own-{}", number + 1);
        dataset(&mut out, &name, list);
        zone(&mut out, &list.zone, Some(&name), plan.allow.is_some());
    }
    if plan.allow.is_some() {
        for name in plan.feeds.iter().flat_map(|feed| feed.zones()) {
            if !super::LETS_IN.contains(&name) {
                zone(&mut out, name, None, true);
            }
        }
    }
    out
}

fn dataset(out: &mut String, name: &str, list: &OwnList) {
    line(out, format_args!("\n[[dataset]]\nname = {name:?}\ntype = \"{}\"", list.kind));
    line(out, format_args!("files = [{:?}]\nown = true", list.file.display().to_string()));
}

fn zone(out: &mut String, name: &str, dataset: Option<&str>, allows: bool) {
    line(out, format_args!("\n[[zone]]\nname = {name:?}"));
    if let Some(dataset) = dataset {
        line(out, format_args!("datasets = [{dataset:?}]"));
    }
    if allows {
        line(
            out,
            format_args!("allow = [{ALLOW:?}]    # what this lists is not listed in the zone"),
        );
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
