//! What the control loop is at.

use crate::config::Settings;
use std::time::Instant;

/// What the control loop is at.
#[derive(Default)]
pub(super) enum Phase {
    /// No dataset is being built.
    #[default]
    Idle,
    /// Datasets are being built.
    Building(Round),
    /// New settings wait for datasets to be built.
    Reloading(Box<Settings>, Round),
}

/// Builds that are under way together.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// When the first of them began.
    pub(super) since: Instant,
    /// They have changed what is served.
    pub(super) changed: bool,
}

impl Round {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), changed: false }
    }
}

impl Phase {
    /// The builds under way.
    pub(super) fn round(&mut self) -> Option<&mut Round> {
        match self {
            Self::Idle => None,
            Self::Building(round) | Self::Reloading(_, round) => Some(round),
        }
    }
}
