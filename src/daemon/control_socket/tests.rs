use super::*;
use tokio::io::duplex;
use tokio::sync::mpsc::channel;

const SHORT: Duration = Duration::from_millis(50);

/// What becomes of these bytes when the client sends no more.
async fn read(bytes: &[u8]) -> Result<ControlRequest, RequestFault> {
    let (mut client, mut server) = duplex(bytes.len().max(1));
    client.write_all(bytes).await.unwrap();
    drop(client);
    read_request(&mut server).await.map(|received| received.request)
}

#[tokio::test]
async fn a_request_is_one_line_of_json() {
    let status = ControlRequest::Status {};
    assert_eq!(read(b"{\"command\":\"status\"}\n").await.unwrap(), status);
    assert_eq!(read(b" { \"command\" : \"status\" } \r\nrest").await.unwrap(), status);
    let reload = read(b"{\"command\":\"reload\"}\n").await.unwrap();
    assert!(reload.is_change() && !status.is_change());
}

#[tokio::test]
async fn anything_else_is_refused() {
    let no_end = |fault: &RequestFault| matches!(fault, RequestFault::NoEnd);
    let too_long = |fault: &RequestFault| matches!(fault, RequestFault::TooLong);
    let unknown = |fault: &RequestFault| matches!(fault, RequestFault::Unknown(_));
    for text in ["", "{", "{\"command\":\"status\"}", "status"] {
        assert!(no_end(&read(text.as_bytes()).await.unwrap_err()), "{text}");
    }
    for text in [
        "\n",
        "\0\n",
        "status\n",
        "{}\n",
        "[]\n",
        "{\"command\":\"sync\"}\n",
        "{\"command\":7}\n",
        "{\"command\":\"status\"}{\"command\":\"status\"}\n",
    ] {
        assert!(unknown(&read(text.as_bytes()).await.unwrap_err()), "{text}");
    }
    assert!(unknown(&read(b"\xff\xfe\n").await.unwrap_err()));
    let nested = [vec![b'['; 60_000], vec![b'\n']].concat();
    assert!(unknown(&read(&nested).await.unwrap_err()));
    let mut long = vec![b' '; MAX_REQUEST - 1];
    assert!(no_end(&read(&long).await.unwrap_err()));
    long.push(b'\n');
    assert!(unknown(&read(&long).await.unwrap_err()), "the longest there may be");
    assert!(too_long(&read(&vec![b' '; 1 << 20]).await.unwrap_err()));
}

fn of(commands: Sender<Command>) -> Arc<Server> {
    let serves = ConfigSource::file("/etc/dnsbld/one.toml");
    Server::new(serves, commands, Followers::of(Arc::default()))
}

/// Attends a client that need not give way.
async fn attend(stream: UnixStream, commands: Sender<Command>, patience: Duration) {
    let (_first, gives_way) = oneshot::channel();
    of(commands).attend(stream, gives_way, patience).await;
}

/// A loop that obeys whatever it is asked, and one client of it.
async fn asked(bytes: &[u8], answer: fn() -> ControlAnswer) -> String {
    let (sender, mut commands) = channel(1);
    let (mut client, server) = UnixStream::pair().unwrap();
    tokio::spawn(async move {
        while let Some(Command::Ask(Asked { reply, .. })) = commands.recv().await {
            reply.send(answer());
        }
    });
    tokio::spawn(attend(server, sender, PATIENCE));
    client.write_all(bytes).await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn an_answer_is_one_line() {
    let text =
        asked(b"{\"command\":\"reload\"}\n", || ControlAnswer::refused("no \"because\"\nso")).await;
    assert_eq!(text, "{\"error\":\"no \\\"because\\\"\\nso\"}\n");
    let text = asked(b"reload\n", || ControlAnswer::refused("")).await;
    assert!(
        text.starts_with("{\"error\":\"the request is none that this server knows: "),
        "{text}"
    );
}

/// Clients that send nothing, or do not read, take their own time and no more room than their own.
#[tokio::test]
async fn a_client_that_hangs_is_given_up() {
    let (sender, mut commands) = channel(1);
    let (mut silent, server) = UnixStream::pair().unwrap();
    attend(server, sender.clone(), SHORT).await;
    let mut text = String::new();
    silent.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("did not come in time"), "{text}");

    let (mut deaf, server) = UnixStream::pair().unwrap();
    deaf.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
    let attending = tokio::spawn(attend(server, sender, PATIENCE));
    let Some(Command::Ask(Asked { reply, .. })) = commands.recv().await else {
        panic!("no request")
    };
    reply.send(ControlAnswer::refused("x".repeat(16 << 20)));
    attending.await.unwrap();
    drop(deaf);
}

/// Any number of clients that send nothing, or no whole line, and one that asks.
#[tokio::test]
async fn those_that_are_silent_give_way_to_those_that_ask() {
    let (sender, mut commands) = channel(1);
    tokio::spawn(async move {
        while let Some(Command::Ask(Asked { reply, .. })) = commands.recv().await {
            reply.send(ControlAnswer::refused("it is told"));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let (listener, _) = bind(&path, false, false).unwrap();
    tokio::spawn(of(sender).serve(listener));
    let mut silent = Vec::new();
    for number in 0..3 * MAX_CLIENTS {
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all([b"".as_slice(), b"{\"comm", &[b' '; 9000]][number % 3]).await.unwrap();
        silent.push(client);
    }
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE / 2, client.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!(text, "{\"error\":\"it is told\"}\n");
    // The last ones still have their time.
    let mut last = silent.pop().unwrap();
    assert!(timeout(SHORT, last.read_u8()).await.is_err());
}

/// However many wait for the end of a reload, it can be asked how the server is.
#[tokio::test]
async fn those_that_wait_for_a_change_leave_room_for_others() {
    let (sender, mut commands) = channel(1);
    let answering = of(sender);
    let ask = |request: &'static [u8]| {
        let (mut client, server) = UnixStream::pair().unwrap();
        let (first, gives_way) = oneshot::channel();
        let answering = Arc::clone(&answering);
        tokio::spawn(async move { answering.attend(server, gives_way, PATIENCE).await });
        async move {
            let _first = first;
            client.write_all(request).await.unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).await.unwrap();
            text
        }
    };
    let mut waiting = Vec::new();
    for _ in 0..MAX_CHANGES {
        tokio::spawn(ask(b"{\"command\":\"reload\"}\n"));
        waiting.push(commands.recv().await);
    }
    let text = ask(b"{\"command\":\"reload\"}\n").await;
    assert!(text.contains("others wait for the end of such commands"), "{text}");
    let status = tokio::spawn(ask(b"{\"command\":\"status\"}\n"));
    let Some(Command::Ask(Asked { reply, .. })) = commands.recv().await else { panic!("none") };
    reply.send(ControlAnswer::refused("it is told"));
    assert_eq!(status.await.unwrap(), "{\"error\":\"it is told\"}\n");
}

#[tokio::test]
async fn a_request_for_the_server_of_another_configuration_is_refused() {
    let told = || ControlAnswer::refused("it is told");
    let ask = |config: &str| format!("{{\"command\":\"status\",\"config\":{config}}}\n");
    let text = asked(ask("\"/etc/dnsbld/one.toml\"").as_bytes(), told).await;
    assert_eq!(text, "{\"error\":\"it is told\"}\n");
    let text = asked(ask("\"/etc/dnsbld/two.toml\"").as_bytes(), told).await;
    let want = "{\"error\":\"it serves another configuration: /etc/dnsbld/one.toml\",\"other_server\":true}\n";
    assert_eq!(text, want);
    let text = asked(ask("7").as_bytes(), told).await;
    assert!(text.contains("is none that this server knows"), "{text}");
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let (sender, commands) = channel(1);
    let (mut client, server) = UnixStream::pair().unwrap();
    drop(commands);
    tokio::spawn(attend(server, sender, PATIENCE));
    client.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "{\"error\":\"the server is stopping\"}\n");
}

#[test]
fn only_root_and_the_own_user_may_change_anything() {
    let own = rustix::process::geteuid().as_raw();
    assert!(may_change(Some(0)) && may_change(Some(own)));
    assert!(!may_change(Some(own + 1)) && !may_change(None));
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control");
    let (first, file) = bind(&path, true, false).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(path.parent().unwrap()) & 0o027, 0);
    assert!(matches!(bind(&path, true, false).unwrap_err(), SocketFault::InUse));
    assert_eq!(identity(&path).unwrap(), file);
    drop(first);
    assert!(path.exists(), "a server that was killed leaves its socket");
    let (second, file) = bind(&path, true, false).unwrap();
    // The file of another is not removed.
    drop(ControlSocket {
        path: path.clone(),
        file: (0, 0),
        followers: Followers::of(Arc::default()),
    });
    assert!(path.exists());
    drop(ControlSocket { path: path.clone(), file, followers: Followers::of(Arc::default()) });
    assert!(!path.exists());
    drop(second);
}

#[tokio::test]
async fn a_server_that_replaces_another_takes_its_socket_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let (first, of_first) = bind(&path, true, false).unwrap();
    // One that was killed at this moment left it.
    drop(bind(&path.with_extension("new"), true, false).unwrap());
    let (_second, of_second) = bind(&path, true, true).unwrap();
    assert_eq!(identity(&path).unwrap(), of_second);
    assert_ne!(of_first, of_second);
    drop(first);
    assert!(UnixStream::connect(&path).await.is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_no_socket_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    fs::write(&path, "text").unwrap();
    assert!(matches!(bind(&path, true, false).unwrap_err(), SocketFault::NotASocket));
    assert_eq!(fs::read(&path).unwrap(), b"text");
    let long = folder.path().join("c".repeat(108));
    let SocketFault::Io(error) = bind(&long, true, false).unwrap_err() else {
        panic!("it has room")
    };
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let open = folder.path().join("other");
    assert!(matches!(bind(&open, true, false).unwrap_err(), SocketFault::ForeignFolder));
    assert!(bind(&open, false, false).is_ok(), "whoever names a place knows its folder");
}

/// Those that wait for their answers hold descriptors.
#[tokio::test]
async fn there_is_room_for_so_many_clients_and_no_more() {
    let (sender, _commands) = channel(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let (listener, _) = bind(&path, false, false).unwrap();
    let server = of(sender);
    tokio::spawn(Arc::clone(&server).serve(listener));
    let mut asking = Vec::new();
    for number in 1..=MAX_OPEN {
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
        asking.push(client);
        while server.open.available_permits() > MAX_OPEN - number {
            tokio::task::yield_now().await;
        }
        // Its request is taken.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut client = UnixStream::connect(&path).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE / 2, client.read_to_string(&mut text)).await.unwrap().unwrap();
    assert_eq!(text, "{\"error\":\"96 others are connected; try again later\"}\n");
    drop(asking);
}
