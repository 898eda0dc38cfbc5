//! The root key, and the key material that it wraps.

use waxseal_key_service::SecretBytes;
use zeroize::Zeroizing;

use crate::aead;
use crate::encoding::Fields;
use crate::error::StoreError;
use crate::key::{KeySpec, KeyUuid};
use crate::key_pair::KeyPair;
use crate::region::Region;

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
        self.seal(&associated(place), material.expose())
    }

    /// Wraps a key pair, bound to its spec too.
    pub(crate) fn wrap_pair(
        &self,
        place: MaterialPlace<'_>,
        spec: KeySpec,
        pair: &KeyPair,
    ) -> Result<Vec<u8>, StoreError> {
        self.seal(&associated_pair(place, spec), &pair.to_bytes())
    }

    /// Unwraps a key pair; `None` means that it is damaged or belongs elsewhere.
    pub(crate) fn unwrap_pair(&self, place: MaterialPlace<'_>, spec: KeySpec, wrapped: &[u8]) -> Option<KeyPair> {
        let mut bytes = Zeroizing::new(vec![0; wrapped.len().checked_sub(aead::OVERHEAD)?]);
        aead::open(self.0.expose(), associated_pair(place, spec).as_bytes(), wrapped, &mut bytes).ok()?;
        KeyPair::from_bytes(&bytes)
    }

    fn seal(&self, associated: &Fields, plaintext: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut sealed = Vec::with_capacity(aead::OVERHEAD + plaintext.len());
        aead::seal(self.0.expose(), associated.as_bytes(), plaintext, &mut sealed).map_err(StoreError::random)?;
        Ok(sealed)
    }

    /// Unwraps a material; `None` means that it is damaged or belongs elsewhere.
    pub(crate) fn unwrap(&self, place: MaterialPlace<'_>, wrapped: &[u8]) -> Option<SecretBytes> {
        SecretBytes::try_fill(|out| aead::open(self.0.expose(), associated(place).as_bytes(), wrapped, out)).ok()
    }
}

fn associated(place: MaterialPlace<'_>) -> Fields {
    within(Fields::new("waxseal kms 1: key material"), place)
}

fn associated_pair(place: MaterialPlace<'_>, spec: KeySpec) -> Fields {
    within(Fields::new("waxseal kms 1: key pair").with(spec.as_str().as_bytes()), place)
}

fn within(fields: Fields, place: MaterialPlace<'_>) -> Fields {
    fields
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
        assert_eq!(wrapped.len(), 60);
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

    #[test]
    fn a_wrapped_key_pair_opens_in_its_own_place_and_as_what_it_is_only() {
        let (root, store, region) = (RootKey::random().unwrap(), StoreId::random().unwrap(), Region::default());
        let (one, other) = (KeyUuid::random().unwrap(), KeyUuid::random().unwrap());
        let place = MaterialPlace { store: &store, region: &region, key: one, version: 1, material_id: "m" };
        let pair = KeyPair::generate(KeySpec::EccNistP256).unwrap().unwrap();
        let wrapped = root.wrap_pair(place, KeySpec::EccNistP256, &pair).unwrap();
        let unwrap = |place, spec| root.unwrap_pair(place, spec, &wrapped).map(|pair| pair.public);
        assert_eq!(unwrap(place, KeySpec::EccNistP256), Some(pair.public));
        assert_eq!(unwrap(place, KeySpec::EccSecgP256k1), None);
        assert_eq!(unwrap(MaterialPlace { key: other, ..place }, KeySpec::EccNistP256), None);
        assert_eq!(root.unwrap(place, &wrapped), None);
        assert!(root.unwrap_pair(place, KeySpec::EccNistP256, &wrapped[..20]).is_none());
    }
}
