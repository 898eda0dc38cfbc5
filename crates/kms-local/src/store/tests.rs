//! Versions of material, and more keys than stay in memory.

use waxseal_key_service::{EncryptionContext, KeyId, KeyServiceError};

use super::*;
use crate::local_kms::{CreateOptions, LocalKms};
use crate::operations::{DecryptRequest, EncryptRequest};
use crate::seal::{NewSeal, Passphrase, PassphraseCost};
use crate::{Overwrite, restore};

fn encrypt(kms: &LocalKms, text: &str) -> Vec<u8> {
    let request = EncryptRequest {
        region: &Region::default(),
        key_id: &"alias/default".parse().unwrap(),
        encryption_context: &EncryptionContext::new(),
        plaintext: text.as_bytes(),
    };
    kms.encrypt(&request).unwrap().ciphertext_blob
}

fn decrypt(kms: &LocalKms, ciphertext_blob: &[u8]) -> Result<(Arc<str>, Vec<u8>), KeyServiceError> {
    let encryption_context = &EncryptionContext::new();
    let region = &Region::default();
    let request = DecryptRequest { region, ciphertext_blob, encryption_context, key_id: None };
    kms.decrypt(&request).map(|response| (response.key_material_id, response.plaintext.expose().to_vec()))
}

/// Gives the default key a second version of its material.
fn rotate(kms: &LocalKms) {
    let body = format!(r#"{{"KeyId":"{}"}}"#, kms.default_key().unwrap().unwrap());
    kms.call(&Region::default(), "RotateKeyOnDemand", body.as_bytes()).unwrap();
}

#[test]
fn old_versions_of_the_material_decrypt_for_ever_and_the_new_one_encrypts() {
    let dir = tempfile::tempdir().unwrap();
    let kms = LocalKms::create(&dir.path().join("kms"), &CreateOptions::default()).unwrap();
    let old = encrypt(&kms, "old");
    rotate(&kms);
    let new = encrypt(&kms, "new");
    assert_eq!((&old[17..21], &new[17..21]), (&[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
    for _ in 0..2 {
        let ((old_id, old), (new_id, new)) = (decrypt(&kms, &old).unwrap(), decrypt(&kms, &new).unwrap());
        assert_eq!((old.as_slice(), new.as_slice()), (&b"old"[..], &b"new"[..]));
        assert_ne!(old_id, new_id);
    }
    let mut never = new.clone();
    never[20] = 3;
    assert_eq!(decrypt(&kms, &never).unwrap_err().to_string(), "InvalidCiphertextException");
}

#[test]
fn a_backup_holds_every_version() {
    let dir = tempfile::tempdir().unwrap();
    let kms = LocalKms::create(&dir.path().join("kms"), &CreateOptions::default()).unwrap();
    let old = encrypt(&kms, "old");
    rotate(&kms);
    let new = encrypt(&kms, "new");
    let passphrase = || Passphrase::new(b"p".to_vec().into()).unwrap();
    let (file, cost) = (dir.path().join("backup"), PassphraseCost::new(8, 1, 1).unwrap());
    kms.backup(&file, &passphrase(), cost, Overwrite::Refuse).unwrap();
    let again = restore(&dir.path().join("again"), &file, &mut || Ok(passphrase()), NewSeal::KeyFile).unwrap();
    assert_eq!(decrypt(&again, &old).unwrap(), decrypt(&kms, &old).unwrap());
    assert_eq!(decrypt(&again, &new).unwrap(), decrypt(&kms, &new).unwrap());
    assert_eq!(encrypt(&again, "x")[20], 2);
}

#[test]
fn more_keys_than_stay_in_memory_all_work() {
    let dir = tempfile::tempdir().unwrap();
    let kms = LocalKms::create(&dir.path().join("kms"), &CreateOptions::default()).unwrap();
    let region = Region::default();
    let ids: Vec<_> = (0..1100).map(|_| KeyUuid::random().unwrap()).collect();
    kms.store
        .write(|rows| {
            ids.iter().try_for_each(|id| {
                let plan = crate::operations::create_key::Plan::symmetric("");
                crate::operations::create_key::insert(rows, &region, *id, &plan, Timestamp::now())?;
                kms.store.insert_new_material(rows, &region, *id, 1)
            })
        })
        .unwrap();
    for id in ids {
        let context = EncryptionContext::new();
        assert!(kms.encrypting(&region, &KeyId::Arn(id.arn(&region)), &context, "Encrypt").is_ok());
    }
    assert!(kms.store.memory_mut().cache().len() <= 1024);
}
