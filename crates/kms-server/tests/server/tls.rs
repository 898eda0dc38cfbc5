//! TLS, and who may do without it.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use waxseal_kms_server::{Config, Exposure, Keeper, Server, ServerError, Tls};

use crate::support::{Collected, Connection, PATIENCE, Store, any_port};

/// A certificate of its own for `localhost`, in the scratch directory.
fn certificate(store: &Store) -> (Tls, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls { certificate: store.scratch.path().join("cert.pem"), key: store.scratch.path().join("key.pem") };
    fs::write(&tls.certificate, made.cert.pem()).unwrap();
    fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    (tls, made.cert.der().clone())
}

fn bind(store: &Store, config: &Config) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let keeper = Arc::new(Keeper::locked(store.directory()));
    runtime.block_on(Server::bind(config, keeper, Arc::new(Collected::default()))).map(|_| ())
}

#[test]
fn a_client_that_trusts_the_certificate_is_answered_over_tls() {
    let store = Store::new();
    let (tls, trusted) = certificate(&store);
    let served = store.served_as(Config { listen: any_port(), tls: Some(tls), ..Config::default() });
    assert!(served.endpoint.starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(served.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut connection = Connection(Box::new(StreamOwned::new(client, stream)));
    connection.send(&store.signed("DescribeKey", r#"{"KeyId":"alias/default"}"#));
    connection.answer().succeeds();
    // Without TLS there is no HTTP at this port.
    let mut plain = served.connect();
    plain.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut plain.0, &mut answer).ok();
    assert!(!answer.starts_with(b"HTTP"));
}

#[test]
fn what_other_machines_can_reach_needs_tls_or_somebody_s_word() {
    let store = Store::new();
    let (tls, _) = certificate(&store);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[::ffff:127.0.0.1]:0"] {
        let config = Config { listen: address.parse().unwrap(), ..Config::default() };
        assert!(matches!(bind(&store, &config), Err(ServerError::Exposed { .. })), "{address}");
    }
    let everywhere = || Config { listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
    bind(&store, &Config { exposure: Exposure::Accept, ..everywhere() }).unwrap();
    bind(&store, &Config { tls: Some(tls), ..everywhere() }).unwrap();
}

#[test]
fn certificates_that_are_none_are_refused_with_their_name() {
    let store = Store::new();
    let (good, _) = certificate(&store);
    let (_, other) = (fs::write(store.scratch.path().join("x"), "x").unwrap(), store.scratch.path().join("x"));
    let missing = store.scratch.path().join("missing");
    let refused = |tls: Tls| {
        let config = Config { listen: any_port(), tls: Some(tls), ..Config::default() };
        bind(&store, &config).unwrap_err().to_string()
    };
    for wrong in [&other, &missing] {
        assert!(refused(Tls { certificate: wrong.clone(), ..good.clone() }).starts_with(wrong.to_str().unwrap()));
        assert!(refused(Tls { key: wrong.clone(), ..good.clone() }).starts_with(wrong.to_str().unwrap()));
    }
    let strange = rcgen::KeyPair::generate().unwrap().serialize_pem();
    fs::write(&other, strange).unwrap();
    assert!(refused(Tls { key: other, ..good }).contains("cannot be used for TLS"));
}
