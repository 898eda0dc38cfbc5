//! What a command makes new containers as: the same for all of its files.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waxseal_container::{CHUNK_LEN, Core, Sealer, Suite};
use waxseal_envelope::{EnvelopeError, NewContainer, Stock, StockLimits};
use waxseal_key_service::{EncryptionContext, KeyReference};

use super::keys;
use crate::args::{AwsOptions, Common, PassphraseOptions};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::report::FileReport;
use crate::session::{Missing, Reach, Session, Setup};
use crate::shown::shown;

/// How long a data key that was generated ahead may wait for its file: large files take their time.
const AHEAD_FOR: Duration = Duration::from_secs(300);

/// What the options and the configuration say of new containers.
pub(super) struct Planned<'a> {
    pub(super) common: &'a Common,
    /// The keys as they were typed.
    pub(super) keys: &'a [String],
    /// The context as it was typed.
    pub(super) context: &'a [String],
    pub(super) suite: Suite,
    pub(super) passphrase: &'a PassphraseOptions,
    pub(super) aws: &'a AwsOptions,
}

/// The containers that a command makes.
pub(super) struct NewFiles<'a> {
    session: Session<'a>,
    reach: Reach,
    keys: Vec<KeyReference>,
    context: EncryptionContext,
    suite: Suite,
    /// How many there will be, if that is known.
    count: Option<usize>,
    stock: OnceLock<Result<Arc<Stock>, CliError>>,
    /// How many requests to key services can be under way at once.
    pub(super) requests_at_once: usize,
}

impl<'a> NewFiles<'a> {
    /// Reads what was typed, and refuses what no container can hold before anything is made.
    pub(super) fn new(planned: &Planned<'_>, console: &'a Console) -> Result<Self, CliError> {
        let home = Home::find(planned.common.home.as_deref())?;
        let keys = keys::for_new_files(planned.keys, &Config::load(&home)?)?;
        let reach = keys::reach_of(&keys);
        let (passphrase, aws) = (planned.passphrase, planned.aws);
        let setup = Setup { home: &home, passphrase, aws, missing: Missing::Create, reach };
        let context = EncryptionContext::from_pairs(planned.context)
            .map_err(|error| CliError::usage(shown(&error.to_string())))?;
        Core::new(planned.suite, context.clone(), None).map_err(|error| library_errors::context(&error))?;
        Ok(Self {
            session: Session::new(&setup, console)?,
            reach,
            keys,
            context,
            suite: planned.suite,
            count: None,
            stock: OnceLock::new(),
            requests_at_once: keys::requests_at_once(reach, aws),
        })
    }

    /// Says how many there will be.
    pub(super) fn counting(self, count: usize) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Has each key open the data key again, if that is wanted, before anything is written.
    pub(super) fn verifying_keys(self, wanted: bool) -> Self {
        if wanted { Self { session: self.session.proving_keys(), ..self } } else { self }
    }

    /// Has a data key made for a new container. Where requests take their time, more are generated meanwhile.
    pub(super) fn make(&self, path: &Path) -> Result<Sealer, CliError> {
        let made = match self.reach {
            Reach::Machine => self.session.make(&self.plan()?),
            Reach::Network => self.session.wait(self.stock()?.make()).map(|(sealer, _)| sealer),
        };
        made.map_err(|error| refused(&error, path))
    }

    /// Has a data key made for a prepared container, and gives the container.
    pub(super) fn prepare(&self, path: &Path) -> Result<[u8; CHUNK_LEN], CliError> {
        self.session.prepare(&self.plan()?).map_err(|error| refused(&error, path))
    }

    /// What is said of a container that was made.
    pub(super) fn report(&self, file: &Path, plaintext_bytes: u64) -> Result<FileReport, CliError> {
        let keys = self.session.resolve(&self.keys)?.iter().map(|key| key.key.to_string());
        Ok(FileReport::new(file, plaintext_bytes, keys, &self.context))
    }

    fn plan(&self) -> Result<NewContainer, CliError> {
        Ok(NewContainer {
            keys: self.session.resolve(&self.keys)?.to_vec(),
            context: self.context.clone(),
            suite: self.suite,
            created: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        })
    }

    fn stock(&self) -> Result<&Arc<Stock>, CliError> {
        let stock = self.stock.get_or_init(|| {
            let total = self.count.and_then(|count| u64::try_from(count).ok());
            let limits = StockLimits { age: AHEAD_FOR, total, ..StockLimits::default() };
            Ok(Arc::new(Stock::new(self.session.envelope(), self.plan()?, limits)))
        });
        stock.as_ref().map_err(Clone::clone)
    }
}

/// All files have the same keys and context: what is refused for one of them is refused for all.
fn refused(error: &EnvelopeError, path: &Path) -> CliError {
    let error = library_errors::envelope(error, path);
    if matches!(error.class(), Class::KeyRefused | Class::Usage) { error.fatal() } else { error }
}
