//! The client: a thread for each connection, which sends a request and reads its answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Answers a second.
pub(crate) fn measure(address: SocketAddr, request: &[u8], connections: u64, round: Duration) -> f64 {
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
    let count = u32::try_from(answers.into_inner()).expect("a round is short");
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// A connection. A server that closes it after an answer, as moto's does, gets a new one.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: connect(address), buffer: vec![0; 64 << 10] }
    }

    /// Sends a request, and gives the bytes of its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> &[u8] {
        let mut filled = 0;
        if self.stream.write_all(request).is_ok() {
            filled = self.receive();
        }
        if filled == 0 {
            self.stream = connect(self.address);
            self.stream.write_all(request).unwrap();
            filled = self.receive();
        }
        &self.buffer[..filled]
    }

    /// Reads one answer; 0 bytes if there is none.
    fn receive(&mut self) -> usize {
        let mut filled = 0;
        loop {
            match self.stream.read(&mut self.buffer[filled..]) {
                Ok(0) | Err(_) => return filled,
                Ok(count) => filled += count,
            }
            if is_whole(&self.buffer[..filled]) {
                return filled;
            }
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
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
