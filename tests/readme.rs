//! What the README promises: its commands do what it says.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dnsbld::config::preset;

use crate::common::{Process, RsyncDaemon, Server, names_in, run, sealed, skip, temp_dir};

const README: &str = include_str!("../README.md");
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
/// The question of the README.
const QUESTION: &str = "132.132.135.61.l2.apews.org A";

/// The lines of the README's code blocks, without their comments.
fn commands() -> Vec<&'static str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in README.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```sh";
        } else if inside {
            commands.push(line.split(" # ").next().unwrap_or(line).trim_end());
        }
    }
    commands
}

/// A folder with a copy of `zones/`, as the current folder of a fresh checkout has it.
fn checkout() -> tempfile::TempDir {
    let folder = temp_dir();
    let zones = folder.path().join("zones");
    fs::create_dir(&zones).expect("our folder");
    fs::write(folder.path().join("Cargo.toml"), "").expect("our folder");
    let from = Path::new(CHECKOUT).join("zones");
    for name in names_in(&from) {
        fs::copy(from.join(&name), zones.join(&name)).expect("our folder");
    }
    folder
}

/// A file of the checkout.
fn file(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap_or_else(|_| panic!("no {path}"))
}

/// The README's code block that begins with this.
fn block(start: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("\n```{start}")).expect("a block");
    rest.split("```").next().unwrap_or_default()
}

/// The first quoted text of each line that begins with `key`.
fn quoted<'t>(text: &'t str, key: &str) -> BTreeSet<&'t str> {
    let lines = text.lines().filter(|line| line.trim_start().starts_with(key));
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

/// The names of the zones of a configuration.
fn zones(config: &str) -> BTreeSet<&str> {
    config.split("[[zone]]").skip(1).flat_map(|zone| quoted(zone, "name = ")).collect()
}

/// The zones that Postfix asks.
fn asked(main_cf: &str) -> BTreeSet<&str> {
    let words =
        main_cf.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let names = words.filter_map(|word| word.trim_end_matches(',').split('=').next());
    names
        .filter(|name| name.contains('.') && name.bytes().any(|b| b.is_ascii_lowercase()))
        .collect()
}

/// The text behind each mention of the address of this machine.
fn behind_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split("127.0.0.1").skip(1)
}

/// Runs a line as a shell does.
fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().expect("there is a shell");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}\n{out}", output.status);
    out
}

/// Regression: pages that were written side by side had the same number.
#[test]
fn each_decision_has_a_number_of_its_own() {
    let names = names_in(&Path::new(CHECKOUT).join("docs/decisions"));
    let numbers: BTreeSet<_> = names.iter().map(|name| &name[..3]).collect();
    assert_eq!(numbers.len(), names.len(), "{names:?}");
}

/// A command that is new in the README must be run by a test here.
#[test]
fn the_commands_are_these() {
    let commands = commands();
    let want = [
        "cargo install --locked --path .",
        // The tests of the package run both.
        "scripts/package",
        "apt-get install ./target/package/",
        "cargo run --release -- serve",
        "scripts/test",
        "dig @127.0.0.1",
        "dnsbld init",
        "dnsbld doctor",
        "dnsbld serve --listen",
        "install -D",
        "echo",
        "dnsbld check-config",
        "dnsbld migrate",
        "dnsbld migrate",
        "install -d",
        "scripts/mirror",
        "dnsbld serve --config",
    ];
    assert_eq!(commands.len(), want.len(), "{commands:#?}");
    for (command, start) in commands.iter().zip(want) {
        assert!(command.starts_with(start), "{command}");
    }
    assert!(Path::new(CHECKOUT).join("scripts/test").is_file());
    let rust = quoted(include_str!("../Cargo.toml"), "rust-version");
    assert!(rust.iter().all(|version| README.contains(&format!("Rust {version} or later"))));
}

#[test]
fn the_snippets_of_the_readme_fit_together() {
    let starter = file("deploy/dnsbld.toml");
    let (_, settings) = starter.split_once('\n').expect("a comment");
    assert_eq!(block("toml\n"), settings);
    let served = zones(&starter);
    let unbound = block("\nserver:");
    assert_eq!(quoted(unbound, "name:"), served);
    assert_eq!(quoted(unbound, "domain-insecure:"), served);
    assert_eq!(asked(block("\nsmtpd_client_restrictions")), served);
    // Where the mirror puts the list.
    let mirror = commands().into_iter().find(|line| line.starts_with("scripts/mirror"));
    let mirror: Vec<&str> = mirror.expect("a mirror command").split(' ').collect();
    let (source, folder) = (mirror[1], mirror[2]);
    let name = source.rsplit('/').next().unwrap_or_default();
    assert!(starter.contains(&format!("\"/var/lib/dnsbld/mirror/{folder}{name}\"")), "{starter}");
    let psbl = preset(folder.trim_end_matches('/')).expect("a preset of its name");
    assert_eq!(format!("{}{name}", psbl.source.expect("it is public")), source);
}

#[test]
fn the_files_of_deploy_fit_together() {
    let unbound = file("deploy/unbound.conf");
    let known = quoted(&unbound, "name:");
    assert_eq!(quoted(&unbound, "domain-insecure:"), known);
    assert_eq!(quoted(&file("deploy/bind.conf"), "zone "), known);
    assert_eq!(asked(&file("deploy/postfix-main.cf")), known);
    assert!(known.is_subset(&zones(&file("zones/dnsbld.toml"))), "{known:?}");
    // The files and zones of the table are those of the presets.
    for row in file("docs/feeds.md").lines().filter(|line| line.starts_with("| ")).skip(1) {
        let path = row.split('|').nth(4).unwrap_or_default().trim().trim_matches('`');
        let (folder, name) = path.split_once('/').unwrap_or_else(|| panic!("{row}"));
        let preset = preset(folder).unwrap_or_else(|| panic!("{row}"));
        let list = preset.lists.iter().find(|list| list.file == name);
        let list = list.unwrap_or_else(|| panic!("{row}"));
        assert!(row.contains(&format!("| `{}` | `{}` |", list.zone, list.kind)), "{row}");
    }
}

#[test]
fn one_port_is_named_everywhere_and_no_zone_below_local() {
    let mut texts = vec![README.to_owned()];
    for folder in ["docs", "deploy", "zones"] {
        let files = names_in(&Path::new(CHECKOUT).join(folder)).into_iter();
        let files = files.map(|name| format!("{folder}/{name}"));
        texts.extend(
            files
                // Its messages are of any server.
                .filter(|path| path != "docs/events.md")
                .filter(|path| Path::new(CHECKOUT).join(path).is_file())
                .map(|path| file(&path)),
        );
    }
    for text in &texts {
        for rest in behind_addresses(text) {
            let port = [":", "@", " port ", " -p "].iter().find_map(|sign| rest.strip_prefix(sign));
            let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
            let port = port.map_or("", |rest| &rest[..digits(rest)]);
            // 8853 is DNS over TLS, 8443 over HTTPS, 9153 HTTP.
            assert!(
                ["", "5300", "8853", "8443", "9153"].contains(&port),
                "127.0.0.1{}",
                &rest[..30.min(rest.len())]
            );
        }
        let below_local =
            text.split(".local").zip(text.split(".local").skip(1)).any(|(before, after)| {
                let is_letter = |c: char| c.is_ascii_alphanumeric();
                before.ends_with(is_letter) && !after.starts_with(is_letter)
            });
        assert!(!below_local, "a zone ends in .local: {text}");
    }
}

/// From the starter configuration to an answer. The folders of the system and the publisher have
/// stand-ins.
#[test]
fn a_mirrored_list_is_served_as_the_readme_shows() {
    let system = temp_dir();
    let folder = |name: &str| system.path().join(name).display().to_string();
    let (etc, var) = (folder("etc"), folder("var"));
    let publisher = RsyncDaemon::start("");
    let mut list = String::from("192.0.2.10\n");
    list.extend((0..40_u32 << 8).map(|i| format!("10.1.{}.{}\n", i >> 8, i & 255)));
    fs::write(publisher.feeds().join("psbl.txt"), list).expect("our folder");
    let here = |line: &str| {
        line.replace("/etc/dnsbld", &etc)
            .replace("/var/lib/dnsbld", &var)
            .replace(" deploy/", &format!(" {CHECKOUT}/deploy/"))
            .replace("psbl-mirror.surriel.com::psbl/psbl.txt", &publisher.url("psbl.txt"))
            .replace(
                "scripts/mirror ",
                &format!(
                    "DNSBLD={} {CHECKOUT}/scripts/mirror --dir {var}/mirror ",
                    env!("CARGO_BIN_EXE_dnsbld")
                ),
            )
            .replace("dnsbld check-config", concat!(env!("CARGO_BIN_EXE_dnsbld"), " check-config"))
    };
    let is_shown = |line: &&str| {
        ["install ", "echo ", "dnsbld check", "scripts/mirror "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    for line in commands().into_iter().filter(is_shown) {
        shell(&here(line));
        if line.starts_with("install -D") {
            let config = format!("{etc}/dnsbld.toml");
            let text = fs::read_to_string(&config).expect("it was installed");
            fs::write(&config, here(&text)).expect("our folder");
        }
    }
    let config = format!("{etc}/dnsbld.toml");
    let arguments = ["--config", &config, "--listen", "127.0.0.1:0"];
    let server = Server::reporting(&arguments, system.path());
    let port = server.addr().port();
    for (name, answer) in [
        ("5.4.1.10.psbl.surriel.com", "127.0.0.2\n"),
        ("10.2.0.192.white.example", "127.0.0.2\n"),
        ("10.2.0.192.psbl.surriel.com", ""),
    ] {
        let line = format!("dig @127.0.0.1 -p {port} +short {name} A");
        assert_eq!(shell(&line), answer, "{line}\n{}", server.log());
    }
}

#[test]
fn serve_reports_every_zone_and_the_line_to_try_gets_an_answer() {
    let folder = checkout();
    let arguments = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
    let server = Server::reporting(&arguments, folder.path());
    let said = server.log();
    assert!(said.contains("zones/dnsbld.toml"), "no configuration was named:\n{said}");

    let columns = "zone datasets entries addresses memory time state";
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let report: Vec<Vec<String>> = said.lines().map(words).collect();
    assert!(report.iter().any(|line| line.join(" ") == columns), "{said}");
    let zone = |name: &str| {
        let line = report.iter().find(|line| line.first().is_some_and(|first| first == name));
        line.unwrap_or_else(|| panic!("no line for {name}:\n{said}"))
    };
    // A time and a size are a number and a unit each.
    let [datasets, entries, addresses] = [1, 2, 3].map(|at| zone("l2.apews.org")[at].as_str());
    assert_eq!((datasets, entries, addresses), ("1", "8", "323"), "{said}");
    assert_eq!(zone("l2.apews.org")[5..].join(" ").split(' ').count(), 4, "{said}");
    assert_eq!(zone("zen.example")[1], "3", "{said}");
    assert_eq!(zone("l1.apews.org")[3], "-", "names cover no addresses:\n{said}");
    let zones = fs::read_to_string(folder.path().join("zones/dnsbld.toml")).expect("a copy");
    let good = said.lines().filter(|line| line.ends_with(" serving")).count();
    assert_eq!(good, zones.matches("\n[[zone]]").count(), "{said}");

    let line = said.lines().find_map(|line| line.strip_prefix("try: ")).expect("a line to try");
    let port = server.addr().port();
    assert_eq!(line, format!("dig @127.0.0.1 -p {port} {QUESTION}"));
    let answer = shell(line);
    assert!(answer.contains("status: NOERROR"), "{answer}");
    assert!(answer.contains("132.132.135.61.l2.apews.org. 1800 IN\tA\t127.0.0.2"), "{answer}");

    // The same over IPv6, and over TCP.
    let ip6 = format!("dig @::1 -p {} +tcp +short {QUESTION}", server.plain[1].port());
    assert_eq!(shell(&ip6), "127.0.0.2\n");
}

/// The two lines as the README has them. Another server may have their port: then the test above
/// has to do.
#[test]
fn serve_without_arguments_answers_the_dig_line_of_the_readme() {
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    let is_free = |address| {
        UdpSocket::bind((address, 5300)).is_ok() && TcpListener::bind((address, 5300)).is_ok()
    };
    if !loopback.into_iter().all(is_free) {
        return skip("port 5300 is in use");
    }
    let folder = checkout();
    let server = Server::reporting(&[], folder.path());
    let line = commands().into_iter().find(|line| line.starts_with("dig ")).expect("a line");
    assert!(server.log().contains(&format!("\ntry: {line}\n")), "{}", server.log());
    let answer = shell(line);
    assert!(answer.contains("132.132.135.61.l2.apews.org. 1800 IN\tA\t127.0.0.2"), "{answer}");
}

/// The server beside the first command is found without options.
#[test]
fn status_and_reload_are_asked_in_a_second_terminal() {
    sealed(|| {
        let folder = checkout();
        let dnsbld = |verb: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
            command.arg(verb).current_dir(folder.path()).env_remove("RUNTIME_DIRECTORY");
            command
        };
        let mut server = Process::start(&mut dnsbld("serve"), &folder.path().join("log"));
        server.wait(Duration::from_secs(60), |process| process.out().contains("\ntry: "));
        for verb in ["status", "reload"] {
            assert!(README.contains(&format!("`dnsbld {verb}`")));
            let said = run(&mut dnsbld(verb));
            let words = if verb == "status" { "l2.apews.org" } else { "nothing has changed" };
            assert!(said.contains(words), "{said}");
        }
    });
}

#[test]
fn the_dig_line_of_the_readme_fits_the_shipped_configuration() {
    let shipped = fs::read_to_string(Path::new(CHECKOUT).join("zones/dnsbld.toml")).expect("it");
    assert!(shipped.contains(r#"listen = ["127.0.0.1:5300", "[::1]:5300"]"#));
    let line = format!("dig @127.0.0.1 -p 5300 {QUESTION}");
    assert!(commands().contains(&line.as_str()), "{:?}", commands());
    assert!(README.contains("serves the sample zones on 127.0.0.1:5300 and [::1]:5300"));
}

#[test]
fn zones_are_served_without_a_configuration_as_the_readme_shows() {
    let shown = commands().into_iter().find(|line| line.starts_with("dnsbld serve --listen"));
    let shown = shown.expect("an example with zones on the command line");
    let folder = temp_dir();
    for (name, text) in
        [("spammers", "192.0.2.1\n"), ("own-entries", "192.0.2.2\n"), ("domains", "spam.test\n")]
    {
        fs::write(folder.path().join(name), text).expect("our folder");
    }
    let arguments: Vec<&str> = shown.split(' ').skip(2).collect();
    let listen = arguments.iter().position(|word| *word == "--listen").expect("an address") + 1;
    let mut arguments = arguments;
    arguments[listen] = "127.0.0.1:0";
    let server = Server::reporting(&arguments, folder.path());
    let port = server.addr().port();
    for name in ["1.2.0.192", "2.2.0.192", "spam.test"] {
        let line = format!("dig @127.0.0.1 -p {port} +short {name}.bl.example.org A");
        assert_eq!(shell(&line), "127.0.0.2\n", "{line}");
    }
}

#[test]
fn command_lines_of_rbldnsd_are_migrated_as_the_readme_shows() {
    let folder = temp_dir();
    let defaults = folder.path().join("defaults");
    fs::write(&defaults, "RBLDNSD=\"- -b127.0.0.2 bl.example.org:ip4set:/spammers\"\n").unwrap();
    let shown = commands().into_iter().filter(|line| line.starts_with("dnsbld migrate"));
    let shown: Vec<&str> = shown.collect();
    assert_eq!(shown.len(), 2);
    for line in shown {
        let written = folder.path().join("dnsbld.toml");
        let line = line.replace("/etc/default/rbldnsd", &defaults.display().to_string());
        let output = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
            .args(line.split(' ').skip(1))
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {err}");
        let text = match line.contains(" -o ") {
            true => fs::read_to_string(&written).expect("it was written"),
            false => String::from_utf8(output.stdout).expect("text"),
        };
        assert!(text.contains("listen = [\"127.0.0.2:53\"]"), "{line}: {text}");
    }
}
