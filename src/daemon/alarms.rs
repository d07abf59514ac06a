//! What is wrong with zones although their datasets are as they were: each is told once.

use super::sandbox::Sandbox;
use crate::config::{self, Settings};
use crate::event::{Event, EventSink};
use crate::status::{CertificateStatus, Time};
use crate::wire::name::NameBuf;
use crate::zone::Zone;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// What was told and still is so.
#[derive(Default)]
pub(super) struct Alarms {
    /// Zones whose data has expired.
    expired: HashSet<NameBuf>,
    /// Zones that are without one of their allow or access lists, and the list.
    missing: HashSet<(NameBuf, String)>,
    /// Certificates that expire soon, and when, and those that have expired.
    certificates: HashSet<(String, Time, bool)>,
    /// Folders that the server may not use any more.
    outside: HashSet<PathBuf>,
}

impl Alarms {
    /// Tells of zones whose data has expired by `now`, in seconds since 1970.
    pub(super) fn tell_expired(&mut self, zones: &[Zone], now: u64, sink: &dyn EventSink) {
        for zone in zones {
            if zone.expires.is_none_or(|expires| expires >= now) {
                self.expired.remove(&zone.apex);
            } else if self.expired.insert(zone.apex.clone()) {
                sink.emit(&Event::ZoneExpired { zone: zone.apex.clone() });
            }
        }
    }

    /// Tells of folders in whose place there are others.
    pub(super) fn tell_outside(&mut self, sandbox: &Sandbox, sink: &dyn EventSink) {
        let now: HashSet<PathBuf> = sandbox.replaced().map(ToOwned::to_owned).collect();
        for folder in now.difference(&self.outside) {
            sink.emit(&Event::FolderOutsideSandbox { folder: folder.clone() });
        }
        self.outside = now;
    }

    /// Tells of certificates that expire soon, and again when they have expired.
    pub(super) fn tell_certificates(
        &mut self,
        certificates: &[CertificateStatus],
        now: u64,
        sink: &dyn EventSink,
    ) {
        let now = Time(now as i64);
        for certificate in certificates.iter().filter(|certificate| !certificate.is_well(now)) {
            let Some(expires) = certificate.expires else { continue };
            let left = u64::try_from(expires.0 - now.0).ok().map(Duration::from_secs);
            if self.certificates.insert((certificate.file.clone(), expires, left.is_some())) {
                let (file, names) = (certificate.file.clone().into(), certificate.names.clone());
                sink.emit(&Event::CertificateExpiring { file, names, left });
            }
        }
    }

    /// Tells of zones that are without a list. A zone without one of its allow lists goes on answering,
    /// and then lists what it must not: that is to be seen beside what is said of the list itself.
    /// Without one of its access lists it does not answer.
    pub(super) fn tell_missing(
        &mut self,
        settings: &Settings,
        is_loaded: impl Fn(&str) -> bool,
        sink: &dyn EventSink,
    ) {
        for zone in &settings.zones {
            for list in settings.server.acl.iter().chain(&zone.acl) {
                if self.is_newly_missing(zone, list, &is_loaded) {
                    let (zone, dataset) = (zone.name.clone(), list.clone());
                    sink.emit(&Event::ZoneWithoutAccessList { zone, dataset });
                }
            }
            for list in &zone.allow {
                if self.is_newly_missing(zone, list, &is_loaded) {
                    let (zone, dataset) = (zone.name.clone(), list.clone());
                    sink.emit(&Event::ZoneWithoutAllowList { zone, dataset });
                }
            }
        }
    }

    fn is_newly_missing(
        &mut self,
        zone: &config::Zone,
        list: &str,
        is_loaded: impl Fn(&str) -> bool,
    ) -> bool {
        let missing = (zone.name.clone(), list.to_owned());
        if is_loaded(list) {
            self.missing.remove(&missing);
            return false;
        }
        self.missing.insert(missing)
    }
}
