//! Every mistake with its place, its words and its remedy.

use super::ConfigDiagnostic;
use super::tests::{REST, load};

/// The text of a server section, or of whole sections, and the whole of what is said about it.
const MISTAKES: &[(&str, &str)] = &[
    // Form.
    ("x", "1:2: key with no value, expected `=`"),
    (
        "[server]\nlistn = []",
        "2:1: unknown key \"listn\" in server\n    help: did you mean \"listen\"?",
    ),
    ("[sever]", "1:2: unknown key \"sever\"\n    help: did you mean \"server\"?"),
    (
        "[server.tls]\nport = 1",
        "2:1: unknown key \"port\" in server.tls\n    help: allowed here: listen, https-listen, certificate, key",
    ),
    ("[http]\nallow = []", "1:1: http.listen: the key is missing"),
    ("[http]\nlisten = []", "2:10: http.listen: there is nothing to listen on"),
    (
        "[http]\nlisten = ['127.0.0.1:5300']",
        "2:10: http.listen: 127.0.0.1:5300 collides with 127.0.0.1:5300, where queries are answered",
    ),
    (
        "[http]\nlisten = ['[::]:9153']",
        "2:10: http.listen: [::]:9153 is open to everybody who can reach it",
    ),
    (
        "[http]\nlisten = ['127.0.0.1:9153']\nallow = ['192.0.2.1/24']",
        "3:10: http.allow: \"192.0.2.1/24\" is not a prefix",
    ),
    (
        "[guard]\noff = ['shrunk']",
        "2:8: guard.off: \"shrunk\" is not a rule of the guard\n    help: did you mean \"shrank\"?",
    ),
    (
        "[server]\nquery-log-only = ['list']",
        "2:19: server.query-log-only: \"list\" is no kind of answer\n    help: did you mean \"listed\"?",
    ),
    (
        "[server]\nquery-log-zones = ['y.example']",
        "2:20: server.query-log-zones: there is no zone \"y.example\"",
    ),
    (
        "[server]\nlog-format = 'jsn'",
        "2:14: server.log-format: there is no form \"jsn\"\n    help: did you mean \"json\"?",
    ),
    (
        "[guard]\nshrink = -1",
        "2:10: guard.shrink: -1 is out of range\n    help: allowed: 0 to 1000000; to turn the rule off, \
         name it in off",
    ),
    ("[guard]\nsentinels = ['a b']", "2:14: guard.sentinels: \"a b\" is not a domain name"),
    ("[guard]\nsentinels = ['./none']", "2:14: guard.sentinels: /etc/dnsbld/./none cannot be read"),
    ("[[zone]]\nname = 'a'\nacls = 1", "3:1: unknown key \"acls\" in zone"),
    (
        "[server]\nversion = 5",
        "2:11: server.version: invalid type: integer 5, expected a string\n    help: write a text in quotes",
    ),
    (
        "[server]\nlisten = 'x'",
        "2:10: server.listen: invalid type: string \"x\", expected a sequence\n    help: write a list",
    ),
    ("[server]\nlisten = [7]", "2:11: server.listen: invalid type: integer 7, expected a string"),
    (
        "[server]\nworkers = '4'",
        "2:11: server.workers: invalid type: string \"4\", expected a whole number\n    help: write a whole number, without quotes",
    ),
    ("[server]\nminimal-answers = 'yes'", "help: write true or false, without quotes"),
    (
        "[server]\nmin-ttl = 1.5",
        "2:11: server.min-ttl: invalid type: floating point 1.5, expected a time\n    help: write a time such as \"30m\"",
    ),
    (
        "[server]\ntls = true",
        "2:7: server.tls: invalid type: boolean true, expected a table\n    help: write the keys",
    ),
    // The server.
    (
        "[server]\nlisten = ['localhost:53']",
        "2:11: server.listen: \"localhost:53\" is not an address with a port\n    help: write an IP address, not a host name",
    ),
    (
        "[server]\nlisten = ['127.0.0.1']",
        "server.listen: \"127.0.0.1\" has no port\n    help: write \"127.0.0.1:53\"",
    ),
    ("[server]\nlisten = ['::1/54']", "help: write \"[::1]:54\", with a colon"),
    (
        "[server]\nlisten = []",
        "2:10: server.listen: there is nothing to listen on\n    help: name at least one",
    ),
    ("[server]\nlisten = ['[::1]:53', '[::1]:53']", "2:23: server.listen: [::1]:53 is named twice"),
    (
        "[server]\nlisten = ['127.0.0.1:53', '0.0.0.0:53']",
        "2:27: server.listen: 127.0.0.1:53 and 0.0.0.0:53 collide: an address and port can be \
         bound only once\n    help: keep 0.0.0.0:53, which covers all",
    ),
    (
        "[server]\nlisten = ['[::]:53', '0.0.0.0:53', '[::1]:53']",
        "2:36: server.listen: [::]:53 and [::1]:53 collide: an address and port can be bound \
         only once\n    help: keep [::]:53, which covers all",
    ),
    (
        "[server]\nlisten = ['127.0.0.1:53', '[::ffff:127.0.0.1]:53']",
        "collide: an address and port can be bound only once\n    help: they are the same",
    ),
    (
        "[server]\nlisten = ['::1:53']",
        "server.listen: \"::1:53\" has no brackets around the address\n    help: write \"[::1]:53\"",
    ),
    (
        "[server]\nstats-file = 's'\nstats-interval = '1ms'",
        "server.stats-interval: \"1ms\" is out of range\n    help: allowed: 0, or \"1s\" to \"1d\"",
    ),
    (
        "[server]\nworkers = -1",
        "2:11: server.workers: -1 is out of range\n    help: allowed: 0 to 1024",
    ),
    (
        "[server]\ntcp-connections = 0",
        "server.tcp-connections: 0 is out of range\n    help: allowed: 1 to 65536",
    ),
    (
        "[server]\ntcp-connections = 9\ntcp-connections-per-client = 10",
        "3:30: server.tcp-connections-per-client: 10 is more than tcp-connections (9)",
    ),
    (
        "[server]\ntcp-idle-timeout = '2h'",
        "\"2h\" is out of range\n    help: allowed: \"100ms\" to \"1h\"",
    ),
    (
        "[server]\ncheck-interval = '99ms'",
        "server.check-interval: \"99ms\" is out of range\n    help: allowed: 0, or \"100ms\" to \"1d\"",
    ),
    (
        "[server]\nquiet-period = '2m'",
        "server.quiet-period: \"2m\" is out of range\n    help: allowed: 0 to \"1m\"",
    ),
    (
        "[server]\ndefault-ttl = '1x'",
        "2:15: server.default-ttl: \"1x\" is not a time\n    help: write one number and one unit",
    ),
    (
        "[server]\ndefault-ttl = 0",
        "server.default-ttl: 0 s is outside what min-ttl and max-ttl allow\n    help: allowed: 1 to 2147483647",
    ),
    (
        "[server]\nmax-ttl = '5m'",
        "2:11: server.default-ttl: 1800 s is outside what min-ttl and max-ttl allow\n    help: allowed: 1 to 300 seconds",
    ),
    (
        "[server]\nmin-ttl = '1h'\nmax-ttl = '1m'",
        "2:11: server.min-ttl: 3600 s is above max-ttl (60 s)\n    help: make",
    ),
    ("[server]\nnegative-ttl = -5", "server.negative-ttl: \"-5\" is not a time"),
    (
        "[server]\nversion = ''",
        "server.version: the text does not fit a TXT record\n    help: allowed: 1 to 255",
    ),
    ("[server]\nstate-dir = ''", "server.state-dir: the path is empty"),
    ("[server.tls]", "1:1: server.tls.listen: the key is missing\n    help: add listen = ..."),
    (
        "[server.tls]\nlisten = []\ncertificate = 'c'\nkey = 'k'",
        "2:10: server.tls.listen: there is nothing to listen on",
    ),
    (
        "[server.tls]\nlisten = ['127.0.0.1:5300']\ncertificate = 'c'\nkey = 'k'",
        "server.tls.listen: 127.0.0.1:5300 is in server.listen as well",
    ),
    (
        "[server.tls]\nlisten = ['0.0.0.0:5300']\ncertificate = 'c'\nkey = 'k'",
        "server.tls.listen: 0.0.0.0:5300 and 127.0.0.1:5300 of server.listen collide",
    ),
    // Datasets.
    (
        "[[dataset]]\ntype = 'dnset'\nfiles = ['f']",
        "1:1: dataset.name: the key is missing\n    help: add name = ...",
    ),
    (
        "[[dataset]]\nname = 'a b'\ntype = 'dnset'\nfiles = ['f']",
        "2:8: dataset.name: \"a b\" is not a valid dataset name\n    help: allowed: letters",
    ),
    (
        "[[dataset]]\nname = 'd'\ntype = 'dnset'\nfiles = ['f']",
        ":8: dataset.name: dataset \"d\" is already defined in line 2\n    help: rename",
    ),
    (
        "[[dataset]]\nname = 'e'\ntype = 'ipset'\nfiles = ['f']",
        "3:8: dataset.type: \"ipset\" is not a dataset type\n    help: did you mean \"ip4set\"?",
    ),
    (
        "[[dataset]]\nname = 'e'\ntype = 'dnset'\nfiles = []",
        "4:9: dataset.files: the list of files is empty",
    ),
    (
        "[[dataset]]\nname = 'e'\ntype = 'dnset'\nfiles = ['']",
        "4:10: dataset.files: the path is empty",
    ),
    (
        "[[dataset]]\nname = 'e'\ntype = 'dnset'\nfiles = ['f', '/etc/dnsbld/f']",
        "4:15: dataset.files: \"/etc/dnsbld/f\" is named twice",
    ),
    ("[[dataset]]\nns-ttl = 5", "2:10: dataset.ns-ttl: ns-ttl has no effect without ns"),
    ("[[dataset]]\nns = []", "dataset.ns: the list of name servers is empty"),
    (
        "[[dataset]]\nns = ['n@s']",
        "2:7: dataset.ns: \"n@s\" is not a domain name: it has the character '@'",
    ),
    ("[[dataset]]\nttl = 0", "2:7: dataset.ttl: 0 s is outside what min-ttl and max-ttl allow"),
    (
        "[[dataset]]\ndefault-a = ':2:'",
        "dataset.default-a: \":2:\" is not an IPv4 address\n    help: write all four",
    ),
    (
        "[[dataset]]\ndefault-a = '10.0.0.1'",
        "dataset.default-a: 10.0.0.1 is not in 127.0.0.0/8\n    help: clients may not",
    ),
    (
        "[[dataset]]\ndefault-text = \"a\\nb\"",
        "dataset.default-text: the text contains a control character",
    ),
    ("[[dataset]]\nsoa = { mname = 'a' }", "2:7: dataset.soa.rname: the key is missing"),
    ("[[dataset]]\nsoa = { rname = 'me@a' }", "help: write the @ as a dot"),
    (
        "[[dataset]]\nsoa = { serial = 4294967296 }",
        "dataset.soa.serial: 4294967296 is out of range\n    help: allowed: 0 to 4294967295",
    ),
    ("[[dataset]]\nsoa = { refresh = 'x' }", "dataset.soa.refresh: \"x\" is not a time"),
    // Zones.
    ("[[zone]]\ndatasets = ['d']", "1:1: zone.name: the key is missing"),
    (
        "[[zone]]\nname = 'y.example'",
        "1:1: zone.datasets: the key is missing\n    help: add datasets = ...",
    ),
    ("[[zone]]\nname = 'y.example'\ndatasets = []", "3:12: zone.datasets: the zone has no dataset"),
    (
        "[[zone]]\nname = 'y..example'\ndatasets = ['d']",
        "2:8: zone.name: \"y..example\" is not a domain name: it has an empty label\n    help: write one dot",
    ),
    (
        "[[zone]]\nname = 'y.example'\ndatasets = ['dd']",
        "3:13: zone.datasets: there is no dataset \"dd\"\n    help: did you mean \"d\"?",
    ),
    (
        "[[zone]]\nname = 'y.example'\ndatasets = ['other']",
        "there is no dataset \"other\"\n    help: allowed here: d",
    ),
    (
        "[[zone]]\nname = 'y.example'\ndatasets = ['d', 'd']",
        "3:18: zone.datasets: \"d\" is named twice",
    ),
    (
        "[[zone]]\nname = 'y.example'\ndatasets = ['d']\nallow = ['d']",
        "4:9: zone.allow: \"d\" is in datasets too, so the zone lists nothing of it",
    ),
    (
        "[[dataset]]\nname = 'g'\ntype = 'generic'\nfiles = ['f']\n\
         [[zone]]\nname = 'y.example'\ndatasets = ['d']\nallow = ['g']",
        "8:9: zone.allow: \"g\" is of type generic, which has no entries to allow",
    ),
    (
        "[[zone]]\nname = 'Z.example.'\ndatasets = ['d']",
        ":8: zone.name: zone \"z.example\" is already defined in line 2",
    ),
];

#[test]
fn every_mistake_has_its_place_and_its_remedy() {
    for &(text, want) in MISTAKES {
        let errors = load(&format!("{text}{REST}")).expect_err(text);
        let said: Vec<String> = errors.iter().map(ConfigDiagnostic::to_string).collect();
        assert!(said.iter().any(|said| said.contains(want)), "{text}\nwant {want}\ngot {said:#?}");
        assert!(errors.iter().all(|error| !error.help.is_empty()), "{text}: {errors:?}");
    }
}
