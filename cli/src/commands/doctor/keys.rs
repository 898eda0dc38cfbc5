//! What the user may do with each key.

use serde_json::json;
use waxseal_container::{Core, Suite};
use waxseal_envelope::Envelope;
use waxseal_key_service::{EncryptionContext, KeyReference, KeyServiceError, Provider};

use super::{Finding, State};
use crate::args::Doctor;
use crate::commands::keys::{DEFAULT_KEY, of_environment, parse_key, reach_of};
use crate::config::Config;
use crate::error::CliError;
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::session::{Missing, Session, Setup};

/// Whether one action is allowed.
enum Verdict {
    Granted,
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "the embedded KMS always says"))]
    Unknown,
    Refused(KeyServiceError),
}

/// Looks at the keys that are named, those of the configuration, and the default key of a store that is there or served.
pub(super) fn check(args: &Doctor, home: &Home, config: &Config, console: &Console) -> Result<Vec<Finding>, CliError> {
    let keys = to_look_at(args, home, config)?;
    let context = EncryptionContext::from_pairs(&args.context).map_err(|error| library_errors::pairs(&error))?;
    let core = Core::new(Suite::default(), context, None).map_err(|error| library_errors::context(&error))?;
    // The same as for a file: policies may demand it.
    let context = core.key_service_context();
    let (passphrase, aws) = (&args.passphrase, &args.aws);
    let setup = Setup { home, passphrase, aws, missing: Missing::Refuse, reach: reach_of(&keys) };
    let session = Session::new(&setup, console)?;
    let mut findings = Vec::new();
    for key in &keys {
        findings.push(look_at(&session, args, key, &context)?);
    }
    Ok(findings)
}

fn to_look_at(args: &Doctor, home: &Home, config: &Config) -> Result<Vec<KeyReference>, CliError> {
    let mut keys = args.keys.iter().map(|key| parse_key(key)).collect::<Result<Vec<_>, _>>()?;
    if args.aws.kms_place()?.is_some() || waxseal_kms_local::status(&home.kms()).is_ok() {
        keys.insert(0, parse_key(DEFAULT_KEY)?);
    }
    let environment = of_environment()?.unwrap_or_default();
    let trusted = &config.trusted_keys;
    let trusted = trusted.iter().map(|key| KeyReference { provider: Provider::Aws, key: key.value.clone() });
    let always = config.always_keys.iter().map(|key| key.value.clone());
    for key in environment.into_iter().chain(config.chosen_keys().cloned()).chain(always).chain(trusted) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn look_at(
    session: &Session<'_>,
    args: &Doctor,
    key: &KeyReference,
    context: &EncryptionContext,
) -> Result<Finding, CliError> {
    let verdicts = match key.provider {
        Provider::Local => {
            if let Err(error) = session.find(key) {
                return Ok(Finding::failed("key", &error).members(json!({ "key": key.to_string() })));
            }
            session.wait(embedded(&session.envelope(), key, context))
        }
        Provider::Aws => aws(session, args, key, context)?,
    };
    Ok(judge(key, verdicts))
}

/// The embedded KMS answers at once and charges nothing: each action is tried on a data key that nobody else sees.
async fn embedded(
    envelope: &Envelope,
    key: &KeyReference,
    context: &EncryptionContext,
) -> Vec<(&'static str, Verdict)> {
    let Some(service) = envelope.service(Provider::Local) else { return Vec::new() };
    let generated = match service.generate_data_key(&key.key, context).await {
        Ok(generated) => generated,
        Err(error) => return vec![("GenerateDataKey", Verdict::Refused(error))],
    };
    let verdict = |refused: Option<KeyServiceError>| refused.map_or(Verdict::Granted, Verdict::Refused);
    let encrypted = service.encrypt_data_key(&key.key, context, &generated.plaintext).await;
    let decrypted = service.decrypt_data_key(&generated.encrypted, context).await;
    vec![
        ("GenerateDataKey", Verdict::Granted),
        ("Encrypt", verdict(encrypted.err())),
        ("Decrypt", verdict(decrypted.err())),
    ]
}

#[cfg(feature = "aws")]
fn aws(
    session: &Session<'_>,
    args: &Doctor,
    key: &KeyReference,
    context: &EncryptionContext,
) -> Result<Vec<(&'static str, Verdict)>, CliError> {
    use waxseal_kms_aws::{Action, AwsKms, Permission};

    let options = crate::session::aws_options(&args.aws)?;
    Ok(session.wait(async {
        let kms = AwsKms::connect(options).await;
        let mut verdicts = Vec::new();
        for action in Action::ALL {
            let verdict = match kms.permission(action, &key.key, context).await {
                Permission::Granted => Verdict::Granted,
                Permission::Unknown(_) => Verdict::Unknown,
                Permission::Refused(error) => Verdict::Refused(error),
            };
            let is_about_the_key = matches!(&verdict, Verdict::Refused(error) if !is_permission(error));
            verdicts.push((action.name(), verdict));
            // What keeps one request from being answered keeps the others too.
            if is_about_the_key {
                break;
            }
        }
        verdicts
    }))
}

#[cfg(not(feature = "aws"))]
fn aws(
    session: &Session<'_>,
    _args: &Doctor,
    key: &KeyReference,
    _context: &EncryptionContext,
) -> Result<Vec<(&'static str, Verdict)>, CliError> {
    session.find(key).map(|_| Vec::new())
}

/// Whether a refusal is about what the caller may do, and not about the key or the service.
fn is_permission(error: &KeyServiceError) -> bool {
    error.code() == waxseal_key_service::ErrorCode::AccessDenied
}

/// A permission that is missing may be meant to be: whoever only writes needs no Decrypt. A key that does not answer is a
/// problem.
fn judge(key: &KeyReference, verdicts: Vec<(&'static str, Verdict)>) -> Finding {
    let names = |wanted: fn(&Verdict) -> bool| -> Vec<&str> {
        verdicts.iter().filter(|(_, verdict)| wanted(verdict)).map(|(name, _)| *name).collect()
    };
    let granted = names(|verdict| matches!(verdict, Verdict::Granted));
    let unknown = names(|verdict| matches!(verdict, Verdict::Unknown));
    let refused = names(|verdict| matches!(verdict, Verdict::Refused(_)));
    let members = json!({ "key": key.to_string(), "granted": granted, "refused": refused, "unknown": unknown });
    let refusal = verdicts.iter().find_map(|(_, verdict)| match verdict {
        Verdict::Refused(error) => Some(error),
        Verdict::Granted | Verdict::Unknown => None,
    });
    let finding = match refusal {
        None => {
            let mut message = format!("{key}: {}", granted.join(", "));
            if !unknown.is_empty() {
                message.push_str(&format!(" (it does not say about {})", unknown.join(", ")));
            }
            Finding::good("key", message)
        }
        Some(error) if is_permission(error) && !granted.is_empty() => {
            let message = format!("{key}: {}; not {}", granted.join(", "), refused.join(", "));
            let hint = library_errors::key_service(error).text().1.map(str::to_owned);
            let finding = Finding::new("key", State::Notice, message);
            match hint {
                Some(hint) => finding.hint(hint),
                None => finding,
            }
        }
        Some(error) => {
            let mut finding = Finding::failed("key", &library_errors::key_service(error));
            finding.message = format!("{key}: {}", finding.message);
            finding
        }
    };
    finding.members(members)
}
