//! A server that is told to stop ends what it has begun, and nothing else.

use std::net::TcpStream;
use std::time::Duration;

use waxseal_kms_server::{Event, Limits};

use crate::support::{Store, eventually};

#[test]
fn a_request_that_was_begun_is_answered_and_idle_connections_are_closed() {
    let store = Store::new();
    let mut served = store.served();
    let request = store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#);
    let mut idle = served.connect();
    idle.send(&request);
    idle.answer().succeeds();
    let (head, rest) = request.split_at(request.len() - 3);
    let mut begun = served.connect();
    begun.send(head);
    // The server has its headers when it is told to stop.
    std::thread::sleep(Duration::from_millis(50));
    served.stop();
    idle.is_closed();
    let address = served.address();
    eventually("nobody listens", || TcpStream::connect(address).is_err());
    begun.send(rest);
    begun.answer().succeeds();
    begun.is_closed();
    served.ended();
    assert_eq!(*served.log.events.lock().unwrap(), [Event::Stopping]);
}

#[test]
fn a_request_that_never_ends_does_not_keep_it_from_stopping() {
    let store = Store::new();
    let mut served = store.served_within(Limits { stop_time: Duration::from_millis(100), ..Limits::default() });
    let mut connection = served.connect();
    connection.send(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf");
    std::thread::sleep(Duration::from_millis(50));
    served.stop();
    served.ended();
    assert_eq!(*served.log.events.lock().unwrap(), [Event::Stopping, Event::CutOff(1)]);
}
