//! The Debian package, installed on machines of its own. `scripts/test` makes it, and the roots of the machines.

mod first_steps;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::common::{Machine, dig, run, sealed, temp_dir};

const KIB: u64 = 1024;

/// Prints the files of the machine, but for those that come and go by themselves.
const LISTED: &str = "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /run -prune -o -path /root \
                      -prune -o -path /tmp -prune -o -path /var/cache -prune -o -path /var/log -prune -o -path \
                      /var/lib/apt -prune -o -path /var/lib/dpkg -prune -o -print";

/// Makes the same package under a higher version.
const NEXT_VERSION: &str = "dpkg-deb -R dnsbld_*.deb next && sed -i 's/^Version: .*/Version: 99-1/' \
                            next/DEBIAN/control && dpkg-deb -Znone -b next dnsbld-next.deb";

#[test]
fn it_is_small_and_lintian_has_nothing_to_complain_of() {
    let Some(package) = Machine::package() else { return };
    let size = fs::metadata(&package).expect("it is there").len();
    assert!(size < 10_000 * KIB, "{size}");
    // It leaves a file there.
    let scratch = temp_dir();
    let mut lintian = Command::new("lintian");
    lintian.env("TMPDIR", scratch.path());
    lintian.args(["--allow-root", "--fail-on", "error,warning"]).arg(&package);
    assert_eq!(run(&mut lintian), "");
    // What users have changed is asked for before it is replaced.
    let files = run(Command::new("dpkg-deb").args(["--info"]).arg(&package).arg("conffiles"));
    assert_eq!(files, "/etc/dnsbld/dnsbld.toml\n/etc/dnsbld/white.example\n");
}

#[test]
fn it_is_installed_started_upgraded_and_purged() {
    let Some(package) = Machine::package() else { return };
    sealed(|| {
        let machine = Machine::boot("clean");
        machine.bring(&package);
        let before = listed(&machine);
        machine.must("apt-get install -qq ./dnsbld_*.deb");

        assert!(machine.must("dnsbld --version").starts_with("dnsbld "));
        assert!(machine.must("rbldnsd -h").contains("usage: rbldnsd options"));
        for unit in ["dnsbld", "dnsbld-sync"] {
            let said =
                machine.run(&format!("systemctl is-enabled {unit}; systemctl is-active {unit}"));
            assert_eq!(said.out, "disabled\ninactive\n", "{unit}");
        }
        // A page of each command, and completions for three shells.
        let files = machine.must("dpkg -L dnsbld");
        for file in [
            "man1/dnsbld-serve.1.gz",
            "man5/dnsbld.toml.5.gz",
            "man8/dnsbld-rbldnsd.8.gz",
            "completions/dnsbld",
            "vendor_completions.d/dnsbld.fish",
            "vendor-completions/_dnsbld",
            "doc/dnsbld/copyright",
        ] {
            assert!(files.lines().any(|line| line.ends_with(file)), "{file}: {files}");
        }

        machine.must("systemctl enable --now dnsbld dnsbld-sync");
        let server = "127.0.0.1:5300".parse().expect("an address");
        let answers = || dig(server, "2.0.0.127.white.example A").data() == ["127.0.0.2"];
        assert!(answers());
        let user = "stat -c %U /proc/$(systemctl show --property=MainPID --value dnsbld)/task";
        assert_eq!(machine.must(user), "dnsbld\n");
        assert!(machine.must("dnsbld status white.example").contains("white.example"));
        // The unit lets the server give up its capability, and keep itself to its folders.
        let said = machine.run("dnsbld status").out;
        assert!(said.contains("\nuser dnsbld, no capabilities, sandbox on "), "{said}");

        machine.must("dnsbld allow add 203.0.113.8 && echo '# mine' >> /etc/dnsbld/dnsbld.toml");
        let process = "systemctl show --property=MainPID --value dnsbld";
        let first = machine.must(process);
        machine.must(NEXT_VERSION);
        machine.must("apt-get install -qq ./dnsbld-next.deb");
        assert!(machine.must("dpkg -s dnsbld").contains("Version: 99-1\n"));
        assert_ne!(machine.must(process), first, "it was not started again");
        assert_eq!(machine.must("tail -n 1 /etc/dnsbld/dnsbld.toml"), "# mine\n");
        assert!(answers() && dig(server, "8.113.0.203.white.example A").is("NOERROR"));
        assert_eq!(machine.must("systemctl is-enabled dnsbld"), "enabled\n");

        machine.must("apt-get remove -qq dnsbld");
        assert!(!answers());
        machine.must("test -e /etc/dnsbld/dnsbld.toml && ! test -e /usr/sbin/rbldnsd");
        machine.must("apt-get purge -qq dnsbld");
        let left: Vec<_> = listed(&machine).difference(&before).cloned().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn it_leaves_the_command_of_debians_rbldnsd_alone_while_that_is_installed() {
    let Some(package) = Machine::package() else { return };
    sealed(|| {
        let machine = Machine::boot("clean");
        machine.bring(&package);
        for file in fs::read_dir(Machine::packages()).expect("scripts/test fetches it") {
            machine.bring(&file.expect("it can be read").path());
        }
        let is_ours = || machine.must("rbldnsd -h").contains("dnsbld");
        let install = |name: &str| machine.must(&format!("dpkg -i {name}_*.deb"));
        // It comes, goes, and comes again.
        install("rbldnsd");
        install("dnsbld");
        assert!(!is_ours());
        machine.must("dpkg -P rbldnsd");
        assert!(is_ours());
        machine.must("readlink -e /usr/share/man/man8/rbldnsd.8.gz");
        install("rbldnsd");
        assert!(!is_ours());
        machine.must("dpkg -P dnsbld");
        assert!(!is_ours());
        assert_eq!(machine.must("dpkg --verify rbldnsd"), "");
    });
}

fn listed(machine: &Machine) -> BTreeSet<String> {
    // Users stay, and with them copies of the lists of users.
    let stays = |line: &str| line.starts_with("/etc/") && line.ends_with('-');
    let lines = machine.must(LISTED);
    lines.lines().filter(|line| !stays(line)).map(str::to_owned).collect()
}
