//! What can go wrong between us and the service: it ends in a retry or in the right error, in bounded time, and never in a
//! file that cannot be opened.

use super::moto::run;
use super::server::{Fault, Server};
use crate::support::{Run, World};

const THROTTLED: Fault = Fault::Answer(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);
const INTERNAL: Fault = Fault::Answer(500, r#"{"__type":"KMSInternalException"}"#);
const BAD_GATEWAY: Fault = Fault::Answer(502, "<html>Bad Gateway</html>");
const UNAVAILABLE: Fault = Fault::Answer(500, r#"{"__type":"KeyUnavailableException","message":"later"}"#);
/// A data key of 31 bytes, and one of 33, as base64.
const SHORT: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==";
const LONG: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
const OTHER_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A service, and a world with a file in it that was encrypted under the service's key.
fn served() -> (Server, World) {
    let (server, world) = (Server::new(), World::new());
    world.write("f", "content");
    run(&world, &server.url(), &["encrypt", "-k", &server.key(), "f"]).succeeds_silently();
    assert_eq!(server.calls(), ["GenerateDataKey"]);
    (server, world)
}

fn encrypt(server: &Server, world: &World) -> Run {
    run(world, &server.url(), &["encrypt", "-k", &server.key(), "-o", "new.wax", "f"])
}

fn cat(server: &Server, world: &World) -> Run {
    run(world, &server.url(), &["cat", "-k", &server.key(), "f.wax"])
}

#[test]
fn what_passes_is_tried_again() {
    let (server, world) = served();
    for fault in [Fault::Reset, THROTTLED, INTERNAL, BAD_GATEWAY, UNAVAILABLE] {
        server.spoil(&[fault]);
        assert_eq!(cat(&server, &world).succeeds_silently().stdout, b"content", "{fault:?}");
        assert_eq!(server.calls(), ["Decrypt"; 2], "{fault:?}");
    }
}

#[test]
fn a_late_answer_is_waited_for() {
    let (server, world) = served();
    server.spoil(&[Fault::Late(500)]);
    assert_eq!(cat(&server, &world).succeeds_silently().stdout, b"content");
    assert_eq!(server.calls(), ["Decrypt"]);
}

#[test]
fn what_does_not_pass_is_an_error_worth_trying_again_later() {
    let (server, world) = served();
    for (fault, text) in [
        (Fault::Reset, "Unreachable"),
        (THROTTLED, "ThrottlingException: Rate exceeded"),
        (INTERNAL, "KMSInternalException"),
        (BAD_GATEWAY, "KMSInternalException: The answer, HTTP status 502, is not one of AWS KMS."),
        (UNAVAILABLE, "KeyUnavailableException: later"),
    ] {
        server.always(Some(fault));
        cat(&server, &world).fails_with(9).says(text).writes_nothing();
        encrypt(&server, &world).fails_with(9).says(text);
        // Three attempts each, as the SDK has it.
        assert_eq!(server.calls().len(), 6, "{fault:?}");
    }
    assert_eq!(world.names(), ["f", "f.wax"]);
    server.always(None);
    encrypt(&server, &world).succeeds_silently();
}

#[test]
fn a_service_that_never_answers_or_never_comes_to_an_end_is_given_up() {
    let (server, world) = served();
    for fault in [Fault::Silence, Fault::Drip] {
        server.always(Some(fault));
        let mut command = super::moto::command(&world, &server.url(), &["cat", "-k", &server.key(), "f.wax"]);
        let run = Run::from(command.env("AWS_MAX_ATTEMPTS", "1").output().unwrap());
        run.fails_with(9).says("There was no answer in time.").writes_nothing();
    }
}

#[test]
fn a_refusal_is_not_tried_again() {
    let (server, world) = served();
    for (body, text) in [
        (
            r#"{"__type":"AccessDeniedException","message":"not authorized to perform: kms:Decrypt"}"#,
            "hint: the caller needs kms:Decrypt on this key",
        ),
        (r#"{"__type":"DisabledException","message":"it is disabled."}"#, "hint: 'aws kms enable-key --key-id arn:"),
        (
            r#"{"__type":"ExpiredTokenException","message":"The security token is expired"}"#,
            "hint: the login has expired",
        ),
        (r#"{"__type":"UnrecognizedClientException","message":"no such token"}"#, "hint: check AWS_PROFILE"),
        (r#"{"__type":"InvalidSignatureException","message":"it does not match"}"#, "hint: check AWS_PROFILE"),
        (r#"{"__type":"RequestExpired","message":"it is late"}"#, "this machine's clock"),
        (
            r#"{"__type":"InvalidArnException","message":"no"}"#,
            "hint: the endpoint serves another region than the key's",
        ),
        (
            r#"{"__type":"KMSInvalidStateException","message":"it is pending deletion."}"#,
            "hint: if its deletion is pending: 'aws kms cancel-key-deletion --key-id arn:",
        ),
        (r#"{"__type":"SomethingNewException","message":"unheard of"}"#, "refused: SomethingNewException: unheard of"),
    ] {
        server.always(Some(Fault::Answer(400, body)));
        cat(&server, &world).fails_with(8).says(text).says("request id r-1").writes_nothing();
        assert_eq!(server.calls(), ["Decrypt"], "{body}");
    }
}

#[test]
fn an_answer_that_is_none_is_an_error() {
    let (server, world) = served();
    for body in ["", "{", "[]", "{}", "null", "\u{0}", r#"{"KeyId":1}"#, r#"{"Plaintext":"not base64!"}"#] {
        server.always(Some(Fault::Answer(200, body)));
        cat(&server, &world).fails_with(8).says("the key service answers wrongly: InvalidAnswer").writes_nothing();
        encrypt(&server, &world).fails_with(8).says("InvalidAnswer");
    }
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn an_answer_that_is_cut_off_is_an_error_or_asked_for_again() {
    let (server, world) = served();
    server.always(Some(Fault::Cut));
    for run in [cat(&server, &world), encrypt(&server, &world)] {
        assert!(matches!(run.code, Some(8 | 9)), "{run:?}");
        run.writes_nothing();
    }
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn an_answer_that_never_ends_is_given_up_before_it_fills_the_memory() {
    let (server, world) = served();
    server.always(Some(Fault::Endless));
    for operation in [cat, encrypt] {
        operation(&server, &world).fails_with(8).says("is not one of AWS KMS").writes_nothing();
    }
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn a_wrong_answer_makes_no_file() {
    let (server, world) = served();
    for (member, value) in [
        ("KeyId", Some(OTHER_KEY)),
        ("KeyId", Some("alias/x")),
        ("KeyId", None),
        ("Plaintext", Some(SHORT)),
        ("Plaintext", Some(LONG)),
        ("Plaintext", Some("")),
        ("Plaintext", None),
        ("CiphertextBlob", Some("")),
        ("CiphertextBlob", None),
    ] {
        server.always(Some(Fault::Member(member, value)));
        encrypt(&server, &world).fails_with(8).says("the key service answers wrongly: InvalidAnswer");
        assert_eq!(world.names(), ["f", "f.wax"], "{member} {value:?}");
    }
}

#[test]
fn a_wrong_answer_prepares_nothing_and_gives_no_further_key() {
    let (server, world) = served();
    let (key, further) = (server.key(), server.new_key());
    let before = world.read("f.wax");
    for (member, value) in
        [("KeyId", Some(OTHER_KEY)), ("KeyId", None), ("CiphertextBlob", Some("")), ("CiphertextBlob", None)]
    {
        let wrong = Fault::Member(member, value);
        server.spoil(&[wrong]);
        run(&world, &server.url(), &["prepare", "-k", &key, "p.wax"]).fails_with(8).says("InvalidAnswer");
        // The data key comes as it should, and the second key's answer does not.
        server.spoil(&[Fault::Late(0), wrong]);
        let both = ["encrypt", "-k", &key, "-k", &further, "-o", "new.wax", "f"];
        run(&world, &server.url(), &both).fails_with(8).says("InvalidAnswer");
        assert_eq!(world.names(), ["f", "f.wax"], "{member} {value:?}");
        server.spoil(&[wrong]);
        let add = ["rewrap", "-k", &key, "--add", &further, "f.wax"];
        run(&world, &server.url(), &add).fails_with(8).says("InvalidAnswer");
        assert!(world.read("f.wax") == before, "{member} {value:?}");
    }
}

#[test]
fn a_wrong_answer_opens_nothing() {
    let (server, world) = served();
    for (member, value) in [
        ("KeyId", Some(OTHER_KEY)),
        ("KeyId", None),
        ("Plaintext", Some(SHORT)),
        ("Plaintext", Some(LONG)),
        ("Plaintext", None),
    ] {
        server.always(Some(Fault::Member(member, value)));
        cat(&server, &world).fails_with(8).says("InvalidAnswer").writes_nothing();
    }
    // A data key of the right length that is another one: the header does not verify under it.
    server.always(Some(Fault::Member("Plaintext", Some("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="))));
    cat(&server, &world).fails_with(6).writes_nothing();
}

#[test]
fn a_further_key_that_cannot_be_had_makes_no_file() {
    let (server, world) = served();
    server.spoil(&[Fault::Answer(400, r#"{"__type":"AccessDeniedException"}"#)]);
    let keys = ["encrypt", "-k", "alias/default", "-k", &server.key(), "-o", "new.wax", "f"];
    run(&world, &server.url(), &keys).fails_with(8).says("hint: the caller needs kms:Encrypt on this key");
    assert_eq!(server.calls(), ["Encrypt"]);
    assert_eq!(world.names(), ["f", "f.wax"]);
    run(&world, &server.url(), &keys).succeeds();
}

#[test]
fn a_wrong_encrypted_data_key_of_the_right_length_makes_no_file_where_the_keys_are_verified() {
    let (server, world) = served();
    let (key, further) = (server.key(), server.new_key());
    let wrong = Fault::Member("CiphertextBlob", Some("BwcH".repeat(27).leak()));
    let says = "gave as the encrypted data key does not open the file";
    // The first key's, and that of a further one.
    for faults in [&[wrong][..], &[Fault::Late(0), wrong]] {
        server.spoil(faults);
        let arguments = ["encrypt", "--verify-keys", "-k", &key, "-k", &further, "-o", "new.wax", "f"];
        run(&world, &server.url(), &arguments).fails_with(8).says(says);
        assert_eq!(world.names(), ["f", "f.wax"]);
    }
    server.calls();
    run(&world, &server.url(), &["encrypt", "--verify-keys", "-k", &key, "-o", "new.wax", "f"]).succeeds_silently();
    assert_eq!(server.calls(), ["GenerateDataKey", "Decrypt"]);
    // A source is removed only if its container opens with what the service gave.
    std::fs::create_dir(world.path("src")).unwrap();
    world.write("src/only", "content");
    server.spoil(&[wrong]);
    let remove = ["encrypt", "-r", "--remove-source", "-k", &key, "src", "-o", "vault"];
    run(&world, &server.url(), &remove).fails_with(8).says(says);
    assert_eq!(world.read("src/only"), b"content");
    assert!(!world.path("vault/only.wax").exists());
    run(&world, &server.url(), &remove).succeeds();
    assert!(!world.path("src/only").exists());
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &key, "vault/only.wax"]).succeeds().stdout, b"content");
    // The keys that a file has are replaced only by such as open it.
    let before = world.read("f.wax");
    server.spoil(&[wrong]);
    let rewrap = ["rewrap", "--verify-keys", "-k", &key, "--to", &further, "f.wax"];
    run(&world, &server.url(), &rewrap).fails_with(8).says(says);
    assert!(world.read("f.wax") == before);
    server.calls();
    run(&world, &server.url(), &rewrap).succeeds_silently();
    assert_eq!(server.calls(), ["ReEncrypt", "Decrypt"]);
    assert_eq!(run(&world, &server.url(), &["cat", "-k", &further, "f.wax"]).succeeds_silently().stdout, b"content");
}
