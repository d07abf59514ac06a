//! Each resolver with its example of `deploy/`, and with protection against DNS rebinding: it finds what is listed,
//! `dnsbld doctor` finds no fault, and a restart of the server is soon forgotten. Then each is broken on purpose,
//! and the doctor has to say how.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::resolver::{Program, RunningResolver};
use crate::common::{Server, dig, is_root, sealed, skip, temp_dir, wait_until};
use serde_json::Value;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const ZONES: [&str; 4] = ["l2.apews.org", "l1.apews.org", "white.example", "zen.example"];

/// How long a resolver may go on failing after the server is back (docs/mail-server.md).
const HEALS: Duration = Duration::from_secs(5);

fn example(file: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(file)).expect("it is there")
}

/// What the doctor says of a resolver: the exit code, the faults of each zone, and all of it.
struct Diagnosis {
    code: i32,
    faults: Vec<(String, String)>,
    text: String,
}

fn doctor(at: SocketAddr, zones: &[&str]) -> Diagnosis {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("RUNTIME_DIRECTORY");
    command.args(["doctor", "--json", "--resolver", &at.to_string()]).args(zones);
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = value["findings"].as_array().expect("a list");
    let faults =
        findings.iter().map(|finding| (word(&finding["zone"]), word(&finding["fault"]))).collect();
    Diagnosis { code: output.status.code().expect("it has ended"), faults, text }
}

/// A healthy resolver.
fn assert_well(program: Program, settings: &str) {
    let mut server = Some(Server::samples());
    let resolver = RunningResolver::start(program, settings);
    let ask = |name: &str| dig(program.addr(), &format!("+time=5 {name}"));
    for (name, data) in [
        ("132.132.135.61.l2.apews.org", "127.0.0.2"),
        ("www.casino.example.l1.apews.org", "127.0.0.2"),
        ("25.100.51.198.white.example", "127.0.5.3"),
        ("103.113.0.203.zen.example", "127.0.0.4"),
    ] {
        let listed = ask(name);
        assert_eq!(listed.data(), [data], "{name}: {listed:?}\n{}", resolver.log());
    }
    for name in ["9.9.9.9.l2.apews.org", "clean.example.l1.apews.org"] {
        let unlisted = ask(name);
        assert!(unlisted.is("NXDOMAIN"), "{unlisted:?}");
    }
    let found = doctor(program.addr(), &ZONES);
    assert_eq!((found.code, &found.faults[..]), (0, &[][..]), "{}", found.text);

    // While the server is down nothing is listed, or found to be unlisted, that was not asked before.
    server.take();
    for name in ["100.113.0.203.zen.example", "8.8.8.8.l2.apews.org"] {
        let lost = dig(program.addr(), &format!("+time=1 {name}"));
        assert!(!lost.is("NOERROR") && !lost.is("NXDOMAIN") && lost.data().is_empty(), "{lost:?}");
    }
    let found = doctor(program.addr(), &ZONES);
    assert_eq!(found.faults, [("-".into(), "server-down".into())], "{}", found.text);
    server.replace(Server::samples());
    let heals = wait_until(HEALS, || {
        dig(program.addr(), "+time=1 100.113.0.203.zen.example").data() == ["127.0.0.2"]
            && dig(program.addr(), "+time=1 8.8.8.8.l2.apews.org").is("NXDOMAIN")
    });
    assert!(heals, "{}", resolver.log());
}

/// A resolver that is broken so that all these zones have this fault, and a line that says how to repair it.
fn assert_fault(program: Program, settings: &str, zones: &[&str], fault: &str, line: &str) {
    let _server = Server::samples();
    let resolver = RunningResolver::start(program, settings);
    let found = doctor(program.addr(), zones);
    let wanted: Vec<_> = zones.iter().map(|zone| ((*zone).to_owned(), fault.to_owned())).collect();
    assert_eq!((found.code, &found.faults), (1, &wanted), "{}{}", found.text, resolver.log());
    assert!(found.text.contains(line), "{}", found.text);
}

/// The lines of a configuration without those that hold one of these words.
fn without(text: &str, words: &[&str]) -> String {
    let is_kept = |line: &&str| !words.iter().any(|word| line.contains(word));
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

#[test]
fn unbound() {
    sealed(|| {
        let program = Program::Unbound;
        let lines = example("unbound.conf");
        let protected = |lines: &str| format!(" private-address: 127.0.0.0/8\n{lines}");
        // It validates, with the key of the real root.
        let validating = |lines: &str| {
            format!(
                " module-config: \"validator iterator\"\n trust-anchor: \". DS 20326 8 2 \
                 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\"\n{lines}"
            )
        };
        assert_well(program, &protected(&validating(&lines)));
        let l2 = ["l2.apews.org"];
        let rebinding = protected(&without(&lines, &["private-domain"]));
        assert_fault(
            program,
            &rebinding,
            &ZONES,
            "rebinding",
            "private-domain: \\\"l2.apews.org\\\"",
        );
        let signed = validating(&without(&lines, &["domain-insecure"]));
        assert_fault(program, &signed, &l2, "validation", "domain-insecure: \\\"l2.apews.org\\\"");
        let foreign = without(&lines, &["do-not-query-localhost"]);
        assert_fault(program, &foreign, &l2, "resolver-fails", "do-not-query-localhost: no");
        let nowhere = " local-zone: \"apews.org\" static\n \
                       local-data: \"apews.org. SOA ns.test. a.test. 1 2 3 4 5\"\n";
        let nowhere = format!("{nowhere}{lines}");
        assert_fault(program, &nowhere, &l2, "not-forwarded", "stub-addr: 127.0.0.1@5300");
        let step = format!(" local-zone: \"127.l2.apews.org\" always_nxdomain\n{lines}");
        assert_fault(program, &step, &l2, "minimisation", "qname-minimisation: no");
        let slow = format!(" cache-min-ttl: 900\n{lines}");
        assert_fault(program, &slow, &l2, "negative-ttl", "cache-min-ttl: 0");
        let folder = temp_dir();
        let list = folder.path().join("list");
        fs::write(&list, "192.0.2.1\n").expect("our folder");
        let zone = format!("l2.apews.org:ip4set:{}", list.display());
        let other = Server::start(&[&zone]);
        let elsewhere = lines.replace("::1@5300", "127.0.0.1@5300");
        let elsewhere = elsewhere.replace("@5300", &format!("@{}", other.addr().port()));
        assert_fault(program, &elsewhere, &l2, "other-server", "stub-addr: 127.0.0.1@5300");
    });
}

#[test]
fn bind() {
    sealed(|| {
        let program = Program::Bind;
        let lines = example("bind.conf");
        let option = |option: &str| {
            let options = "options {\n";
            lines.replacen(options, &format!("{options}{option}\n"), 1)
        };
        let names = ZONES.map(|zone| format!("\"{zone}\"; ")).concat();
        let except = format!("deny-answer-addresses {{ 127.0.0.0/8; }} except-from {{ {names} }};");
        assert_well(program, &option(&except));
        let l2 = ["l2.apews.org"];
        let rebinding = option("deny-answer-addresses { 127.0.0.0/8; };");
        assert_fault(
            program,
            &rebinding,
            &l2,
            "rebinding",
            "except-from { \\\"l2.apews.org\\\"; }",
        );
        let signed = without(&lines, &["validate-except"]);
        assert_fault(
            program,
            &signed,
            &l2,
            "validation",
            "validate-except { \\\"l2.apews.org\\\"; }",
        );
        let folder = temp_dir();
        let file = folder.path().join("redirect");
        fs::write(
            &file,
            "$TTL 300\n@ SOA ns.test. a.test. 1 2 3 4 5\n@ NS ns.test.\n*. A 192.0.2.80\n",
        )
        .expect("our folder");
        let redirect =
            format!("{lines}zone \".\" {{ type redirect; file \"{}\"; }};\n", file.display());
        assert_fault(program, &redirect, &l2, "rewritten", "type redirect");
    });
}

#[test]
fn dnsmasq() {
    sealed(|| {
        let program = Program::Dnsmasq;
        let lines = format!("stop-dns-rebind\n{}", example("dnsmasq.conf"));
        assert_well(program, &lines);
        let rebinding = without(&lines, &["rebind-domain-ok"]);
        assert_fault(program, &rebinding, &ZONES, "rebinding", "rebind-domain-ok=/l2.apews.org/");
        let l2 = ["l2.apews.org"];
        let nowhere = without(&lines, &["server=/l2"]) + "local=/apews.org/\n";
        assert_fault(
            program,
            &nowhere,
            &l2,
            "not-forwarded",
            "server=/l2.apews.org/127.0.0.1#5300",
        );
        let refused = without(&lines, &["server=/l2"]);
        assert_fault(
            program,
            &refused,
            &l2,
            "resolver-refuses",
            "server=/l2.apews.org/127.0.0.1#5300",
        );
    });
}

#[test]
fn knot_resolver() {
    sealed(|| {
        let program = Program::KnotResolver;
        let lines =
            format!("modules.load('rebinding < iterate')\n{}", example("knot-resolver.lua"));
        assert_well(program, &lines);
        let rebinding = without(&lines, &["ALLOW_LOCAL"]);
        assert_fault(program, &rebinding, &ZONES, "rebinding", "policy.FLAGS({'ALLOW_LOCAL'})");
        let l2 = ["l2.apews.org"];
        let first = "policy.add(policy.suffix(policy.DENY, policy.todnames({'apews.org'})))\n";
        let nowhere = lines.replace(
            "policy.add(policy.suffix(policy.STUB",
            &format!("{first}policy.add(policy.suffix(policy.STUB"),
        );
        assert_fault(program, &nowhere, &l2, "not-forwarded", "policy.STUB({'127.0.0.1@5300'");
        let slow = format!("cache.min_ttl(900)\n{lines}");
        assert_fault(program, &slow, &l2, "negative-ttl", "cache.min_ttl(0)");
    });
}

#[test]
fn pdns_recursor() {
    sealed(|| {
        let program = Program::PdnsRecursor;
        let lines = example("pdns-recursor.conf");
        let folder = temp_dir();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("our folder");
            path.display().to_string()
        };
        // It validates; the example has the lines for its Lua file as comments.
        let unsigned = lines.lines().filter_map(|line| line.strip_prefix("#   addNTA"));
        let unsigned: String = unsigned.map(|rest| format!("addNTA{rest}\n")).collect();
        let validating = format!(
            "{lines}dnssec=validate\nlua-config-file={}\n",
            file("unsigned.lua", &unsigned)
        );
        assert_well(program, &validating);
        let script =
            |text: &str| format!("{validating}lua-dns-script={}\n", file("script.lua", text));
        // Without a network it cannot even see that the zone is not signed.
        let signed = format!("{lines}dnssec=validate\n");
        let l2 = ["l2.apews.org"];
        let rebinding = script(
            "function postresolve(dq)\n local kept = {}\n for _, r in ipairs(dq:getRecords()) do\n \
             if r.type ~= pdns.A then table.insert(kept, r) end\n end\n \
             dq:setRecords(kept)\n return true\nend\n",
        );
        assert_fault(program, &rebinding, &l2, "rebinding", "postresolve");
        let rewritten = script(
            "function nxdomain(dq)\n dq.rcode = 0\n dq:addAnswer(pdns.A, '192.0.2.80')\n return true\nend\n",
        );
        assert_fault(program, &rewritten, &l2, "rewritten", "nxdomain function");
        assert_fault(program, &signed, &l2, "resolver-fails", "addNTA(\\\"l2.apews.org\\\"");
        let nowhere = lines.replace("l2.apews.org=127.0.0.1:5300;[::1]:5300, ", "");
        assert_fault(
            program,
            &nowhere,
            &l2,
            "resolver-fails",
            "forward-zones=l2.apews.org=127.0.0.1:5300",
        );
    });
}

#[test]
fn systemd_resolved() {
    if !is_root() {
        return skip("systemd-resolved changes its user, which only root may");
    }
    sealed(|| {
        let program = Program::SystemdResolved;
        let lines = example("systemd-resolved.conf");
        assert_well(program, &lines);
        let l2 = ["l2.apews.org"];
        let signed = lines.replace("DNSSEC=no", "DNSSEC=yes");
        assert_fault(program, &signed, &l2, "validation", "DNSSEC=no");
        let nowhere = lines.replace("5300", "5399");
        assert_fault(program, &nowhere, &l2, "resolver-fails", "DNS=127.0.0.1:5300");
    });
}
