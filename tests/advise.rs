//! `dnsbld advise`: what it prints for the sample zones, in the programs it is for; and what it finds in a
//! configuration.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::postfix::{MAIL, Postfix, SCREENED, mail};
use crate::common::{
    Ended, Exim, Process, Server, Unbound, dnsbld, free_port, is_root, sealed, skip, temp_dir,
};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/zones/dnsbld.toml");
/// The zones that `deploy/unbound.conf` knows.
const ZONES: [&str; 4] = ["l1.apews.org", "l2.apews.org", "white.example", "zen.example"];

/// A listed client, one that is listed and on the allow list, one in no list.
const LISTED: [u8; 4] = [61, 135, 132, 132];
const ALLOWED: [u8; 4] = [198, 51, 100, 25];
const UNLISTED: [u8; 4] = [100, 64, 9, 9];

/// What is advised for a program by the files alone.
fn advised(program: &str) -> String {
    let arguments = ["advise", "--offline", "--config", SAMPLES, program];
    let said = dnsbld(Path::new("/"), &[&arguments[..], &ZONES].concat());
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    said.out
}

fn judged(program: &str, text: &str, arguments: &[&str]) -> Ended {
    let folder = temp_dir();
    fs::write(folder.path().join("it"), text).expect("our folder");
    let all = ["advise", "--offline", "--config", SAMPLES, program, "--check", "it"];
    dnsbld(folder.path(), &[&all[..], arguments].concat())
}

#[test]
fn the_lines_have_the_values_of_the_data_and_what_stands_behind_them() {
    let postfix = advised("postfix");
    for line in [
        "    permit_dnswl_client white.example=127.0.5.[2..3]",
        "    # zen.example 127.0.0.10: ",
        "    reject_rbl_client zen.example=127.0.0.",
        "    warn_if_reject reject_rbl_client l2.apews.org=127.0.0.2",
    ] {
        assert!(postfix.contains(line), "{line}: {postfix}");
    }
    let mdaemon = advised("mdaemon");
    assert!(mdaemon.contains("DNS-BL host: zen.example\n"), "{mdaemon}");
    assert!(mdaemon.contains("# white.example: an allow list cannot be asked"), "{mdaemon}");
}

#[test]
fn a_running_server_tells_what_its_files_tell() {
    let folder = temp_dir();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("bad", "192.0.2.0/24 :127.0.0.2:Bad, see https://bl.example/?$\n192.0.2.9 :127.0.0.4:\n");
    write("refusing", "198.51.100.1 :127.255.255.254:Ask elsewhere\n");
    write("good", "192.0.2.9\n");
    write(
        "dnsbld.toml",
        "[server]\ncontrol = 'control'\n\
         [[dataset]]\nname = 'bad'\ntype = 'ip4set'\nfiles = ['bad']\n\
         [[dataset]]\nname = 'refusing'\ntype = 'ip4set'\nfiles = ['refusing']\n\
         [[dataset]]\nname = 'good'\ntype = 'ip4set'\nfiles = ['good']\n\
         [[zone]]\nname = 'bl.example'\ndatasets = ['bad', 'refusing']\nallow = ['good']\n\
         [[zone]]\nname = 'wl.example'\ndatasets = ['good']\n\
         [[zone]]\nname = 'all.example'\nsum = { bad = 5, refusing = 1 }\n\
         at = { 2 = '127.0.0.2', 5 = '127.0.0.5' }\n",
    );
    let (config, socket) = (folder.path().join("dnsbld.toml"), folder.path().join("control"));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let _server = Server::configured(&config, address, &["bl.example", "wl.example"]);
    let advise = |arguments: &[&str]| {
        let said = dnsbld(folder.path(), &[&["advise", "postfix"], arguments].concat());
        assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
        said.out
    };
    let socket = socket.to_str().expect("ASCII");
    let asked = advise(&["--socket", socket]);
    assert_eq!(asked, advise(&["--offline", "--config", "dnsbld.toml"]));
    let expected = "\
smtpd_client_restrictions =
    permit_mynetworks
    # wl.example 127.0.0.2: 1 IPv4 address
    permit_dnswl_client wl.example=127.0.0.2
    # bl.example 127.0.0.2: 255 IPv4 addresses in 2 ranges: Bad, see https://bl.example/?$
    reject_rbl_client bl.example=127.0.0.2
    # all.example 127.0.0.5: weights of 5 or more
    reject_rbl_client all.example=127.0.0.5
    # all.example 127.0.0.2: weights of 2 or more
    # all.example: a sum below the highest; nobody is refused for it alone
    warn_if_reject reject_rbl_client all.example=127.0.0.2
";
    assert!(asked.starts_with(expected), "{asked}");
    let left_out =
        "# bl.example 127.255.255.254: a refused question, not a listing; it is left out";
    assert!(asked.contains(left_out), "{asked}");
    let json = advise(&["--json", "--socket", socket, "bl.example"]);
    let codes: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(codes["zones"][0]["codes"][0]["ip4_addresses"], 255);
}

#[test]
fn postfix_does_as_the_lists_say() {
    if !is_root() {
        return skip("Postfix changes its user, which only root may");
    }
    sealed(|| {
        let _server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let postfix = Postfix::start(&advised("postfix"));
        let reply = |client| mail(MAIL, client, "joe@clean.example");
        let neighbour = reply([198, 51, 100, 26]);
        assert!(neighbour.starts_with("554 ") && neighbour.contains("zen.example"), "{neighbour}");
        assert!(reply(ALLOWED).starts_with("250 "));
        assert!(reply(UNLISTED).starts_with("250 "));
        // A list that is not for refusing only makes Postfix write.
        assert!(reply(LISTED).starts_with("250 "));
        let screened = mail(SCREENED, [198, 51, 100, 26], "joe@clean.example");
        assert!(screened.starts_with("550 "), "{screened}");
        assert!(mail(SCREENED, ALLOWED, "joe@clean.example").starts_with("250 "));
        let log = postfix.log();
        assert!(log.contains("reject_warning:") && !log.contains("fatal:"), "{log}");
        let warnings = log.lines().filter(|line| line.contains(" warning: "));
        assert_eq!(warnings.count(), 0, "{log}");
    });
}

#[test]
fn exim_does_as_the_lists_say() {
    if !is_root() {
        return skip("Exim changes its user, which only root may");
    }
    sealed(|| {
        let _server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let exim = Exim::new(&advised("exim"));
        let reply = |client| exim.reply(client, "joe@clean.example");
        let neighbour = reply([198, 51, 100, 26]);
        assert!(neighbour.starts_with("550") && neighbour.contains("zen.example"), "{neighbour}");
        assert!(reply(ALLOWED).starts_with("250 "));
        assert!(reply(UNLISTED).starts_with("250 "));
        assert!(reply(LISTED).starts_with("250 "));
    });
}

#[test]
fn rspamd_counts_as_the_lists_say() {
    if !is_root() {
        return skip("rspamd keeps its files where only root may write");
    }
    sealed(|| {
        let _server = Server::samples();
        let folder = temp_dir();
        let path = folder.path().display();
        let output = folder.path().to_str().expect("ASCII");
        let arguments = ["advise", "--offline", "--config", SAMPLES, "-o", output, "rspamd"];
        assert_eq!(dnsbld(Path::new("/"), &[&arguments[..], &ZONES].concat()).code, 0);
        // The list of top-level domains that it brings takes it ten seconds to read.
        fs::write(folder.path().join("tld"), "example\norg\n").expect("our folder");
        let settings = format!(
            "options {{ pidfile = \"{path}/pid\"; filters = \"\"; url_tld = \"{path}/tld\"; tempdir = \"{path}\";\n\
             dns {{ nameserver = [\"127.0.0.1:5300\"]; }} cache_file = \"{path}/cache\"; hs_cache_dir = \"{path}\";\n\
             local_addrs = []; rrd = \"\"; history_file = \"\"; }}\nlogging {{ type = \"console\"; }}\n\
             worker \"normal\" {{ bind_socket = \"127.0.0.1:11333\"; count = 1; }}\nactions {{ reject = 15; }}\n\
             rbl {{ .include \"{path}/rbl.conf\" }}\ngroup \"rbl\" {{ .include \"{path}/rbl_group.conf\" }}\n\
             modules {{ path = \"/usr/share/rspamd/plugins/rbl.lua\"; }}\nlua = \"/usr/share/rspamd/rules/rspamd.lua\";\n"
        );
        fs::write(folder.path().join("rspamd.conf"), settings).expect("our folder");
        let mut command = Command::new("rspamd");
        command.args(["-f", "-i", "-c"]).arg(folder.path().join("rspamd.conf"));
        let mut rspamd = Process::start(&mut command, &folder.path().join("log"));
        let filter = SocketAddr::from((Ipv4Addr::LOCALHOST, 11333));
        rspamd.wait(Duration::from_secs(30), |_| TcpStream::connect(filter).is_ok());
        let symbols = |client: [u8; 4], name: &str| {
            let text =
                format!("From: <a@clean.example>\r\nSubject: x\r\n\r\nhttp://{name}/page\r\n");
            let mut stream = TcpStream::connect(filter).expect("it listens");
            write!(
                stream,
                "POST /checkv2 HTTP/1.0\r\nIP: {}\r\nContent-Length: {}\r\n\r\n{text}",
                Ipv4Addr::from(client),
                text.len()
            )
            .expect("it reads");
            let mut reply = String::new();
            stream.read_to_string(&mut reply).expect("it answers");
            let (_, body) = reply.split_once("\r\n\r\n").expect("a body");
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            let symbols = body["symbols"].as_object().expect("an object").clone();
            let ours = symbols.into_iter().filter(|(name, _)| name.starts_with("DNSBLD_"));
            ours.map(|(name, symbol)| format!("{name} {}", symbol["score"])).collect::<Vec<_>>()
        };
        assert_eq!(symbols(LISTED, "clean.example"), ["DNSBLD_L2_APEWS_ORG_2 0.5"]);
        assert_eq!(symbols([198, 51, 100, 26], "clean.example"), ["DNSBLD_ZEN_EXAMPLE_2 6.0"]);
        let allowed = symbols(ALLOWED, "clean.example");
        assert!(allowed.contains(&"DNSBLD_WHITE_EXAMPLE_0_5_3 -4.0".to_owned()), "{allowed:?}");
        assert_eq!(symbols(UNLISTED, "clean.example"), [""; 0]);
        let named = symbols(UNLISTED, "www.casino.example");
        assert_eq!(named, ["DNSBLD_L1_APEWS_ORG_NAME_2 0.5"]);
    });
}

#[test]
fn spamassassin_counts_as_the_lists_say() {
    sealed(|| {
        let _server = Server::samples();
        let folder = temp_dir();
        let site = folder.path().join("site");
        fs::create_dir(&site).expect("our folder");
        fs::create_dir(folder.path().join("rules")).expect("our folder");
        // Without a file there, it thinks that it is not installed.
        fs::write(folder.path().join("rules/10.cf"), "").expect("our folder");
        let plugins = ["DNSEval", "URIDNSBL", "Check"]
            .map(|name| format!("loadplugin Mail::SpamAssassin::Plugin::{name}\n"));
        fs::write(site.join("init.pre"), plugins.concat()).expect("our folder");
        let settings = "dns_available yes\ndns_server 127.0.0.1:5300\nuse_bayes 0\nutil_rb_tld example\n\
                        add_header all Tests _TESTSSCORES(,)_\nclear_trusted_networks\nclear_internal_networks\n\
                        trusted_networks 192.0.2.250\ninternal_networks 192.0.2.250\n";
        fs::write(site.join("local.cf"), settings.to_owned() + &advised("spamassassin"))
            .expect("our folder");
        let tests = |client: [u8; 4], name: &str| {
            let mut child = Command::new("spamassassin")
                .args(["-x", "--nocreate-prefs", "-p", "/dev/null", "-C"])
                .arg(folder.path().join("rules"))
                .arg(format!("--siteconfigpath={}", site.display()))
                .env("HOME", folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts");
            let text = format!(
                "Received: from c.example (c.example [{}]) by mx.test (Postfix) with ESMTP id 1; \
                 Mon, 01 Jan 2024 00:00:00 +0000\nFrom: <a@clean.example>\nSubject: x\n\nhttp://{name}/page\n",
                Ipv4Addr::from(client)
            );
            child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
            let output = child.wait_with_output().expect("it ends");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // A long header has several lines.
            let text = text.replace("\n\t", "").replace("\n ", "");
            let line = text.lines().find_map(|line| line.strip_prefix("X-Spam-Tests: "));
            line.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        assert_eq!(tests(LISTED, "clean.example"), "DNSBLD_L2_APEWS_ORG_2=0.5");
        assert!(tests(ALLOWED, "clean.example").contains("DNSBLD_WHITE_EXAMPLE_0_5_3=-4"));
        let named = tests(UNLISTED, "www.casino.example");
        assert_eq!(named, "DNSBLD_L1_APEWS_ORG_NAME_2=0.5");
    });
}

#[test]
fn a_configuration_is_judged() {
    let said = judged("postfix", &advised("postfix"), &[]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = "smtpd_client_restrictions =\n    reject_rbl_client zen.example,\n    \
                reject_rbl_client bl.spamcop.test=127.0.0.2\n    reject_rbl_client white.example=127.0.5.3\n";
    let said = judged("postfix", text, &[]);
    let expected = "\
it:2: zen.example: every value counts; if the list is shut down and answers for everybody, or a resolver makes an \
answer up, everybody is taken for listed
    name the values of the data: 127.0.0.2, 127.0.0.3, 127.0.0.4, 127.0.0.10
it:3: bl.spamcop.test: no zone of this server has this name; each question goes to the public DNS
    serve the zone, correct its name, or say --elsewhere bl.spamcop.test if it is meant to be asked there
it:4: white.example: 127.0.5.3 is of an allow list; who is on it is refused, or counted against
    let in by these values, or leave them out
it: 3 questions of lists, 3 findings
";
    assert_eq!((said.code, &*said.out), (1, expected));
    let said = judged("postfix", text, &["--json", "--elsewhere", "bl.spamcop.test"]);
    let found: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let faults: Vec<_> = found["findings"].as_array().expect("a list").iter().collect();
    assert_eq!((said.code, faults.len()), (1, 2));
    assert_eq!((&faults[0]["line"], &faults[0]["fault"]), (&2.into(), &"no-filter".into()));
    assert_eq!(judged("mdaemon", "", &[]).code, 2);
}
