//! What a served KMS answers to those who make and open files, checked before it is believed.

use std::borrow::Cow;

use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use waxseal_key_service::{
    DATA_KEY_LEN, DataKey, EncryptedDataKey, ErrorCode, KeyArn, KeyId, KeyServiceError, Provider,
};
use zeroize::Zeroizing;

/// Longest ciphertext blob in the service model, in bytes.
const MAX_BLOB: usize = 6144;

/// An answer's JSON. It may hold a data key.
pub(super) struct Answer(Zeroizing<Vec<u8>>);

/// The members that are looked at. They point into the JSON, so that a plaintext is not copied.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Members<'a> {
    #[serde(borrow)]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source_key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source_key_material_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    destination_key_material_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    plaintext: Option<&'a str>,
    #[serde(borrow)]
    ciphertext_blob: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key_metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
}

impl Answer {
    pub(super) fn read(body: Zeroizing<Vec<u8>>) -> Result<Self, KeyServiceError> {
        let answer = Self(body);
        answer.members().map(drop)?;
        Ok(answer)
    }

    fn members(&self) -> Result<Members<'_>, KeyServiceError> {
        serde_json::from_slice(&self.0).map_err(|_| wrong("is not one of AWS KMS"))
    }

    /// The key that the answer is about, if it is the one that was asked for.
    pub(super) fn key(&self, asked: &KeyId) -> Result<KeyArn, KeyServiceError> {
        is_asked(asked, self.members()?.key_id.as_deref())
    }

    /// The key that a data key was under before, if it is the one that was named.
    pub(super) fn source_key(&self, asked: &KeyId) -> Result<KeyArn, KeyServiceError> {
        is_asked(asked, self.members()?.source_key_id.as_deref())
    }

    /// Whether another version of a key's material has encrypted than the one that decrypted.
    pub(super) fn is_renewed(&self) -> Result<bool, KeyServiceError> {
        let members = self.members()?;
        let materials = members.source_key_material_id.zip(members.destination_key_material_id);
        materials.map(|(source, destination)| source != destination).ok_or_else(|| wrong("names no key material"))
    }

    /// The key that was described.
    pub(super) fn described_key(&self, asked: &KeyId) -> Result<KeyArn, KeyServiceError> {
        is_asked(asked, self.members()?.key_metadata.and_then(|key| key.arn).as_deref())
    }

    /// The data key in the clear.
    pub(super) fn data_key(&self) -> Result<DataKey, KeyServiceError> {
        let mut bytes = Zeroizing::new([0; DATA_KEY_LEN]);
        let text = self.members()?.plaintext.unwrap_or_default();
        match Base64::decode(text, bytes.as_mut_slice()) {
            Ok(decoded) if decoded.len() == DATA_KEY_LEN => {}
            _ => return Err(wrong(&format!("holds no data key of {DATA_KEY_LEN} bytes"))),
        }
        DataKey::try_fill(|out| {
            out.copy_from_slice(bytes.as_slice());
            Ok(())
        })
    }

    /// The encrypted data key, under the key that was asked for.
    pub(super) fn encrypted_data_key(&self, asked: &KeyId) -> Result<EncryptedDataKey, KeyServiceError> {
        let key_arn = self.key(asked)?;
        let text = self.members()?.ciphertext_blob.unwrap_or_default();
        match Base64::decode_vec(&text) {
            Ok(blob) if (1..=MAX_BLOB).contains(&blob.len()) => {
                Ok(EncryptedDataKey { provider: Provider::Local, key_arn, ciphertext_blob: blob })
            }
            _ => Err(wrong("holds no encrypted data key")),
        }
    }
}

fn is_asked(asked: &KeyId, answered: Option<&str>) -> Result<KeyArn, KeyServiceError> {
    let arn: KeyArn = answered.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("names no key"))?;
    let is_asked = match asked {
        KeyId::Arn(asked) => *asked == arn,
        KeyId::Id(id) => id == arn.key_id(),
        KeyId::Alias(_) => true,
        KeyId::AliasArn { region, account, .. } => region == arn.region() && account == arn.account(),
    };
    // Keys of other accounts are AWS's: a file would be looked for there.
    if is_asked && arn.provider() == Provider::Local {
        Ok(arn)
    } else {
        Err(wrong(&format!("is for another key, {arn}")))
    }
}

/// The error of an answer that says what no served KMS says.
pub(super) fn wrong(what: &str) -> KeyServiceError {
    KeyServiceError::new(ErrorCode::InvalidAnswer, format!("The answer {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-44cd-96ef-1234567890ab";

    fn answer(members: &str) -> Answer {
        Answer::read(Zeroizing::new(format!("{{{members}}}").into_bytes())).unwrap()
    }

    #[test]
    fn only_an_answer_for_the_key_that_was_asked_for_is_believed() {
        let believed = |asked: &str, arn: &str| {
            let answer = answer(&format!("\"KeyId\":\"{arn}\",\"CiphertextBlob\":\"AAAA\""));
            answer.encrypted_data_key(&asked.parse().unwrap()).is_ok()
        };
        assert!(believed(ARN, ARN) && believed("alias/x", ARN) && believed(&ARN[ARN.len() - 36..], ARN));
        assert!(!believed(ARN, &ARN.replace("ab-44cd", "ab-44ce")));
        assert!(!believed("alias/x", &ARN.replace("000000000000", "111122223333")));
        assert!(!believed(&ARN.replace("us-east-1", "eu-west-1"), ARN) && !believed(ARN, "alias/x"));
    }

    #[test]
    fn a_data_key_has_32_bytes_and_an_encrypted_one_some() {
        let plaintext = |text: &str| answer(&format!("\"Plaintext\":\"{text}\"")).data_key();
        assert_eq!(plaintext(&format!("{}A=", "A".repeat(42))).unwrap().expose(), &[0; 32]);
        for text in ["", "AAAA", &"A".repeat(44), &"A".repeat(4000), "%"] {
            assert_eq!(plaintext(text).unwrap_err().code(), ErrorCode::InvalidAnswer, "{text}");
        }
        for members in ["", "\"CiphertextBlob\":\"\"", "\"CiphertextBlob\":\"%\""] {
            let with_key = format!("\"KeyId\":\"{ARN}\"{}{members}", if members.is_empty() { "" } else { "," });
            assert!(answer(&with_key).encrypted_data_key(&ARN.parse().unwrap()).is_err(), "{members}");
        }
        assert!(Answer::read(Zeroizing::new(b"<html>".to_vec())).is_err());
    }

    #[test]
    fn a_key_was_renewed_if_its_material_is_another_one() {
        let renewed = |source: &str, destination: &str| {
            answer(&format!("\"SourceKeyMaterialId\":\"{source}\",\"DestinationKeyMaterialId\":\"{destination}\""))
                .is_renewed()
        };
        assert!(!renewed("a", "a").unwrap() && renewed("a", "b").unwrap());
        assert!(answer("\"SourceKeyMaterialId\":\"a\"").is_renewed().is_err());
    }
}
