//! The examples in `deploy/`, as they are, with the programs they are for; those of resolvers are tested in
//! `resolvers`, and `deploy/postfix-main.cf` in `postfix`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::common::{
    Process, Server, Setup, Unbound, add_address, dig, free_port, hide, is_root, run, sealed, skip,
    temp_dir, wait_until,
};
use rustix::process::Signal;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const ZONES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/zones");
const LIMIT: Duration = Duration::from_secs(10);

/// What the resolver on port 53 must find in each of the sample zones that are set up.
fn assert_resolves_the_zones() {
    let ask = |name: &str| dig(Unbound::ADDR, name);
    for (name, data) in [
        ("132.132.135.61.l2.apews.org", "127.0.0.2"),
        ("www.casino.example.l1.apews.org", "127.0.0.2"),
        ("25.100.51.198.white.example", "127.0.5.3"),
        ("103.113.0.203.zen.example", "127.0.0.4"),
    ] {
        let listed = ask(name);
        assert!(listed.is("NOERROR"), "{listed:?}");
        assert_eq!(listed.data(), [data], "{name}");
    }
    for name in ["9.9.9.9.l2.apews.org", "clean.example.l1.apews.org"] {
        let unlisted = ask(name);
        assert!(unlisted.is("NXDOMAIN"), "{unlisted:?}");
    }
}

#[test]
fn dnsdist_asks_only_machines_that_have_the_zone() {
    sealed(|| {
        let folder = temp_dir();
        let front = SocketAddr::from(([192, 0, 2, 53], 53));
        // The third one is dead.
        let machines = [1, 2, 3].map(|number| SocketAddr::from(([192, 0, 2, number], 5300)));
        for addr in machines.iter().chain([&front]) {
            add_address(addr.ip());
        }
        let samples = Path::new(ZONES).join("dnsbld.toml");
        let [first, second] = [0, 1].map(|number| serve(&samples, machines[number]));
        let mut command = Command::new("dnsdist");
        command.args(["--supervised", "-C", &format!("{DEPLOY}/dnsdist/dnsdist.conf")]);
        let _dnsdist = Process::start(&mut command, &folder.path().join("log"));

        let (l1, l2) = ("pills.example.l1.apews.org", "132.132.135.61.l2.apews.org");
        let ask = |name: &str| dig(front, &format!("+time=2 {name}"));
        let answered = |name: &str| ask(name).data() == ["127.0.0.2"];
        let stays_answered = |name: &str| (0..50).all(|_| answered(name));
        assert!(wait_until(LIMIT, || answered(l2)), "no dnsdist");
        assert_eq!(dig(front, &format!("+tcp {l2}")).data(), ["127.0.0.2"]);
        assert!(answered(l1) && ask("132.132.135.61.zen.example").is("REFUSED"));

        drop(first);
        assert!(wait_until(LIMIT, || stays_answered(l2)), "the dead machine is still asked");

        // It comes back, without one of the zones: who asks it for that gets SERVFAIL.
        copy_zones(folder.path());
        fs::remove_file(folder.path().join("l2.apews.org")).expect("it was copied");
        let config = folder.path().join("dnsbld.toml");
        let _first = Server::configured(&config, machines[0], &["l1.apews.org"]);
        assert!(dig(machines[0], l2).is("SERVFAIL"));
        // The checks find it within three seconds.
        let back = Instant::now();
        while back.elapsed() < Duration::from_secs(4) {
            assert!(answered(l2), "the machine without the zone is asked");
        }
        drop(second);
        assert!(wait_until(LIMIT, || stays_answered(l1)), "the zone it has is not asked for");
    });
}

#[test]
fn dnsdist_leaves_a_machine_whose_mirror_has_died() {
    sealed(|| {
        let folders = [temp_dir(), temp_dir()];
        let front = SocketAddr::from(([192, 0, 2, 53], 53));
        // The third one is dead.
        let machines = [1, 2, 3].map(|number| SocketAddr::from(([192, 0, 2, number], 5300)));
        for addr in machines.iter().chain([&front]) {
            add_address(addr.ip());
        }
        // Both lists have the test entry; that of the first machine is three hours old.
        let servers = [0, 1].map(|number| {
            let (folder, addr) = (folders[number].path(), machines[number]);
            let list = folder.join("list");
            fs::write(&list, format!("127.0.0.2\n192.0.2.9 :127.0.0.{}:x\n", number + 2)).unwrap();
            if number == 0 {
                let then = SystemTime::now() - Duration::from_secs(3 * 3600);
                File::options().append(true).open(&list).unwrap().set_modified(then).unwrap();
            }
            let dataset =
                "name = \"l2\"\ntype = \"ip4set\"\nfiles = [\"list\"]\nmax-age = \"2h\"\n";
            let zone = "name = \"l2.apews.org\"\ndatasets = [\"l2\"]\n";
            let config = folder.join("dnsbld.toml");
            fs::write(&config, format!("[[dataset]]\n{dataset}[[zone]]\n{zone}")).unwrap();
            Server::configured(&config, addr, &["l2.apews.org"])
        });
        let mut command = Command::new("dnsdist");
        command.args(["--supervised", "-C", &format!("{DEPLOY}/dnsdist/dnsdist.conf")]);
        let _dnsdist = Process::start(&mut command, &folders[0].path().join("log"));
        let answer = || dig(front, "+time=2 9.2.0.192.l2.apews.org").data();
        assert!(wait_until(LIMIT, || answer() == ["127.0.0.3"]), "the fresh machine is not asked");
        assert!((0..50).all(|_| answer() == ["127.0.0.3"]), "the stale machine is asked");
        assert_eq!(dig(machines[0], "2.0.0.127.l2.apews.org").data(), ["127.0.0.2"]);
        drop(servers);
    });
}

/// Whoever has no better data is asked: an old list, which does what `stale` of its zone says.
#[test]
fn dnsdist_asks_stale_machines_where_all_are_stale() {
    sealed(|| {
        let folder = temp_dir();
        let front = SocketAddr::from(([192, 0, 2, 53], 53));
        let machine = SocketAddr::from(([192, 0, 2, 1], 5300));
        for last in [1, 2, 3, 53] {
            add_address([192, 0, 2, last]);
        }
        let list = folder.path().join("list");
        fs::write(&list, "192.0.2.9\n").unwrap();
        let then = SystemTime::now() - Duration::from_secs(3 * 3600);
        File::options().append(true).open(&list).unwrap().set_modified(then).unwrap();
        let config = folder.path().join("dnsbld.toml");
        let dataset = "name = \"l2\"\ntype = \"ip4set\"\nfiles = [\"list\"]\nmax-age = \"2h\"\n";
        let zone = "name = \"l2.apews.org\"\ndatasets = [\"l2\"]\n";
        fs::write(&config, format!("[[dataset]]\n{dataset}[[zone]]\n{zone}")).unwrap();
        let _server = Server::configured(&config, machine, &["l2.apews.org"]);
        assert!(dig(machine, "_ready.l2.apews.org").is("NXDOMAIN"));
        let mut command = Command::new("dnsdist");
        command.args(["--supervised", "-C", &format!("{DEPLOY}/dnsdist/dnsdist.conf")]);
        let _dnsdist = Process::start(&mut command, &folder.path().join("log"));
        let answers = || dig(front, "+time=1 9.2.0.192.l2.apews.org").data() == ["127.0.0.2"];
        assert!(wait_until(LIMIT, || (0..20).all(|_| answers())));
    });
}

#[test]
fn programs_that_announce_addresses_take_the_configurations() {
    sealed(|| {
        // keepalived wants the interface, and ExaBGP the program that it starts.
        run(Command::new("ip").args("link add eth0 type veth peer name eth1".split(' ')));
        hide(Path::new("/usr/local/lib"));
        fs::create_dir("/usr/local/lib/dnsbld").expect("it is empty");
        let of = |name: &str| format!("{DEPLOY}/anycast/{name}");
        fs::copy(of("announce"), "/usr/local/lib/dnsbld/announce").expect("a copy");
        run(Command::new("bird").args(["-p", "-c", &of("bird.conf")]));
        run(Command::new("exabgp").args(["--validate", &of("exabgp.conf")]));
        // It ends itself by a signal, whatever it finds.
        let file = format!("--use-file={}", of("keepalived.conf"));
        let output = Command::new("keepalived").args(["--config-test", &file]).output();
        let output = output.expect("it is there");
        assert_eq!(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()), "");
    });
}

/// Regression: a site whose BIRD was started or configured again was not announced any more.
#[test]
fn bird_is_told_again_after_it_was_started_again() {
    sealed(|| {
        let setup = Setup::new();
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
        setup.write("list", "192.0.2.1\n");
        setup.configure_lists(
            &format!("[http]\nlisten = [\"{http}\"]"),
            &[("l.test".to_owned(), "list".to_owned())],
        );
        let server = setup.start();
        fs::create_dir("/run/bird").expect("/run is empty");
        let bird = |log: &str| {
            let mut command = Command::new("bird");
            command.args(["-f", "-c", &format!("{DEPLOY}/anycast/bird.conf")]);
            Process::start(&mut command, &server.path(log))
        };
        let is_up = || {
            let shown = Command::new("birdc").args(["show", "protocols", "ready"]).output();
            String::from_utf8_lossy(&shown.expect("it is there").stdout).contains(" up ")
        };
        let mut command = Command::new(format!("{DEPLOY}/anycast/announce"));
        command.arg("bird").env("HEALTH", format!("http://{http}")).env("RISE", "1");
        let first = bird("first");
        let _announcer = Process::start(&mut command, &server.path("announcer"));
        assert!(wait_until(LIMIT, is_up));
        drop(first);
        let _second = bird("second");
        assert!(wait_until(LIMIT, is_up));
    });
}

#[test]
fn a_site_that_is_not_ready_is_announced_with_a_longer_path_and_a_dead_one_not_at_all() {
    let setup = Setup::new();
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
    setup.configure_lists(
        &format!("[http]\nlisten = [\"{http}\"]"),
        &[("l.test".to_owned(), "list".to_owned())],
    );
    let log = setup.path("told");
    let mut command = Command::new(format!("{DEPLOY}/anycast/announce"));
    command
        .arg("exabgp")
        .env("HEALTH", format!("http://{http}"))
        .envs([("RISE", "1"), ("FALL", "1")]);
    let (server, mut announcer) =
        (setup.start(), Process::start_apart(&mut command, &log, &log.with_extension("err")));
    let told = |line: &str| {
        let last = || fs::read_to_string(&log).unwrap_or_default().lines().last() == Some(line);
        assert!(wait_until(LIMIT, last), "{line}: {:?}", fs::read_to_string(&log));
    };
    told("announce route 198.51.100.53/32 next-hop self as-path [ 64512 64512 64512 64512 ]");
    server.write("list", "192.0.2.1\n");
    told("announce route 198.51.100.53/32 next-hop self");
    server.signal(Signal::KILL);
    told("withdraw route 198.51.100.53/32 next-hop self");
    announcer.signal(Signal::TERM);
    assert!(wait_until(LIMIT, || announcer.has_ended()));
}

fn serve(config: &Path, addr: SocketAddr) -> Server {
    Server::configured(config, addr, &["l1.apews.org", "l2.apews.org"])
}

#[test]
fn the_units_are_sound() {
    sealed(|| {
        // What they start has to be there.
        let bin = Path::new("/usr/local/bin");
        hide(bin);
        let program = env!("CARGO_BIN_EXE_dnsbld");
        std::os::unix::fs::symlink(program, bin.join("dnsbld")).expect("the folder is empty");
        for (unit, threshold) in
            [("dnsbld.service", "--threshold=17"), ("dnsbld-sync.service", "--threshold=15")]
        {
            let file = format!("{DEPLOY}/systemd/{unit}");
            // Keys that it does not know are only written of.
            let said = run(Command::new("systemd-analyze").args(["verify", "--man=no", &file]));
            assert_eq!(said, "", "{unit}");
            // From 0 to 100. It fails above the threshold.
            let mut command = Command::new("systemd-analyze");
            command.args(["security", "--offline=true", threshold, &file]);
            run(&mut command);
        }
        let units =
            ["dnsbld.socket", "dnsbld.service"].map(|unit| format!("{DEPLOY}/systemd/{unit}"));
        let said = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units));
        assert_eq!(said, "", "dnsbld.socket");
    });
}

#[test]
fn it_runs_as_the_unit_runs_it() {
    if !is_root() {
        return skip("only root may change to another user");
    }
    sealed(|| {
        let unit = fs::read_to_string(format!("{DEPLOY}/systemd/dnsbld.service")).expect("there");
        let setting = |key: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("the unit has no {key}")).to_owned()
        };
        assert_eq!(setting("Type"), "notify");
        assert_eq!(setting("AmbientCapabilities"), "CAP_NET_BIND_SERVICE");
        assert_eq!(setting("ExecReload"), "/bin/kill -HUP $MAINPID");
        assert_eq!(setting("RestartPreventExitStatus"), "78");
        // Without /proc/meminfo, lists are loaded until the machine has no memory left.
        assert!(!unit.contains("\nProcSubset=pid"));

        let folder = temp_dir();
        copy_zones(folder.path());
        let socket = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&socket).expect("a short path");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("it is ours");
        systemd.set_read_timeout(Some(LIMIT)).expect("it is not zero");
        let told = || {
            let mut buffer = [0; 1024];
            let length = systemd.recv(&mut buffer).expect("systemd is told in time");
            // More lines tell when.
            let message = String::from_utf8_lossy(&buffer[..length]);
            message.lines().next().unwrap_or_default().to_owned()
        };

        // The checkout may be out of the sight of others.
        hide(Path::new("/usr/local/bin"));
        let start = setting("ExecStart");
        let mut words = start.split(' ');
        fs::copy(env!("CARGO_BIN_EXE_dnsbld"), words.next().expect("a program")).expect("a copy");
        let config = folder.path().join("dnsbld.toml");
        let start = start.replace("/etc/dnsbld/dnsbld.toml", config.to_str().expect("ASCII"));
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"])
            .args(["--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"])
            .arg("--bounding-set=-all,+net_bind_service")
            .args(start.split(' '))
            .args(["--listen", "127.0.0.1:53"])
            .env("RUNTIME_DIRECTORY", folder.path().join("run"))
            .env("NOTIFY_SOCKET", &socket);
        let log = folder.path().join("log");
        let mut server = Process::start(&mut command, &log);
        assert_eq!(told(), "READY=1", "{}", fs::read_to_string(&log).unwrap_or_default());
        assert_resolves_the_zones();

        server.signal(Signal::HUP);
        assert_eq!([told(), told()], ["RELOADING=1", "READY=1"]);
        server.signal(Signal::TERM);
        assert_eq!(told(), "STOPPING=1");
        assert!(wait_until(LIMIT, || server.has_ended()));
        let status = server.status().expect("it has ended");
        assert!(status.success(), "{status}: {}", fs::read_to_string(&log).unwrap_or_default());
    });
}

fn copy_zones(folder: &Path) {
    for entry in fs::read_dir(ZONES).expect("the samples are there") {
        let entry = entry.expect("it can be read");
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
    }
}
