//! A first installation: which lists, which resolver, which mail server; and the files that fit together.

mod config;
mod mail;
mod own;
mod ports;

pub use mail::MailServer;
pub(crate) use own::OwnList;
pub(crate) use ports::{free_listen, in_use};

use crate::config::{Preset, PresetList};
use crate::resolver::Resolver;
use crate::zonefile::Kind;
use std::net::SocketAddr;

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the server listens.
    pub(crate) listen: Vec<SocketAddr>,
    /// The state folder, as the configuration names it.
    pub(crate) state_dir: String,
    /// Public lists.
    pub(crate) feeds: Vec<&'static Preset>,
    /// Lists of whoever asks, whose entries are listed.
    pub(crate) own: Vec<OwnList>,
    /// A list whose entries are let in, whatever the others say.
    pub(crate) allow: Option<OwnList>,
    /// The resolver in front.
    pub(crate) resolver: Option<Resolver>,
    /// The mail server.
    pub(crate) mail: Option<MailServer>,
}

/// A file to write, by its name in the folder of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    /// The name.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) text: String,
}

/// A zone, as a mail server asks it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked<'a> {
    zone: &'a str,
    /// Names are asked for, not addresses.
    is_names: bool,
    /// The value that counts; `None` if any does.
    value: Option<&'static str>,
    use_of: Use,
}

/// What a mail server does with who is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// It refuses the mail.
    Refuse,
    /// It only writes it down, or counts a little: the list is not for refusing, for this reason.
    Watch(&'static str),
    /// It lets the mail in.
    LetIn,
}

/// Zones of public lists whose operators, or whose contents, say that mail is not to be refused for them alone.
const WATCHED: [(&str, &str); 6] = [
    ("dnsbl-2.uceprotect.net", "whole networks"),
    ("dnsbl-3.uceprotect.net", "whole providers"),
    ("ips.backscatterer.org", "for mail from <> only"),
    ("l1.apews.org", "nobody takes entries off"),
    ("l2.apews.org", "whole networks, and nobody takes entries off"),
    ("multi.surbl.org", "for names in the text of a mail"),
];

/// Zones of public lists that let in.
pub(crate) const LETS_IN: [&str; 2] = ["ips.whitelisted.org", "list.dnswl.org"];

/// Why mail is not to be refused for this zone of a public list alone, if it is not.
pub(crate) fn watched(zone: &str) -> Option<&'static str> {
    WATCHED.iter().find(|(name, _)| *name == zone).map(|(_, why)| *why)
}

/// Whether this zone of a public list lets in.
pub(crate) fn lets_in(zone: &str) -> bool {
    LETS_IN.contains(&zone)
}

impl Plan {
    /// The zones, in the order in which they are served.
    pub(crate) fn zones(&self) -> Vec<&str> {
        self.asked().iter().map(|asked| asked.zone).collect()
    }

    /// The configuration.
    pub(crate) fn config(&self) -> String {
        config::text(self)
    }

    /// The files beside the configuration: the lines for the resolver and the mail server.
    pub(crate) fn snippets(&self) -> Vec<Written> {
        let resolver = self.resolver.map(|resolver| Written {
            name: format!("{}.{}", word(resolver), resolver.extension()),
            text: resolver.snippet(&self.zones(), &self.listen),
        });
        let mail = self.mail.map(|mail| mail.files(&self.asked(), self.listen.first().copied()));
        resolver.into_iter().chain(mail.into_iter().flatten()).collect()
    }

    fn asked(&self) -> Vec<Asked<'_>> {
        let own = |list: &OwnList| matches!(list.kind, Kind::Dnset);
        let allow = self.allow.iter().map(|list| Asked {
            zone: &list.zone,
            is_names: own(list),
            value: None,
            use_of: Use::LetIn,
        });
        let lists =
            self.feeds.iter().flat_map(|feed| feed.zones().into_iter().map(|zone| (*feed, zone)));
        let feeds = lists.map(|(feed, zone)| of_feed(feed, zone));
        let listed = self.own.iter().map(|list| Asked {
            zone: &list.zone,
            is_names: own(list),
            value: None,
            use_of: Use::Refuse,
        });
        let mut asked: Vec<_> = allow.chain(feeds).chain(listed).collect();
        // Who is let in is asked first.
        asked.sort_by_key(|asked| asked.use_of != Use::LetIn);
        asked
    }
}

fn of_feed(feed: &'static Preset, zone: &'static str) -> Asked<'static> {
    let list: Option<&PresetList> = feed.lists.iter().find(|list| list.zone == zone);
    let watched = watched(zone).map(Use::Watch);
    let lets_in = lets_in(zone).then_some(Use::LetIn);
    let own_value = list.is_some_and(|list| list.default_a.is_some());
    Asked {
        zone,
        is_names: list.is_some_and(|list| list.kind == Kind::Dnset),
        value: match (lets_in, own_value) {
            (Some(_), _) => None,
            // Of Spamhaus DROP, the only one so far.
            (None, true) => Some("127.0.0.9"),
            (None, false) => Some("127.0.0.2"),
        },
        use_of: lets_in.or(watched).unwrap_or(Use::Refuse),
    }
}

/// The word for a resolver on the command line.
pub(crate) fn word(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
