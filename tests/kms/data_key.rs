//! Every option of `aws kms generate-data-key`
//! (<https://docs.aws.amazon.com/cli/latest/reference/kms/generate-data-key.html>).

use serde_json::json;

use super::support::{Answers, DEFAULT, create_key, decoded, kms};
use crate::support::World;

/// Decrypts with an option, and gives the plaintext in base64.
fn decrypt(world: &World, ciphertext: &str, options: &[&str]) -> String {
    kms(world, &[&["decrypt", "--ciphertext-blob", ciphertext], options].concat()).text_at("/Plaintext")
}

#[test]
fn key_id_takes_every_form_of_a_key_s_name() {
    let world = World::with_store();
    let metadata = kms(&world, &["describe-key", "--key-id", DEFAULT]).answer()["KeyMetadata"].clone();
    let (id, arn) = (metadata["KeyId"].as_str().unwrap(), metadata["Arn"].as_str().unwrap());
    let alias_arn = format!("arn:aws:kms:us-east-1:000000000000:{DEFAULT}");
    for name in [id, arn, DEFAULT, &alias_arn] {
        let run = kms(&world, &["generate-data-key", "--key-id", name, "--key-spec", "AES_256"]);
        assert_eq!(run.text_at("/KeyId"), arn);
        assert_eq!(decrypt(&world, &run.text_at("/CiphertextBlob"), &["--key-id", name]), run.text_at("/Plaintext"));
    }
    kms(&world, &["generate-data-key", "--key-spec", "AES_256"])
        .fails_with(2)
        .says_exactly(
            "error: the following arguments are required: --key-id\nhint: see 'waxseal kms generate-data-key help'",
        )
        .writes_nothing();
}

#[test]
fn the_answer_has_the_members_of_aws_in_their_order() {
    let world = World::with_store();
    let run = kms(&world, &["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256"]);
    let lines: Vec<&str> = run.text().lines().collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("    \"")?.split('"').next()).collect();
    assert_eq!(names, ["CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"]);
    assert_eq!((lines[0], lines[lines.len() - 1]), ("{", "}"));
    let material = run.text_at("/KeyMaterialId");
    assert!(material.len() == 64 && material.bytes().all(|byte| byte.is_ascii_hexdigit()), "{material}");
}

#[test]
fn key_spec_and_number_of_bytes_give_the_length_and_exclude_each_other() {
    let world = World::with_store();
    let generate = |options: &[&str]| kms(&world, &[&["generate-data-key", "--key-id", DEFAULT], options].concat());
    for (options, length) in [
        (["--key-spec", "AES_128"], 16),
        (["--key-spec", "AES_256"], 32),
        (["--number-of-bytes", "1"], 1),
        (["--number-of-bytes", "64"], 64),
        (["--number-of-bytes", "1024"], 1024),
    ] {
        let plaintext = generate(&options).text_at("/Plaintext");
        assert_eq!(decoded(&world, &plaintext).len(), length, "{options:?}");
    }
    let choose = "Please specify either number of bytes or key spec.";
    generate(&[]).refuses_with("ValidationException", "GenerateDataKey", choose);
    generate(&["--key-spec", "AES_256", "--number-of-bytes", "32"]).refuses_with(
        "ValidationException",
        "GenerateDataKey",
        choose,
    );
    generate(&["--number-of-bytes", "1025"]).refuses_with(
        "ValidationException",
        "GenerateDataKey",
        "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have \
         value less than or equal to 1024",
    );
    generate(&["--key-spec", "AES_512"]).refuses_with(
        "ValidationException",
        "GenerateDataKey",
        "1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy \
         enum value set: [AES_256, AES_128]",
    );
    // The AWS CLI finds a number below the least one, and no number, by itself.
    generate(&["--number-of-bytes", "0"])
        .fails_with(2)
        .says("Parameter validation failed:\nInvalid value for parameter NumberOfBytes, value: 0, valid min value: 1");
    generate(&["--number-of-bytes", "many"]).fails_with(2).says("Invalid type for parameter NumberOfBytes");
}

#[test]
fn encryption_context_is_shorthand_or_json_and_binds_the_ciphertext() {
    let world = World::with_store();
    world.write("context.json", r#"{"purpose":"test","team":"a=b,c"}"#);
    let shorthand = "team='a=b,c',purpose=test";
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--encryption-context"];
    for context in [shorthand, r#"{"team":"a=b,c","purpose":"test"}"#, "file://context.json"] {
        let run = kms(&world, &[&generate[..], &[context]].concat());
        let ciphertext = run.text_at("/CiphertextBlob");
        for same in [shorthand, "file://context.json"] {
            assert_eq!(decrypt(&world, &ciphertext, &["--encryption-context", same]), run.text_at("/Plaintext"));
        }
        for other in [&[][..], &["--encryption-context", "team='a=b,c'"]] {
            let arguments = [&["decrypt", "--ciphertext-blob", &ciphertext], other].concat();
            kms(&world, &arguments).refuses_with("InvalidCiphertextException", "Decrypt", "");
        }
    }
    let twice = kms(&world, &[&generate[..], &["a=b,a=c"]].concat()).fails_with(2);
    twice.says("Error parsing parameter '--encryption-context': Second instance of key \"a\" encountered");
}

#[test]
fn grant_tokens_are_one_or_several_words_or_json_and_none_is_known_here() {
    let world = World::with_store();
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--grant-tokens"];
    for tokens in [&["one"][..], &["one", "two"], &[r#"["one","two"]"#]] {
        let run = kms(&world, &[&generate[..], tokens].concat()).fails_with(8).writes_nothing();
        run.says("An error occurred (InvalidGrantTokenException) when calling the GenerateDataKey operation: ");
    }
    kms(&world, &generate).answer();
    let eleven: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    kms(&world, &[&generate[..], &eleven].concat())
        .fails_with(8)
        .says("(ValidationException)")
        .says("Member must have length less than or equal to 10");
    kms(&world, &[&generate[..], &[""]].concat()).fails_with(2).says("Invalid length for parameter GrantTokens[0]");
}

#[test]
fn recipient_is_read_and_refused_for_nobody_is_attested_here() {
    let world = World::with_store();
    world.write("document", [0, 1, 255]);
    let shorthand = "KeyEncryptionAlgorithm=RSAES_OAEP_SHA_256,AttestationDocument@=fileb://document";
    let json = r#"{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256","AttestationDocument":"AAH/"}"#;
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--recipient"];
    for recipient in [shorthand, json] {
        let run = kms(&world, &[&generate[..], &[recipient]].concat()).fails_with(8).writes_nothing();
        run.says("An error occurred (UnsupportedOperationException) when calling the GenerateDataKey operation: ");
    }
    kms(&world, &[&generate[..], &["Document=x"]].concat()).fails_with(2).says(
        "Unknown parameter in Recipient: \"Document\", must be one of: KeyEncryptionAlgorithm, AttestationDocument",
    );
}

#[test]
fn dry_run_makes_nothing_and_no_dry_run_does() {
    let world = World::with_store();
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256"];
    let message = "The request would have succeeded, but the DryRun option is set.";
    for options in [&["--dry-run"][..], &["--no-dry-run", "--dry-run"]] {
        let run = kms(&world, &[&generate[..], options].concat());
        run.refuses_with("DryRunOperationException", "GenerateDataKey", message);
    }
    kms(&world, &[&generate[..], &["--no-dry-run"]].concat()).answer();
}

#[test]
fn cli_input_json_is_the_request_and_options_win_over_it() {
    let world = World::with_store();
    let key = create_key(&world);
    let request = json!({"KeyId": DEFAULT, "NumberOfBytes": 8, "EncryptionContext": {"a": "b"}}).to_string();
    world.write("request.json", &request);
    for given in [request.as_str(), "file://request.json"] {
        let run = kms(&world, &["generate-data-key", "--cli-input-json", given]);
        assert_eq!(decoded(&world, &run.text_at("/Plaintext")).len(), 8);
        let options = ["--key-id", &key, "--number-of-bytes", "9"];
        let run = kms(&world, &[&["generate-data-key", "--cli-input-json", given], &options[..]].concat());
        assert_eq!(decoded(&world, &run.text_at("/Plaintext")).len(), 9);
        assert!(run.text_at("/KeyId").ends_with(&key));
        let ciphertext = run.text_at("/CiphertextBlob");
        assert_eq!(decrypt(&world, &ciphertext, &["--encryption-context", "a=b"]), run.text_at("/Plaintext"));
    }
    for (given, message) in [
        ("{\"KeyId\":", "Error parsing parameter '--cli-input-json': Invalid JSON: "),
        ("[]", "Error parsing parameter '--cli-input-json': a JSON object is expected"),
        ("{}", "Missing required parameter in input: \"KeyId\""),
        (r#"{"KeyId":5}"#, "Invalid type for parameter KeyId, type: integer, valid types: string"),
        (
            r#"{"KeyId":"k","Key":1}"#,
            "Unknown parameter in input: \"Key\", must be one of: KeyId, EncryptionContext, NumberOfBytes, KeySpec, \
             GrantTokens, Recipient, DryRun",
        ),
    ] {
        kms(&world, &["generate-data-key", "--cli-input-json", given]).fails_with(2).says(message).writes_nothing();
    }
    kms(&world, &["generate-data-key", "--cli-input-json", "file://nowhere"])
        .fails_with(3)
        .says("nowhere: Error parsing parameter '--cli-input-json': cannot be read: no such file or directory");
    kms(&world, &["generate-data-key", "--cli-input-yaml", "KeyId: k"]).fails_with(2).says("take --cli-input-json");
}

#[test]
fn a_skeleton_is_printed_and_nothing_done() {
    let world = World::new();
    let sample = kms(&world, &["generate-data-key", "--generate-cli-skeleton"]).answer();
    assert_eq!(kms(&world, &["generate-data-key", "--generate-cli-skeleton", "input"]).answer(), sample);
    assert_eq!((&sample["KeyId"], &sample["NumberOfBytes"]), (&json!(""), &json!(0)));
    assert_eq!(sample["EncryptionContext"], json!({"KeyName": ""}));
    let output = ["generate-data-key", "--key-id", "k", "--generate-cli-skeleton", "output"];
    assert_eq!(kms(&world, &output).answer()["KeyId"], "KeyId");
    kms(&world, &["generate-data-key", "--generate-cli-skeleton", "output"]).fails_with(2);
    kms(&world, &["generate-data-key", "--generate-cli-skeleton", "yaml-input"]).fails_with(2).says("invalid choice");
    assert!(!world.home().exists());
}

#[test]
fn output_and_query_choose_what_is_printed() {
    let world = World::with_store();
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--number-of-bytes", "4"];
    let with = |options: &[&str]| kms(&world, &[&generate[..], options].concat());
    let text = with(&["--output", "text"]).succeeds_silently();
    let fields: Vec<&str> = text.text().trim_end().split('\t').collect();
    assert_eq!(fields.len(), 4, "{fields:?}");
    assert!(
        fields[1].starts_with("arn:aws:kms:us-east-1:000000000000:key/"),
        "in the order of their names: {fields:?}"
    );
    let plaintext = with(&["--output", "text", "--query", "Plaintext"]).succeeds_silently();
    assert_eq!(decoded(&world, plaintext.text().trim_end()).len(), 4);
    assert!(with(&["--query", "{P: Plaintext, A: KeyId}"]).text().starts_with("{\n    \"P\": \""));
    assert_eq!(with(&["--query", "[KeyId, Nothing] | length(@)"]).answer(), json!(2));
    with(&["--query", "a["]).fails_with(2).says("Bad value for --query a[: ");
    for format in ["table", "yaml", "yaml-stream"] {
        let run = with(&["--output", format]).fails_with(2).writes_nothing();
        run.says(&format!("error: the output format {format} is not made here\nhint: take json or text"));
    }
    assert_eq!(with(&["--output", "off"]).succeeds_silently().text(), "");
    let mut command = world.command(["kms"].iter().chain(&generate));
    let run = crate::support::Run::from(command.env("AWS_DEFAULT_OUTPUT", "text").output().unwrap());
    assert_eq!(run.text().trim_end().split('\t').count(), 4);
}

#[test]
fn cli_binary_format_says_what_a_typed_blob_is() {
    let world = World::with_store();
    let encrypt = ["encrypt", "--key-id", DEFAULT, "--query", "CiphertextBlob", "--output", "text", "--plaintext"];
    let plaintext = |options: &[&str]| {
        let run = kms(&world, &[&encrypt[..], options].concat()).succeeds_silently();
        decoded(&world, &decrypt(&world, run.text().trim_end(), &[]))
    };
    world.write("secret", "c2VjcmV0\n");
    assert_eq!(plaintext(&["c2VjcmV0"]), b"secret");
    assert_eq!(plaintext(&["c2VjcmV0", "--cli-binary-format", "base64"]), b"secret");
    assert_eq!(plaintext(&["c2VjcmV0", "--cli-binary-format", "raw-in-base64-out"]), b"c2VjcmV0");
    assert_eq!(plaintext(&["file://secret"]), b"secret");
    assert_eq!(plaintext(&["fileb://secret"]), b"c2VjcmV0\n");
    let piped =
        world.pipe(["kms"].iter().chain(&encrypt).chain(&["fileb:///dev/stdin"]), b"\0\xff").succeeds_silently();
    assert_eq!(decoded(&world, &decrypt(&world, piped.text().trim_end(), &[])), b"\0\xff");
    let wrong = kms(&world, &[&encrypt[..], &["not base64!"]].concat()).fails_with(2).writes_nothing();
    assert!(!wrong.stderr.contains("not base64!"), "a secret is not repeated: {}", wrong.stderr);
    wrong.says("Invalid base64 for parameter Plaintext");
}

#[test]
fn the_options_for_every_command_are_taken_and_change_nothing_for_the_key_store() {
    let world = World::with_store();
    let options = [
        "--debug",
        "--no-verify-ssl",
        "--no-sign-request",
        "--no-paginate",
        "--no-cli-pager",
        "--no-cli-auto-prompt",
        "--color",
        "off",
        "--ca-bundle",
        "/nowhere",
        "--cli-read-timeout",
        "1",
        "--cli-connect-timeout",
        "1",
    ];
    let generate = ["generate-data-key", "--key-id", DEFAULT, "--number-of-bytes", "4"];
    kms(&world, &[&generate[..], &options].concat()).answer();
    let before = options.iter().chain(&["kms"]).chain(&generate);
    world.run(before).answer();
    kms(&world, &[&generate[..], &["--color", "red"]].concat()).fails_with(2).says("(choose from on, off, auto)");
    kms(&world, &[&generate[..], &["--cli-auto-prompt"]].concat()).fails_with(2).says("--cli-auto-prompt is not here");
    let version = kms(&world, &[&generate[..], &["--version"]].concat()).succeeds_silently();
    assert_eq!(version.text(), format!("waxseal {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn region_is_the_option_s_then_the_environment_s_then_the_store_s() {
    let world = World::new();
    world.run(["kms", "init", "--region", "eu-central-1"]).succeeds();
    let arn = |region: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.command(["kms", "create-key"].iter().chain(region));
        let run = crate::support::Run::from(command.envs(variables.iter().copied()).output().unwrap());
        run.text_at("/KeyMetadata/Arn").split(':').nth(3).unwrap().to_owned()
    };
    assert_eq!(arn(&[], &[]), "eu-central-1");
    assert_eq!(arn(&[], &[("AWS_REGION", "us-west-2"), ("AWS_DEFAULT_REGION", "us-west-1")]), "us-west-2");
    assert_eq!(arn(&[], &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-west-1")]), "us-west-1");
    assert_eq!(arn(&["--region", "sa-east-1"], &[("AWS_REGION", "us-west-2")]), "sa-east-1");
    kms(&world, &["list-keys", "--region", "EU"]).fails_with(2).says("hint: a region looks like eu-central-1");
    let elsewhere = ["generate-data-key", "--key-id", DEFAULT, "--key-spec", "AES_256", "--region", "us-west-2"];
    kms(&world, &elsewhere)
        .fails_with(8)
        .says("(NotFoundException)")
        .says(&format!("hint: region eu-central-1 has {DEFAULT}: --region eu-central-1"));
}
