//! The AWS SDK for Rust, as it is, on a served KMS.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata as _;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::support::{AccessKey, Served};
use crate::support::World;

fn client(endpoint: &str, key: &AccessKey) -> Client {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(&key.id, &key.secret, None, None, "test"))
        .http_client(http);
    Client::from_conf(config.build())
}

#[test]
fn aws_sdk_kms_makes_keys_and_data_keys_and_knows_the_errors() {
    let world = World::with_store();
    let key = AccessKey::new(&world, "me");
    let served = Served::with(&world, key.clone(), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kms = client(&served.endpoint, &key);
        let created = kms.create_key().description("of Rust").send().await.unwrap();
        let arn = created.key_metadata().unwrap().arn().unwrap().to_owned();
        assert!(arn.starts_with("arn:aws:kms:eu-west-1:000000000000:key/"), "{arn}");
        let made = kms.generate_data_key().key_id(&arn).key_spec(DataKeySpec::Aes256).encryption_context("a", "b");
        let made = made.send().await.unwrap();
        let blob = || Blob::new(made.ciphertext_blob().unwrap().as_ref());
        let opened = kms.decrypt().key_id(&arn).ciphertext_blob(blob()).encryption_context("a", "b").send().await;
        assert_eq!(opened.unwrap().plaintext(), made.plaintext());
        let other_context = kms.decrypt().ciphertext_blob(blob()).encryption_context("a", "c").send().await;
        assert!(other_context.unwrap_err().into_service_error().is_invalid_ciphertext_exception());
        let mut pages = kms.list_keys().limit(1).into_paginator().items().send();
        assert_eq!(pages.next().await.unwrap().unwrap().key_arn(), Some(arn.as_str()));
        assert!(pages.next().await.is_none());
        kms.schedule_key_deletion().key_id(&arn).pending_window_in_days(7).send().await.unwrap();
        let pending = kms.encrypt().key_id(&arn).plaintext(Blob::new("x")).send().await;
        assert!(pending.unwrap_err().into_service_error().is_kms_invalid_state_exception());
        let stranger = client(&served.endpoint, &AccessKey { secret: "x".repeat(40), ..key.clone() });
        let refused = stranger.list_keys().send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidSignatureException"));
    });
}
