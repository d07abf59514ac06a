//! From files to data that may be served: reading them safely, watching them, and the life of a
//! dataset.
//!
//! - [`read`] reads one file, whole or not at all, and never half of a change; [`read_ahead`] does so
//!   on a thread of its own.
//! - [`Watcher`] says which files have changed and come to rest.
//! - [`Plan`] says which datasets that concerns.
//! - [`Life`] decides, for each dataset, whether what was read may replace what is served, what
//!   to tell the administrator, and when to try again.
//!
//! None of them knows how a dataset is parsed, built or published. Together:
//!
//! ```
//! use dnsbld::load::*;
//! use std::path::{Path, PathBuf};
//! use std::time::SystemTime;
//!
//! /// Reads and parses a file; in this example, every line is an entry.
//! fn parse(path: &Path) -> Result<Source, Problem> {
//!     let mut entries = 0;
//!     let report = read(path, &Limits::default(), &mut |chunk| {
//!         entries += chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
//!         Ok::<(), String>(()) // or the parser's reason to reject the whole file
//!     })?;
//!     Ok(Source { path: path.to_owned(), report, entries, bad_lines: 0, first_bad: None })
//! }
//!
//! /// Loads a dataset; the number of entries that are served from now on.
//! fn load(life: &mut Life, files: &[PathBuf]) -> Option<u64> {
//!     let now = SystemTime::now();
//!     let sources: Result<Vec<Source>, Problem> = files.iter().map(|file| parse(file)).collect();
//!     let candidate = match sources {
//!         Ok(sources) if life.holds(&sources) => {
//!             life.confirm(now, sources);
//!             return None;
//!         }
//!         Ok(sources) => life.judge(sources, false),
//!         Err(problem) => Err(problem),
//!     };
//!     match candidate {
//!         Ok(candidate) => Some(life.accept(now, candidate).entries), // once it is published
//!         Err(problem) => {
//!             let _ = life.refuse(now, problem); // what to tell, and when to try again
//!             None
//!         }
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("list");
//! # std::fs::write(&file, "1.2.3.4\n")?;
//! let plan = Plan::new([("l2", vec![file.clone()])]);
//! let mut life = Life::default();
//! let _ = load(&mut life, &[file.clone()]);
//!
//! // Whatever changed after it was read is reported.
//! let loaded = life.good().map(|good| good.sources[0].report.identity);
//! let watcher = Watcher::start(WatchOptions::default())?;
//! watcher.set_files(vec![Watched { path: file.clone(), loaded }]);
//! # std::fs::write(&file, "1.2.3.4\n5.6.7.8\n")?;
//! let changes = watcher.changes().await; // beside the retries and SIGHUP, in a select!
//! for dataset in plan.affected(changes.iter().map(|change| change.path.as_path())) {
//!     assert_eq!(dataset, &"l2");
//!     assert_eq!(load(&mut life, &[file.clone()]), Some(2));
//! }
//! # Ok::<(), std::io::Error>(())
//! # })?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod ahead;
mod folders;
mod foreign;
mod grown;
mod gzip;
mod identity;
mod inbox;
mod life;
mod plan;
mod problem;
mod route;
mod settle;
mod source;
mod watch;

pub use ahead::read_ahead;
pub use foreign::{MOST_ZEROS, foreign};
pub use grown::read_grown;
pub use identity::{Identity, Rest, Sight, Stamp};
pub use life::{Candidate, Failure, Good, Life, RetryPolicy, Source, State, Trouble};
pub use plan::Plan;
pub use problem::{Cause, Problem};
pub use source::{Limits, ReadReport, read};
pub use watch::{Change, WatchOptions, Watched, Watcher};
