//! A feed over ssh, from a real sshd.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{FAILED, Feeds, OK};
use crate::common::{Process, hide, is_root, run, sealed, skip, temp_dir};

fn make_key(path: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
}

#[test]
fn a_feed_comes_over_ssh_with_a_key_and_no_questions() {
    if !is_root() {
        return skip("only root may start sshd");
    }
    sealed(|| {
        let folder = temp_dir();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir("/run/sshd").expect("the folder is empty");
        hide(Path::new("/etc/ssh"));
        for key in ["host", "own", "other"] {
            make_key(&at(key));
        }
        fs::write(at("list"), "127.0.0.2\n").expect("our folder");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort 22\nHostKey {host}\nAuthorizedKeysFile {own}.pub\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n",
            host = at("host").display(),
            own = at("own").display()
        );
        fs::write(at("sshd_config"), config).expect("our folder");
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(at("sshd_config"));
        let mut sshd = Process::start(&mut sshd, &at("log"));
        sshd.wait(Duration::from_secs(10), |sshd| sshd.out().contains("Server listening"));

        let source = format!("root@127.0.0.1:{}", at("list").display());
        let key = |name: &str| format!("key = '{}'", at(name).display());
        let feeds = Feeds::of(&source, &key("own"));
        feeds.sync().expect(FAILED, &["ssh does not know the host's key", "ssh_known_hosts"]);
        let host = fs::read_to_string(at("host.pub")).expect("it was made");
        fs::write("/etc/ssh/ssh_known_hosts", format!("127.0.0.1 {host}")).expect("our folder");
        feeds.force().expect(OK, &["one: published 1 file"]);
        assert_eq!(feeds.read("one/list"), "127.0.0.2\n");
        let other = fs::read_to_string(at("other.pub")).expect("it was made");
        fs::write("/etc/ssh/ssh_known_hosts", format!("127.0.0.1 {other}")).expect("our folder");
        feeds.force().expect(FAILED, &["another key than the known one", "ask the publisher"]);
        assert_eq!(feeds.read("one/list"), "127.0.0.2\n");
        fs::write("/etc/ssh/ssh_known_hosts", format!("127.0.0.1 {host}")).expect("our folder");
        let stranger = Feeds::of(&source, &key("other"));
        stranger.sync().expect(FAILED, &["ssh was not let in", "registered its public half"]);
    });
}
