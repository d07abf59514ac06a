//! The man pages: of each command from its definition, of the configuration from its annotated tour, and of
//! rbldnsd from its list of options.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const MANUAL: &str = "dnsbld";
const SOURCE: &str = concat!("dnsbld ", env!("CARGO_PKG_VERSION"));
const TOUR: &str = include_str!("../../docs/configuration.toml");

/// All of them: each path below `/usr/share`, and the text.
pub(crate) fn all() -> Vec<(String, String)> {
    // `dnsbld help VERB` needs no page.
    let mut command = dnsbld::cli::Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    of_commands(&command, &mut pages);
    pages.push(("man/man5/dnsbld.toml.5".into(), of_configuration(TOUR)));
    pages.push(("man/man8/dnsbld-rbldnsd.8".into(), of_rbldnsd(&dnsbld::rbldnsd::help())));
    pages
}

/// The page of a command, and those of the commands below it.
fn of_commands(command: &Command, pages: &mut Vec<(String, String)>) {
    let man = Man::new(command.clone()).source(SOURCE).manual(MANUAL);
    let mut page = Vec::new();
    man.render(&mut page).expect("memory can be written");
    let page = String::from_utf8(page).expect("the definition is text");
    let see_also = rendered(|roff| {
        let others = match command.get_name() {
            "dnsbld" => "dnsbld.toml(5), dnsbld-rbldnsd(8)",
            _ => "dnsbld(1), dnsbld.toml(5)",
        };
        roff.control("SH", ["SEE ALSO"]).text([roman(others)]);
    });
    pages.push((format!("man/man1/{}", man.get_filename()), page + &see_also));
    for below in command.get_subcommands() {
        of_commands(below, pages);
    }
}

/// The annotated tour: its comments become paragraphs, its settings examples, its tables sections.
fn of_configuration(tour: &str) -> String {
    rendered(|roff| {
        title(roff, "dnsbld.toml", "5", "the configuration of dnsbld");
        roff.control("SH", ["DESCRIPTION"]);
        let mut table = "";
        for block in tour.split("\n\n") {
            let mut lines = block.lines().peekable();
            while let Some(line) = lines.peek().copied() {
                if let Some(name) = table_of(line) {
                    lines.next();
                    if name != table {
                        roff.control("SS", [name]);
                        table = name;
                    } else {
                        verbatim(roff, &[line]);
                    }
                    continue;
                }
                if line == "#" {
                    lines.next();
                    continue;
                }
                let kind = Line::of(line);
                let mut run = Vec::new();
                while let Some(line) = lines.next_if(|line| {
                    Line::of(line) == kind && table_of(line).is_none() && *line != "#"
                }) {
                    run.push(line.strip_prefix("# ").unwrap_or(line));
                }
                match kind {
                    Line::Text => {
                        roff.control("PP", []).text([roman(run.join(" "))]);
                    }
                    Line::Setting | Line::Example => verbatim(roff, &run),
                }
            }
        }
        files(roff, &[("/etc/dnsbld/dnsbld.toml", "is read without --config.")]);
        roff.control("SH", ["SEE ALSO"]);
        roff.text([roman("dnsbld(1), dnsbld-check-config(1), dnsbld-init(1)")]);
    })
}

/// The kinds of lines in the tour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// A comment.
    Text,
    /// An indented part of a comment.
    Example,
    /// A setting, be it off by default (`#key = value`).
    Setting,
}

impl Line {
    fn of(line: &str) -> Self {
        match line.strip_prefix("# ") {
            Some(text) if text.starts_with(' ') => Self::Example,
            Some(_) => Self::Text,
            None => Self::Setting,
        }
    }
}

/// The table that a line begins, `[name]` or `[[name]]`.
fn table_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('#').unwrap_or(line);
    (line.starts_with('[') && line.ends_with(']')).then_some(line)
}

/// The list of options of rbldnsd: lines that begin with a space are an option and its text, others a heading.
fn of_rbldnsd(help: &str) -> String {
    rendered(|roff| {
        title(roff, "dnsbld-rbldnsd", "8", "dnsbld with the command line of rbldnsd");
        roff.control("SH", ["SYNOPSIS"]);
        let usage = help.lines().find_map(|line| line.strip_prefix("usage: rbldnsd "));
        roff.text([bold("rbldnsd "), roman(usage.unwrap_or_default())]);
        roff.control("SH", ["DESCRIPTION"]);
        roff.text([roman(
            "Started by this name, dnsbld takes the command line of rbldnsd, and behaves as rbldnsd does: data \
             files, answers, log, statistics, signals. \"dnsbld migrate\" writes the same as a configuration.",
        )]);
        for line in help.lines().skip_while(|line| !line.starts_with(' ')) {
            match line.strip_prefix(' ') {
                Some(option) => {
                    let (option, text) = option.split_once("  ").unwrap_or((option, ""));
                    roff.control("TP", []).text([bold(option)]);
                    roff.text([roman(text.trim())]);
                }
                None => {
                    roff.control("SS", [line.trim_end_matches([':', '.'])]);
                }
            }
        }
        roff.control("SH", ["SIGNALS"]);
        for (signal, text) in [
            ("HUP", "Reads changed files, and opens the query log again."),
            ("USR1", "Writes statistics to the log and to the file of -s."),
            ("USR2", "Does the same, and counts from 0 again."),
            ("TERM, INT", "End it."),
        ] {
            roff.control("TP", []).text([bold(signal)]);
            roff.text([roman(text)]);
        }
        roff.control("SH", ["SEE ALSO"]).text([roman("dnsbld(1), dnsbld-migrate(1)")]);
    })
}

fn title(roff: &mut Roff, name: &str, section: &str, about: &str) {
    roff.control("TH", [name, section, "", SOURCE, MANUAL]);
    roff.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
}

fn files(roff: &mut Roff, files: &[(&str, &str)]) {
    roff.control("SH", ["FILES"]);
    for (file, text) in files {
        roff.control("TP", []).text([bold(*file)]).text([roman(*text)]);
    }
}

/// Lines that are not filled.
fn verbatim(roff: &mut Roff, lines: &[&str]) {
    roff.control("PP", []).control("RS", ["4"]).control("EX", []);
    for line in lines {
        roff.text([roman(*line)]);
    }
    roff.control("EE", []).control("RE", []);
}

fn rendered(write: impl FnOnce(&mut Roff)) -> String {
    let mut roff = Roff::new();
    write(&mut roff);
    roff.render()
}
