//! Plots of queries over time, as SVG without a script: what can be seen is in a title, a description and a table,
//! too.

use super::words::{clock, count, percent, rate, share};
use crate::status::{MinutesStatus, Time};
use maud::{Markup, html};
use std::fmt::Write as _;

/// The size of the drawing; it is stretched to the place there is.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 100.0;

/// What was counted in some minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sum {
    queries: u64,
    listed: u64,
}

/// A stretch of time that ends with the newest minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The name of the plot in the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// How many minutes it has.
    pub(super) minutes: usize,
    /// How many of them are one point of the plot.
    pub(super) step: usize,
    /// How many of them are one row of the table.
    pub(super) row: usize,
}

/// The last hour.
pub(super) const HOUR: Span = Span { id: "hour", title: "Last hour", minutes: 60, step: 1, row: 5 };

/// The last day.
pub(super) const DAY: Span =
    Span { id: "day", title: "Last day", minutes: 1440, step: 10, row: 60 };

impl Span {
    /// The sums of each `size` minutes, the oldest first; minutes that are not known count as none.
    fn sums(&self, minutes: &MinutesStatus, size: usize) -> Vec<Sum> {
        let known = minutes.queries.iter().zip(&minutes.listed).rev();
        let mut sums = vec![Sum::default(); self.minutes / size];
        for (age, (queries, listed)) in known.take(self.minutes).enumerate() {
            let at = sums.len() - 1 - age / size;
            sums[at].queries += queries;
            sums[at].listed += listed;
        }
        sums
    }

    /// All that was counted.
    pub(super) fn total(&self, minutes: &MinutesStatus) -> (u64, u64) {
        let Sum { queries, listed } = self.sums(minutes, self.minutes)[0];
        (queries, listed)
    }

    /// The time of the first second of it, and of the second behind it; `newest` is the start of the newest minute.
    fn times(&self, newest: Time) -> (Time, Time) {
        let end = newest.0.saturating_add(60);
        (Time(end - 60 * self.minutes as i64), Time(end))
    }
}

/// A plot with its title, its axes and its table.
pub(super) fn plot(span: Span, minutes: &MinutesStatus, newest: Time) -> Markup {
    let sums = span.sums(minutes, span.step);
    let seconds = 60.0 * span.step as f64;
    let most = sums.iter().map(|sum| sum.queries).max().unwrap_or(0);
    let scale = Scale::above(most as f64 / seconds);
    let (queries, listed) = span.total(minutes);
    let (start, end) = span.times(newest);
    let middle = Time((start.0 + end.0) / 2);
    let points =
        |of: fn(&Sum) -> u64| polyline(sums.iter().map(|sum| of(sum) as f64 / seconds / scale.top));
    let (line, below) = (points(|sum| sum.queries), points(|sum| sum.listed));
    let says = format!(
        "{} queries, {} of them listed, from {} to {} UTC; at most {} queries a second.",
        count(queries.into()),
        count(listed.into()),
        clock(start),
        clock(end),
        rate(most as f64 / seconds)
    );
    html! {
        figure.plot {
            figcaption {
                h2 #{ (span.id) "-title" } { (span.title) }
                p {
                    span.key.queries { (count(queries.into())) " queries" }
                    " "
                    span.key.listed {
                        (count(listed.into())) " listed"
                        @if let Some(share) = share(listed, queries) { " (" (percent(share)) ")" }
                    }
                }
            }
            div.frame {
                span.scale { (scale.label()) }
                svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img"
                    aria-labelledby={ (span.id) "-name " (span.id) "-says" } {
                    title #{ (span.id) "-name" } { "Queries and listed answers, " (span.title.to_lowercase()) }
                    desc #{ (span.id) "-says" } { (says) }
                    path.grid d="M0 0.5H600M0 50H600M0 99.5H600" {}
                    @if most > 0 {
                        path.queries d={ "M0 100L" (line) "L600 100Z" } {}
                        path.listed d={ "M" (below) } {}
                    }
                }
                @if most == 0 { span.empty { "No queries" } }
            }
            p.axis aria-hidden="true" {
                span { (clock(start)) } span { (clock(middle)) } span { (clock(end)) " UTC" }
            }
            details #{ (span.id) "-table" } {
                summary { "As a table" }
                (table(span, minutes, start))
            }
        }
    }
}

fn table(span: Span, minutes: &MinutesStatus, start: Time) -> Markup {
    let rows = span.sums(minutes, span.row);
    let time = |row: usize| clock(Time(start.0 + (row * span.row * 60) as i64));
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby={ (span.id) "-title" } {
            table {
                thead { tr {
                    th scope="col" { "From (UTC)" } th.figure scope="col" { "Queries" }
                    th.figure scope="col" { "Listed" } th.figure scope="col" { "Share" }
                } }
                tbody {
                    @for (row, sum) in rows.iter().enumerate().rev() {
                        tr {
                            th scope="row" { (time(row)) }
                            td.figure { (count(sum.queries.into())) }
                            td.figure { (count(sum.listed.into())) }
                            td.figure {
                                (share(sum.listed, sum.queries).map_or_else(|| "-".to_owned(), percent))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The queries of the last hour, small.
pub(super) fn sparkline(minutes: Option<&MinutesStatus>, zone: &str) -> Markup {
    let sums = HOUR.sums(minutes.unwrap_or(&MinutesStatus::default()), 2);
    let most = sums.iter().map(|sum| sum.queries).max().unwrap_or(0);
    let says = format!(
        "Queries for {zone} in the last hour: at most {} a second",
        rate(most as f64 / 120.0)
    );
    let top = most.max(1) as f64;
    let line = polyline(sums.iter().map(|sum| sum.queries as f64 / top));
    html! {
        svg.spark viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label=(says) {
            @if most > 0 {
                path.queries d={ "M0 100L" (line) "L600 100Z" } {}
            } @else {
                path.grid d="M0 98H600" {}
            }
        }
    }
}

/// The points of a line from the left to the right; each value is a share of the height.
fn polyline(values: impl ExactSizeIterator<Item = f64>) -> String {
    let last = (values.len().max(2) - 1) as f64;
    let mut points = String::new();
    for (at, value) in values.enumerate() {
        let (x, y) = (at as f64 / last * WIDTH, HEIGHT - value.clamp(0.0, 1.0) * HEIGHT);
        let _ = write!(points, "{}{x:.1} {y:.1}", if at == 0 { "" } else { "L" });
    }
    points
}

/// The scale of the vertical axis.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Scale {
    /// The queries a second at the top.
    top: f64,
}

impl Scale {
    /// The smallest one that holds so many queries a second, with a round number at its top: by the second,
    /// or by the minute where there are few.
    fn above(most: f64) -> Self {
        let unit = if most > 0.5 { 1.0 } else { 1.0 / 60.0 };
        let tops = (0..).flat_map(|zeros| {
            [1.0, 2.0, 3.0, 4.0, 6.0, 8.0].map(|step| step * 10_f64.powi(zeros) * unit)
        });
        Self { top: tops.into_iter().find(|top| most <= *top).unwrap_or(most) }
    }

    fn label(self) -> String {
        match self.top {
            few if few < 1.0 => format!("{:.0} a minute", few * 60.0),
            many => format!("{} a second", count(many as u128)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_summed_from_the_newest_on() {
        let minutes = MinutesStatus { queries: (1..=100).collect(), listed: vec![1; 100] };
        let sums = HOUR.sums(&minutes, 5);
        assert_eq!(sums.len(), 12);
        assert_eq!(sums[11], Sum { queries: 96 + 97 + 98 + 99 + 100, listed: 5 });
        assert_eq!(sums[0], Sum { queries: 41 + 42 + 43 + 44 + 45, listed: 5 });
        let day = DAY.sums(&minutes, 60);
        assert_eq!((day[22].listed, day[21].listed), (40, 0));
        assert_eq!(DAY.total(&minutes), (5050, 100));
        assert_eq!(HOUR.times(Time(3600)), (Time(60), Time(3660)));
    }

    #[test]
    fn the_scale_holds_all_values_and_is_round() {
        let label = |most| Scale::above(most).label();
        assert_eq!(label(0.0), "1 a minute");
        assert_eq!(label(0.3), "20 a minute");
        assert_eq!(label(0.5), "30 a minute");
        assert_eq!(label(0.9), "1 a second");
        assert_eq!(label(41.0), "60 a second");
        assert_eq!(label(80_001.0), "100,000 a second");
        for step in 0..2000 {
            let most = 1.02_f64.powi(step) / 100.0;
            assert!(Scale::above(most).top >= most);
        }
    }
}
