//! The real dnsdist in front of the server, which sees the clients behind it by the PROXY protocol.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use crate::common::{
    Process, Proxy, Server, Setup, dig, free_port, kdig, make_certificate, proxy_header, temp_dir,
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(20);
const NAME: &str = "2.0.0.127.bl.example";

#[test]
fn dnsdist_says_whom_it_asks_for_over_udp_and_tcp() {
    let folder = temp_dir();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the folder is ours");
    };
    write("list", "127.0.0.2\n");
    write("clients", "127.0.0.7 :refuse\n");
    let config = "[server]\ncontrol = 'off'\nproxies = ['127.0.0.1']\n\
        query-log = 'queries'\nquery-log-flush = true\n\
        [[dataset]]\nname = 'bl'\ntype = 'ip4set'\nfiles = ['list']\n\
        [[dataset]]\nname = 'clients'\ntype = 'acl'\nfiles = ['clients']\n\
        [[zone]]\nname = 'bl.example'\ndatasets = ['bl']\nacl = ['clients']\n";
    write("dnsbld.toml", config);
    let arguments = ["--config", "dnsbld.toml", "--listen", "127.0.0.1:0"];
    let server = Server::reporting(&arguments, folder.path());
    let front = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let proxy = format!(
        "setSecurityPollSuffix('')\nsetLocal('{front}')\n\
         newServer({{ address = '{}', useProxyProtocol = true, checkInterval = 1,\n\
         checkName = '_ready.bl.example.', checkType = 'A', mustResolve = true }})\n",
        server.addr()
    );
    write("dnsdist.conf", &proxy);
    let mut command = Command::new("dnsdist");
    command.args(["--supervised", "-C", "dnsdist.conf"]).current_dir(folder.path());
    let dnsdist = Process::start(&mut command, &folder.path().join("dnsdist.log"));

    let ask = |addr, client: &str, way: &str| dig(addr, &format!("-b {client} {way} {NAME}"));
    let is_answered = || ask(front, "127.0.0.2", "+notcp").data() == ["127.0.0.2"];
    assert!(wait_until(LIMIT, is_answered), "{}\n{}", dnsdist.out(), server.log());
    for way in ["+notcp", "+tcp"] {
        let answered = ask(front, "127.0.0.2", way);
        assert_eq!(answered.data(), ["127.0.0.2"], "{way}: {answered:?}");
        let refused = ask(front, "127.0.0.7", way);
        assert!(refused.is("REFUSED"), "{way}: {refused:?}");
    }
    let queries = fs::read_to_string(folder.path().join("queries")).expect("the log is there");
    let of = |client: &str| {
        queries.lines().filter(|line| line.contains(&format!(" {client} {NAME} A"))).count()
    };
    assert!(of("127.0.0.2") >= 3 && of("127.0.0.7") == 2 && of("127.0.0.1") == 0, "{queries}");

    // Who is no proxy is answered as himself; a proxy that does not say whom it asks for is not.
    for way in ["+notcp", "+tcp"] {
        assert_eq!(ask(server.addr(), "127.0.0.9", way).data(), ["127.0.0.2"]);
        let unanswered = ask(server.addr(), "127.0.0.1", &format!("+time=1 {way}"));
        assert!(!unanswered.is("NOERROR") && !unanswered.is("REFUSED"), "{unanswered:?}");
    }
    let is_told = || server.log().contains("event=\"proxy-header-missing\"");
    assert!(wait_until(LIMIT, is_told), "{}", server.log());
}

/// The header stands before the TLS handshake, and the access list sees the client that it names.
#[test]
fn the_client_of_a_header_is_seen_over_tls_and_https() {
    let setup = Setup::new();
    setup.write("list", "127.0.0.2\n");
    setup.write("clients", "192.0.2.7 :refuse\n");
    make_certificate(&setup.path(""), "dns.test");
    let [tls, https] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    setup.configure(
        &format!(
            "proxies = [\"127.0.0.1\"]\n\
             tls = {{ listen = [\"{tls}\"], https-listen = [\"{https}\"], certificate = \"tls.crt\", \
             key = \"tls.key\" }}"
        ),
        "[[dataset]]\nname = \"bl\"\ntype = \"ip4set\"\nfiles = [\"list\"]\n\
         [[dataset]]\nname = \"clients\"\ntype = \"acl\"\nfiles = [\"clients\"]\n\
         [[zone]]\nname = \"bl.example\"\ndatasets = [\"bl\"]\nacl = [\"clients\"]\n",
    );
    let daemon = setup.start();
    for (server, way) in [(tls, "+tls"), (https, "+https")] {
        let ask = |server| kdig(server, &format!("{way} {NAME} A"));
        let welcome = Proxy::start_with(server, proxy_header([192, 0, 2, 8].into(), true));
        assert_eq!(ask(welcome.addr()).data(), ["127.0.0.2"], "{way}: {}", daemon.log());
        let refused = Proxy::start_with(server, proxy_header([192, 0, 2, 7].into(), true));
        assert!(ask(refused.addr()).is("REFUSED"), "{way}: {}", daemon.log());
        let unsaid = ask(server);
        assert!(!unsaid.is("NOERROR") && !unsaid.is("REFUSED"), "{way}: {unsaid:?}");
    }
    daemon.expect_log(&["event=\"proxy-header-missing\""], LIMIT);
}
