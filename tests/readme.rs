//! What the README promises: its commands do what it says.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::common::{Serving, names_in, temp_dir};

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
    let from = Path::new(CHECKOUT).join("zones");
    for name in names_in(&from) {
        fs::copy(from.join(&name), zones.join(&name)).expect("our folder");
    }
    folder
}

/// Runs a line as a shell does.
fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().expect("there is a shell");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}\n{out}", output.status);
    out
}

#[test]
fn the_first_two_commands_are_these() {
    let two = ["cargo run --release -- serve", "scripts/test"];
    assert_eq!(commands()[..2], two);
    assert!(Path::new(CHECKOUT).join("scripts/test").is_file());
    assert!(README.contains("`scripts/test quick`"));
}

#[test]
fn serve_reports_every_zone_and_the_line_to_try_gets_an_answer() {
    let folder = checkout();
    let arguments = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];
    let serving = Serving::start(&arguments, folder.path(), folder.path().join("log"));
    let said = serving.said();
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
    let port = serving.plain[0].port();
    assert_eq!(line, format!("dig @127.0.0.1 -p {port} {QUESTION}"));
    let answer = shell(line);
    assert!(answer.contains("status: NOERROR"), "{answer}");
    assert!(answer.contains("132.132.135.61.l2.apews.org. 1800 IN\tA\t127.0.0.2"), "{answer}");

    // The same over IPv6, and over TCP.
    let ip6 = format!("dig @::1 -p {} +tcp +short {QUESTION}", serving.plain[1].port());
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
        println!("port 5300 is in use: nothing to test");
        return;
    }
    let folder = checkout();
    let serving = Serving::start(&[], folder.path(), folder.path().join("log"));
    let line = commands().into_iter().find(|line| line.starts_with("dig ")).expect("a line");
    assert!(serving.said().contains(&format!("\ntry: {line}\n")), "{}", serving.said());
    let answer = shell(line);
    assert!(answer.contains("132.132.135.61.l2.apews.org. 1800 IN\tA\t127.0.0.2"), "{answer}");
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
    let serving = Serving::start(&arguments, folder.path(), folder.path().join("log"));
    let port = serving.plain[0].port();
    for name in ["1.2.0.192", "2.2.0.192", "spam.test"] {
        let line = format!("dig @127.0.0.1 -p {port} +short {name}.bl.example.org A");
        assert_eq!(shell(&line), "127.0.0.2\n", "{line}");
    }
}

#[test]
fn the_configuration_of_the_readme_is_good() {
    let block = README.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let folder = temp_dir();
    let path = folder.path().join("dnsbld.toml");
    fs::write(&path, block.expect("a configuration")).expect("our folder");
    let output = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .arg("check-config")
        .arg(&path)
        .output()
        .expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("OK: 1 zone, 2 datasets"), "{out}");
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
