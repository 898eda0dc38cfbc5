//! An AWS KMS of our own for tests: the embedded one behind HTTP, which answers as badly as it is told to, and counts.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use waxseal_key_service::ErrorCode;
use waxseal_kms_local::{CreateOptions, LocalKms};

/// Something that goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection is closed before anything is answered.
    Reset,
    /// Nothing is ever answered.
    Silence,
    /// The answer comes byte by byte, and never to its end.
    Drip,
    /// The answer never ends.
    Endless,
    /// What was asked for is answered after so many milliseconds.
    Late(u64),
    /// The connection is closed in the middle of the answer.
    Cut,
    /// This is answered in place of what was asked for: a status and a body.
    Answer(u16, &'static str),
    /// A member of the answer is replaced, or taken out.
    Member(&'static str, Option<&'static str>),
}

/// A service that ends with the tests.
pub(crate) struct Server {
    address: String,
    key: String,
    state: Arc<State>,
    directory: TempDir,
}

struct State {
    kms: LocalKms,
    key: String,
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    /// What goes wrong with the next requests, in this order.
    next: VecDeque<Fault>,
    /// What goes wrong with all others.
    always: Option<Fault>,
    /// The operations that were asked for.
    calls: Vec<String>,
    /// The regions that were asked.
    regions: Vec<String>,
    /// The grant tokens that were shown, each with the operation.
    tokens: Vec<String>,
    /// What the callers called themselves.
    agents: Vec<String>,
    /// The regions that have the multi-Region key, which is the store's own key under another name.
    multi_region: Vec<String>,
    /// Requests that are under way, and the most that ever were.
    under_way: usize,
    most_under_way: usize,
    /// The operations that the caller may ask for; none stands for all.
    allowed: Option<Vec<String>>,
    /// No request is answered until so many are under way at once.
    until: usize,
}

impl Server {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&directory.path().join("kms"), &CreateOptions::default()).unwrap();
        let key = kms.default_key().unwrap().unwrap().to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State { kms, key: key.clone(), told: Mutex::default(), changed: Condvar::new() });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        Self { address, key, state, directory }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key as it is typed. Its account is that of an embedded KMS, so the service has to be said.
    pub(crate) fn key(&self) -> String {
        format!("aws:{}", self.key)
    }

    /// Has an operation performed, which is not counted.
    pub(crate) fn call(&self, operation: &str, request: &Value) -> Value {
        let region = self.state.kms.home_region();
        let answer = self.state.kms.call(region, operation, request.to_string().as_bytes()).unwrap();
        if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).unwrap() }
    }

    /// Makes another key, and gives it as it is typed.
    pub(crate) fn new_key(&self) -> String {
        format!("aws:{}", self.call("CreateKey", &json!({}))["KeyMetadata"]["Arn"].as_str().unwrap())
    }

    /// Spoils the next requests in this order.
    pub(crate) fn spoil(&self, faults: &[Fault]) {
        self.told(|told| told.next.extend(faults));
    }

    /// Spoils all requests from now on, or none any more.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        self.told(|told| told.always = fault);
    }

    /// Refuses all operations but these from now on, as a policy does.
    pub(crate) fn allow_only(&self, operations: &[&str]) {
        let operations = operations.iter().map(|operation| (*operation).to_owned()).collect();
        self.told(|told| told.allowed = Some(operations));
    }

    /// Answers nothing until so many requests are under way at once.
    pub(crate) fn wait_for(&self, requests: usize) {
        self.told(|told| told.until = requests);
    }

    /// The operations that were asked for since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.told(|told| std::mem::take(&mut told.calls))
    }

    /// The grant tokens that were shown since the last time, each behind its operation. Here they open nothing and are no fault.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.told(|told| std::mem::take(&mut told.tokens))
    }

    /// What the callers called themselves since the last time.
    pub(crate) fn agents(&self) -> Vec<String> {
        self.told(|told| std::mem::take(&mut told.agents))
    }

    /// The directory of the store behind it.
    pub(crate) fn store(&self) -> std::path::PathBuf {
        self.directory.path().join("kms")
    }

    /// The regions that were asked since the last time.
    pub(crate) fn regions(&self) -> Vec<String> {
        self.told(|told| std::mem::take(&mut told.regions))
    }

    /// Has a multi-Region key in these regions: whatever begins with `mrk-`.
    pub(crate) fn has_multi_region_key(&self, regions: &[&str]) {
        self.told(|told| told.multi_region = regions.iter().map(|region| (*region).to_owned()).collect());
    }

    /// The most requests that were under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.told(|told| told.most_under_way)
    }

    fn told<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.state.told.lock().unwrap())
    }
}

/// Answers one connection's requests until it is closed.
fn serve(state: &State, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = Request::read(&mut reader) {
        let fault = state.begin(&request);
        let (status, body) = state.perform(&request);
        state.end();
        let (status, body) = match fault {
            Some(Fault::Reset) => return stream.shutdown(Shutdown::Both).unwrap_or_default(),
            Some(Fault::Silence) => {
                // Until whoever asked gives up.
                std::io::copy(&mut reader, &mut std::io::sink()).ok();
                return;
            }
            Some(Fault::Drip) => return drip(&mut stream),
            Some(Fault::Endless) => return pour(&mut stream),
            Some(Fault::Late(milliseconds)) => {
                std::thread::sleep(Duration::from_millis(milliseconds));
                (status, body)
            }
            Some(Fault::Answer(status, body)) => (status, body.to_owned()),
            Some(Fault::Member(name, value)) => (status, changed(&body, name, value)),
            Some(Fault::Cut) | None => (status, body),
        };
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: r-1\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let end = if matches!(fault, Some(Fault::Cut)) { body.len() / 2 } else { body.len() };
        if stream.write_all(&[head.as_bytes(), &body.as_bytes()[..end]].concat()).is_err() || end < body.len() {
            return;
        }
    }
}

/// Answers byte by byte, until whoever asked gives up.
fn drip(stream: &mut TcpStream) {
    let mut answer = b"HTTP/1.1 200 x\r\nContent-Length: 1000000\r\n\r\n{".iter().chain(std::iter::repeat(&b' '));
    while answer.next().is_some_and(|byte| stream.write_all(&[*byte]).is_ok()) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Answers without end, until whoever asked gives up.
fn pour(stream: &mut TcpStream) {
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    let head = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut written = stream.write_all(head);
    while written.is_ok() {
        written = stream.write_all(&chunk);
    }
}

impl State {
    /// Counts a request, and gives what is to go wrong with it.
    fn begin(&self, request: &Request) -> Option<Fault> {
        let mut told = self.told.lock().unwrap();
        told.calls.push(request.operation.clone());
        told.regions.push(request.region.clone());
        told.tokens.extend(request.tokens.iter().map(|token| format!("{} {token}", request.operation)));
        told.agents.push(request.agent.clone());
        told.under_way += 1;
        told.most_under_way = told.most_under_way.max(told.under_way);
        self.changed.notify_all();
        let deadline = Instant::now() + Duration::from_secs(60);
        while told.most_under_way < told.until && Instant::now() < deadline {
            told = self.changed.wait_timeout(told, Duration::from_millis(200)).unwrap().0;
        }
        let next = told.next.pop_front();
        next.or(told.always)
    }

    fn end(&self) {
        self.told.lock().unwrap().under_way -= 1;
    }

    fn perform(&self, request: &Request) -> (u16, String) {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        if self.told.lock().unwrap().allowed.as_ref().is_some_and(|allowed| !allowed.contains(&request.operation)) {
            let message = format!("not authorized to perform kms:{}", request.operation);
            return (400, json!({ "__type": "AccessDeniedException", "message": message }).to_string());
        }
        let asked = asked["KeyId"].as_str().or(asked["SourceKeyId"].as_str()).filter(|key| key.contains(":key/mrk-"));
        let (region, body) = match asked {
            None => (request.region.clone(), request.body.clone()),
            Some(key) if self.told.lock().unwrap().multi_region.contains(&request.region) => {
                let text = String::from_utf8(request.body.clone()).unwrap();
                (self.kms.home_region().to_string(), text.replace(key, &self.key).into_bytes())
            }
            Some(_) => return (400, json!({ "__type": "NotFoundException", "message": "not here" }).to_string()),
        };
        match self.kms.call(&region.parse().unwrap(), &request.operation, &body) {
            Ok(answer) => {
                let answer = String::from_utf8(answer.to_vec()).unwrap();
                (200, asked.map_or(answer.clone(), |key| answer.replace(&self.key, key)))
            }
            Err(error) => {
                let status =
                    if matches!(error.code(), ErrorCode::Internal | ErrorCode::KeyUnavailable) { 500 } else { 400 };
                (status, json!({ "__type": error.code().as_str(), "message": error.message() }).to_string())
            }
        }
    }
}

fn changed(body: &str, name: &str, value: Option<&str>) -> String {
    let mut answer: Value = serde_json::from_str(body).unwrap();
    let members = answer.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), json!(value)),
        None => members.remove(name),
    };
    answer.to_string()
}

struct Request {
    region: String,
    operation: String,
    agent: String,
    /// The grant tokens, which are taken out of the body.
    tokens: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    /// Reads a request; none at the end of the connection.
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let (mut region, mut operation, mut agent, mut length) = (String::new(), String::new(), String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name.to_ascii_lowercase().as_str() {
                "x-amz-target" => operation = value.trim_start_matches("TrentService.").to_owned(),
                "x-amz-user-agent" => agent = value.to_owned(),
                "content-length" => length = value.parse().unwrap(),
                // Credential=ID/DAY/REGION/kms/aws4_request
                "authorization" => region = value.split('/').nth(2).unwrap().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut asked: Value = serde_json::from_slice(&body).unwrap();
        let tokens = asked.as_object_mut().unwrap().remove("GrantTokens").unwrap_or_default();
        let tokens = tokens.as_array().into_iter().flatten().map(|token| token.as_str().unwrap().to_owned()).collect();
        Some(Self { region, operation, agent, tokens, body: asked.to_string().into_bytes() })
    }
}
