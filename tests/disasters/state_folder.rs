//! A state folder that cannot be used, from the start: a file in its place, a file system that is read only, a
//! folder of somebody else. What is kept there is an extra: the server answers as without it, says what it
//! cannot keep, once each, and refuses what it would refuse.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use crate::common::{Setup, event, is_root, sealed, skip};

const SOON: Duration = Duration::from_secs(10);

fn list(count: u32) -> String {
    (0..count).map(|number| format!("10.0.{number}.7\n")).collect()
}

/// A server whose state folder `spoil` has spoilt.
fn answers_all_the_same(mut setup: Setup, spoil: impl FnOnce(&Path)) -> Setup {
    setup.write("list", list(200));
    setup.configure_lists("state-dir = \"state\"", &[("bl.test".into(), "list".into())]);
    spoil(&setup.path("state"));
    setup.environment("DNSBLD_LOG", "info");
    let server = setup.start();
    let is_listed =
        |name: &str| !server.ask(&format!("{name}.bl.test"), RecordType::A).addresses().is_empty();
    assert!(is_listed("7.9.0.10"), "{}", server.log());
    // A good version, a page, and a good one again.
    for (text, told) in [
        (list(201), "dataset-reloaded"),
        ("<html>502 Bad Gateway</html>\n".to_owned(), "dataset-refused"),
        (list(202), ""),
    ] {
        server.write("next", text);
        fs::rename(server.path("next"), server.path("list")).expect("it is ours");
        if !told.is_empty() {
            server.expect_log(&[&event(told, "bl.test")], SOON);
        } else {
            server.expect_code(
                "7.201.0.10.bl.test",
                hickory_proto::op::ResponseCode::NoError,
                SOON,
            );
        }
        assert!(is_listed("7.9.0.10"), "{}", server.log());
    }
    for kind in ["serials-not-written", "snapshot-not-written", "record-not-written"] {
        assert_eq!(server.log_lines(&[kind]).len(), 1, "{kind}: {}", server.log());
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
    server.stop()
}

#[test]
fn a_file_in_place_of_the_state_folder() {
    let _ = answers_all_the_same(Setup::new(), |state| fs::write(state, "x").expect("it is ours"));
}

#[test]
fn a_state_folder_of_somebody_else() {
    if !is_root() {
        return skip("only root can make a folder of another user");
    }
    let mut setup = Setup::new();
    setup.as_ordinary_user();
    let _ = answers_all_the_same(setup, |state| {
        chown(state, Some(0), Some(0)).expect("root may");
        fs::set_permissions(state, fs::Permissions::from_mode(0o700)).expect("it is ours");
    });
}

#[test]
fn a_state_folder_that_is_read_only() {
    sealed(|| {
        let setup = answers_all_the_same(Setup::new(), |state| {
            fs::create_dir(state).expect("there is none");
            let mut command = Command::new("mount");
            let status = command.args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(state).status();
            assert!(status.expect("it runs").success());
        });
        // A folder that something is mounted on cannot be removed.
        let status = Command::new("umount").arg(setup.path("state")).status();
        assert!(status.expect("it runs").success());
    });
}
