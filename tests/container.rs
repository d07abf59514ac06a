//! The image of the server, as `deploy/container` makes it: its root, its user and its commands, without the
//! program that runs containers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::common::{LIMIT, Process, dig, ended, is_root, run, sealed, skip, temp_dir, wait_until};

const CONTAINER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/container");
const FILE: &str = include_str!("../deploy/container/Containerfile");
const COMPOSE: &str = include_str!("../deploy/container/compose.yaml");

/// What the last stage says behind a word, which may be within a line.
fn last(word: &str) -> &'static str {
    let (_, rest) = FILE.rsplit_once(word).unwrap_or_else(|| panic!("no {word}"));
    rest.lines().next().unwrap_or_default()
}

fn words(array: &str) -> Vec<String> {
    serde_json::from_str(array).unwrap_or_else(|error| panic!("{array}: {error}"))
}

/// A command in the image, as its user.
fn inside(root: &Path, words: &[String]) -> Command {
    let mut command = Command::new("/usr/sbin/chroot");
    command.arg(format!("--userspec={}", last("\nUSER "))).arg(root).args(words).env_clear();
    command
}

#[test]
fn the_image_of_the_server_has_all_it_needs_and_is_healthy_with_its_lists() {
    if !is_root() {
        return skip("only root may change its root folder");
    }
    sealed(|| {
        let folder = temp_dir();
        let root = folder.path().join("image");
        let mut assemble = Command::new(format!("{CONTAINER}/assemble"));
        run(assemble.arg(env!("CARGO_BIN_EXE_dnsbld")).arg(&root));
        fs::create_dir(root.join("proc")).expect("our folder");
        run(Command::new("mount").args(["-t", "proc", "proc"]).arg(root.join("proc")));

        let start = [words(last("\nENTRYPOINT ")), words(last("\nCMD "))].concat();
        let (_, check) = last("\nHEALTHCHECK ").split_once("CMD ").expect("a command");
        let mut server = Process::start(&mut inside(&root, &start), &folder.path().join("log"));
        let server_addr: SocketAddr = "127.0.0.1:5300".parse().expect("an address");
        let answers = |name: &str| dig(server_addr, &format!("{name} A")).data() == ["127.0.0.2"];
        server.wait(LIMIT, |_| answers("2.0.0.127.white.example"));
        let health = || ended(inside(&root, &words(check)));
        assert_eq!(health().code, 1, "without its list");

        let list = root.join("var/lib/dnsbld/mirror/psbl");
        fs::create_dir(&list).expect("our folder");
        fs::write(list.join("psbl.txt"), "192.0.2.1\n127.0.0.2\n").expect("our folder");
        assert!(wait_until(LIMIT, || answers("1.2.0.192.psbl.surriel.com")), "{}", server.out());
        // The other container fetches the feed, which is all that is wrong here.
        let said = health();
        let wrong: Vec<_> = said.out.lines().rev().take_while(|line| !line.is_empty()).collect();
        assert!(wrong.len() == 1 && wrong[0].starts_with("feed psbl: never-fetched"), "{said:?}");
        let of_zone = [words(check), vec!["white.example".to_owned()]].concat();
        assert_eq!(ended(inside(&root, &of_zone)).code, 0);
        assert!(fs::read_dir(root.join("var/lib/dnsbld/state")).expect("a folder").count() > 0);
        drop(server);
        // A folder with something mounted in it stays.
        run(Command::new("umount").arg("--lazy").arg(root.join("proc")));
    });
}

#[test]
fn the_files_of_the_containers_fit_together() {
    run(Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(["check-config", "--no-data"])
        .arg(format!("{CONTAINER}/etc/dnsbld.toml")));
    let resolver = include_str!("../deploy/container/unbound.conf");
    let address = COMPOSE.split("ipv4_address: ").nth(1).and_then(|rest| rest.split(' ').next());
    let config = fs::read_to_string(format!("{CONTAINER}/etc/dnsbld.toml")).expect("it is there");
    for zone in ["psbl.surriel.com", "white.example"] {
        assert!(config.contains(&format!("name = \"{zone}\"")));
        let stub = format!("name: \"{zone}\"\n    stub-addr: {}@5300\n", address.expect("one"));
        assert!(resolver.contains(&stub), "{stub}");
    }
    for target in ["server", "sync", "resolver"] {
        assert!(COMPOSE.contains(&format!("target: {target}")));
        assert!(
            FILE.lines()
                .any(|line| line.starts_with("FROM ") && line.ends_with(&format!(" AS {target}")))
        );
    }
}
