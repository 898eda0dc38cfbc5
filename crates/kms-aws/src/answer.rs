//! What AWS KMS answers is checked before it is believed: a wrong answer must never become a file that does not open.

use aws_sdk_kms::primitives::Blob;
use waxseal_key_service::{
    DATA_KEY_LEN, DataKey, EncryptedDataKey, ErrorCode, KeyArn, KeyId, KeyServiceError, Provider,
};
use zeroize::Zeroizing;

/// Longest ciphertext blob in the service model, in bytes.
const MAX_BLOB_LEN: usize = 6144;

/// The key that an answer names, if it is the one that was asked for.
///
/// A multi-Region key may answer in another region than the one in the ARN: it is the same key material.
pub(crate) fn key_arn(asked: &KeyId, answered: Option<&str>) -> Result<KeyArn, KeyServiceError> {
    let text = answered.ok_or_else(|| wrong("names no key"))?;
    let arn: KeyArn = text.parse().map_err(|_| wrong("names a key by no key ARN"))?;
    let is_asked = match asked {
        KeyId::Arn(asked) => asked.is_same_key(&arn),
        KeyId::Id(id) => id == arn.key_id(),
        KeyId::Alias(_) => true,
        KeyId::AliasArn { region, account, .. } => region == arn.region() && account == arn.account(),
    };
    if is_asked { Ok(arn) } else { Err(wrong(&format!("is for another key, {arn}"))) }
}

/// A data key in the clear. The SDK's own buffer is wiped; those that it was read and decoded from are the SDK's.
pub(crate) fn data_key(plaintext: Option<Blob>) -> Result<DataKey, KeyServiceError> {
    let bytes = Zeroizing::new(plaintext.map(Blob::into_inner).unwrap_or_default());
    let given = bytes.len();
    let bytes: &[u8; DATA_KEY_LEN] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| wrong(&format!("holds a data key of {given} bytes instead of {DATA_KEY_LEN}")))?;
    DataKey::try_fill(|out| {
        out.copy_from_slice(bytes);
        Ok(())
    })
}

/// An encrypted data key under the key that was asked for.
pub(crate) fn encrypted_data_key(
    asked: &KeyId,
    answered: Option<&str>,
    blob: Option<Blob>,
) -> Result<EncryptedDataKey, KeyServiceError> {
    let key_arn = key_arn(asked, answered)?;
    let ciphertext_blob = blob.map(Blob::into_inner).unwrap_or_default();
    if ciphertext_blob.is_empty() || ciphertext_blob.len() > MAX_BLOB_LEN {
        return Err(wrong(&format!("holds an encrypted data key of {} bytes", ciphertext_blob.len())));
    }
    Ok(EncryptedDataKey { provider: Provider::Aws, key_arn, ciphertext_blob })
}

/// The error of an answer that says what no AWS KMS says.
pub(crate) fn wrong(what: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidAnswer, format!("The answer {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const OTHER: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ac";
    const MRK: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";

    fn is_believed(asked: &str, answered: Option<&str>) -> bool {
        key_arn(&asked.parse().unwrap(), answered).is_ok()
    }

    #[test]
    fn an_answer_for_another_key_is_not_believed() {
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/x";
        for asked in [ONE, &ONE[ONE.len() - 36..], "alias/x", alias] {
            assert!(is_believed(asked, Some(ONE)), "{asked}");
            assert!(!is_believed(asked, None) && !is_believed(asked, Some("alias/x")), "{asked}");
        }
        assert!(!is_believed(ONE, Some(OTHER)));
        assert!(!is_believed(&ONE[ONE.len() - 36..], Some(OTHER)));
        assert!(!is_believed(alias, Some(&ONE.replace("1111", "4444"))));
        assert!(!is_believed(ONE, Some(&ONE.replace("west", "north"))), "it is no multi-Region key");
    }

    #[test]
    fn a_multi_region_key_may_answer_in_another_region_and_in_no_other_account() {
        assert!(is_believed(MRK, Some(&MRK.replace("west", "north"))));
        assert!(!is_believed(MRK, Some(&MRK.replace("1111", "4444"))));
        assert!(!is_believed(MRK, Some(&MRK.replace("aws:", "aws-cn:"))));
    }

    #[test]
    fn a_data_key_has_32_bytes() {
        assert!(data_key(Some(Blob::new([7; 32]))).is_ok());
        for blob in [None, Some(Blob::new([])), Some(Blob::new([7; 31])), Some(Blob::new([7; 33]))] {
            assert_eq!(data_key(blob).unwrap_err().code(), ErrorCode::InvalidAnswer);
        }
    }

    #[test]
    fn an_encrypted_data_key_is_of_a_length_that_a_container_takes() {
        let asked = ONE.parse().unwrap();
        assert!(encrypted_data_key(&asked, Some(ONE), Some(Blob::new([7; 6144]))).is_ok());
        for blob in [None, Some(Blob::new([])), Some(Blob::new([7; 6145]))] {
            assert!(encrypted_data_key(&asked, Some(ONE), blob).is_err());
        }
    }
}
