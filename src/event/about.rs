//! The dataset, zone and file that an event is about: the fields `dataset=`, `zone=` and `file=` of its line.

use super::Event;
use crate::config::SettingChange;
use crate::wire::name::NameBuf;
use std::path::Path;

impl Event {
    /// The dataset that the event is about.
    pub fn dataset(&self) -> Option<&str> {
        match self {
            Self::LoadStarted { dataset }
            | Self::BadLine { dataset, .. }
            | Self::BadLinesOmitted { dataset, .. }
            | Self::DatasetLoaded { dataset, .. }
            | Self::DatasetRecovered { dataset, .. }
            | Self::DatasetRefused { dataset, .. }
            | Self::DatasetAccepted { dataset, .. }
            | Self::DatasetExpired { dataset, .. }
            | Self::DatasetOverdue { dataset, .. }
            | Self::DatasetRenewed { dataset }
            | Self::ZoneWithoutAllowList { dataset, .. }
            | Self::ZoneWithoutAccessList { dataset, .. }
            | Self::SnapshotMapped { dataset, .. }
            | Self::SnapshotBadLines { dataset, .. }
            | Self::SnapshotUnusable { dataset, .. }
            | Self::SnapshotOfOtherRules { dataset, .. }
            | Self::SnapshotFromFuture { dataset }
            | Self::SnapshotOfOtherFiles { dataset, .. }
            | Self::SnapshotWritten { dataset, .. }
            | Self::SnapshotNotWritten { dataset, .. }
            | Self::RecordUnusable { dataset, .. }
            | Self::RecordNotWritten { dataset, .. }
            | Self::SnapshotUnfit { dataset, .. }
            | Self::RefusedFileKept { dataset, .. }
            | Self::FileNotKept { dataset, .. }
            | Self::HistoryNotWritten { dataset, .. }
            | Self::SettingChanged {
                change:
                    SettingChange::DatasetAdded { dataset }
                    | SettingChange::DatasetChanged { dataset, .. }
                    | SettingChange::DatasetRemoved { dataset },
            } => Some(dataset),
            Self::WatchedListed { change } | Self::WatchedDelisted { change, .. } => {
                Some(&change.dataset)
            }
            _ => None,
        }
    }

    /// The zone that the event is about.
    pub fn zone(&self) -> Option<&NameBuf> {
        match self {
            Self::ZoneExpired { zone }
            | Self::SecondaryNotified { zone, .. }
            | Self::SecondaryNotNotified { zone, .. }
            | Self::Transfer { zone, .. }
            | Self::ZoneWithoutAllowList { zone, .. }
            | Self::ZoneWithoutAccessList { zone, .. }
            | Self::SettingChanged {
                change:
                    SettingChange::ZoneAdded { zone }
                    | SettingChange::ZoneChanged { zone }
                    | SettingChange::ZoneRemoved { zone },
            } => Some(zone),
            _ => None,
        }
    }

    /// The file or folder that the event is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::DatasetRefused { refusal, .. } => Some(&refusal.problem.file),
            Self::DatasetAccepted { problem, .. } => Some(&problem.file),
            Self::WatchedListed { change } | Self::WatchedDelisted { change, .. } => {
                change.line.as_ref().map(|line| &*line.file)
            }
            Self::BadLine { file, .. }
            | Self::BadLinesOmitted { file, .. }
            | Self::FileKeepsChanging { file, .. }
            | Self::SnapshotBadLines { file, .. }
            | Self::SnapshotUnusable { file, .. }
            | Self::SnapshotNotWritten { file, .. }
            | Self::RecordUnusable { file, .. }
            | Self::RecordNotWritten { file, .. }
            | Self::SnapshotRemoved { file }
            | Self::RefusedFileKept { file, .. }
            | Self::FileNotKept { folder: file, .. }
            | Self::HistoryNotWritten { folder: file, .. }
            | Self::WatchedNotWritten { file, .. }
            | Self::StateFolderTaken { folder: file }
            | Self::StateFolderBusy { folder: file }
            | Self::FolderOutsideSandbox { folder: file }
            | Self::SerialsUnreadable { file, .. }
            | Self::SerialsDamaged { file, .. }
            | Self::CertificateExpiring { file, .. }
            | Self::CookieSecretsRefused { file, .. }
            | Self::CookieSecretsExposed { file }
            | Self::CookieSecretsNotKept { file, .. }
            | Self::TrafficUnusable { file, .. }
            | Self::OverridesUnusable { file, .. }
            | Self::StatisticsNotWritten { file, .. }
            | Self::DnstapConnected { socket: file }
            | Self::DnstapFailed { socket: file, .. }
            | Self::DnstapQueriesLost { socket: file, .. }
            | Self::ControlSocketNotOpened { socket: file, .. } => Some(file),
            _ => None,
        }
    }
}
