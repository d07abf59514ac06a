//! Refused files as an administrator meets them: the last good data goes on answering, also after a restart;
//! the refused file lies in quarantine; and somebody who knows better can have it served.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;

use crate::common::{Daemon, Setup, event, names_in, wait_until};

const SOON: Duration = Duration::from_secs(10);

const PAGE: &str = "<html><body>404: Not Found</body></html>\n";

fn names(count: u32) -> String {
    (0..count).map(|number| format!(".bad{number}.example :2:listed\n")).collect()
}

/// A server with one dataset `list` of this type and text, a zone `bl.test`, and a state folder.
fn setup(kind: &str, text: &str) -> Setup {
    let setup = Setup::new();
    setup.write("list", text);
    let tables = format!(
        "[[dataset]]\nname = 'list'\ntype = '{kind}'\nfiles = ['list']\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n"
    );
    setup.configure("state-dir = 'state'", &tables);
    setup
}

/// The files of the dataset below a folder of the state folder, by their ending.
fn files(setup: &Setup, folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = setup.path("state").join(folder);
    let datasets = if folder.exists() { names_in(&folder) } else { Vec::new() };
    let all = datasets.iter().flat_map(|dataset| {
        let folder = folder.join(dataset);
        names_in(&folder).into_iter().map(move |name| folder.join(name))
    });
    all.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

fn quarantined(setup: &Setup) -> Vec<PathBuf> {
    files(setup, "quarantine", ".gz")
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).expect("it is there");
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is whole");
    text
}

fn snapshot(setup: &Setup) -> Vec<u8> {
    let folder = setup.path("state/snapshots");
    let name = names_in(&folder).into_iter().find(|name| name.ends_with(".snapshot"));
    fs::read(folder.join(name.expect("there is a snapshot"))).expect("it can be read")
}

fn wait_for_snapshot(server: &Daemon) {
    server.expect_log(&[&event("snapshot-written", "list")], SOON);
}

fn wait_for_text(server: &Daemon) {
    assert!(wait_until(SOON, || !files(server, "accepted", ".json").is_empty()), "not kept");
}

fn expect_quarantined(server: &Daemon, count: usize) {
    let done = wait_until(SOON, || quarantined(server).len() == count);
    assert!(done, "{:?}:\n{}", quarantined(server), server.log());
}

#[test]
fn an_error_page_leaves_the_good_names_in_service_over_a_restart() {
    let server = setup("dnset", &names(200)).start();
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    wait_for_snapshot(&server);
    wait_for_text(&server);
    let good = snapshot(&server);
    server.write("list", PAGE);
    server.expect_log(&[&event("dataset-refused", "list"), "HTML"], SOON);
    expect_quarantined(&server, 1);
    assert_eq!(unpacked(&quarantined(&server)[0]), PAGE);
    let note = fs::read_to_string(quarantined(&server)[0].with_extension("json")).unwrap();
    assert!(note.contains("is an HTML or XML page"), "{note}");
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);

    let server = server.restart();
    server.expect_log(&[&event("dataset-refused", "list"), "HTML"], SOON);
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    assert_eq!(snapshot(&server), good, "what was refused does not overwrite it");
    assert_eq!(unpacked(&files(&server, "accepted", ".gz")[0]), names(200));
    assert_eq!(quarantined(&server).len(), 1, "the same file is kept once");

    server.write("list", names(201));
    server.expect_code("x.bad200.example.bl.test", NoError, SOON);
    assert_eq!(quarantined(&server).len(), 1, "it stays for inspection");
}

/// Records have no snapshot: their text is the last good data.
#[test]
fn records_outlive_a_restart_as_the_text_that_was_accepted() {
    let server = setup("generic", "www A 127.0.0.2\nmail A 127.0.0.3\n").start();
    server.expect_code("www.bl.test", NoError, SOON);
    wait_for_text(&server);
    server.write("list", PAGE);
    server.expect_log(&[&event("dataset-refused", "list")], SOON);
    let server = server.restart();
    server.expect_log(&[&event("dataset-refused", "list")], SOON);
    let reply = server.ask("mail.bl.test", RecordType::A);
    assert_eq!(reply.addresses(), ["127.0.0.3".parse::<std::net::Ipv4Addr>().unwrap()]);
    // A copy that is damaged is not served.
    let setup = server.stop();
    fs::write(&files(&setup, "accepted", ".gz")[0], "").unwrap();
    let server = setup.start();
    server.expect_log(&[&event("dataset-refused", "list"), "nothing of it is served"], SOON);
}

#[test]
fn many_refused_versions_do_not_fill_the_disk() {
    let server = setup("dnset", &names(30)).start();
    wait_for_snapshot(&server);
    for version in 0..12 {
        server.write("list", format!("<html>{version}</html>\n"));
        let told = wait_until(SOON, || {
            let kept = quarantined(&server);
            kept.iter().any(|path| unpacked(path).contains(&format!(">{version}<")))
        });
        assert!(told, "{version}: {:?}:\n{}", quarantined(&server), server.log());
        let kept = quarantined(&server).len();
        assert!(kept <= 5, "{kept}");
    }
    expect_quarantined(&server, 4);
    assert_eq!(files(&server, "quarantine", ".json").len(), 4, "each has its note");
    server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    server.expect_code("x.bad30.example.bl.test", NXDomain, SOON);
}

/// A state folder in which nothing can be kept harms nothing, and is told once.
#[test]
fn a_quarantine_that_cannot_be_written_is_told_once() {
    let setup = setup("dnset", &names(30));
    setup.write("state/quarantine", "a file in place of the folder");
    let server = setup.start();
    for version in 0..3 {
        server.write("list", format!("<html>{version}</html>\n"));
        server.expect_log(&[&event("file-not-kept", "list")], SOON);
        server.expect_code("x.bad7.example.bl.test", NoError, SOON);
    }
    assert_eq!(server.log_lines(&["event=\"file-not-kept\""]).len(), 1, "{}", server.log());
}
