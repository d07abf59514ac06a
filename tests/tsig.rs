//! Signed queries (TSIG, RFC 8945), as dig and kdig sign them.

use crate::common::{Daemon, Setup, Shown, dig, kdig};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Base64 of 32 bytes, and of others.
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

const KEYS: &str = "[[key]]\nname = \"one.key\"\nsecret-file = \"one.secret\"\n\
    [[key]]\nname = \"Two.Key\"\nalgorithm = \"hmac-sha512\"\nsecret-file = \"two.secret\"\n";

fn write_secret(setup: &Setup, file: &str, text: &str) {
    setup.write(file, text);
    fs::set_permissions(setup.path(file), Permissions::from_mode(0o600)).expect("it is ours");
}

fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1 :2:listed\n127.0.0.2 :2:test\n");
    write_secret(&setup, "one.secret", SECRET);
    let clause =
        format!("key \"two.key\" {{\n\talgorithm hmac-sha512;\n\tsecret \"{SECRET}\";\n}};\n");
    write_secret(&setup, "two.secret", &clause);
    setup.configure_lists("", &[("bl.example".into(), "list".into())]);
    let text = fs::read_to_string(setup.path("dnsbld.toml")).expect("it was written");
    setup.write("dnsbld.toml", text + KEYS);
    setup
}

/// Whether the reply is signed, and the program takes the signature.
fn is_proved(shown: &Shown) -> bool {
    let is_signed = shown.0.contains("TSIG PSEUDOSECTION");
    let faults = ["could not be validated", "verify signature", ";; ERROR", "BADSIG"];
    is_signed && !faults.iter().any(|fault| shown.0.contains(fault))
}

fn ask(
    daemon: &Daemon,
    program: fn(std::net::SocketAddr, &str) -> Shown,
    arguments: &str,
) -> Shown {
    program(daemon.addr(), &format!("{arguments} 1.2.0.192.bl.example A"))
}

#[test]
fn a_signed_query_has_a_signed_answer() {
    let daemon = setup().start();
    for key in ["hmac-sha256:one.key", "hmac-sha256:ONE.key", "hmac-sha512:two.key"] {
        let signed = format!("-y {key}:{SECRET}");
        for (program, how) in [
            (dig as fn(_, &str) -> _, ""),
            (dig, "+tcp"),
            (dig, "+noedns +nocookie"),
            (kdig, ""),
            (kdig, "+tcp +noedns"),
        ] {
            let shown = ask(&daemon, program, &format!("{how} {signed}"));
            assert!(is_proved(&shown), "{how} {signed}: {shown:?}");
            assert_eq!(shown.data(), ["127.0.0.2"], "{shown:?}");
        }
        let apex = dig(daemon.addr(), &format!("{signed} bl.example SOA"));
        assert!(is_proved(&apex) && apex.is("NOERROR"), "{apex:?}");
        let other = dig(daemon.addr(), &format!("{signed} elsewhere.example A"));
        assert!(is_proved(&other) && other.is("REFUSED"), "{other:?}");
    }
    let plain = ask(&daemon, dig, "");
    assert!(plain.data() == ["127.0.0.2"] && !plain.0.contains("TSIG"), "{plain:?}");
}

#[test]
fn a_signature_that_does_not_hold_is_refused_with_the_reason() {
    let daemon = setup().start();
    for (how, reason) in [
        (format!("-y hmac-sha256:three.key:{SECRET}"), "BADKEY"),
        (format!("-y hmac-sha512:one.key:{SECRET}"), "BADKEY"),
        (format!("-y hmac-sha256:one.key:{OTHER}"), "BADSIG"),
        (format!("+fuzztime=1500000000 -y hmac-sha256:one.key:{SECRET}"), "BADTIME"),
    ] {
        let shown = ask(&daemon, dig, &how);
        assert!(shown.is("NOTAUTH") && shown.0.contains(reason), "{how}: {shown:?}");
        assert_eq!(shown.data(), [""; 0]);
    }
}

#[test]
fn a_reload_takes_a_new_secret_and_keeps_the_old_for_one_that_cannot_be_read() {
    let setup = setup();
    let daemon = setup.start();
    let asked = |secret| ask(&daemon, dig, &format!("-y hmac-sha256:one.key:{secret}"));
    daemon.write("one.secret", OTHER);
    daemon.reload();
    assert!(is_proved(&asked(OTHER)) && asked(SECRET).0.contains("BADSIG"));
    daemon.write("one.secret", "no secret");
    daemon.reload();
    daemon.expect_log(&["key-unusable", "one.key", "stays in use"], std::time::Duration::ZERO);
    assert!(is_proved(&asked(OTHER)));
}

/// Without keys, a signature is a record like any other: rbldnsd, too, answers without one.
#[test]
fn a_server_without_keys_takes_no_notice_of_signatures() {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1 :2:listed\n");
    setup.configure_lists("", &[("bl.example".into(), "list".into())]);
    let daemon = setup.start();
    let shown = ask(&daemon, dig, &format!("-y hmac-sha256:one.key:{SECRET}"));
    assert!(!is_proved(&shown) && shown.is("NOERROR"), "{shown:?}");
}
