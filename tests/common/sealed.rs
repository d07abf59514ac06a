//! Tests that need ports, addresses or system files of their own.

use std::any::type_name;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use super::temp_dir;

/// In the environment of the inner run.
const INSIDE: &str = "DNSBLD_TEST_SEALED";

/// Runs `body` where the machine's network, processes and mounts are out of sight: the test
/// program is started again, for the test alone that `body` is written in, in new namespaces. Every
/// port is free there, the only network is the loopback interface, and names are looked up at
/// 127.0.0.1. When it ends, for whatever reason, the system ends all that it has started.
///
/// Fails if `body` fails. As another user than root, `body` is root without any real privilege.
pub(crate) fn sealed<Body: FnOnce()>(body: Body) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let name = test_of::<Body>();
    let folder = temp_dir();
    let resolv_conf = folder.path().join("resolv.conf");
    fs::write(&resolv_conf, "nameserver 127.0.0.1\n").expect("the folder is ours");
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-ec", PREPARE, "sh"])
        .arg(&resolv_conf)
        .arg(env::current_exe().expect("the test program is a file"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1");
    let output = command.output().expect("util-linux is everywhere");
    print!("{}", shown(&output));
    assert!(output.status.success(), "{name} has failed inside");
    // A wrong name would select no test, and be a success.
    assert!(shown(&output).contains(" 1 passed; "), "{name} is not the name of this test");
}

/// The name of the test in which a closure is written: its path without the crate.
fn test_of<Closure>() -> &'static str {
    let path = type_name::<Closure>().trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_, test)| test)
}

const PREPARE: &str = r#"
    ip link set lo up
    mount --bind "$1" /etc/resolv.conf
    mount -t tmpfs tmpfs /run
    shift
    exec "$@"
"#;

/// Whether this is the real root, who may change to other users.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says why the test that calls this does nothing here, past the test harness, which keeps what
/// tests print to itself. `scripts/test` names a file in `DNSBLD_SKIPPED` and counts its lines.
pub(crate) fn skip(why: &str) {
    let line = format!("SKIPPED {}: {why}\n", thread::current().name().unwrap_or_default());
    io::stderr().write_all(line.as_bytes()).expect("the standard error can be written");
    if let Some(file) = env::var_os("DNSBLD_SKIPPED") {
        let file = File::options().append(true).create(true).open(file);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file to count in");
    }
}

/// Gives this machine an address, if it has not got it. Only in [`sealed`].
pub(crate) fn add_address(address: impl Into<IpAddr>) {
    let address = address.into();
    let length = if address.is_ipv4() { 32 } else { 128 };
    let mut command = Command::new("ip");
    command.args(["addr", "replace", &format!("{address}/{length}"), "dev", "lo"]);
    // An IPv6 address may not be used until it is known that nobody else has it.
    command.args(address.is_ipv6().then_some("nodad"));
    run(&mut command);
}

/// Hides what is in the folder `path` of the system behind an empty one. Only in [`sealed`].
pub(crate) fn hide(path: &Path) {
    run(Command::new("mount")
        .args([OsStr::new("-t"), "tmpfs".as_ref(), "tmpfs".as_ref()])
        .arg(path));
}

/// Gives this machine a user and a group of this name and number. Only in [`sealed`].
pub(crate) fn add_user(name: &str, id: u32) {
    for (file, line) in [
        ("passwd", format!("{name}:x:{id}:{id}::/:/bin/false\n")),
        ("group", format!("{name}:x:{id}:\n")),
    ] {
        let (system, own) = (format!("/etc/{file}"), format!("/run/{file}"));
        let known = fs::read_to_string(&system).expect("it is everywhere");
        fs::write(&own, known + &line).expect("/run is ours");
        run(Command::new("mount").args(["--bind", &own, &system]));
    }
}

/// Runs a command that must succeed: what it has said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", shown(&output));
    shown(&output)
}

/// The two outputs of a command, one after the other.
fn shown(output: &Output) -> String {
    let Output { stdout, stderr, .. } = output;
    format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}
