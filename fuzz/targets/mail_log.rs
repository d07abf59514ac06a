//! Any bytes as a line of a mail server's log.

use dnsbld::replay::client_and_time;
use std::net::IpAddr;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"Nov 30 12:44:04 mx postfix/smtpd[1]: ",
    b"postfix/postscreen[1]: ",
    b"connect from ",
    b"CONNECT from ",
    b"NOQUEUE: reject: RCPT from ",
    b"4F1G: client=",
    b", sasl_username=",
    b"2026-11-30 12:44:04 ",
    b" SMTP connection from [",
    b" (TCP/IP connection count = 1)",
    b" <= a@b H=",
    b" => a@b H=",
    b" rejected RCPT ",
    b" A=plain:x",
    b"rspamd_task_write_log: ",
    b", ip: ",
    b", user: ",
    b"Accepting SMTP connection from ",
    b"[192.0.2.7]",
    b"[2001:db8::7]",
    b"[::ffff:192.0.2.7]:4711",
    b"+01:00",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let lines = [
        "Nov 30 12:44:04 mx postfix/smtpd[1]: connect from a.example[192.0.2.7]",
        "2026-11-30T12:44:04.1+00:00 mx postfix/postscreen[9]: CONNECT from [2001:db8::7]:4711 to [10.0.0.1]:25",
        "2026-11-30 12:44:04 H=([10.0.0.9]) [192.0.2.7]:4711 F=<a@b.example> rejected RCPT <c@d.example>: no",
        "2026-11-30 12:44:04 #12(normal) <a1>; task; rspamd_task_write_log: id: <x@y>, qid: <4F>, ip: 192.0.2.7, from: <a>",
        "Mon 2026-11-30 12:44:04: [1:2] Accepting SMTP connection from [192.0.2.7:4711] to [10.0.0.1:25]",
    ];
    lines.map(|line| line.as_bytes().to_vec()).into()
}

/// The address of a client stands in the line: a naive scan finds it, too.
pub(crate) fn run(data: &[u8]) {
    let (Some(client), _) = client_and_time(data) else { return };
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b".:".contains(byte);
    // The longest address is one of 45 bytes (RFC 4291 section 2.2).
    let starts = (0..data.len()).filter(|start| is_part(&data[*start]));
    let mut words = starts.flat_map(|start| {
        let most = data[start..].iter().take(45).take_while(|byte| is_part(byte)).count();
        (1..=most).map(move |len| &data[start..start + len])
    });
    let is_it = |word: &[u8]| {
        let text = std::str::from_utf8(word).ok();
        let address = text.and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| address.to_canonical() == client)
    };
    assert!(words.any(is_it), "{client} in {:?}", String::from_utf8_lossy(data));
}
