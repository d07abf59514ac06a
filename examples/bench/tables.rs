//! Figures of several runs, and the Markdown tables they go into.

use std::fmt;
use std::time::Duration;

/// Figures of the same thing, sorted.
#[derive(Clone, Default)]
pub(crate) struct Runs(Vec<f64>);

impl FromIterator<f64> for Runs {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }
}

impl Runs {
    /// The median.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The figure that this share of the runs does not exceed, between two runs if need be.
    fn quantile(&self, share: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let (below, above) = (self.0[place.floor() as usize], self.0[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }

    /// The median and, in brackets, the first and the third quartile: how noisy it was.
    pub(crate) fn spread(&self) -> String {
        let [first, third] = [0.25, 0.75].map(|share| self.quantile(share));
        format!("{:.2} ({first:.2}-{third:.2})", self.median())
    }

    /// The median and, in brackets, the least and the most.
    pub(crate) fn range(&self, decimals: usize) -> String {
        let [least, most] = [0.0, 1.0].map(|share| self.quantile(share));
        format!("{:.decimals$} ({least:.decimals$}-{most:.decimals$})", self.median())
    }
}

/// A table as it is printed: a line of cells for each line.
pub(crate) struct Table {
    columns: usize,
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let rule = vec!["---"; columns.len()];
        Self { columns: columns.len(), lines: vec![line(columns), line(&rule)] }
    }

    /// Adds a line.
    pub(crate) fn add<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) {
        assert_eq!(COLUMNS, self.columns, "as many cells as columns");
        self.lines.push(line(&cells));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn line(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What stands where there is no figure.
pub(crate) fn none() -> String {
    "-".to_owned()
}
