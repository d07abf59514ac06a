//! DNS cookies, asked for by dig and kdig: by one server, by two that share their secrets, over a change of these,
//! and over a restart.

use std::fs;
use std::time::Duration;

use crate::common::{Server, Shown, dig, kdig, temp_dir, wait_until};
use rustix::process::Signal;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);
const NAME: &str = "2.0.0.127.bl.example";
const ONE: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf\n";
const TWO: &str = "445536bcd2513298075a5d379663c962\n";

/// A folder with a list and a configuration, and the secrets of the servers that are started there.
struct Setup {
    folder: TempDir,
}

impl Setup {
    fn new(settings: &str) -> Self {
        let setup = Self { folder: temp_dir() };
        setup.write("list", "127.0.0.2\n");
        let server = format!("[server]\ncontrol = 'off'\n{settings}\n");
        let rest = "[[dataset]]\nname = 'bl'\ntype = 'ip4set'\nfiles = ['list']\n\
            [[zone]]\nname = 'bl.example'\ndatasets = ['bl']\n";
        setup.write("dnsbld.toml", &(server + rest));
        setup
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("the folder is ours");
    }

    fn start(&self) -> Server {
        let arguments = ["--config", "dnsbld.toml", "--listen", "127.0.0.1:0"];
        Server::reporting(&arguments, self.folder.path())
    }
}

/// The cookies that dig shows, in hexadecimal digits, and what it thinks of them.
fn cookie(shown: &Shown) -> (&str, &str) {
    let (_, rest) = shown.0.split_once("; COOKIE: ").unwrap_or_else(|| panic!("{shown:?}"));
    let line = rest.lines().next().unwrap_or_default();
    line.split_once(' ').unwrap_or((line, ""))
}

/// The code that a server gives to this cookie, which it is to know.
fn code(server: &Server, cookie: &str) -> &'static str {
    let shown = dig(server.addr(), &format!("+nobadcookie +cookie={cookie} {NAME}"));
    let codes = ["NOERROR", "BADCOOKIE", "FORMERR"];
    codes.into_iter().find(|code| shown.is(code)).unwrap_or_else(|| panic!("{shown:?}"))
}

#[test]
fn dig_and_kdig_get_a_cookie_and_show_it_again() {
    let server = Setup::new("cookies = 'on'").start();
    let first = dig(server.addr(), &format!("+cookie={} {NAME}", "0123456789abcdef"));
    let (both, verdict) = cookie(&first);
    assert_eq!((both.len(), verdict), (48, "(good)"), "{first:?}");
    assert_eq!(first.data(), ["127.0.0.2"]);
    let again = dig(server.addr(), &format!("+cookie={both} {NAME}"));
    assert_eq!((cookie(&again), again.data()), ((both, "(good)"), first.data()));
    for way in ["+nocookie", "+noedns"] {
        let without = dig(server.addr(), &format!("{way} {NAME}"));
        assert!(!without.0.contains("COOKIE") && without.is("NOERROR"), "{without:?}");
    }
    // kdig checks the cookie of the answer.
    let kdig = kdig(server.addr(), &format!("+cookie=0123456789abcdef {NAME}"));
    assert!(kdig.is("NOERROR") && kdig.0.contains("COOKIE"), "{kdig:?}");
    assert_eq!(kdig.data(), ["127.0.0.2"]);
    let short = dig(server.addr(), &format!("+ednsopt=10:0102 +nocookie {NAME}"));
    assert!(short.is("FORMERR"), "{short:?}");
}

/// RFC 7873 section 5.4.
#[test]
fn dig_gets_a_cookie_without_a_question() {
    for settings in ["cookies = 'on'", "cookies = 'demand'"] {
        let server = Setup::new(settings).start();
        let ask = |cookie: &str| dig(server.addr(), &format!("+header-only +nobadcookie {cookie}"));
        let first = ask("+cookie=0123456789abcdef");
        let (both, verdict) = cookie(&first);
        assert!(first.is("NOERROR") && first.0.contains("QUERY: 0"), "{first:?}");
        assert_eq!((both.len(), verdict), (48, "(good)"), "{first:?}");
        let again = ask(&format!("+cookie={both}"));
        assert!(again.is("NOERROR") && cookie(&again) == (both, "(good)"), "{again:?}");
        let wrong = ask(&format!("+cookie=0123456789abcdef{}", "00".repeat(16)));
        assert!(wrong.is("BADCOOKIE") && cookie(&wrong).1 == "(good)", "{wrong:?}");
        // It is good for questions.
        let asked = dig(server.addr(), &format!("+nobadcookie +cookie={both} {NAME}"));
        assert_eq!(asked.data(), ["127.0.0.2"]);
        assert!(ask("+nocookie").is("FORMERR"));
    }
    let server = Setup::new("").start();
    assert!(dig(server.addr(), "+header-only +cookie").is("FORMERR"));
}

#[test]
fn dig_comes_back_with_the_cookie_that_is_demanded() {
    let server = Setup::new("cookies = 'demand'").start();
    let refused = dig(server.addr(), &format!("+nobadcookie +cookie {NAME}"));
    assert!(refused.is("BADCOOKIE") && refused.data().is_empty(), "{refused:?}");
    assert_eq!(code(&server, cookie(&refused).0), "NOERROR", "another client cookie");
    for way in ["+badcookie +cookie", "+nocookie", "+tcp +nobadcookie +cookie"] {
        let answered = dig(server.addr(), &format!("{way} {NAME}"));
        assert_eq!(answered.data(), ["127.0.0.2"], "{way}: {answered:?}");
    }
}

#[test]
fn servers_that_share_secrets_take_each_others_cookies_while_these_change() {
    let settings = "cookies = 'demand'\ncookie-secrets = 'secrets'";
    let setups = [Setup::new(settings), Setup::new(settings)];
    setups.iter().for_each(|setup| setup.write("secrets", ONE));
    let [one, two] = setups.each_ref().map(Setup::start);
    let cookie_of = |server: &Server| {
        let shown = dig(server.addr(), &format!("+nobadcookie +cookie=0123456789abcdef {NAME}"));
        cookie(&shown).0.to_owned()
    };
    let old = cookie_of(&one);
    assert_eq!([code(&one, &old), code(&two, &old)], ["NOERROR"; 2]);
    let reload = |setup: &Setup, server: &Server, secrets: &str| {
        setup.write("secrets", secrets);
        let told = server.log().matches("event=\"settings-reloaded\"").count() + 1;
        server.signal(Signal::HUP);
        let is_told = || server.log().matches("event=\"settings-reloaded\"").count() == told;
        assert!(wait_until(SOON, is_told), "{}", server.log());
    };
    // RFC 9018 section 5: the new secret is known to all before it is used.
    setups.iter().zip([&one, &two]).for_each(|(setup, server)| {
        reload(setup, server, &format!("{ONE}{TWO}"));
    });
    reload(&setups[0], &one, &format!("{TWO}{ONE}"));
    let new = cookie_of(&one);
    for cookie in [&old, &new] {
        assert_eq!([code(&one, cookie), code(&two, cookie)], ["NOERROR"; 2]);
    }
    // What is wrong changes nothing.
    reload(&setups[0], &one, "no secret\n");
    let log = one.log();
    assert!(log.contains("event=\"cookie-secrets-refused\"") && log.contains("line 1"), "{log}");
    assert_eq!(code(&one, &old), "NOERROR");
    reload(&setups[0], &one, TWO);
    assert_eq!([code(&one, &old), code(&one, &new)], ["BADCOOKIE", "NOERROR"]);
}

#[test]
fn a_secret_of_ones_own_outlives_the_server() {
    let setup = Setup::new("cookies = 'demand'\nstate-dir = 'state'");
    let server = setup.start();
    let shown = dig(server.addr(), &format!("+nobadcookie +cookie=0123456789abcdef {NAME}"));
    let given = cookie(&shown).0;
    drop(server);
    assert_eq!(code(&setup.start(), given), "NOERROR");
}

#[test]
fn a_server_does_not_start_with_secrets_that_are_none() {
    let setup = Setup::new("cookies = 'on'\ncookie-secrets = 'secrets'");
    let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    serve.args(["serve", "--config", "dnsbld.toml", "--listen", "127.0.0.1:0"]);
    let output = serve.current_dir(setup.folder.path()).output().expect("dnsbld starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cookie secrets"), "{said}");
    assert!(said.contains("it cannot be read"), "{said}");
}
