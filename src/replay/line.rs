//! The client in a line of a mail server's log.
//!
//! Each form is read by its fixed words, from the left, and only in lines of the program that writes them: what a
//! client says of itself (its HELO name, the sender, a header that is logged) cannot pass for another client where the
//! server writes the address first. Lines about outgoing mail, and about the server's own users, who have
//! authenticated, have no client.

use memchr::memmem::find;
use std::net::IpAddr;

/// Whose log a line is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum LogFormat {
    Postfix,
    Exim,
    Rspamd,
    MDaemon,
}

/// How a line names a client: of one connection, there may be lines of each sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mention {
    /// It has connected to the screen before the server (postscreen).
    Screened,
    /// It has connected to the server.
    Connected,
    /// It is named later: its mail is taken or refused.
    Named,
}

/// A client in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) mention: Mention,
    pub(crate) format: LogFormat,
}

impl LogFormat {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Postfix, Self::Exim, Self::Rspamd, Self::MDaemon];

    /// The name of the program.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postfix => "Postfix",
            Self::Exim => "Exim",
            Self::Rspamd => "rspamd",
            Self::MDaemon => "MDaemon",
        }
    }
}

/// The client that a line names, without its end.
pub(crate) fn client(line: &[u8]) -> Option<Client> {
    let of = |format| move |(mention, address)| Client { address, mention, format };
    if let Some(text) = after_tag(line, b"/smtpd[") {
        return smtpd(text).map(of(LogFormat::Postfix));
    }
    if let Some(text) = after_tag(line, b"/postscreen[") {
        return postscreen(text).map(of(LogFormat::Postfix));
    }
    if let Some((head, text)) = split(line, b"rspamd_task_write_log: ")
        && is_of(head, b"rspamd[")
    {
        return rspamd(text).map(of(LogFormat::Rspamd));
    }
    if let Some((head, text)) = split(line, b"Accepting SMTP connection from ")
        && is_of_mdaemon(head)
    {
        let address = leading_address(text.strip_prefix(b"[").unwrap_or(text))?;
        return Some(of(LogFormat::MDaemon)((Mention::Connected, address)));
    }
    exim(line).map(of(LogFormat::Exim))
}

/// True if a line that begins so is of this program (with the bracket behind its name), or of its own log without a
/// tag of syslog.
fn is_of(head: &[u8], program: &[u8]) -> bool {
    find(head, b"]: ").is_none_or(|end| find(&head[..end], program).is_some())
}

/// True for `Mon 2026-11-30 12:44:04: `, perhaps with the number of a session in brackets behind it.
fn is_of_mdaemon(head: &[u8]) -> bool {
    let session = head.get(25..).unwrap_or(&[]);
    let is_session = |byte: &u8| byte.is_ascii_digit() || b"[:] ".contains(byte);
    matches!(head, [_, _, _, b' ', _, _, _, _, b'-', ..])
        && head.get(23..25) == Some(b": ")
        && session.iter().all(is_session)
}

/// The text behind the process number of a tag of syslog: `/smtpd[123]: TEXT`. Services for the server's own users
/// (`submission/smtpd`, `smtps/smtpd`) are left out.
fn after_tag<'l>(line: &'l [u8], tag: &[u8]) -> Option<&'l [u8]> {
    let at = find(line, tag)?;
    // Another tag stands before: this is a text that is logged.
    if line[..at].contains(&b']') {
        return None;
    }
    let service = line[..at].rsplit(|byte| *byte == b' ').next()?;
    let is_for_users = |name: &[u8]| [&b"submission"[..], b"submissions", b"smtps"].contains(&name);
    if service.split(|byte| *byte == b'/').any(is_for_users) {
        return None;
    }
    let rest = &line[at + tag.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..)?.strip_prefix(b"]: ")
}

fn smtpd(text: &[u8]) -> Option<(Mention, IpAddr)> {
    if let Some(client) = text.strip_prefix(b"connect from ") {
        return Some((Mention::Connected, bracketed(client)?));
    }
    if let Some(text) = text.strip_prefix(b"NOQUEUE: ") {
        return Some((Mention::Named, bracketed(after(text, b" from ")?)?));
    }
    // QUEUEID: client=NAME[ADDRESS], sasl_method=...
    let is_id = |byte: &u8| byte.is_ascii_alphanumeric();
    let id = text.iter().take_while(|byte| is_id(byte)).count();
    let client = text[id..].strip_prefix(b": client=")?;
    let is_user = find(client, b", sasl_username=").is_some();
    (!is_user).then(|| Some((Mention::Named, bracketed(client)?)))?
}

fn postscreen(text: &[u8]) -> Option<(Mention, IpAddr)> {
    if let Some(client) = text.strip_prefix(b"CONNECT from ") {
        return Some((Mention::Screened, bracketed(client)?));
    }
    let text = text.strip_prefix(b"NOQUEUE: ")?;
    Some((Mention::Named, bracketed(after(text, b" from ")?)?))
}

/// `id: <...>, qid: <...>, ip: ADDRESS, from: ...`; `user: ` stands behind the address of a user.
fn rspamd(text: &[u8]) -> Option<(Mention, IpAddr)> {
    let text = after(text, b", ip: ")?;
    let (address, rest) = text.split_at(text.iter().position(|byte| *byte == b',')?);
    let is_user = rest.starts_with(b", user: ");
    (!is_user).then(|| Some((Mention::Named, address_of(address)?)))?
}

/// `... SMTP connection from [ADDRESS]:PORT (TCP/IP connection count = 1)`, `... ID <= SENDER H=NAME (HELO)
/// [ADDRESS]:PORT ...`, `... H=(HELO) [ADDRESS] F=<SENDER> rejected RCPT ...`
fn exim(line: &[u8]) -> Option<(Mention, IpAddr)> {
    if let Some((head, client)) = split(line, b" SMTP connection from [") {
        if !is_of(head, b"exim") {
            return None;
        }
        let (address, rest) = client.split_at(client.iter().position(|byte| *byte == b']')?);
        find(rest, b" (TCP/IP connection count")?;
        return Some((Mention::Connected, address_of(address)?));
    }
    let (head, host) = split(line, b" H=")?;
    let is_out = [&b" => "[..], b" -> ", b" ** ", b" == ", b" >> "];
    if !is_of(head, b"exim") || is_out.iter().any(|sign| find(head, sign).is_some()) {
        return None;
    }
    let (address, rest) = exim_host(host)?;
    let is_taken = find(head, b" <= ").is_some() && find(rest, b" A=").is_none();
    (is_taken || find(rest, b" rejected ").is_some()).then_some((Mention::Named, address))
}

/// The address of `NAME (HELO) [ADDRESS]`, of which the first two may be missing, and what stands behind it.
fn exim_host(host: &[u8]) -> Option<(IpAddr, &[u8])> {
    let mut rest = host;
    loop {
        if let Some(text) = rest.strip_prefix(b"[") {
            let (address, rest) = text.split_at(text.iter().position(|byte| *byte == b']')?);
            return Some((address_of(address)?, rest));
        }
        // A HELO name in parentheses may be an address in brackets; it has no blank.
        let blank = rest.iter().position(|byte| *byte == b' ')?;
        rest = &rest[blank + 1..];
    }
}

/// The address of `NAME[ADDRESS]`, where no name has a bracket.
fn bracketed(text: &[u8]) -> Option<IpAddr> {
    let text = &text[text.iter().position(|byte| *byte == b'[')? + 1..];
    address_of(&text[..text.iter().position(|byte| *byte == b']')?])
}

/// The address that a text begins with, up to a port or a blank.
fn leading_address(text: &[u8]) -> Option<IpAddr> {
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'.' || *byte == b':';
    let text = &text[..text.iter().take_while(|byte| is_part(byte)).count()];
    let port = || &text[..text.iter().position(|byte| *byte == b':').unwrap_or(text.len())];
    address_of(text).or_else(|| address_of(port()))
}

fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = text.strip_prefix(b"IPv6:").unwrap_or(text);
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// What stands before and behind some words.
fn split<'t>(text: &'t [u8], words: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = find(text, words)?;
    Some((&text[..at], &text[at + words.len()..]))
}

fn after<'t>(text: &'t [u8], words: &[u8]) -> Option<&'t [u8]> {
    split(text, words).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests;
