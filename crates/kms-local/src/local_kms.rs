//! The embedded KMS as its users hold it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use waxseal_key_service::{AliasName, DataKey, EncryptedDataKey, EncryptionContext, KeyArn, KeyId};

use crate::error::StoreError;
use crate::key::{FIRST_VERSION, KeyUuid};
use crate::names::Name;
use crate::operations::create_key;
use crate::region::Region;
use crate::seal::{NewSeal, PassphraseSource, Secrets};
use crate::store::Store;
use crate::store::create::{self, Plan};
use crate::store::rows::AliasRow;
use crate::timestamp::Timestamp;

/// The embedded KMS over one open, unsealed store.
///
/// Each operation of AWS KMS is a method; the data-path ones are also there through
/// [`KeyService`](waxseal_key_service::KeyService). It is shared by threads, and its store by processes. It must be opened
/// after the last fork.
#[derive(Debug)]
pub struct LocalKms {
    pub(crate) store: Arc<Store>,
    pub(crate) haste: Haste,
}

/// Whether a call may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// It may change the store before it answers.
    None,
    /// It may not.
    Great,
}

/// What a new store is to be.
#[derive(Clone, Debug)]
pub struct CreateOptions<'a> {
    /// The region of keys and aliases that are named without one. Default: `us-east-1`.
    pub home_region: Region,
    /// What seals it. Default: a key file.
    pub seal: NewSeal<'a>,
}

impl Default for CreateOptions<'_> {
    fn default() -> Self {
        Self { home_region: Region::default(), seal: NewSeal::KeyFile }
    }
}

/// How [`LocalKms::open_or_create`] came to its store.
#[derive(Debug)]
pub enum Opened {
    /// The store was there.
    Existing(LocalKms),
    /// The store is new: its owner has to know about it, and to back it up.
    Created(LocalKms),
}

impl Opened {
    /// The embedded KMS, however it was come by.
    #[must_use]
    pub fn into_kms(self) -> LocalKms {
        match self {
            Self::Existing(kms) | Self::Created(kms) => kms,
        }
    }
}

impl LocalKms {
    /// Makes a store in `directory`, with one key in the home region under `alias/default`.
    ///
    /// # Errors
    /// There is one already, or it cannot be made; then nothing is left of it.
    pub fn create(directory: &Path, options: &CreateOptions<'_>) -> Result<Self, StoreError> {
        let home_region = &options.home_region;
        let plan = Plan { directory, home_region, seal: options.seal, last_backup_at: None };
        let root = create::create(&plan, |rows, making| {
            let key = KeyUuid::random().map_err(StoreError::random)?;
            let now = Timestamp::now();
            create_key::insert(rows, home_region, key, &create_key::Plan::symmetric("Made with the key store"), now)?;
            create::insert_new_material(rows, &making.root, &making.id, home_region, key, FIRST_VERSION)?;
            let region = home_region.clone();
            rows.insert_alias(&AliasRow { name: default_alias(), region, key, created_at: now, updated_at: now })
        })?;
        Store::open_with(directory, |_, _| Ok(root)).map(Self::of)
    }

    /// The embedded KMS over an open store.
    pub(crate) fn of(store: Store) -> Self {
        Self { store: Arc::new(store), haste: Haste::None }
    }

    /// Opens the store in `directory`. The passphrase is asked for only if one seals it.
    ///
    /// # Errors
    /// There is no store, it is damaged, of a newer version or another program's, or it cannot be unsealed: also if a key of
    /// another key service seals it, which nobody asks here.
    pub fn open(directory: &Path, passphrase: PassphraseSource<'_>) -> Result<Self, StoreError> {
        let mut nobody = nobody_asks;
        Self::unseal(directory, Secrets { passphrase, data_key: &mut nobody })
    }

    /// Opens the store in `directory`, whatever seals it.
    ///
    /// # Errors
    /// As [`LocalKms::open`], or the key service refuses.
    pub fn unseal(directory: &Path, secrets: Secrets<'_>) -> Result<Self, StoreError> {
        Store::open(directory, secrets).map(Self::of)
    }

    /// Opens the store in `directory`, which is made if there is none. Of many processes at once one makes it.
    ///
    /// # Errors
    /// As [`LocalKms::open`] and [`LocalKms::create`], but for a store that is missing or there.
    pub fn open_or_create(
        directory: &Path,
        options: &CreateOptions<'_>,
        passphrase: PassphraseSource<'_>,
    ) -> Result<Opened, StoreError> {
        let mut nobody = nobody_asks;
        Self::unseal_or_create(directory, options, Secrets { passphrase, data_key: &mut nobody })
    }

    /// As [`LocalKms::open_or_create`], whatever seals the store that is there.
    ///
    /// # Errors
    /// As [`LocalKms::unseal`] and [`LocalKms::create`], but for a store that is missing or there.
    pub fn unseal_or_create(
        directory: &Path,
        options: &CreateOptions<'_>,
        secrets: Secrets<'_>,
    ) -> Result<Opened, StoreError> {
        let Secrets { passphrase, data_key } = secrets;
        match Self::unseal(directory, Secrets { passphrase: &mut *passphrase, data_key: &mut *data_key }) {
            Err(StoreError::NotThere { .. }) => {}
            opened => return opened.map(Opened::Existing),
        }
        match Self::create(directory, options) {
            // Another process was faster.
            Err(StoreError::AlreadyThere { .. }) => {
                Self::unseal(directory, Secrets { passphrase, data_key }).map(Opened::Existing)
            }
            created => created.map(Opened::Created),
        }
    }

    /// Seals the store otherwise from now on. Its keys stay, and whoever has it open goes on. The key file of the old seal
    /// stays too, for copies of the database that need it.
    ///
    /// # Errors
    /// The store cannot be changed; then it is sealed as it was.
    pub fn reseal(&self, seal: NewSeal<'_>) -> Result<(), StoreError> {
        self.store.reseal(&seal)
    }

    /// The store's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.store.directory()
    }

    /// The region of keys and aliases that are named without one.
    #[must_use]
    pub fn home_region(&self) -> &Region {
        self.store.home_region()
    }

    /// The key of `alias/default` in the home region, if that alias is there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn default_key(&self) -> Result<Option<KeyArn>, StoreError> {
        let alias = default_alias();
        Ok(self.store.find(self.home_region(), Name::Alias(&alias))?.map(|key| key.metadata.arn.clone()))
    }

    /// Whether the store has this key, in whatever state. If not, another store has made what it encrypted.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn has_key(&self, arn: &KeyArn) -> Result<bool, StoreError> {
        let Ok(region) = arn.region().parse::<Region>() else { return Ok(false) };
        let key = KeyId::Arn(arn.clone());
        match Name::within(&region, &key) {
            Ok(name) => Ok(self.store.find(&region, name)?.is_some()),
            // Another account's: no key of this store has such an ARN.
            Err(_) => Ok(false),
        }
    }

    /// The regions that have this alias: where to look for one that was not found.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn regions_with_alias(&self, name: &AliasName) -> Result<Vec<Region>, StoreError> {
        self.store.regions_with_alias(name)
    }
}

/// What is said of a seal by another key service where nobody can ask one.
fn nobody_asks(_: &EncryptedDataKey, _: &EncryptionContext) -> Result<DataKey, Box<dyn Error + Send + Sync>> {
    Err("nobody here asks the key service whose key seals it".into())
}

/// The alias that commands use when no key is named.
pub(crate) fn default_alias() -> AliasName {
    "alias/default".parse().expect("it is an alias name")
}
