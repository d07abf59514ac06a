//! Exim, which says what it does with a client, an envelope and an ACL.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::resolver::UNPACKED;
use super::{add_user, temp_dir};

/// Exim with an ACL for RCPT TO.
pub(crate) struct Exim {
    program: PathBuf,
    folder: TempDir,
}

impl Exim {
    /// It changes its user, which only root may, and asks the system's resolver. So make it only when sealed.
    pub(crate) fn new(acl: &str) -> Self {
        add_user("Debian-exim", 54322);
        let (folder, program) = (temp_dir(), Path::new(UNPACKED).join("usr/sbin/exim4"));
        assert!(program.exists(), "there is no {}: scripts/test unpacks it", program.display());
        let text = format!(
            "primary_hostname = mx.test\nspool_directory = {}\ndomainlist local_domains = rcpt.test\n\
             acl_smtp_rcpt = rcpt\nhost_lookup =\nexim_path = {}\nkeep_environment =\nadd_environment =\n\
             rfc1413_query_timeout = 0s\ntls_advertise_hosts =\nbegin acl\nrcpt:\n{acl}accept domains = +local_domains\n\
             begin routers\nr:\n driver = accept\n transport = t\nbegin transports\nt:\n driver = appendfile\n \
             file = /dev/null\n user = nobody\n",
            folder.path().display(),
            program.display(),
        );
        let exim = Self { program, folder };
        fs::write(exim.config(), text).expect("our folder");
        fs::set_permissions(exim.config(), fs::Permissions::from_mode(0o644)).expect("it is ours");
        exim
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("exim.conf")
    }

    /// The reply to RCPT TO from this client and sender.
    pub(crate) fn reply(&self, client: [u8; 4], sender: &str) -> String {
        let mut child = Command::new(&self.program)
            .arg("-C")
            .arg(self.config())
            .args(["-bh", &Ipv4Addr::from(client).to_string()])
            .env("LD_LIBRARY_PATH", format!("{UNPACKED}/usr/lib/x86_64-linux-gnu"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = format!(
            "EHLO client.test\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<joe@rcpt.test>\r\nQUIT\r\n"
        );
        child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // Behind the reply to MAIL FROM.
        let (_, rest) = said
            .split_once("250 OK\r\n")
            .unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        rest.to_owned()
    }
}
