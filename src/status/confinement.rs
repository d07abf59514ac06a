//! What a fault of the server could do to the machine.

use crate::util::text::counted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The rights that the server has kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ConfinementStatus {
    /// The user that it is, by name, or by number if it has no name.
    pub user: String,
    /// Its capabilities, as `CAP_DAC_READ_SEARCH`.
    pub capabilities: Vec<String>,
    /// Whether the kernel keeps it to the folders below.
    pub sandbox: SandboxState,
    /// The folders that it may read.
    pub reads: Vec<String>,
    /// The folders that it may write.
    pub writes: Vec<String>,
}

/// Whether the kernel keeps the server to its folders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxState {
    /// The settings say no.
    #[default]
    Off,
    /// It does.
    On,
    /// This kernel cannot.
    Unavailable,
}

/// `user dnsbld, no capabilities, sandbox on (reads 3 folders, writes 2)`
impl fmt::Display for ConfinementStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capabilities = match &self.capabilities[..] {
            [] => "no capabilities".to_owned(),
            some => some.join(" "),
        };
        write!(f, "user {}, {capabilities}, sandbox ", self.user)?;
        match self.sandbox {
            SandboxState::Off => f.write_str("off"),
            SandboxState::Unavailable => f.write_str("unavailable"),
            SandboxState::On => {
                let reads = counted(self.reads.len() as u64, "folder", "folders");
                write!(f, "on (reads {reads}, writes {})", self.writes.len())
            }
        }
    }
}
