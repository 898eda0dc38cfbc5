//! The client: a thread for each connection, which sends a request and reads its answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What a round has found.
pub(crate) struct Measured {
    pub(crate) answers: f64,
    pub(crate) answers_a_second: f64,
}

/// Asks for as long as a round takes.
pub(crate) fn measure(address: SocketAddr, request: &[u8], connections: u64, round: Duration) -> Measured {
    let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut connection = Connection::new(address);
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = connection.ask(request);
                    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(answer));
                    count += 1;
                }
                answers.fetch_add(count, Ordering::Relaxed);
            });
        }
        thread::sleep(round);
        stop.store(true, Ordering::Relaxed);
    });
    let answers = f64::from(u32::try_from(answers.into_inner()).expect("a round is short"));
    Measured { answers, answers_a_second: answers / began.elapsed().as_secs_f64() }
}

/// A connection. A server that says that it closes it after an answer, as moto's does, gets a new one each time.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: vec![0; 64 << 10] }
    }

    /// Sends a request, and gives the bytes of its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> &[u8] {
        let stream = self.stream.get_or_insert_with(|| connect(self.address));
        stream.write_all(request).unwrap();
        let mut filled = 0;
        while !is_whole(&self.buffer[..filled]) {
            let count = stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(count > 0, "the server has closed the connection");
            filled += count;
        }
        if closes(&self.buffer[..filled]) {
            self.stream = None;
        }
        &self.buffer[..filled]
    }
}

/// Whether an answer says that it is the connection's last.
fn closes(answer: &[u8]) -> bool {
    let said = b"connection: close";
    answer.windows(said.len()).any(|window| window.eq_ignore_ascii_case(said))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Whether an answer is there with its whole body.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    let named = |line: &&str| line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case("content-length:"));
    let length = text.split("\r\n").find(named).map_or(0, |line| line[15..].trim().parse().unwrap());
    bytes.len() >= head + 4 + length
}
