//! `dnsbld history`

pub(super) mod at;
mod key;
mod loads;
mod prefix;

use super::preview::{Place, UNKNOWN};
use super::print;
use crate::explain::AskedKey;
use crate::history::Sought;
use crate::util::time::unix_time;
use clap::Args;
use std::process::ExitCode;

/// Tell when an address, addresses of a prefix, or a name were listed and delisted, or what the loads of a dataset did.
///
/// It reads the state folder of the configuration, whether or not a server runs. The exit code is 0 if there
/// is something to tell (with --at: if the key was listed then), 1 if there is nothing, 2 if that is not known.
#[derive(Args, Debug)]
pub struct History {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Answer as of this time in UTC, as "Nov 12 07:41", "2026-11-12 07:41:30" or "2026-11-12T07:41:30+01:00".
    #[arg(long, value_name = "TIME", value_parser = |text: &str| at::read(text, unix_time()))]
    at: Option<u64>,
    /// The most loads of a dataset, or changes in a prefix, to print, the newest; 0 for all.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// An address, a prefix, a name as it stands in a list, a query name as a log has it, or a dataset.
    #[arg(value_name = "KEY|DATASET")]
    subject: String,
}

impl History {
    /// Reads the history, and prints what it tells.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; or if the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.tell() {
            Err(error) if error.is::<crate::config::Errors>() => Err(error),
            Err(error) => {
                eprintln!("dnsbld: cannot tell: {error:#}");
                Ok(ExitCode::from(UNKNOWN))
            }
            Ok((text, code)) => {
                print(&text)?;
                Ok(ExitCode::from(code))
            }
        }
    }

    fn tell(&self) -> anyhow::Result<(String, u8)> {
        let (source, settings) = self.place.settings()?;
        let Some(state_dir) = &settings.server.state_dir else {
            anyhow::bail!("{source} sets no state-dir, so that its server keeps no history");
        };
        if settings.dataset(&self.subject).is_some() {
            return loads::tell(state_dir, &self.subject, self.at, self.limit, self.json);
        }
        let datasets: Vec<_> = settings.datasets.iter().map(|set| set.name.as_str()).collect();
        let apexes = settings.zones.iter().map(|zone| &zone.name);
        let sought = match AskedKey::read(&self.subject, apexes)?.0 {
            AskedKey::Address(address) => Sought::Address(address),
            AskedKey::Name(name) => Sought::Name(name),
            AskedKey::Prefix(net) => {
                return prefix::tell(state_dir, &datasets, net, self.at, self.limit, self.json);
            }
            AskedKey::Mail(_, domain) => anyhow::bail!(
                "the history is that of one key: name {domain}, or the hash that `dnsbld hash` prints"
            ),
        };
        key::tell(state_dir, &datasets, &sought, self.at, self.json)
    }
}

/// A time in seconds since 1970, as people read it.
fn time(seconds: u64) -> String {
    let utc = crate::util::time::Utc::from_unix(seconds.min(i64::MAX as u64) as i64);
    let crate::util::time::Utc { year, month, day, hour, minute, second } = utc;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}
