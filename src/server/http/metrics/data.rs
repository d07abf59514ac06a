//! Zones and datasets: what they hold, and how they are.

use super::super::Observation;
use super::{Exposition, Figure, Kind, states};
use crate::status::{DatasetStatus, Health, Status, Time};

pub(super) fn write_zones(status: &Status, out: &mut Exposition) {
    let help = "1 for the state that the zone is in, 0 for the others.";
    let mut family = out.family("dnsbld_zone_state", Kind::Gauge, help);
    for zone in &status.zones {
        for (state, value) in states(&Health::WORDS, zone.state.word()) {
            family.sample(&[("zone", &zone.name), ("state", state)], value);
        }
    }
    let help = "1 while all data of the zone is loaded, not expired and within its limits.";
    let mut family = out.family("dnsbld_zone_ready", Kind::Gauge, help);
    for zone in &status.zones {
        family.sample(&[("zone", &zone.name)], u8::from(zone.ready));
    }
    let help = "The serial of the SOA record of the zone.";
    let mut family = out.family("dnsbld_zone_serial", Kind::Gauge, help);
    for zone in &status.zones {
        if let Some(serial) = zone.serial {
            family.sample(&[("zone", &zone.name)], serial);
        }
    }
    let help =
        "A hash of all that decides what the zone answers: equal on servers that answer equally.";
    let mut family = out.family("dnsbld_zone_content_info", Kind::Gauge, help);
    for zone in &status.zones {
        if let Some(id) = &zone.content_id {
            family.sample(&[("zone", &zone.name), ("content_id", id)], 1);
        }
    }
    let help = "The datasets that the zone uses, and what for.";
    let mut family = out.family("dnsbld_zone_dataset_info", Kind::Gauge, help);
    for zone in &status.zones {
        for (usage, names) in [("list", &zone.datasets), ("allow", &zone.allow), ("acl", &zone.acl)]
        {
            for dataset in names {
                let labels = [("zone", &*zone.name), ("dataset", dataset), ("usage", usage)];
                family.sample(&labels, 1);
            }
        }
    }
}

/// The states of a dataset.
const STATES: [&str; 4] = ["live", "stale", "quarantined", "never-loaded"];

pub(super) fn write_datasets(observation: &Observation, out: &mut Exposition) {
    let datasets = &observation.status.datasets;
    let help = "1 for the state that the dataset is in, 0 for the others.";
    let mut family = out.family("dnsbld_dataset_state", Kind::Gauge, help);
    for dataset in datasets {
        for (state, value) in states(&STATES, &dataset.state) {
            family.sample(&[("dataset", &dataset.name), ("state", state)], value);
        }
    }
    let help = "The type of the dataset, and a hash of what is served of it.";
    let mut family = out.family("dnsbld_dataset_info", Kind::Gauge, help);
    for dataset in datasets {
        let id = dataset.content_id.as_deref().unwrap_or_default();
        let labels = [("dataset", &*dataset.name), ("type", &dataset.kind), ("content_id", id)];
        family.sample(&labels, 1);
    }
    let help = "What is wrong with the files of the dataset or how old they are, and what to do; no rule if none of the guard is broken.";
    let mut family = out.family("dnsbld_dataset_problem_info", Kind::Gauge, help);
    for dataset in datasets {
        if let Some(problem) = &dataset.problem {
            let rule = problem.rule.as_deref().unwrap_or_default();
            let labels = [
                ("dataset", &*dataset.name),
                ("rule", rule),
                ("cause", &problem.cause),
                ("remedy", &problem.remedy),
            ];
            family.sample(&labels, 1);
        }
    }
    figures(datasets, out);
    times(datasets, out);
    let help = "Other data of the dataset that was taken into service.";
    let mut family = out.family("dnsbld_dataset_loads_total", Kind::Counter, help);
    for dataset in datasets {
        let loads = observation.events.loads.get(&dataset.name).copied().unwrap_or(0);
        family.sample(&[("dataset", &dataset.name)], loads);
    }
    let help = "Files of the dataset that were refused, by the rule of the guard; none for faults of the files.";
    let mut family = out.family("dnsbld_dataset_refusals_total", Kind::Counter, help);
    for ((dataset, rule), count) in &observation.events.refusals {
        family.sample(&[("dataset", dataset), ("rule", rule.unwrap_or("none"))], count);
    }
}

fn figures(datasets: &[DatasetStatus], out: &mut Exposition) {
    let figures: [Figure<DatasetStatus, Option<u128>>; 4] = [
        ("dnsbld_dataset_entries", "Entries of the dataset that are served.", |dataset| {
            dataset.entries.map(u128::from)
        }),
        (
            "dnsbld_dataset_addresses",
            "Addresses of both families that the dataset lists.",
            |dataset| dataset.addresses,
        ),
        ("dnsbld_dataset_bytes", "Bytes that the dataset takes, in memory or mapped.", |dataset| {
            dataset.bytes.map(u128::from)
        }),
        (
            "dnsbld_dataset_mapped_bytes",
            "Bytes of the snapshot of the dataset that are mapped.",
            |dataset| dataset.mapped.map(u128::from),
        ),
    ];
    for (name, help, figure) in figures {
        let mut family = out.family(name, Kind::Gauge, help);
        for dataset in datasets {
            if let Some(figure) = figure(dataset) {
                family.sample(&[("dataset", &dataset.name)], figure);
            }
        }
    }
}

fn times(datasets: &[DatasetStatus], out: &mut Exposition) {
    let times: [Figure<DatasetStatus, Option<Time>>; 4] = [
        (
            "dnsbld_dataset_fetched_timestamp_seconds",
            "The newest change of the files of the dataset when they were looked at last.",
            |dataset| dataset.fetched,
        ),
        (
            "dnsbld_dataset_changed_timestamp_seconds",
            "When the content of what is served of the dataset last changed.",
            |dataset| dataset.changed,
        ),
        (
            "dnsbld_dataset_accepted_timestamp_seconds",
            "When what is served of the dataset was accepted.",
            |dataset| dataset.accepted,
        ),
        (
            "dnsbld_dataset_expiry_timestamp_seconds",
            "When the data of the dataset expires by its own account.",
            |dataset| dataset.expires,
        ),
    ];
    for (name, help, time) in times {
        let mut family = out.family(name, Kind::Gauge, help);
        for dataset in datasets {
            if let Some(Time(seconds)) = time(dataset) {
                family.sample(&[("dataset", &dataset.name)], seconds);
            }
        }
    }
    let help = "How long the last load of the dataset took.";
    let mut family = out.family("dnsbld_dataset_load_duration_seconds", Kind::Gauge, help);
    for dataset in datasets {
        if let Some(took) = dataset.load_time {
            family.sample(&[("dataset", &dataset.name)], took.as_secs_f64());
        }
    }
}
