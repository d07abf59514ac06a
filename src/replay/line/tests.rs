use super::LogFormat::{Exim, MDaemon, Postfix, Rspamd};
use super::Mention::{Connected, Named, Screened};
use super::*;
use proptest::prelude::*;

fn read(line: &str) -> Option<(LogFormat, Mention, String)> {
    client(line.as_bytes()).map(|it| (it.format, it.mention, it.address.to_string()))
}

#[test]
fn clients_are_found_where_servers_write_them() {
    for (line, format, mention, address) in [
        (
            "Nov 30 12:44:04 mx postfix/smtpd[123]: connect from a.example[192.0.2.7]",
            Postfix,
            Connected,
            "192.0.2.7",
        ),
        (
            "Nov 30 12:44:04 mx postfix-in/smtpd[1]: connect from unknown[2001:db8::7]",
            Postfix,
            Connected,
            "2001:db8::7",
        ),
        (
            "2026-11-30T12:44:04.1+00:00 mx postfix/postscreen[9]: CONNECT from [192.0.2.7]:4711 to [10.0.0.1]:25",
            Postfix,
            Screened,
            "192.0.2.7",
        ),
        (
            "Nov 30 12:44:04 mx postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.7]:4711: 550 5.7.1 blocked",
            Postfix,
            Named,
            "192.0.2.7",
        ),
        (
            "Nov 30 12:44:04 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked",
            Postfix,
            Named,
            "192.0.2.7",
        ),
        (
            "Nov 30 12:44:04 mx postfix/smtpd[1]: 4F1Gx: client=x[192.0.2.7]",
            Postfix,
            Named,
            "192.0.2.7",
        ),
        (
            "2026-11-30 12:44:04 SMTP connection from [192.0.2.7]:4711 (TCP/IP connection count = 1)",
            Exim,
            Connected,
            "192.0.2.7",
        ),
        (
            "2026-11-30 12:44:04 1abCdE-0001-Xy <= a@b.example H=mail.b.example [192.0.2.7]:4711 I=[10.0.0.1]:25 P=esmtp",
            Exim,
            Named,
            "192.0.2.7",
        ),
        (
            "2026-11-30 12:44:04 H=([10.0.0.9]) [192.0.2.7]:4711 F=<a@b.example> rejected RCPT <c@d.example>: blocked",
            Exim,
            Named,
            "192.0.2.7",
        ),
        (
            "2026-11-30 12:44:04 H=x.example (y) [2001:db8::7] F=<> temporarily rejected RCPT <c@d.example>",
            Exim,
            Named,
            "2001:db8::7",
        ),
        (
            "2026-11-30 12:44:04 #12(normal) <a1>; task; rspamd_task_write_log: id: <x@y>, qid: <4F1G>, ip: 192.0.2.7, from: <a@b>, (default: F (no action): [1.0/15.0] []",
            Rspamd,
            Named,
            "192.0.2.7",
        ),
        (
            "Mon 2026-11-30 12:44:04: Accepting SMTP connection from [192.0.2.7:4711] to [10.0.0.1:25]",
            MDaemon,
            Connected,
            "192.0.2.7",
        ),
        (
            "Mon 2026-11-30 12:44:04: [1:2] Accepting SMTP connection from [192.0.2.7 : 4711]",
            MDaemon,
            Connected,
            "192.0.2.7",
        ),
        (
            "Mon 2026-11-30 12:44:04: [1:2] Accepting SMTP connection from 192.0.2.7:4711 to 10.0.0.1:25",
            MDaemon,
            Connected,
            "192.0.2.7",
        ),
        (
            "Nov 30 12:44:04 mx postfix/smtpd[123]: connect from x[::ffff:192.0.2.7]",
            Postfix,
            Connected,
            "192.0.2.7",
        ),
    ] {
        assert_eq!(read(line), Some((format, mention, address.to_owned())), "{line}");
    }
}

#[test]
fn outgoing_mail_and_own_users_are_no_clients() {
    for line in [
        "",
        "Nov 30 12:44:04 mx postfix/smtpd[123]: connect from unknown[unknown]",
        "Nov 30 12:44:04 mx postfix/smtpd[123]: disconnect from a.example[192.0.2.7] ehlo=1",
        "Nov 30 12:44:04 mx postfix/smtp[123]: 4F1G: to=<a@b>, relay=mx.b[192.0.2.7]:25, status=sent",
        "Nov 30 12:44:04 mx postfix/submission/smtpd[123]: connect from a.example[192.0.2.7]",
        "Nov 30 12:44:04 mx postfix/smtps/smtpd[123]: connect from a.example[192.0.2.7]",
        "Nov 30 12:44:04 mx postfix/smtpd[1]: 4F1G: client=x[192.0.2.7], sasl_method=PLAIN, sasl_username=me",
        "Nov 30 12:44:04 mx postfix/smtpd[1]: warning: hostname x does not resolve to address 192.0.2.7",
        "2026-11-30 12:44:04 1abCdE-0001-Xy => a@b.example R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.7]",
        "2026-11-30 12:44:04 1abCdE-0001-Xy ** a@b.example H=mx.b.example [192.0.2.7]: SMTP error, rejected RCPT",
        "2026-11-30 12:44:04 1abCdE-0001-Xy <= a@b.example H=x [192.0.2.7] P=esmtpsa A=plain:me S=1",
        "2026-11-30 12:44:04 SMTP connection from x (y) [192.0.2.7]:4711 closed by QUIT",
        "2026-11-30 12:44:04 #12(n) <a>; task; rspamd_task_write_log: id: <x>, qid: <q>, ip: 192.0.2.7, user: me, from: <a>",
        "2026-11-30 12:44:04 H=x [192.0.2.7] F=<a> rejectedRCPT",
        "a word with 192.0.2.7 in it",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

/// What others wrote, in a line of another program, is no client.
#[test]
fn a_text_that_is_logged_is_no_client() {
    for head in [
        "Nov 30 12:44:04 mx postfix/cleanup[5]: 4F1G: warning: header Subject: ",
        "2026-11-30T12:44:04+00:00 mx postfix/cleanup[5]: 4F1G: info: header Subject: ",
    ] {
        for line in [
            "postfix/smtpd[1]: connect from x[192.0.2.7]",
            "a H=x [192.0.2.7] rejected RCPT",
            "SMTP connection from [192.0.2.7]:1 (TCP/IP connection count = 1)",
            "x; task; rspamd_task_write_log: id: <x>, qid: <q>, ip: 192.0.2.7, from: <a>",
            "Accepting SMTP connection from [192.0.2.7]",
        ] {
            assert_eq!(read(&format!("{head}{line}")), None, "{head}{line}");
        }
    }
    for (tag, line) in [
        ("exim[5]", "2026-11-30 12:44:04 H=x [192.0.2.7] F=<a> rejected RCPT <b>: no"),
        ("exim4[5]", "SMTP connection from [192.0.2.7]:1 (TCP/IP connection count = 1)"),
        (
            "rspamd[5]",
            "<a1>; task; rspamd_task_write_log: id: <x>, qid: <q>, ip: 192.0.2.7, from: <a>",
        ),
    ] {
        let line = format!("Nov 30 12:44:04 mx {tag}: {line}");
        assert_eq!(read(&line).map(|it| it.2), Some("192.0.2.7".to_owned()), "{line}");
    }
}

/// What a client says of itself does not pass for another client.
#[test]
fn a_client_cannot_pass_for_another() {
    for line in [
        "Nov 30 12:44:04 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 504 <connect from y[198.51.100.1]>: Helo",
        "2026-11-30 12:44:04 H=([198.51.100.1]) [192.0.2.7]:1 F=<H=x[198.51.100.1]@y> rejected RCPT <a>: no",
        "2026-11-30 12:44:04 H=x ([198.51.100.1]) [192.0.2.7]:1 F=<a> rejected RCPT <a>: H= [198.51.100.1]",
    ] {
        assert_eq!(read(line).map(|it| it.2), Some("192.0.2.7".to_owned()), "{line}");
    }
}

/// The lines that servers write, by their documents, with these parts.
fn written(
    form: usize,
    address: IpAddr,
    name: &str,
    helo: &str,
) -> (String, Option<(LogFormat, Mention)>) {
    let host = if name.is_empty() { String::new() } else { format!("{name} ") };
    match form {
        0 => (
            format!("Nov 30 12:44:04 mx postfix/smtpd[7]: connect from {name}[{address}]"),
            Some((Postfix, Connected)),
        ),
        1 => (
            format!(
                "Nov 30 12:44:04 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from {name}[{address}]: 554 5.7.1 <{helo}>: no; from=<a@b> helo=<{helo}>"
            ),
            Some((Postfix, Named)),
        ),
        2 => (
            format!(
                "Nov 30 12:44:04 mx postfix/postscreen[7]: CONNECT from [{address}]:9 to [10.0.0.1]:25"
            ),
            Some((Postfix, Screened)),
        ),
        3 => (
            format!(
                "Nov 30 12:44:04 mx postfix/smtpd[7]: disconnect from {name}[{address}] ehlo=1"
            ),
            None,
        ),
        4 => (
            format!(
                "2026-11-30 12:44:04 H={host}({helo}) [{address}]:9 F=<a@b> rejected RCPT <c@d>: no"
            ),
            Some((Exim, Named)),
        ),
        5 => (
            format!(
                "2026-11-30 12:44:04 1a-2b-3c <= a@b H={host}({helo}) [{address}]:9 P=esmtp S=1"
            ),
            Some((Exim, Named)),
        ),
        6 => (format!("2026-11-30 12:44:04 1a-2b-3c => a@b R=r T=t H={host}[{address}]"), None),
        7 => (
            format!(
                "2026-11-30 12:44:04 #7(normal) <a>; task; rspamd_task_write_log: id: <{helo}>, qid: <q>, ip: {address}, from: <a@b>, (default"
            ),
            Some((Rspamd, Named)),
        ),
        _ => (
            format!("Mon 2026-11-30 12:44:04: [7:1] Accepting SMTP connection from [{address}]"),
            Some((MDaemon, Connected)),
        ),
    }
}

proptest! {
    #[test]
    fn what_servers_write_is_read(
        form in 0_usize..9,
        bits: u128,
        short: bool,
        name in "([a-z0-9-]{1,8}[.]){0,3}",
        helo in "[A-Za-z0-9.-]{1,12}|\\[[0-9.]{1,12}\\]",
    ) {
        let address = match short {
            true => IpAddr::from((bits as u32).to_be_bytes()),
            false => IpAddr::from(bits.to_be_bytes()).to_canonical(),
        };
        let (line, want) = written(form, address, &name, &helo);
        let found = client(line.as_bytes());
        prop_assert_eq!(found.map(|it| (it.format, it.mention)), want, "{}", line);
        prop_assert!(found.is_none_or(|it| it.address == address), "{}", line);
    }

    /// Whatever a line is, a client's address stands in it as a word: a naive scan finds it, too.
    #[test]
    fn no_bytes_are_too_odd(
        parts in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..12),
                prop::sample::select(vec![
                    "/smtpd[1]: ", "/postscreen[1]: ", "connect from ", "CONNECT from ", "NOQUEUE: ", " from ", "x: client=",
                    "rspamd_task_write_log: ", ", ip: ", ",", "Accepting SMTP connection from ", " SMTP connection from [",
                    " (TCP/IP connection count", " H=", " <= ", " rejected ", "[", "]", "]: ", "192.0.2.7", "::1", "2001:db8::7",
                ])
                .prop_map(|text| text.as_bytes().to_vec()),
            ],
            0..10,
        ),
    ) {
        let line = parts.concat();
        if let Some(it) = client(&line) {
            let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b".:IPv".contains(byte);
            let words = line.split(|byte| !is_part(byte)).filter_map(|word| std::str::from_utf8(word).ok());
            let mut starts = words.flat_map(|word| (0..word.len()).map(move |start| &word[start..]));
            let is_it = |text: &str| text.parse().is_ok_and(|found: IpAddr| found.to_canonical() == it.address);
            let stands = starts.any(|word| (1..=word.len()).any(|end| is_it(&word[..end])));
            prop_assert!(stands, "{:?}", String::from_utf8_lossy(&line));
        }
    }
}
