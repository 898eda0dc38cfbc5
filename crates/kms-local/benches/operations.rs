//! How long the data-path operations take in process, once a key is warm: `cargo bench -p waxseal-kms-local`.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use waxseal_key_service::{EncryptionContext, KeyId};
use waxseal_kms_local::{CreateOptions, DataKeySpec, DecryptRequest, GenerateDataKeyRequest, LocalKms, Region};

const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let directory = dir.path().join("kms");
    let kms = LocalKms::create(&directory, &CreateOptions::default())?;
    let region = Region::default();
    let key_id: KeyId = "alias/default".parse()?;
    let context = EncryptionContext::from_pairs(["waxseal:file-id=0123456789abcdef0123456789abcdef"])?;
    let generate = GenerateDataKeyRequest {
        region: &region,
        key_id: &key_id,
        encryption_context: &context,
        key_spec: Some(DataKeySpec::Aes256),
        number_of_bytes: None,
    };
    let generated = kms.generate_data_key(&generate)?;
    let key_arn = KeyId::Arn(generated.key_id.clone());
    let decrypt = DecryptRequest {
        region: &region,
        ciphertext_blob: &generated.ciphertext_blob,
        encryption_context: &context,
        key_id: Some(&key_arn),
    };
    report("GenerateDataKey", || kms.generate_data_key(&generate).map(drop).map_err(Into::into))?;
    report("Decrypt", || kms.decrypt(&decrypt).map(drop).map_err(Into::into))?;
    let body = format!(
        r#"{{"KeyId":"{}","KeySpec":"AES_256","EncryptionContext":{{"waxseal:file-id":"{:032x}"}}}}"#,
        generated.key_id, 1
    );
    report("GenerateDataKey as JSON", || {
        kms.call(&region, "GenerateDataKey", body.as_bytes()).map(drop).map_err(Into::into)
    })?;
    let mut no_passphrase = || Err("the store is sealed by a key file".into());
    report_slow("open the store", || LocalKms::open(&directory, &mut no_passphrase).map(drop).map_err(Into::into))
}

fn report(name: &str, run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    measure(name, ROUNDS, run)
}

fn report_slow(name: &str, run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    measure(name, ROUNDS / 100, run)
}

/// Prints the median of ten runs of `rounds` calls.
fn measure(name: &str, rounds: u32, mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        for _ in 0..rounds {
            run()?;
        }
        times.push(started.elapsed() / rounds);
    }
    times.sort();
    let median: Duration = times[times.len() / 2];
    writeln!(stdout(), "{name}: {:.2} µs (best {:.2})", micros(median), micros(times[0]))?;
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
