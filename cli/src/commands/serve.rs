//! `waxseal kms serve`: the embedded KMS as a server.

mod log;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use waxseal_kms_local::{LocalKms, Opened};
use waxseal_kms_server::{Config, Exposure, Keeper, Limits, Server, ServerError, Tls};

use self::log::ServeLog;
use crate::args::{AwsOptions, Common, KmsServe};
use crate::error::{Class, CliError};
use crate::output::Console;
use crate::session::{Missing, open_store, say_created, store_passphrase, unseal};
use crate::shown::shown;
use crate::{descriptors, interrupt, library_errors};

/// Threads for calls that write or compute for long, and for locking and unlocking.
const SLOW_THREADS: usize = 12;

/// Serves until a signal, and then until every request that was begun is answered.
pub(super) fn run(directory: &Path, common: &Common, args: &KmsServe, console: &Console) -> Result<(), CliError> {
    let keeper = Arc::new(keeper(directory, args, console)?);
    descriptors::raise_limit();
    let runtime = runtime()?;
    let (stop, stopped) = oneshot::channel();
    let stop = Mutex::new(Some(stop));
    interrupt::instead(move |_| {
        // Whoever sends a second signal has to wait like for the first one.
        if let Some(stop) = stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            stop.send(()).ok();
        }
    });
    let config = config(args);
    runtime.block_on(async {
        let server = Server::bind(&config, Arc::clone(&keeper), Arc::new(ServeLog::new(common))).await;
        let mut server = server.map_err(|error| cannot_serve(&error))?;
        if let Err(error) = server.take_commands() {
            console.warning(&format!("it cannot be locked and unlocked while it runs: {error}"), None);
        }
        announce(&server, &keeper, console)?;
        server
            .serve(async {
                stopped.await.ok();
            })
            .await;
        Ok(())
    })
}

fn config(args: &KmsServe) -> Config {
    let tls = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
    Config {
        listen: args.listen.clone(),
        tls: tls.map(|(certificate, key)| Tls { certificate: certificate.clone(), key: key.clone() }),
        exposure: if args.insecure { Exposure::Accept } else { Exposure::Refuse },
        limits: Limits::default(),
    }
}

/// Opens the store, which is made if there is none; or leaves it locked.
fn keeper(directory: &Path, args: &KmsServe, console: &Console) -> Result<Keeper, CliError> {
    let keeper = if args.locked {
        // A store that is not there, or cannot be used at all, is better known now.
        waxseal_kms_local::status(directory).map_err(|error| library_errors::store(&error))?;
        Keeper::locked(directory.to_owned())
    } else {
        let source = store_passphrase(&args.passphrase);
        open_or_create(directory, &source, console).map(Keeper::unlocked)?
    };
    Ok(keeper.asking(|encrypted, context| unseal(&AwsOptions::default(), encrypted, context)))
}

/// Opens the store, or makes one and says so.
pub(super) fn open_or_create(
    directory: &Path,
    source: &crate::passphrase::Source,
    console: &Console,
) -> Result<LocalKms, CliError> {
    let opened = open_store(directory, Missing::Create, source, &AwsOptions::default());
    let opened = opened.map_err(|error| library_errors::store(&error))?;
    if let Opened::Created(_) = &opened {
        say_created(console, directory);
    }
    Ok(opened.into_kms())
}

fn runtime() -> Result<Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(super::cores().get()).max_blocking_threads(SLOW_THREADS).thread_name("serve").enable_all();
    builder.build().map_err(|error| CliError::system(Class::Other, "cannot start", &error))
}

/// Says that it listens, and where.
fn announce(server: &Server, keeper: &Keeper, console: &Console) -> Result<(), CliError> {
    let endpoint = server.endpoint().map_err(|error| CliError::system(Class::Other, "cannot listen", &error))?;
    let locked = if keeper.is_locked() { ", locked" } else { "" };
    console.result(
        || format!("listening at {}{locked}", shown(&endpoint)),
        || {
            json!({
                "v": 1, "status": "ok", "operation": "serve", "endpoint": endpoint, "locked": keeper.is_locked(),
                "process": std::process::id(),
            })
        },
    )
}

fn cannot_serve(error: &ServerError) -> CliError {
    let built = |class: Class| CliError::new(class, shown(&error.to_string()));
    match error {
        ServerError::Exposed { .. } => built(Class::Usage)
            .hint("give it a certificate with --tls-cert and --tls-key, or say --insecure if the network is safe"),
        ServerError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
            built(Class::Output).hint("another program listens there: choose another place with --listen")
        }
        ServerError::Listen { .. } | ServerError::NoSocket { .. } | ServerError::InUse { .. } => {
            built(Class::Output).hint("choose another place with --listen")
        }
        ServerError::Certificate { .. } => {
            built(Class::Input).hint("both files are PEM, and the key has no passphrase of its own")
        }
        ServerError::TlsOnUnix { .. } => built(Class::Usage).hint("leave --tls-cert and --tls-key out"),
        _ => built(Class::Other),
    }
}
