//! Files that somebody made to do harm cost what honest ones of the same size and type do: the worst that we can
//! think of, type by type, with the time and the memory of the process that loads them.
//!
//! `DNSBLD_WORST_CASES=20000000 cargo test --release worst_cases:: -- --nocapture` does so with files of 20 MB, and
//! prints a table.

use crate::common::{Client, Process, Setup, skip, temp_dir, wait_until};
use flate2::Compression;
use flate2::write::GzEncoder;
use hickory_proto::op::ResponseCode::NoError;
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A worst case may take so many times what the honest file takes.
const MOST: f64 = 5.0;

/// The size of the files in bytes, unless the environment says another.
const SIZE: usize = 500_000;

/// Numbers that look random and are the same each time.
fn random(number: usize) -> u64 {
    let mut bits = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn ip4(bits: u64) -> String {
    let [a, b, c, d, ..] = bits.to_le_bytes();
    format!("{}.{b}.{c}.{d}", 1 + a % 223)
}

fn ip6(bits: u64) -> String {
    format!("2001:{:x}:{:x}:{:x}", bits as u16, (bits >> 16) as u16, (bits >> 32) as u16)
}

fn word(bits: u64) -> String {
    let letter = |at: u64| char::from(b'a' + (bits >> (5 * at) & 31) as u8 % 26);
    (0..4 + bits % 8).map(letter).collect()
}

/// What makes the line with a number.
type Line = fn(usize) -> String;

/// A type, an honest file of it, and files that are none.
struct Kind {
    name: &'static str,
    honest: Line,
    worst: &'static [(&'static str, Line)],
}

const ADDRESSES: &[(&str, Line)] = &[
    ("the same address", |_| "1.2.3.4\n".to_owned()),
    ("one address, many values", |n| format!("1.2.3.4 :2:{n}\n")),
    ("a text for each", |n| format!("{} :2:{n}\n", ip4(random(n)))),
    ("alternating exclusions", |n| {
        let bang = if n % 2 == 0 { "!" } else { "" };
        format!("{bang}10.{}.{}.{}\n", n >> 16 & 255, n >> 8 & 255, n & 255)
    }),
    ("nested prefixes", |n| format!("{}/{}\n", ip4(random(n / 24)), 8 + n % 24)),
    ("every second address", |n| {
        format!("{}.{}.{}.{}\n", 1 + (n >> 23), n >> 15 & 255, n >> 7 & 255, n << 1 & 254)
    }),
    ("no entries", |n| format!("{n} nonsense\n")),
    ("values that come and go", |n| format!(":{}:{n}\n{}\n", n % 250 + 2, ip4(random(n)))),
    ("empty lines", |_| "\n".to_owned()),
    ("gates", |n| format!("{} ts={n},delay=5 :2:\n", ip4(random(n)))),
];

const RANGES: &[(&str, Line)] = &[
    ("ranges over each other, a value each", |n| {
        format!(
            "{}-{} :2:{n}\n",
            ip4((n as u64 * 8).swap_bytes() >> 32),
            ip4((n as u64 * 8 + 4000).swap_bytes() >> 32)
        )
    }),
    ("ranges of few values over each other", |n| {
        format!(
            "{}-{} :{}:\n",
            ip4((n as u64 * 8).swap_bytes() >> 32),
            ip4((n as u64 * 8 + 4000).swap_bytes() >> 32),
            2 + random(n) % 250
        )
    }),
    ("ranges that end together", |n| format!("{}-223.255.255.255 :2:{n}\n", ip4(random(n)))),
    ("all of the world, many times", |n| format!("0-255 :2:{n}\n")),
    ("ranges upon 255 others", |n| match n {
        0..255 => format!("0-255 :2:{n} of all\n"),
        _ => {
            let start = (n as u64 * 4).swap_bytes() >> 32;
            let end = (n as u64 * 4 + 2).swap_bytes() >> 32;
            format!("{}-{} :2:{}\n", ip4(start), ip4(end), n % 100)
        }
    }),
    ("short ranges, a text each", |n| format!("{}-255 :2:{n}\n", ip4(random(n)))),
    ("ranges of 14 prefixes", |n| {
        let [b, c, a, _] = (n as u32).to_le_bytes();
        format!("{}.{b}.{c}.2-{}.{b}.{c}.253\n", a + 1, a + 1)
    }),
    ("ranges that are many prefixes", |n| {
        format!("1.0.{}.1-127.255.{}.254\n", n >> 8 & 255, n & 255)
    }),
];

const ADDRESSES6: &[(&str, Line)] = &[
    ("the same network", |_| "2001:db8::/64\n".to_owned()),
    ("single addresses", |n| format!("{}::{:x}/128\n", ip6(random(n)), n)),
    ("a text for each", |n| format!("{}::/64 :2:{n}\n", ip6(random(n)))),
    ("nested prefixes", |n| format!("{}::/{}\n", ip6(random(n / 48)), 16 + n % 48)),
    ("alternating exclusions", |n| {
        let bang = if n % 2 == 0 { "!" } else { "" };
        format!("{bang}2001:db8:0:{:x}::/64\n", n & 0xffff)
    }),
    ("exclusions of addresses", |n| format!("!2001:db8::{:x}:{:x}\n", n >> 16, n & 0xffff)),
];

const NAMES: &[(&str, Line)] = &[
    ("the same name", |_| "example.com\n".to_owned()),
    ("one name, many values", |n| format!("example.com :2:{n}\n")),
    ("a text for each", |n| format!("{}.com :2:{n}\n", word(random(n)))),
    ("deep names", |n| format!("{}{:x}.com\n", "a.".repeat(120), n)),
    ("deep names that part early", |n| format!("{}.{}com\n", word(random(n)), "a.".repeat(118))),
    ("deep names that part at each label", |n| {
        let bit = |at: usize| if random(n) >> (at % 64) & 1 == 0 { "a." } else { "b." };
        (0..120).map(bit).collect::<String>() + "com\n"
    }),
    ("long names that begin alike", |n| format!("{}.{}.{n:x}\n", "x".repeat(63), "y".repeat(63))),
    ("short names", |n| format!("{:x}\n", n)),
    ("alternating exclusions", |n| {
        let bang = if n % 2 == 0 { "!" } else { "*." };
        format!("{bang}{:x}.{}com\n", n, "a.".repeat(n % 7))
    }),
    ("labels of all bytes", |n| {
        let byte = |at: u64| format!("\\{:03}", random(n) >> (8 * at) & 255);
        (0..8).map(byte).collect::<String>() + ".com\n"
    }),
    ("a domain for each", |n| {
        format!(".{}.{}.{}\n", word(random(n)), word(random(n + 1)), word(random(n + 2)))
    }),
    ("no entries", |n| format!("..{n}..\n")),
];

const RECORDS: &[(&str, Line)] = &[
    ("one name, many records", |n| format!("www A {}\n", ip4(random(n)))),
    ("one record, many times", |_| "www A 192.0.2.1\n".to_owned()),
    ("deep names", |n| format!("{}{n:x} A 192.0.2.1\n", "a.".repeat(120))),
    ("data of their own", |n| format!("{:x} MX 10 {}.example\n", n, word(random(n)))),
    ("long texts", |n| format!("{n:x} TXT {}\n", "x".repeat(250))),
    ("short texts", |n| format!("a TXT {n:x}\n")),
    ("no entries", |n| format!("{n} CNAME x\n")),
];

const SECTIONS: &[(&str, Line)] = &[
    ("empty sections", |n| format!("$DATASET ip4set s{n:x}\n")),
    ("sections for one subzone", |_| "$DATASET dnset @\n".to_owned()),
    ("a variable for each section", |n| {
        let first = if n == 0 {
            format!("$1 {0}\n$2 {0}\n$= {0}\n", "x".repeat(32_000))
        } else {
            String::new()
        };
        format!("{first}$DATASET ip4set s{n:x}\n$3 x\n")
    }),
    ("long variables", |n| format!("$DATASET ip4set s{n:x}\n$1 {}\n", "x".repeat(32_000))),
    ("many subzones", |n| {
        let names: String = (0..4000).fold(String::new(), |mut line, at| {
            let _ = write!(line, " {n:x}.{at:x}");
            line
        });
        format!("$DATASET ip4set{names}\n")
    }),
    ("deep subzones", |n| format!("$DATASET ip4set {}{n:x}\n", "a.".repeat(120))),
    ("subzones of all depths", |n| {
        format!("$DATASET ip4set {}s{}\n", "a.".repeat(n % 120), n / 120)
    }),
    ("a name each", |n| format!("$DATASET dnset s{n:x}\na.b.c\n")),
    ("sections without subzones", |n| format!("$DATASET ip4trie:x{n} ..\n1.2.3.4\n")),
];

const HASHES: &[(&str, Line)] = &[
    ("hashes that begin alike", |n| format!("{n:040x}\n")),
    ("hashes that are the same", |_| format!("{:040x}\n", 1)),
    ("a value for each", |n| format!("{:08x}{n:032x} :2:{n}\n", random(n) as u32)),
    ("short hashes", |n| format!("{n:016x}\n")),
    ("hashes of other lengths", |n| format!("{n:016x}\n{n:017x}\n")),
];

const CLIENTS: &[(&str, Line)] = &[
    ("the same client", |_| "192.0.2.1 :refuse\n".to_owned()),
    ("nested prefixes", |n| format!("{}/{} :pass\n", ip4(random(n / 24)), 8 + n % 24)),
    ("a value for each", |n| format!("{} :2:{n}\n", ip4(random(n)))),
];

const KINDS: &[Kind] = &[
    Kind { name: "ip4set", honest: |n| format!("{}\n", ip4(random(n))), worst: ADDRESSES },
    Kind { name: "ip4set", honest: |n| format!("{}\n", ip4(random(n))), worst: RANGES },
    Kind { name: "ip4tset", honest: |n| format!("{}\n", ip4(random(n))), worst: ADDRESSES },
    Kind {
        name: "ip4trie",
        honest: |n| format!("{}/{}\n", ip4(random(n) & 0x00ff_ffff), 24),
        worst: ADDRESSES,
    },
    Kind {
        name: "ip4trie",
        honest: |n| format!("{}/{}\n", ip4(random(n) & 0x00ff_ffff), 24),
        worst: RANGES,
    },
    Kind { name: "ip6tset", honest: |n| format!("{}::/64\n", ip6(random(n))), worst: ADDRESSES6 },
    Kind { name: "ip6trie", honest: |n| format!("{}::/64\n", ip6(random(n))), worst: ADDRESSES6 },
    Kind {
        name: "dnset",
        honest: |n| format!("{}.{}.com\n", word(random(n)), word(random(n + 7))),
        worst: NAMES,
    },
    Kind {
        name: "hashset",
        honest: |n| format!("{:08x}{:032x}\n", random(n) as u32, n),
        worst: HASHES,
    },
    Kind {
        name: "generic",
        honest: |n| format!("{}{n:x} A {}\n", word(random(n)), ip4(random(n))),
        worst: RECORDS,
    },
    Kind {
        name: "combined",
        honest: |n| match n % 10_000 {
            0 => format!("$DATASET ip4set:{n} s{n}\n"),
            5_000 => format!("$DATASET dnset:{n} s{n}\n"),
            at if at < 5_000 => format!("{}\n", ip4(random(n))),
            _ => format!("{}.{}.com\n", word(random(n)), word(random(n + 7))),
        },
        worst: SECTIONS,
    },
    Kind { name: "acl", honest: |n| format!("{} :refuse\n", ip4(random(n))), worst: CLIENTS },
    Kind {
        name: "aclkey",
        honest: |n| format!("{}{n:x} :pass\n", word(random(n))),
        worst: &[
            ("short keys", |n| format!("{n:x}\n")),
            ("the same key", |_| "key :refuse\n".to_owned()),
        ],
    },
];

/// Each alone as the last line of a file.
const LONG_LINES: [&str; 4] = ["x", "1", ".a", "$"];

/// A file of this size.
fn text(line: Line, size: usize) -> String {
    let mut text = String::with_capacity(size);
    for number in 0.. {
        let line = line(number);
        if text.len() + line.len() > size && number > 0 {
            break;
        }
        text += &line;
    }
    text
}

/// What the process takes that loads a file: seconds of all cores, and bytes at the most.
fn cost(folder: &Path, kind: &str, text: &str) -> (f64, f64) {
    const RUN: &str = "import resource, subprocess, sys\n\
        code = subprocess.run(sys.argv[1:], stdout=-3, stderr=-3).returncode\n\
        used = resource.getrusage(resource.RUSAGE_CHILDREN)\n\
        print(code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)\n";
    fs::write(folder.join("list"), text).expect("the folder is ours");
    let mut command = Command::new("python3");
    command.current_dir(folder).args([
        "-c",
        RUN,
        env!("CARGO_BIN_EXE_dnsbld"),
        "compile",
        "-o",
        "out",
    ]);
    let output = command.arg(format!("{kind}:list")).output().expect("Python runs");
    let _ = fs::remove_file(folder.join("out"));
    let output = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> =
        output.split_whitespace().map(|it| it.parse().expect(&output)).collect();
    // Some have no compiled form, and some are refused: loaded they are.
    assert!(
        figures[0] == 0.0 || figures[0] == 1.0,
        "{kind}: {output}\n{}",
        &text[..text.len().min(200)]
    );
    (figures[1], figures[2])
}

#[test]
fn no_file_costs_more_than_five_honest_ones() {
    let size =
        std::env::var("DNSBLD_WORST_CASES").map_or(SIZE, |size| size.parse().expect("a number"));
    let folder = temp_dir();
    let mut dear = Vec::new();
    for Kind { name, honest, worst } in KINDS {
        let measure = |text: &str| cost(folder.path(), name, text);
        let (time, memory) = measure(&text(*honest, size));
        println!("{name:9} {time:7.2} s {:6.0} MB", memory / 1e6);
        let long = LONG_LINES
            .map(|start| (format!("one line of {start}"), start.repeat(size / start.len())));
        let cases =
            worst.iter().map(|(what, line)| (what.to_string(), text(*line, size))).chain(long);
        for (what, text) in cases {
            let (its_time, its_memory) = measure(&text);
            let ratios = [its_time / time, its_memory / memory];
            println!("{name:9} {:7.2}    {:6.2}    {what}", ratios[0], ratios[1]);
            // Once more, if others have used the cores.
            if ratios[1] > MOST || ratios[0] > MOST && measure(&text).0 / time > MOST {
                dear.push(format!(
                    "{name}, {what}: time x {:.1}, memory x {:.1}",
                    ratios[0], ratios[1]
                ));
            }
        }
    }
    assert!(dear.is_empty(), "{}", dear.join("\n"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory takes it");
    packed.finish().expect("memory takes it")
}

/// Until now the system ended a server that had no room for a list.
#[test]
fn a_list_too_big_for_the_memory_is_refused_and_the_last_good_data_serves() {
    check_that_a_list_too_big_is_refused(<[u8]>::to_vec);
}

/// The size of the file says little of what it unpacks to.
#[test]
fn packed_data_too_big_for_the_memory_is_refused_as_it_is_unpacked() {
    check_that_a_list_too_big_is_refused(gzip);
}

fn check_that_a_list_too_big_is_refused(file_of: fn(&[u8]) -> Vec<u8>) {
    let setup = Setup::new();
    setup.write("list", "good.example\n");
    let tables = "[[dataset]]\nname = 'list'\ntype = 'dnset'\nfiles = ['list']\n\
                  [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n";
    setup.configure("max-memory = '24M'", tables);
    let server = setup.start();
    assert_eq!(server.ask("good.example.bl.test", RecordType::A).rcode(), NoError);
    let names: fn(usize) -> String = |n| format!("{}{n:x}.example\n", word(random(n)));
    server.write("new", file_of(text(names, 30_000_000).as_bytes()));
    fs::rename(server.path("new"), server.path("list")).expect("ours");
    let told =
        ["dataset list: not reloaded", "takes too much memory", "of the 24 MiB of max-memory"];
    server.expect_log(&told, Duration::from_secs(60));
    assert_eq!(server.ask("good.example.bl.test", RecordType::A).rcode(), NoError);
    server.write("new", "good.example\nother.example\n");
    fs::rename(server.path("new"), server.path("list")).expect("ours");
    server.expect_code("other.example.bl.test", NoError, Duration::from_secs(5));
}

/// A control group with so many bytes of memory for a server; `None` where none can be made.
fn memory_group(bytes: u64) -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.split_once(":memory:/")).map(|(_, path)| path);
    let name = format!("dnsbld-test-{}", std::process::id());
    let root = Path::new("/sys/fs/cgroup");
    let (folder, file) = match own {
        Some(own) => {
            let tree = root.join("memory");
            let above = [tree.join(own), tree].into_iter().find(|it| it.exists())?;
            (above.join(name), "memory.limit_in_bytes")
        }
        None => (root.join(name), "memory.max"),
    };
    fs::create_dir(&folder).ok()?;
    if fs::write(folder.join(file), bytes.to_string()).is_err() {
        fs::remove_dir(&folder).ok()?;
        return None;
    }
    Some(folder)
}

/// The server ended, and so did each start after that: nothing was refused before the system was out of memory.
#[test]
fn a_list_too_big_for_the_control_group_is_refused_and_the_next_start_serves_the_last_good_one() {
    let Some(group) = memory_group(72 << 20) else {
        return skip("no control group for memory can be made");
    };
    let setup = Setup::new();
    setup.write("list", "good.example\n");
    let tables = "[[dataset]]\nname = 'list'\ntype = 'dnset'\nfiles = ['list']\n\
                  [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n";
    setup.configure("state-dir = 'state'", tables);
    let start = |log: &str| {
        let server = setup.command();
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(group.join("cgroup.procs"));
        command.arg(server.get_program()).args(server.get_args()).current_dir(setup.path(""));
        command.env("RUNTIME_DIRECTORY", setup.path("")).env_remove("NOTIFY_SOCKET");
        let mut process = Process::start(&mut command, &setup.path(log));
        process.wait(Duration::from_secs(60), |process| process.out().contains("ready after"));
        process
    };
    let client = Client::new(setup.addr());
    let is_served = || client.ask("good.example.bl.test", RecordType::A).map(|it| it.rcode());
    let refused = |server: &Process| {
        wait_until(Duration::from_secs(60), || {
            let log = server.out();
            log.contains("takes too much memory") && log.contains("raise max-memory")
        })
    };
    let mut server = start("first");
    assert_eq!(is_served().ok(), Some(NoError));
    let names: fn(usize) -> String = |n| format!("{}{n:x}.example\n", word(random(n)));
    setup.write("new", text(names, 40_000_000));
    fs::rename(setup.path("new"), setup.path("list")).expect("ours");
    assert!(refused(&server), "{}", server.out());
    assert!(!server.has_ended() && is_served().ok() == Some(NoError), "{}", server.out());
    server.signal(Signal::TERM);
    assert!(wait_until(Duration::from_secs(20), || server.has_ended()));

    let mut server = start("second");
    assert!(refused(&server), "{}", server.out());
    assert!(!server.has_ended() && is_served().ok() == Some(NoError), "{}", server.out());
    drop(server);
    assert!(wait_until(Duration::from_secs(5), || fs::remove_dir(&group).is_ok()));
}
