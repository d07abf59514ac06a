//! The unit with its drop-in, under systemd, in a machine that has the devices of this one.

use std::path::Path;

use super::{CLIENTS, LIMIT, ask, is_attached, is_listed, linked, of_stack, socket};
use crate::common::{Machine, sealed, temp_dir, wait_until};

/// What the heads of both files say, but for the drop-in; and a server at the addresses of the devices.
const INSTALL: &str = "
    adduser --quiet --system --group --no-create-home dnsbld
    install dnsbld /usr/local/bin/
    install -D -m 644 list /etc/dnsbld/list
    install -D -m 644 dnsbld.toml /etc/dnsbld/dnsbld.toml
    install -m 644 dnsbld.service /etc/systemd/system/
    systemctl daemon-reload
";

const DROP_IN: &str = "
    install -D -m 644 xdp.conf /etc/systemd/system/dnsbld.service.d/xdp.conf
    systemctl daemon-reload
";

const SETTINGS: &str = "
    [server]
    listen = ['0.0.0.0:53', '[::]:53']
    xdp = ['server']
    [[dataset]]
    name = 'list'
    type = 'ip4set'
    files = ['list']
    [[zone]]
    name = 'l.example'
    datasets = ['list']
";

#[test]
fn the_drop_in_has_all_that_the_unit_lacks() {
    if !Machine::can_boot() {
        return;
    }
    sealed(|| {
        linked(|| {
            let machine =
                Machine::boot_with("clean", &["CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_BPF"], "bpf");
            let deploy = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"));
            machine.bring(Path::new(env!("CARGO_BIN_EXE_dnsbld")));
            machine.bring(&deploy.join("systemd/dnsbld.service"));
            machine.bring(&deploy.join("xdp.conf"));
            let folder = temp_dir();
            for (name, text) in [("list", "127.0.0.2\n"), ("dnsbld.toml", SETTINGS)] {
                std::fs::write(folder.path().join(name), text).expect("our folder");
                machine.bring(&folder.path().join(name));
            }
            machine.must(INSTALL);
            let status = || machine.run("/usr/local/bin/dnsbld status").out;

            // The unit alone: the sockets serve, and it is said what helps.
            machine.must("systemctl start dnsbld");
            let said = status();
            assert!(said.contains("\nxdp server: the sockets have its queries: "), "{said}");
            assert!(said.contains("deploy/xdp.conf"), "{said}");
            let client = socket(CLIENTS[0]);
            assert!(is_listed(&ask(&client, "2.0.0.127.l.example")));

            machine.must(DROP_IN);
            machine.must("systemctl restart dnsbld");
            let said = status();
            if said.contains("it takes a kernel") {
                return crate::common::skip("the kernel has no AF_XDP");
            }
            assert!(said.contains("\nxdp server: 2 of 2 queues past the kernel's stack"), "{said}");
            assert!(said.contains("\nuser dnsbld, no capabilities, sandbox on "), "{said}");
            let is_taken = |client: &str| {
                let (before, client) = (of_stack().0, socket(client));
                is_listed(&ask(&client, "2.0.0.127.l.example")) && of_stack().0 == before
            };
            assert!(is_taken(CLIENTS[0]) && is_taken(CLIENTS[2]), "the sockets had them");

            // systemd starts it again, and it takes the device again.
            machine.must("systemctl kill --signal=KILL dnsbld");
            assert!(wait_until(LIMIT, || !is_attached()));
            assert!(wait_until(LIMIT, || status().contains("\nxdp server: 2 of 2 queues")));
            assert!(is_taken(CLIENTS[1]), "the sockets had it");
            machine.must("systemctl stop dnsbld");
            assert!(!is_attached());
        });
    });
}
