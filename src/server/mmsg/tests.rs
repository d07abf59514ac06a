use super::*;

fn address(text: &str) -> Address {
    let address = socket2::SockAddr::from(text.parse::<std::net::SocketAddr>().unwrap());
    let mut bytes = [0; 32];
    let len = address.len() as usize;
    // SAFETY: socket2 owns `len` initialised bytes of an address.
    let source = unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), len) };
    bytes[..len].copy_from_slice(source);
    Address(bytes)
}

#[test]
fn addresses_are_read_as_the_kernel_writes_them() {
    for (text, client) in [
        ("192.0.2.1:53", Some("192.0.2.1")),
        ("[2001:db8::1]:1", Some("2001:db8::1")),
        ("[::ffff:192.0.2.1]:1", Some("192.0.2.1")),
        ("192.0.2.1:0", None),
        ("[2001:db8::1]:0", None),
    ] {
        let client = client.map(|client| client.parse::<IpAddr>().unwrap());
        assert_eq!(address(text).client(), client, "{text}");
    }
    assert_eq!(Address([0; 32]).client(), None);
    assert_eq!(Address([1; 32]).client(), None);
}

#[test]
fn an_answer_that_cannot_be_sent_does_not_hold_up_the_others() {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    for byte in 0..5 {
        client.send(&[byte]).unwrap();
    }
    let mut batch = Batch::new(LocalAddress::Bound).unwrap();
    assert_eq!(batch.receive(server.as_fd(), true).unwrap(), 5);
    for index in 0..5 {
        let exchange = batch.exchange(index).unwrap();
        exchange.reply[0] = exchange.query[0];
        batch.queue(index, 1);
    }
    for bad in [0, 1, 4] {
        batch.arena().datagrams[bad].address.0[2..4].fill(0);
    }
    assert_eq!(batch.send(server.as_fd()), 3, "port 0 is not a destination");
    for byte in [2, 3] {
        let mut answer = [0; 4];
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(answer[0], byte);
    }
    assert_eq!(batch.send(server.as_fd()), 0, "nothing is sent twice");
    let error = batch.receive(server.as_fd(), false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

/// Whichever datagrams get no answer, each answer goes to its own client, in this batch and the next.
#[test]
fn every_client_gets_its_own_answer() {
    clients_get_their_answers("127.0.0.1:0", LocalAddress::Bound);
    clients_get_their_answers("0.0.0.0:0", LocalAddress::AnyIpv4);
}

fn clients_get_their_answers(bound_to: &str, local: LocalAddress) {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    let server = UdpSocket::bind(bound_to).unwrap();
    report_local_address(server.as_fd(), local).unwrap();
    // Each asks another address of ours, and takes answers from that one only.
    let clients: [UdpSocket; 6] = std::array::from_fn(|number| {
        let host = if local == LocalAddress::Bound { 1 } else { 1 + number as u8 };
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        client.connect((Ipv4Addr::new(127, 0, 0, host), port)).unwrap();
        client
    });
    let mut batch = Batch::new(local).unwrap();
    for unanswered in [&[][..], &[0, 3], &[], &[5], &[0, 1, 2, 4], &[]] {
        for (number, client) in clients.iter().enumerate() {
            client.set_nonblocking(false).unwrap();
            client.send(&[number as u8]).unwrap();
        }
        assert_eq!(batch.receive(server.as_fd(), true).unwrap(), clients.len());
        for index in (0..clients.len()).filter(|index| !unanswered.contains(index)) {
            let exchange = batch.exchange(index).unwrap();
            exchange.reply[..2].copy_from_slice(&[exchange.query[0], 0xff]);
            batch.queue(index, 1 + index % 2);
        }
        assert_eq!(batch.send(server.as_fd()), 0);
        for (number, client) in clients.iter().enumerate() {
            client.set_nonblocking(true).unwrap();
            let mut answer = [0; 4];
            let got = client.recv(&mut answer).ok().map(|len| answer[..len].to_vec());
            let due = &[number as u8, 0xff][..1 + number % 2];
            assert_eq!(got, (!unanswered.contains(&number)).then(|| due.to_vec()));
            assert!(client.recv(&mut answer).is_err(), "one answer, and no other");
        }
    }
}

#[test]
fn control_messages_lose_the_interface_unless_link_local() {
    let message = |level: i32, kind: i32, data: &[u8]| {
        let mut control = Control([0; 40]);
        let header = [level.to_ne_bytes(), kind.to_ne_bytes()].concat();
        let start = offset_of!(libc::cmsghdr, cmsg_level);
        control.0[start..start + 8].copy_from_slice(&header);
        control.0[Control::DATA..][..data.len()].copy_from_slice(data);
        control
    };
    let data = |control: &Control, len: usize| control.0[Control::DATA..][..len].to_vec();

    let ipv4 = [7, 0, 0, 0, 192, 0, 2, 1, 192, 0, 2, 1];
    let mut control = message(libc::IPPROTO_IP, libc::IP_PKTINFO, &ipv4);
    assert_eq!(control.turn(LocalAddress::AnyIpv4, 32), 32);
    assert_eq!(data(&control, 12), [0, 0, 0, 0, 192, 0, 2, 1, 192, 0, 2, 1]);
    assert_eq!(control.turn(LocalAddress::AnyIpv6, 40), 0, "another kind of message");
    assert_eq!(control.turn(LocalAddress::AnyIpv4, 8), 0, "cut short");
    assert_eq!(control.turn(LocalAddress::AnyIpv4, 41), 0, "longer than the room");

    for (first, kept) in [([0x20, 0x01], 0), ([0xfe, 0x80], 7)] {
        let mut ipv6 = [0; 20];
        ipv6[..2].copy_from_slice(&first);
        ipv6[16] = 7;
        let mut control = message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &ipv6);
        assert_eq!(control.turn(LocalAddress::AnyIpv6, 40), 40);
        assert_eq!(data(&control, 20)[16], kept, "{first:x?}");
    }
}
