//! ListKeyRotations (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html>).

use waxseal_key_service::KeyServiceError;

use super::page::Page;
use crate::local_kms::LocalKms;
use crate::protocol::{Answer, Arguments};
use crate::refusals;
use crate::region::Region;

/// Answers the protocol's request: the rotations of a key, the oldest first; on demand the material that the key was made with,
/// too.
pub(super) fn call(kms: &LocalKms, region: &Region, arguments: &Arguments<'_>) -> Result<Answer, KeyServiceError> {
    let page = Page::of(arguments, 100, 1000)?;
    let all = arguments.text("IncludeKeyMaterial") == Some("ALL_KEY_MATERIAL");
    let first = u32::from(!all);
    let after = match page.after.as_str() {
        "" => first,
        text => text.parse().map_err(|_| refusals::invalid_marker())?,
    };
    let key = kms.key_by_id(region, &arguments.key("KeyId")?)?;
    key.check_rotates()?;
    let mut versions = kms.store.read(|_, rows| rows.versions(&key, after.max(first), page.wanted()))?;
    let next = page.cut(&mut versions, |version| version.material.version.to_string());
    Ok(Answer::of(|answer| {
        answer.objects("Rotations", versions, |entry, version| {
            let material = version.material;
            let is_current = material.version == key.current_version;
            entry.text("KeyId", key.metadata.arn.as_str());
            entry.text("KeyMaterialId", &material.material_id);
            entry.text("KeyMaterialState", if is_current { "CURRENT" } else { "NON_CURRENT" });
            if let Some(rotation) = version.rotation {
                entry.time("RotationDate", material.created_at);
                entry.text("RotationType", rotation.as_str());
            }
        });
        next.write(answer);
    }))
}
