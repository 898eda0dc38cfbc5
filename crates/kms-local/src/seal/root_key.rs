//! The root key, and the key material that it wraps.

use waxseal_key_service::SecretBytes;

use crate::aead;
use crate::encoding::Fields;
use crate::error::StoreError;
use crate::key::KeyUuid;
use crate::region::Region;

/// Length of a wrapped key material in bytes.
pub(crate) const WRAPPED_LEN: usize = aead::OVERHEAD + aead::KEY_LEN;

/// The random number that tells one store from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreId([u8; 16]);

impl StoreId {
    pub(crate) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(StoreError::random)?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The key that wraps all key material of one store.
#[derive(Debug)]
pub(crate) struct RootKey(SecretBytes);

/// Where a wrapped material belongs. It is bound to its place, so that no row can stand in for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaterialPlace<'a> {
    pub(crate) store: &'a StoreId,
    pub(crate) region: &'a Region,
    pub(crate) key: KeyUuid,
    pub(crate) version: u32,
    pub(crate) material_id: &'a str,
}

impl RootKey {
    pub(crate) fn new(secret: SecretBytes) -> Self {
        Self(secret)
    }

    pub(crate) fn random() -> Result<Self, StoreError> {
        random_secret().map(Self)
    }

    pub(crate) fn expose(&self) -> &[u8; aead::KEY_LEN] {
        self.0.expose()
    }

    pub(crate) fn wrap(&self, place: MaterialPlace<'_>, material: &SecretBytes) -> Result<Vec<u8>, StoreError> {
        let mut wrapped = Vec::with_capacity(WRAPPED_LEN);
        aead::seal(self.0.expose(), associated(place).as_bytes(), material.expose(), &mut wrapped)
            .map_err(StoreError::random)?;
        Ok(wrapped)
    }

    /// Unwraps a material; `None` means that it is damaged or belongs elsewhere.
    pub(crate) fn unwrap(&self, place: MaterialPlace<'_>, wrapped: &[u8]) -> Option<SecretBytes> {
        SecretBytes::try_fill(|out| aead::open(self.0.expose(), associated(place).as_bytes(), wrapped, out)).ok()
    }
}

fn associated(place: MaterialPlace<'_>) -> Fields {
    Fields::new("waxseal kms 1: key material")
        .with(place.store.as_bytes())
        .with(place.region.as_str().as_bytes())
        .with(place.key.as_bytes())
        .with(&place.version.to_be_bytes())
        .with(place.material_id.as_bytes())
}

/// Makes a secret of random bytes, in place.
pub(crate) fn random_secret() -> Result<SecretBytes, StoreError> {
    SecretBytes::try_fill(|out| getrandom::fill(out)).map_err(StoreError::random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_material_opens_in_its_own_place_only() {
        let (root, material) = (RootKey::random().unwrap(), random_secret().unwrap());
        let (store, other_store) = (StoreId::random().unwrap(), StoreId::random().unwrap());
        let (region, other_region) = (Region::default(), "eu-west-1".parse().unwrap());
        let (key, other_key) = (KeyUuid::random().unwrap(), KeyUuid::random().unwrap());
        let place = MaterialPlace { store: &store, region: &region, key, version: 1, material_id: "m" };
        let wrapped = root.wrap(place, &material).unwrap();
        assert_eq!(wrapped.len(), WRAPPED_LEN);
        assert_eq!(root.unwrap(place, &wrapped), Some(material));
        for elsewhere in [
            MaterialPlace { store: &other_store, ..place },
            MaterialPlace { region: &other_region, ..place },
            MaterialPlace { key: other_key, ..place },
            MaterialPlace { version: 2, ..place },
            MaterialPlace { material_id: "n", ..place },
        ] {
            assert_eq!(root.unwrap(elsewhere, &wrapped), None, "{elsewhere:?}");
        }
        assert_eq!(RootKey::random().unwrap().unwrap(place, &wrapped), None);
    }
}
