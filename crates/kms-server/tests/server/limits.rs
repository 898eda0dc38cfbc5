//! What goes beyond the bounds is refused or cut off, and costs nobody else anything.

use std::time::Duration;

use waxseal_kms_server::Limits;

use crate::support::{Store, eventually};

const HEAD: &str = "POST / HTTP/1.1\r\nhost: localhost\r\n";

#[test]
fn a_body_beyond_the_bound_is_refused_whether_or_not_it_says_so() {
    let store = Store::new();
    let served = store.served_within(Limits { body: 1000, ..Limits::default() });
    let announced = served.ask(format!("{HEAD}content-length: 1001\r\n\r\n").as_bytes());
    announced.fails_with(413, "RequestEntityTooLargeException");
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    let unannounced = served.ask(format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}").as_bytes());
    unannounced.fails_with(413, "RequestEntityTooLargeException");
    // Within it, a body in pieces is a body.
    let pieces = served.ask(format!("{HEAD}transfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n").as_bytes());
    pieces.fails_with(400, "MissingAuthenticationTokenException");
}

#[test]
fn headers_beyond_the_bound_are_refused() {
    let store = Store::new();
    let served = store.served();
    let long = format!("{HEAD}x-long: {}\r\n\r\n", "x".repeat(64 << 10));
    let mut connection = served.connect();
    // The server may have given up before all of it was sent.
    std::io::Write::write_all(&mut connection.0, long.as_bytes()).ok();
    assert_eq!(connection.answer().status, 431);
    let many: String = (0..150).map(|number| format!("x-{number}: y\r\n")).collect();
    assert_eq!(served.ask(format!("{HEAD}{many}\r\n").as_bytes()).status, 431);
}

#[test]
fn whoever_does_not_go_on_is_cut_off() {
    let store = Store::new();
    let soon = Duration::from_millis(100);
    let served = store.served_within(Limits { head_time: soon, body_time: soon, ..Limits::default() });
    for begun in ["", "POST / HT", HEAD] {
        let mut connection = served.connect();
        connection.send(begun.as_bytes());
        connection.is_closed();
    }
    let mut connection = served.connect();
    connection.send(format!("{HEAD}content-length: 10\r\n\r\nhalf").as_bytes());
    connection.answer().fails_with(408, "RequestTimeoutException");
    connection.is_closed();
}

#[test]
fn connections_beyond_the_bound_wait_for_their_turn() {
    let store = Store::new();
    let served = store.served_within(Limits { connections: 2, ..Limits::default() });
    let request = store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#);
    let mut both: Vec<_> = (0..2).map(|_| served.connect()).collect();
    for connection in &mut both {
        connection.send(&request);
        connection.answer().succeeds();
    }
    let mut third = served.connect();
    third.send(&request);
    // It is in the system's queue, and no task of the server's knows of it.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(served.log.requests.lock().unwrap().len(), 2);
    both.pop();
    third.answer().succeeds();
}

#[test]
fn one_peer_cannot_take_the_places_of_all() {
    let store = Store::new();
    let served = store.served_within(Limits { connections: 8, connections_per_peer: 2, ..Limits::default() });
    let request = store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#);
    let mut own: Vec<_> = (0..2).map(|_| served.connect()).collect();
    for connection in &mut own {
        connection.send(&request);
        connection.answer().succeeds();
    }
    served.connect().is_closed();
    // Another address of this machine is another peer.
    let mut other = served.connect_from([127, 0, 0, 2].into());
    other.send(&request);
    other.answer().succeeds();
    drop(own);
    eventually("its places are free again", || {
        let mut connection = served.connect();
        std::io::Write::write_all(&mut connection.0, &request).is_ok()
            && std::io::Read::read(&mut connection.0, &mut [0; 8]).is_ok_and(|count| count == 8)
    });
    let page = served.ask(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let page = String::from_utf8(page.body).unwrap();
    let refused = page.lines().find_map(|line| line.strip_prefix("waxseal_kms_connections_refused_total "));
    assert!(refused.unwrap().parse::<u64>().unwrap() >= 1, "{page}");
}

#[test]
fn a_refused_request_does_not_disturb_the_connections_of_others() {
    let store = Store::new();
    let served = store.served();
    let mut good = served.connect();
    let request = store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#);
    for bad in ["\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"] {
        assert_eq!(served.ask(bad.as_bytes()).status, 400, "{bad:?}");
        good.send(&request);
        good.answer().succeeds();
    }
}
