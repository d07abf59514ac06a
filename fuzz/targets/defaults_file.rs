//! Any text as a file that starts rbldnsd (`/etc/default/rbldnsd`, a unit, a Dockerfile, a compose
//! file): command lines that can be written in each form and read again, and that become a
//! configuration or an error.

use dnsbld::rbldnsd::migrate::{CommandLines, Form, Instance};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

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
    b"rbldnsd_flags=",
    b"[Service]\n",
    b"\nExecStart=",
    b"\nEnvironment=",
    b"/bin/sh -c ",
    b"rbldnsd ",
    b"%i",
    b"FROM x\n",
    b"\nCMD ",
    b"\nENTRYPOINT ",
    b"\nENV ",
    b"[\"",
    b"\", \"",
    b"services:\n",
    b"  a:\n    command: ",
    b"    entrypoint: ",
    b"${X:-",
    b"&a ",
    b"*a",
    b"<<: ",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "# Debian\nRBLDNSD=\"dsbl -r/var/lib/rbldns -e \\\n  a.test:ip4set:list \\\n  b.test:dnset:x\n\n\
         # other\nlocal -w /d -c 10m -s +stats c.test:ip4trie:list,list :acl:who\n\"\n",
        "X=/var/lib\nRBLDNSD='- -w /d -t 1h:5m z.test:ip4set:a'\nexport RBLDNSD; Y=\"$X ${X}\"",
        "RBLDNSD_OPTIONS=\"-n -l - -vv -u 5:6 -F mail \\\n z.test:ip4set:\\\"a\\\"\"",
        "if test -f /x; then . /x; fi\nRBLDNSD=a\\ -n\\ z:ip4set:b'c d'\"e\"`id`",
        "rbldnsd_enable=YES\nrbldnsd_flags=\"-r /usr/local/etc/rbldnsd -b 192.0.2.1 \
         bl.example.org:ip4tset:l\"",
        "[Unit]\nDescription=x\n[Service]\nEnvironment='A=-n -e'\nUser=u\n\
         ExecStart=@/usr/sbin/rbldnsd name $A \\\n# c\n  'z.test:ip4set:a b' \\x41 %%\n",
        "[Service]\nExecStart=/bin/sh -c 'exec rbldnsd -n ${A:-x} \"$@\"' sh z:dnset:a\n",
        "FROM debian AS base\nENV A=b\nENTRYPOINT [\"rbldnsd\", \"-n\"]\nFROM base\nUSER u\n\
         WORKDIR x\nCMD [\"z:ip4set:a\"]\n",
        "ARG V=1\nFROM x\nRUN <<E\nCMD no\nE\nCMD rbldnsd \\\n $V z:ip4set:a\n",
        "services:\n  a: &a\n    image: rbldnsd\n    command: -n z:ip4set:${L:-a}\n  b:\n    <<: *a\n    \
         user: u\n    entrypoint: [sh, -c]\n    command: ['rbldnsd $$X z:dnset:a']\n    \
         environment: {X: -e}\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn run(data: &[u8]) {
    let Ok(read) = CommandLines::read(data) else { return };
    assert!(!read.instances.is_empty());
    if read.form == Form::Shell && !read.instances.iter().any(has_blanks) {
        same_again(&read.instances, &shell_file(&read.instances));
    }
    for instance in &read.instances {
        if let Some(words) = texts(instance) {
            for text in [rc_conf(&words), unit(&words), dockerfile(&words), compose(&words)] {
                let again = CommandLines::read(text.as_bytes()).expect(&text);
                assert_eq!(again.instances[0].words, instance.words, "{text}");
            }
        }
        // Names of hosts would be looked up.
        if !instance.words.iter().any(|word| word.as_bytes().contains(&b'b')) {
            let words = [&["-b127.0.0.1".into()], instance.words.as_slice()].concat();
            // What it writes is read by itself.
            let _ = Instance { words, ..instance.clone() }.migrate("a file");
        }
    }
}

/// Flags of FreeBSD have quotes; what an init script splits at blanks has none.
fn has_blanks(instance: &Instance) -> bool {
    let is_blank = |byte: &u8| b" \t\n".contains(byte);
    instance.words.iter().any(|word| word.is_empty() || word.as_bytes().iter().any(is_blank))
}

fn same_again(instances: &[Instance], text: &[u8]) {
    let again = CommandLines::read(text).expect("it is well formed").instances;
    let told = |instances: &[Instance]| -> Vec<_> {
        instances.iter().map(|one| (one.name.clone(), one.words.clone())).collect()
    };
    assert_eq!(told(&again), told(instances));
}

/// The instances as a file, in quotes that leave everything alone.
fn shell_file(instances: &[Instance]) -> Vec<u8> {
    let mut text = b"RBLDNSD='".to_vec();
    for Instance { name, words, .. } in instances {
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

/// The words if all forms can say them: text without control characters.
fn texts(instance: &Instance) -> Option<Vec<&str>> {
    let words: Option<Vec<&str>> = instance.words.iter().map(|word| word.to_str()).collect();
    words.filter(|words| !words.iter().any(|word| word.contains(char::is_control)))
}

fn rc_conf(words: &[&str]) -> String {
    let quote = |word: &&str| format!("'{}'", word.replace('\'', "'\\''"));
    let line = words.iter().map(quote).collect::<Vec<_>>().join(" ");
    format!("rbldnsd_flags='{}'\n", line.replace('\'', "'\\''"))
}

fn unit(words: &[&str]) -> String {
    let quote = |word: &&str| {
        let word = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!(" \"{}\"", word.replace('%', "%%").replace('$', "$$"))
    };
    format!("[Service]\nExecStart=rbldnsd{}\n", words.iter().map(quote).collect::<String>())
}

fn json(words: &[&str]) -> String {
    let quote = |word: &&str| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
    words.iter().map(quote).collect::<Vec<_>>().join(", ")
}

fn dockerfile(words: &[&str]) -> String {
    format!("FROM x\nENTRYPOINT [\"rbldnsd\"]\nCMD [{}]\n", json(words))
}

fn compose(words: &[&str]) -> String {
    let words = json(words).replace('$', "$$");
    format!("services:\n  a:\n    entrypoint: rbldnsd\n    command: [{words}]\n")
}
