//! The server as a whole: its settings, its connections, what went wrong.

use super::super::Observation;
use super::{Exposition, Figure, Kind};
use crate::server::ServerCounters;
use crate::server::accept::{Closed, ConnectionCounts};
use crate::status::{DeviceStatus, LostFrames, Protocol, Time};
use std::sync::atomic::Ordering;

pub(super) fn write(observation: &Observation, out: &mut Exposition) {
    let Observation { status, events, .. } = observation;
    let help = "The version of the server.";
    let mut family = out.family("dnsbld_build_info", Kind::Gauge, help);
    family.sample(&[("version", &status.server.version)], 1);
    let help = "1 while files are read: at the start, after a change, or for a reload.";
    out.single("dnsbld_loading", Kind::Gauge, help, u8::from(status.server.loading));

    let help = "1 if the settings that were read last hold.";
    let good = u8::from(events.is_last_reload_good);
    out.single("dnsbld_config_last_reload_successful", Kind::Gauge, help, good);
    let help = "When settings that hold were read last.";
    let name = "dnsbld_config_last_reload_success_timestamp_seconds";
    out.single(name, Kind::Gauge, help, events.last_good_reload);
    let help = "Reloads of the settings, by result.";
    let mut family = out.family("dnsbld_config_reloads_total", Kind::Counter, help);
    family.sample(&[("result", "success")], events.reloads);
    family.sample(&[("result", "failure")], events.failed_reloads);

    let help = "Events, by the name that docs/events.md explains.";
    let mut family = out.family("dnsbld_events_total", Kind::Counter, help);
    for (event, count) in &events.events {
        family.sample(&[("event", event)], count);
    }
    connections(observation, out);
    devices(&status.server.xdp, out);
    let help = "When the TLS certificate expires.";
    let name = "dnsbld_tls_certificate_expiry_timestamp_seconds";
    let mut family = out.family(name, Kind::Gauge, help);
    for certificate in &status.server.certificates {
        if let Some(Time(expires)) = certificate.expires {
            family.sample(&[("file", &certificate.file)], expires);
        }
    }
    if let Some(faults) = &observation.faults {
        self::faults(faults, out);
    }
}

fn connections(observation: &Observation, out: &mut Exposition) {
    let figures: [(Kind, Figure<ConnectionCounts, u64>); 4] = [
        (
            Kind::Gauge,
            ("dnsbld_connections", "Open connections, by transport.", |counts| counts.open as u64),
        ),
        (
            Kind::Gauge,
            (
                "dnsbld_connections_limit",
                "The most connections, by transport; those of TCP and TLS together.",
                |counts| counts.limit as u64,
            ),
        ),
        (
            Kind::Counter,
            (
                "dnsbld_connections_total",
                "Connections that were accepted, by transport.",
                |counts| counts.accepted,
            ),
        ),
        (
            Kind::Counter,
            (
                "dnsbld_accept_failures_total",
                "How often the system gave no connection, above all for want of descriptors, by transport.",
                |counts| counts.failed,
            ),
        ),
    ];
    for (kind, (name, help, figure)) in figures {
        let mut family = out.family(name, kind, help);
        for (protocol, counts) in &observation.connections {
            family.sample(&[("transport", transport(*protocol))], figure(counts));
        }
    }
    let help = "Connections that the server has ended, by transport and reason.";
    let mut family = out.family("dnsbld_closed_connections_total", Kind::Counter, help);
    for (protocol, counts) in &observation.connections {
        for reason in Closed::ALL {
            let labels = [("transport", transport(*protocol)), ("reason", reason.name())];
            family.sample(&labels, counts.closed(reason));
        }
    }
}

fn devices(devices: &[DeviceStatus], out: &mut Exposition) {
    let figures: [(Kind, Figure<DeviceStatus, u64>); 4] = [
        (
            Kind::Gauge,
            ("dnsbld_xdp_queues", "Queues that a device of server.xdp receives by.", |device| {
                device.queues.into()
            }),
        ),
        (
            Kind::Gauge,
            (
                "dnsbld_xdp_workers",
                "Threads that take its queries past the kernel's stack; 0 if the sockets have them.",
                |device| device.workers.len() as u64,
            ),
        ),
        (
            Kind::Counter,
            ("dnsbld_xdp_answers_total", "Answers that left past the kernel's stack.", |device| {
                device.sum().answers
            }),
        ),
        (
            Kind::Counter,
            (
                "dnsbld_xdp_passed_frames_total",
                "Frames that were left to the kernel's stack.",
                |device| device.sum().passed,
            ),
        ),
    ];
    for (kind, (name, help, figure)) in figures {
        let mut family = out.family(name, kind, help);
        for device in devices {
            family.sample(&[("device", &device.device)], figure(device));
        }
    }
    let help = "Frames for a worker that did not reach it, by reason.";
    let mut family = out.family("dnsbld_xdp_lost_frames_total", Kind::Counter, help);
    for device in devices {
        let LostFrames { dropped, ring_full, no_frame, invalid } = device.sum().lost;
        for (reason, frames) in [
            ("dropped", dropped),
            ("ring-full", ring_full),
            ("no-frame", no_frame),
            ("invalid", invalid),
        ] {
            family.sample(&[("device", &device.device), ("reason", reason)], frames);
        }
    }
}

fn transport(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
        Protocol::Tls => "tls",
        Protocol::Https => "https",
        Protocol::Http => "http",
    }
}

fn faults(faults: &ServerCounters, out: &mut Exposition) {
    let help = "Datagrams that were lost: queries that cannot be read, answers that the system did not take.";
    let mut family = out.family("dnsbld_lost_datagrams_total", Kind::Counter, help);
    let reasons = [
        ("unusable", &faults.udp_unusable),
        ("no-proxy-header", &faults.udp_unproxied),
        ("unsent", &faults.udp_unsent),
    ];
    for (reason, counter) in reasons {
        family.sample(&[("reason", reason)], counter.load(Ordering::Relaxed));
    }
    let help = "Answers with a delay that were sent at once, because too many were waiting.";
    let early = faults.delay_overflow.load(Ordering::Relaxed);
    out.single("dnsbld_undelayed_answers_total", Kind::Counter, help, early);
    let help = "Faults of the server that cost a query its answer.";
    let panics = faults.panics.load(Ordering::Relaxed);
    out.single("dnsbld_panics_total", Kind::Counter, help, panics);
}
