//! Moto's server, an independent AWS KMS, shared by the tests; and the program with an environment that leads to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Value, json};
use waxseal_kms_aws::{AwsKms, AwsKmsOptions};

use crate::support::{Run, World, needed};

/// The account of moto's keys.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region that the program is told.
pub(crate) const REGION: &str = "eu-west-1";

/// A server that runs as long as the tests.
pub(crate) struct Moto {
    address: String,
    /// The server ends when nobody holds this any more, however the tests end.
    _alive: ChildStdin,
}

/// The one server, started by the first test that needs it; none if it is not installed here.
pub(crate) fn moto() -> Option<&'static Moto> {
    static SERVER: OnceLock<Option<Moto>> = OnceLock::new();
    let server = SERVER.get_or_init(|| crate::support::program("moto_server").map(|_| Moto::start())).as_ref();
    if server.is_none() {
        needed("moto_server");
    }
    server
}

impl Moto {
    fn start() -> Self {
        let program = needed("moto_server").unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "\"$0\" -H 127.0.0.1 -p 0 & read -r line; kill $!"]).arg(program);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .find_map(|line| line.unwrap().split_once("Running on http://").map(|(_, address)| address.to_owned()))
            .expect("moto says where it listens");
        let alive = child.stdin.take().unwrap();
        // Its log has to be read, or it stops when the pipe is full.
        std::thread::spawn(move || {
            lines.for_each(drop);
            child.wait()
        });
        Self { address: address.trim().to_owned(), _alive: alive }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It as a key service, by the SDK, with credentials that nobody checks.
    pub(crate) fn key_service(&self) -> AwsKms {
        let credentials = Credentials::from_keys("AKIAIOSFODNN7EXAMPLE", "secret", None);
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        AwsKms::with(config, AwsKmsOptions { endpoint_url: Some(self.url()), ..AwsKmsOptions::default() })
    }

    /// Has an operation performed.
    pub(crate) fn call(&self, region: &str, operation: &str, request: &Value) -> Value {
        let (status, body) = post(&self.address, region, operation, &request.to_string());
        assert_eq!(status, 200, "{operation}: {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// Makes a key, and gives its ARN.
    pub(crate) fn key(&self, region: &str) -> String {
        self.made(region, &json!({}))
    }

    /// Makes a key as asked, and gives its ARN.
    pub(crate) fn made(&self, region: &str, request: &Value) -> String {
        self.call(region, "CreateKey", request)["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }
}

/// A command line of the program that finds an AWS KMS at `endpoint`, and credentials for it.
pub(crate) fn command(world: &World, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = world.command(arguments);
    command.envs(variables(endpoint)).env("AWS_REGION", REGION);
    command
}

/// The environment of a program that is to find an AWS KMS at `endpoint`, and credentials for it.
pub(crate) fn variables(endpoint: &str) -> [(&'static str, String); 4] {
    [
        ("AWS_ENDPOINT_URL_KMS", endpoint.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ]
}

/// Runs the program with an AWS KMS at `endpoint`.
pub(crate) fn run(world: &World, endpoint: &str, arguments: &[&str]) -> Run {
    Run::from(command(world, endpoint, arguments).output().unwrap())
}

/// The key id in an ARN, which is what moto's management operations take.
pub(crate) fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap()
}

/// Posts a request of AWS's JSON protocol. The signature is one in form only, which is all that moto looks at.
fn post(address: &str, region: &str, operation: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: TrentService.{operation}\r\n\
         Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{region}/kms/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n",
        body.len(),
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
