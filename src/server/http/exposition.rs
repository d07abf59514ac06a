//! The text form of metrics that Prometheus reads (exposition formats, version 0.0.4).

use std::fmt::{Display, Write as _};

/// What kind of metric a family is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It only grows, until the server is started again.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

/// Metrics in text.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// Metrics of one name.
#[derive(Debug)]
pub(super) struct Family<'e> {
    out: &'e mut String,
    name: &'static str,
    kind: Kind,
    help: &'static str,
    has_head: bool,
}

impl Exposition {
    /// The samples of one name follow, without those of others between them. `help` is a text of one line.
    pub(super) fn family(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &'static str,
    ) -> Family<'_> {
        Family { out: &mut self.0, name, kind, help, has_head: false }
    }

    /// A family with a single sample, which has no labels.
    pub(super) fn single(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &'static str,
        value: impl Display,
    ) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// The text of all families.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample. Names of labels are made of `a` to `z` and `_`; their values are any text.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// Adds a histogram: for each upper bound in seconds, in rising order, the number of values up to it that no
    /// lower bound holds; the number of the values above all bounds; the sum of all values.
    pub(super) fn histogram(
        &mut self,
        buckets: impl Iterator<Item = (f64, u64)>,
        above: u64,
        sum: f64,
    ) {
        let mut count = 0;
        for (bound, values) in buckets {
            count += values;
            self.line("_bucket", &[("le", &bound.to_string())], count);
        }
        count += above;
        self.line("_bucket", &[("le", "+Inf")], count);
        self.line("_sum", &[], sum);
        self.line("_count", &[], count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.head();
        let Self { out, name, .. } = self;
        let _ = write!(out, "{name}{suffix}");
        for (number, (label, text)) in labels.iter().enumerate() {
            out.push(if number == 0 { '{' } else { ',' });
            let _ = write!(out, "{label}=\"");
            escape(text, out);
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }

    /// A family without samples is not told.
    fn head(&mut self) {
        if self.has_head {
            return;
        }
        self.has_head = true;
        let Self { out, name, kind, help, .. } = self;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_below_the_head_of_their_family() {
        let mut out = Exposition::default();
        out.family("empty", Kind::Gauge, "Nothing.");
        let mut family = out.family("a_total", Kind::Counter, "What is counted.");
        family.sample(&[("zone", "a.example"), ("type", "A")], 3);
        family.sample(&[("zone", "\\\"\n\u{e4}"), ("type", "")], 1_u128 << 70);
        out.single("b", Kind::Gauge, "A figure.", 0.25);
        let want = "# HELP a_total What is counted.\n# TYPE a_total counter\n\
                    a_total{zone=\"a.example\",type=\"A\"} 3\n\
                    a_total{zone=\"\\\\\\\"\\n\u{e4}\",type=\"\"} 1180591620717411303424\n\
                    # HELP b A figure.\n# TYPE b gauge\nb 0.25\n";
        assert_eq!(out.into_text(), want);
    }

    #[test]
    fn buckets_of_a_histogram_add_up() {
        let mut out = Exposition::default();
        let buckets = [(0.000000128, 2), (0.5, 3)].into_iter();
        out.family("t_seconds", Kind::Histogram, "Times.").histogram(buckets, 1, 1.5);
        let want = "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n\
                    t_seconds_bucket{le=\"0.000000128\"} 2\nt_seconds_bucket{le=\"0.5\"} 5\n\
                    t_seconds_bucket{le=\"+Inf\"} 6\nt_seconds_sum 1.5\nt_seconds_count 6\n";
        assert_eq!(out.into_text(), want);
    }
}
