//! GenerateDataKeyPairWithoutPlaintext
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPairWithoutPlaintext.html>).

use waxseal_key_service::KeyServiceError;

use super::generate_data_key_pair::generate;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::region::Region;

/// Answers the protocol's request: as GenerateDataKeyPair, without the private key in clear.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let generated = generate(kms, region, arguments, "GenerateDataKeyPairWithoutPlaintext")?;
    Ok(Answer::of(|answer| {
        answer.bytes("PrivateKeyCiphertextBlob", generated.ciphertext_blob());
        generated.write_rest(answer);
    }))
}
