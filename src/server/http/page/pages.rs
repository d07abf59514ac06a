//! Long tables in parts.

use super::super::answer::Asked;
use maud::{Markup, html};
use std::ops::Range;

/// How many rows a part has.
const ROWS: usize = 100;

/// The tables of the overview that can be long; the field of its address that says which part of each is shown.
const TABLES: [&str; 4] = ["watched", "zones", "datasets", "feeds"];

/// The part of a table that is shown.
pub(super) struct Part {
    table: &'static str,
    /// From 1.
    number: usize,
    total: usize,
    /// The parts of the other tables, as an address has them.
    others: String,
}

impl Part {
    /// The part of a table of the overview that was asked for, or the last one.
    pub(super) fn of(asked: &Asked, table: &'static str, total: usize) -> Self {
        let number = |table: &str| asked.field(table)?.parse::<usize>().ok();
        let others = TABLES.iter().filter(|other| **other != table);
        let others: String = others
            .filter_map(|other| {
                Some(format!("{other}={}&", number(other).filter(|number| *number > 1)?))
            })
            .collect();
        let last = total.div_ceil(ROWS).max(1);
        Self { table, number: number(table).unwrap_or(1).clamp(1, last), total, others }
    }

    /// The rows of it, from 0.
    pub(super) fn rows(&self) -> Range<usize> {
        let start = (self.number - 1) * ROWS;
        start..self.total.min(start + ROWS)
    }

    /// The way to the other parts, if there are some.
    pub(super) fn ways(&self) -> Markup {
        let Self { table, number, total, others } = self;
        let Range { start, end } = self.rows();
        let link = |number: usize| format!("/?{others}{table}={number}#{table}");
        html! {
            @if *total > ROWS {
                (ways(
                    table,
                    &format!("{} to {end} of {total}", start + 1),
                    (*number > 1).then(|| link(number - 1)),
                    (end < *total).then(|| link(number + 1)),
                ))
            }
        }
    }
}

/// Links to the part before and the part behind.
pub(super) fn ways(
    what: &str,
    shown: &str,
    before: Option<String>,
    behind: Option<String>,
) -> Markup {
    html! {
        nav.pages aria-label={ "Parts of " (what) } {
            span { (shown) }
            @if let Some(before) = before { a href=(before) rel="prev" { "Before" } }
            @if let Some(behind) = behind { a href=(behind) rel="next" { "Behind" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn part(query: &str, total: usize) -> Part {
        let client = Ipv4Addr::LOCALHOST.into();
        Part::of(&Asked { rest: String::new(), query: query.to_owned(), client }, "zones", total)
    }

    #[test]
    fn parts_have_all_rows_once_and_lead_to_each_other() {
        for (query, total, rows) in [
            ("", 0, 0..0),
            ("", 100, 0..100),
            ("", 101, 0..100),
            ("zones=2", 101, 100..101),
            ("zones=9", 101, 100..101),
            ("zones=0", 101, 0..100),
            ("zones=-1", 250, 0..100),
            ("datasets=3&zones=2", 250, 100..200),
        ] {
            assert_eq!(part(query, total).rows(), rows, "{query} of {total}");
        }
        assert_eq!(part("", 100).ways().into_string(), "");
        let ways = part("datasets=3&zones=2&x=%3Cb%3E", 250).ways().into_string();
        assert!(ways.contains("101 to 200 of 250"), "{ways}");
        for link in ["/?datasets=3&amp;zones=1#zones", "/?datasets=3&amp;zones=3#zones"] {
            assert!(ways.contains(link), "{link}: {ways}");
        }
        assert!(!part("zones=3", 250).ways().into_string().contains("Behind"));
    }
}
