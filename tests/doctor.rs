//! `dnsbld doctor` without a resolver: the server itself stands in for one. Real ones are in `resolvers`.

use crate::common::{Daemon, Ended, Setup, dig, ended, free_port, temp_dir, wait_until};
use std::process::Command;
use std::time::Duration;

/// What the doctor says of the server, asked through the resolver at this port.
fn doctor(daemon: &Daemon, port: u16) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.current_dir(daemon.path("")).env("RUNTIME_DIRECTORY", daemon.path(""));
    command.args(["doctor", "--resolver", &format!("127.0.0.1:{port}")]);
    ended(command)
}

fn setup(lists: &[(&str, &str)]) -> Setup {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1 :2:listed\n127.0.0.2 :2:test\n");
    let lists: Vec<_> =
        lists.iter().map(|(zone, file)| (zone.to_string(), file.to_string())).collect();
    setup.configure_lists("", &lists);
    setup
}

#[test]
fn an_open_way_is_no_fault_and_a_resolver_that_is_down_is_one() {
    let daemon = setup(&[("bl.example", "list")]).start();
    let well = doctor(&daemon, daemon.addr().port());
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.out.contains("zone      bl.example: ok\n"), "{well:?}");
    let silent = doctor(&daemon, free_port());
    assert_eq!(silent.code, 1, "{silent:?}");
    assert!(silent.out.contains("no resolver answers at 127.0.0.1:"), "{silent:?}");
}

#[test]
fn a_zone_without_data_is_not_ready() {
    let daemon = setup(&[("bl.example", "list"), ("none.example", "missing")]).launch();
    let answers = || dig(daemon.addr(), "_ready.bl.example A").data() == ["127.0.0.2"];
    assert!(wait_until(Duration::from_secs(20), answers));
    let said = doctor(&daemon, daemon.addr().port());
    assert_eq!(said.code, 1, "{said:?}");
    for line in [
        "zone      bl.example: ok\n",
        "none.example: the zone is not ready (never-loaded: none.example: nothing was ever loaded); ",
        "    dnsbld status none.example\n",
    ] {
        assert!(said.out.contains(line), "{said:?}");
    }
}

#[test]
fn without_a_server_and_a_configuration_it_cannot_tell() {
    let folder = temp_dir();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["doctor", "--config", "none.toml"]).current_dir(folder.path());
    command.env("RUNTIME_DIRECTORY", folder.path());
    let said = ended(command);
    assert_eq!(said.code, 2, "{said:?}");
}
