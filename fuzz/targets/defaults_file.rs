//! Any text as `/etc/default/rbldnsd`: command lines that can be written and read again, and that
//! become a configuration or an error.

use dnsbld::rbldnsd::migrate::{Defaults, Instance, Migration, Origin};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"RBLDNSD=",
    b"RBLDNSD_OPTIONS=",
    b"export ",
    b"\"",
    b"'",
    b"\\\n",
    b"\\",
    b"\n",
    b"#",
    b"$X",
    b"${X}",
    b"$(",
    b"`",
    b";",
    b"X=",
    b"- ",
    b" -r/var/lib ",
    b" -w d ",
    b" -t 1h:5m ",
    b" -c 0 ",
    b" -l +log ",
    b" -s stats ",
    b" -u 5:6 ",
    b" z:ip4set:a,b ",
    b" z:dnset:a ",
    b" :acl:a ",
    b" y:acl:b ",
    b" z:aclkey:../a ",
    b"*",
    b"\xff",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "# Debian\nRBLDNSD=\"dsbl -r/var/lib/rbldns -e \\\n  a.test:ip4set:list \\\n  b.test:dnset:x\n\n\
         # other\nlocal -w /d -c 10m -s +stats c.test:ip4trie:list,list :acl:who\n\"\n",
        "X=/var/lib\nRBLDNSD='- -w /d -t 1h:5m z.test:ip4set:a'\nexport RBLDNSD; Y=\"$X ${X}\"",
        "RBLDNSD_OPTIONS=\"-n -l - -vv -u 5:6 -F mail \\\n z.test:ip4set:\\\"a\\\"\"",
        "if test -f /x; then . /x; fi\nRBLDNSD=a\\ -n\\ z:ip4set:b'c d'\"e\"`id`",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn run(data: &[u8]) {
    let Ok(read) = Defaults::read(data) else { return };
    assert!(!read.instances.is_empty());
    let again = Defaults::read(&written(&read.instances)).expect("it is well formed");
    assert_eq!(again.instances, read.instances);
    for instance in &read.instances {
        // Names of hosts would be looked up.
        if instance.words.iter().any(|word| word.as_bytes().contains(&b'b')) {
            continue;
        }
        let words = [&["-b127.0.0.1".into()], instance.words.as_slice()].concat();
        // What it writes is read by itself.
        let _ = Migration::of(&words, Origin { name: &instance.name, folder: Path::new("/") });
    }
}

/// The instances as a file, in quotes that leave everything alone.
fn written(instances: &[Instance]) -> Vec<u8> {
    let mut text = b"RBLDNSD='".to_vec();
    for Instance { name, words } in instances {
        for word in [OsString::from(name)].iter().chain(words) {
            for &byte in word.as_bytes() {
                match byte {
                    b'\'' => text.extend(b"'\\''"),
                    b'\\' => text.extend(b"\\\\"),
                    _ => text.push(byte),
                }
            }
            text.push(b' ');
        }
        text.push(b'\n');
    }
    text.push(b'\'');
    text
}
