//! What a server gives up at its start, and what it cannot do any more, as the kernel tells it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode::{self, NXDomain, NoError};
use hickory_proto::rr::RecordType;

use crate::common::{
    Client, Daemon, Process, Setup, add_user, dnsbld, is_root, run, sealed, skip, temp_dir,
    wait_until,
};

const SOON: Duration = Duration::from_secs(10);

/// The number of the user `dnsbld` in namespaces of tests.
const USER: u32 = 4053;

const TABLES: &str = "[[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['lists/list']\n\
                      [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n";

/// A server of the list `lists/list`, with more lines of its server table.
fn setup(server: &str) -> Setup {
    let setup = Setup::new();
    setup.write("lists/list", "192.0.2.1\n");
    setup.configure(server, TABLES);
    setup
}

/// What `dnsbld status --json` tells of the rights of a server whose control socket is `control` in its folder.
fn confinement(setup: &Setup) -> serde_json::Value {
    let socket = setup.path("control");
    let said =
        dnsbld(&setup.path(""), &["status", "--json", "--socket", &socket.to_string_lossy()]);
    let status: serde_json::Value = serde_json::from_str(&said.out).expect(&said.out);
    status["server"]["confinement"].clone()
}

/// Whether the kernel keeps the server to its folders; the test is skipped if it cannot.
fn is_sandboxed(daemon: &Daemon) -> bool {
    let state = confinement(daemon)["sandbox"].clone();
    if state == "unavailable" {
        skip("this kernel has no Landlock");
    }
    state == "on"
}

fn is_listed(daemon: &Daemon, name: &str, wanted: ResponseCode) -> bool {
    wait_until(SOON, || daemon.ask(name, RecordType::A).rcode() == wanted)
}

/// The values of a line of `/proc/PID/status`, of each thread.
fn of_threads(process: u32, line: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let texts = tasks.map(|task| {
        let file = task.expect("it runs").path().join("status");
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(':'));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    });
    texts.collect()
}

/// All that is in a folder, with what it is in.
fn walk(folder: &Path, see: &mut impl FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        see(&path, &metadata);
        if metadata.is_dir() {
            walk(&path, see);
        }
    }
}

#[test]
fn started_by_root_it_is_a_user_without_rights_and_its_files_are_for_nobody_else() {
    if !is_root() {
        return skip("only root may change to another user");
    }
    sealed(|| {
        add_user("dnsbld", USER);
        let folder = temp_dir();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("log")).unwrap();
        chown(path("log"), Some(USER), Some(USER)).unwrap();
        fs::write(path("list"), "192.0.2.1\n").unwrap();
        let config = format!(
            "[server]\nlisten = ['127.0.0.1:53']\nstate-dir = '{0}/var/lib/dnsbld/state'\n\
             query-log = '{0}/log/queries'\nstats-file = '{0}/log/stats'\n{1}",
            folder.path().display(),
            TABLES.replace("lists/list", "list")
        );
        fs::write(path("dnsbld.toml"), config).unwrap();
        // A service has no other umask than that of who starts it.
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_dnsbld"), "serve"]);
        command.arg("--config").arg(path("dnsbld.toml")).env_remove("RUNTIME_DIRECTORY");
        let mut server = Process::start(&mut command, &path("out"));
        server.wait(SOON, |server| server.out().contains("ready after"));
        assert!(!server.out().contains("WARN"), "{}", server.out());

        let id = USER.to_string();
        for (line, want) in [
            ("Uid", [&*id; 4].join(" ")),
            ("Gid", [&*id; 4].join(" ")),
            ("Groups", id.clone()),
            ("CapInh", "0".repeat(16)),
            ("CapPrm", "0".repeat(16)),
            ("CapEff", "0".repeat(16)),
            ("CapAmb", "0".repeat(16)),
            // All but that which a server keeps that stays root.
            ("CapBnd", format!("{:016x}", 1 << 2)),
            ("NoNewPrivs", "1".to_owned()),
        ] {
            let threads = of_threads(server.id(), line);
            assert!(
                threads.len() > 4 && threads.iter().all(|it| *it == want),
                "{line}: {threads:?}"
            );
        }

        let client = Client::new(SocketAddr::from(([127, 0, 0, 1], 53)));
        let code = |name: &str| client.ask(name, RecordType::A).map(|reply| reply.rcode()).ok();
        assert_eq!(code("1.2.0.192.bl.test"), Some(NoError));
        // It finds its socket as it would after a start by systemd, and root may ask it.
        let said = run(Command::new(env!("CARGO_BIN_EXE_dnsbld")).arg("status"));
        assert!(said.contains("\nuser dnsbld, no capabilities, sandbox "), "{said}");
        // A refused file is kept, a list is loaded anew and has a history.
        fs::write(path("list"), "192.0.2.2\n").unwrap();
        assert!(wait_until(SOON, || code("2.2.0.192.bl.test") == Some(NoError)));
        fs::write(path("list"), "<html>\n").unwrap();
        assert!(
            wait_until(SOON, || server.out().contains("refused-file-kept")),
            "{}",
            server.out()
        );
        assert!(wait_until(SOON, || fs::read(path("log/queries")).is_ok_and(|it| !it.is_empty())));
        assert!(wait_until(SOON, || path("var/lib/dnsbld/state/history").exists()));

        let mut seen = Vec::new();
        let mut check = |path: &Path, file: &fs::Metadata| {
            let mode = file.mode() & 0o7777;
            let want = if file.is_dir() { 0o750 } else { 0o640 };
            // A copy that nobody else needs may have less.
            assert!(mode == want || mode == want & 0o700, "{}: {mode:o}", path.display());
            assert_eq!((file.uid(), file.gid()), (USER, USER), "{}", path.display());
            seen.push(path.file_name().unwrap().to_string_lossy().into_owned());
        };
        walk(&path("var/lib/dnsbld"), &mut check);
        let query_log = fs::metadata(path("log/queries")).unwrap();
        check(&path("log/queries"), &query_log);
        let stats = fs::metadata(path("log/stats")).unwrap();
        check(&path("log/stats"), &stats);
        for name in ["state", "lock", "serials", "snapshots", "history", "accepted", "quarantine"] {
            assert!(seen.iter().any(|it| it == name), "there is no {name}: {seen:?}");
        }
        // Their parents are root's, and nobody else may write to them.
        for parent in ["var", "var/lib", "var/lib/dnsbld"] {
            let parent = fs::metadata(path(parent)).unwrap();
            assert_eq!((parent.uid(), parent.mode() & 0o7777), (0, 0o755));
        }
        server.signal(rustix::process::Signal::TERM);
        assert!(wait_until(SOON, || server.has_ended()));
        assert!(server.status().unwrap().success(), "{}", server.out());
        assert!(!Path::new("/run/dnsbld/control").exists());
    });
}

#[test]
fn a_user_that_is_not_there_is_told_and_root_does_not_take_its_place() {
    if !is_root() {
        return skip("only root may change to another user");
    }
    let setup = setup("user = 'nobody-of-this-name'");
    let mut daemon = setup.launch();
    assert!(wait_until(SOON, || daemon.has_ended()));
    let log = daemon.log();
    assert!(log.contains("there is no user \"nobody-of-this-name\""), "{log}");
    assert!(log.contains("adduser --system"), "{log}");
    let setup = daemon.ended();
    setup.configure("user = '4054'\ngroup = '4055'", TABLES);
    chown(setup.path(""), Some(4054), Some(4055)).unwrap();
    let daemon = setup.start();
    assert_eq!(confinement(&daemon)["user"], "4054");
    assert!(!daemon.log().contains("stays-root"), "{}", daemon.log());
}

#[test]
fn a_reload_that_names_a_file_elsewhere_asks_for_a_restart_and_changes_nothing() {
    let elsewhere = temp_dir();
    fs::write(elsewhere.path().join("more"), "192.0.2.7\n").unwrap();
    let daemon = setup("").start();
    if !is_sandboxed(&daemon) {
        return;
    }
    let more = elsewhere.path().join("more");
    let tables = TABLES.replace("'lists/list'", &format!("'lists/list', '{}'", more.display()));
    daemon.configure("", &tables);
    let said = daemon.reload();
    let want = format!("dataset list: {} is in none of the folders", more.display());
    assert!(said.contains(&want) && said.contains("restart the server"), "{said}");
    assert!(said.contains("the settings read before stay in use"), "{said}");
    assert_eq!(daemon.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NoError);
    // A new file beside one that it knows needs no restart.
    daemon.write("lists/near", "192.0.2.8\n");
    daemon.configure("", &TABLES.replace("'lists/list'", "'lists/list', 'lists/near'"));
    assert!(daemon.reload().contains("settings-reloaded"));
    assert!(is_listed(&daemon, "8.2.0.192.bl.test", NoError));
    daemon.configure("", &tables);
    let daemon = daemon.restart();
    assert!(is_listed(&daemon, "7.2.0.192.bl.test", NoError));
}

/// What the kernel refuses is seen where the server does not know of it: the folder has the same name.
#[test]
fn a_folder_put_in_place_of_another_is_out_of_reach_and_told() {
    let elsewhere = temp_dir();
    let folder = elsewhere.path().join("lists");
    let setup = Setup::new();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("list"), "192.0.2.1\n").unwrap();
    setup.configure("", &TABLES.replace("lists/list", &folder.join("list").to_string_lossy()));
    let daemon = setup.start();
    if !is_sandboxed(&daemon) {
        return;
    }
    let next = elsewhere.path().join("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("list"), "192.0.2.9\n").unwrap();
    fs::rename(&folder, elsewhere.path().join("old")).unwrap();
    fs::rename(&next, &folder).unwrap();
    daemon.expect_log(&["folder-outside-sandbox", &folder.to_string_lossy(), "restart"], SOON);
    daemon.expect_log(&["dataset-refused", "Permission denied"], SOON);
    assert_eq!(daemon.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NoError);
    let daemon = daemon.restart();
    assert!(is_listed(&daemon, "9.2.0.192.bl.test", NoError));
}

/// The system says no more than that it may not be read: modes are not all that could be looked for.
#[test]
fn a_link_to_a_file_elsewhere_is_refused_with_the_word_restart() {
    let elsewhere = temp_dir();
    let file = elsewhere.path().join("list");
    fs::write(&file, "192.0.2.9\n").unwrap();
    let daemon = setup("").start();
    if !is_sandboxed(&daemon) {
        return;
    }
    symlink(&file, daemon.path("link")).unwrap();
    fs::rename(daemon.path("link"), daemon.path("lists/list")).unwrap();
    daemon.expect_log(&["dataset-refused", "server.sandbox", "restart the server"], SOON);
    assert_eq!(daemon.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NoError);
    let daemon = daemon.restart();
    assert!(is_listed(&daemon, "9.2.0.192.bl.test", NoError));
}

#[test]
fn a_link_to_the_folder_of_each_version_is_followed() {
    let setup = setup("");
    fs::rename(setup.path("lists"), setup.path("versions-1")).unwrap();
    fs::create_dir(setup.path("versions")).unwrap();
    fs::rename(setup.path("versions-1"), setup.path("versions/1")).unwrap();
    symlink("versions/1", setup.path("lists")).unwrap();
    let daemon = setup.start();
    assert!(is_listed(&daemon, "1.2.0.192.bl.test", NoError));
    daemon.write("versions/2/list", "192.0.2.2\n");
    symlink("versions/2", daemon.path("new")).unwrap();
    fs::rename(daemon.path("new"), daemon.path("lists")).unwrap();
    assert!(is_listed(&daemon, "2.2.0.192.bl.test", NoError), "{}", daemon.log());
    assert!(is_listed(&daemon, "1.2.0.192.bl.test", NXDomain));
}

#[test]
fn without_the_sandbox_a_reload_may_name_any_file() {
    let elsewhere = temp_dir();
    fs::write(elsewhere.path().join("more"), "192.0.2.7\n").unwrap();
    let daemon = setup("sandbox = false").start();
    assert_eq!(confinement(&daemon)["sandbox"], "off");
    let more = elsewhere.path().join("more");
    let files = format!("'lists/list', '{}'", more.display());
    daemon.configure("sandbox = false", &TABLES.replace("'lists/list'", &files));
    assert!(daemon.reload().contains("settings-reloaded"));
    assert!(is_listed(&daemon, "7.2.0.192.bl.test", NoError));
}

#[test]
fn in_a_root_folder_it_sees_nothing_else() {
    if !is_root() {
        return skip("only root may change its root folder");
    }
    let setup = setup("");
    let jail = setup.path("jail");
    let inside = jail.join(setup.path("").strip_prefix("/").unwrap());
    fs::create_dir_all(&inside).unwrap();
    let server = format!("chroot = '{}'\ncontrol = 'off'", jail.display());
    setup.configure(&server, TABLES);
    // Without the configuration inside, no reload could read it.
    let mut daemon = setup.launch();
    assert!(wait_until(SOON, || daemon.has_ended()));
    assert!(daemon.log().contains("is not to be read inside"), "{}", daemon.log());
    let setup = daemon.ended();
    fs::copy(setup.path("dnsbld.toml"), inside.join("dnsbld.toml")).unwrap();
    fs::create_dir(inside.join("lists")).unwrap();
    fs::write(inside.join("lists/list"), "192.0.2.5\n").unwrap();
    let mut daemon = setup.launch();
    assert!(wait_until(SOON, || daemon.has_ended() || daemon.log().contains("ready after")));
    assert!(is_listed(&daemon, "5.2.0.192.bl.test", NoError), "{}", daemon.log());
    assert_eq!(daemon.ask("1.2.0.192.bl.test", RecordType::A).rcode(), NXDomain);
    assert!(daemon.reload().contains("settings-reloaded"), "{}", daemon.log());
    // A name of the configuration without a folder is that of the same folder in there.
    let setup = daemon.stop();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["serve", "--config", "dnsbld.toml"]).current_dir(setup.path(""));
    let mut server = Process::start(command.env_remove("NOTIFY_SOCKET"), &setup.path("log"));
    server.wait(SOON, |server| server.out().contains("ready after"));
}
