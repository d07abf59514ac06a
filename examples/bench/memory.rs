//! Memory: what is served, its peak while the data is read and while it is read again, and what
//! an entry takes.

use super::cores::Cores;
use super::files::DataFiles;
use super::load::{Expect, Query};
use super::setup::{Program, Programs, Setup};
use super::tables::{Table, mebibytes, none};
use super::{APEX, Marker, serving};
use crate::sets::{Bound, Set};
use anyhow::{Context, Result};

pub(crate) fn table() -> Table {
    Table::new(&[
        "data",
        "server",
        "MiB",
        "peak of load",
        "peak of reload",
        "bytes per entry",
        "bound",
        "bound by /24",
    ])
}

/// Measures dnsbld and rbldnsd, and rbldnsd's `ip4set` beside its other types of addresses.
///
/// # Errors
///
/// What goes wrong with a server.
pub(crate) fn run(
    table: &mut Table,
    programs: &Programs,
    (name, entries, set): (&str, usize, &Set),
    files: &DataFiles,
    probe: &Query,
) -> Result<()> {
    let mut lines = vec![(Program::Dnsbld, set.kind), (Program::Rbldnsd, set.kind)];
    if set.kind.starts_with("ip4") && set.kind != "ip4set" {
        lines.push((Program::Rbldnsd, "ip4set"));
    }
    let per_entry = |bits: f64| format!("{:.2}", bits / 8.0 / entries as f64);
    let Bound { bits, by_networks } = set.bound();
    for (program, kind) in lines {
        files.change(0)?;
        let start =
            |data, probe| Setup::new(program, Cores::Both, kind, data).start(programs, probe);
        let apex = Query { packet: serving::query(APEX, 6), expect: Expect::Any };
        let empty = start(&files.single, &apex)?.memory("VmRSS")?;
        let server = start(&files.data, probe)?;
        let (served, peak) = (server.memory("VmRSS")?, server.memory("VmHWM")?);
        server.forget_peak()?;
        files.change(1)?;
        server.reload()?;
        let seen = Marker::new(files, &server)?.wait_for(1);
        seen.with_context(|| format!("{} {kind}", program.name()))?;
        let peak_again = server.memory("VmHWM")?;
        let own = served.saturating_sub(empty);
        table.add([
            name.to_owned(),
            format!("{} {kind}", program.name()),
            mebibytes(served),
            mebibytes(peak),
            mebibytes(peak_again),
            per_entry(8.0 * own as f64),
            per_entry(bits),
            by_networks.map_or_else(none, per_entry),
        ]);
    }
    files.change(0)
}
