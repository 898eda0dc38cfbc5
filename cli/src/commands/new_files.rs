//! What a command makes new containers as: keys, context and suite, where there are rules by the path of each file.

mod choice;
mod places;
mod recipe;

use std::collections::HashMap;
use std::path::Path;

use waxseal_container::{CHUNK_LEN, Sealer, Suite};
use waxseal_envelope::EnvelopeError;

pub(in crate::commands) use self::choice::{Choice, Chosen, Sourced};
use self::places::Places;
pub(in crate::commands) use self::places::{Sources, real};
use self::recipe::Recipe;
use super::keys;
use crate::args::{AwsOptions, Common, PassphraseOptions};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::library_errors;
use crate::output::Console;
use crate::report::FileReport;
use crate::session::{Missing, Reach, Session, Setup};

/// What the options say of new containers.
pub(super) struct Planned<'a> {
    pub(super) common: &'a Common,
    /// The keys as they were typed.
    pub(super) keys: &'a [String],
    /// The context as it was typed.
    pub(super) context: &'a [String],
    pub(super) suite: Suite,
    pub(super) passphrase: &'a PassphraseOptions,
    pub(super) aws: &'a AwsOptions,
    /// What they are made of.
    pub(super) sources: Sources<'a>,
}

/// The containers that a command makes.
pub(super) struct NewFiles<'a> {
    session: Session<'a>,
    reach: Reach,
    choice: Choice,
    places: Places,
    /// One for each rule, in their order, and one for files that fall under none.
    recipes: Vec<Recipe>,
    /// Whether all files have the same keys and context: what is refused for one of them is refused for all.
    is_one: bool,
    /// How many requests to key services can be under way at once.
    pub(super) requests_at_once: usize,
}

/// A container that is about to be made.
pub(super) struct NewFile<'a> {
    new: &'a NewFiles<'a>,
    recipe: &'a Recipe,
    path: &'a Path,
}

impl<'a> NewFiles<'a> {
    /// Reads what was typed, and refuses what no container can hold before anything is made.
    pub(super) fn new(planned: &Planned<'_>, console: &'a Console) -> Result<Self, CliError> {
        let home = Home::find(planned.common.home.as_deref())?;
        let choice = Choice::new(planned.keys, planned.context, Config::load(&home)?)?;
        let places = if choice.looks_at_paths() { Places::of(planned.sources) } else { Places::default() };
        let mut recipes: Vec<Recipe> = (0..choice.rules().len())
            .map(Some)
            .chain([None])
            .map(|rule| Recipe::new(choice.chosen(rule), planned.suite))
            .collect();
        let used = used(&choice, &places, planned.sources);
        let keys: Vec<_> = used.keys().flat_map(|index| recipes[*index].keys()).cloned().collect();
        for (index, count) in &used {
            recipes[*index].count = *count;
        }
        let mut others = used.keys().map(|index| &recipes[*index]);
        let is_one = others.next().is_none_or(|first| others.all(|other| first.is_like(other)));
        let reach = keys::reach_of(&keys);
        let (passphrase, aws) = (planned.passphrase, planned.aws);
        let setup = Setup { home: &home, passphrase, aws, missing: Missing::Create, reach };
        Ok(Self {
            session: Session::new(&setup, console)?,
            reach,
            is_one,
            choice,
            places,
            recipes,
            requests_at_once: keys::requests_at_once(reach, aws),
        })
    }

    /// Has each key open the data key again, if that is wanted, before anything is written.
    pub(super) fn verifying_keys(self, wanted: bool) -> Self {
        if wanted { Self { session: self.session.proving_keys(), ..self } } else { self }
    }

    /// The container of what messages call `path`.
    pub(super) fn at<'f>(&'f self, path: &'f Path) -> NewFile<'f> {
        NewFile { new: self, recipe: self.recipe(path), path }
    }

    /// A number that is the same for files whose containers get the same keys and the same context.
    pub(super) fn kind(&self, path: &Path) -> usize {
        let recipe = self.recipe(path);
        self.recipes.iter().position(|other| other.is_like(recipe)).unwrap_or_default()
    }

    fn recipe(&self, path: &Path) -> &Recipe {
        let place = if self.choice.looks_at_paths() { self.places.real(path) } else { None };
        let rule = place.and_then(|place| self.choice.rule_of(&place));
        &self.recipes[rule.unwrap_or(self.recipes.len() - 1)]
    }
}

impl NewFile<'_> {
    /// Has a data key made for it. Where requests take their time, more are generated meanwhile.
    pub(super) fn make(&self) -> Result<Sealer, CliError> {
        let session = &self.new.session;
        let made = match self.new.reach {
            Reach::Machine => session.make(&self.recipe.plan(session).map_err(|error| self.scope(error))?),
            Reach::Network => {
                let stock = self.recipe.stock(session).map_err(|error| self.scope(error))?;
                session.wait(stock.make()).map(|(sealer, _)| sealer)
            }
        };
        made.map_err(|error| self.refused(&error))
    }

    /// Has a data key made for a prepared container, and gives the container.
    pub(super) fn prepare(&self) -> Result<[u8; CHUNK_LEN], CliError> {
        let session = &self.new.session;
        let plan = self.recipe.plan(session).map_err(|error| self.scope(error))?;
        session.prepare(&plan).map_err(|error| self.refused(&error))
    }

    /// What is said of it when it was made.
    pub(super) fn report(&self, plaintext_bytes: u64) -> Result<FileReport, CliError> {
        let keys = self.recipe.resolved(&self.new.session).map_err(|error| self.scope(error))?;
        let keys = keys.iter().map(|key| key.value.key.to_string());
        Ok(FileReport::new(self.path, plaintext_bytes, keys, self.recipe.context()))
    }

    fn refused(&self, error: &EnvelopeError) -> CliError {
        let error = self.recipe.refused(error, library_errors::envelope(error, self.path));
        if matches!(error.class(), Class::KeyRefused | Class::Usage) { self.scope(error.fatal()) } else { error }
    }

    /// What keeps files of one rule from being made may let those of another one be made.
    fn scope(&self, error: CliError) -> CliError {
        if self.new.is_one { error } else { error.for_one() }
    }
}

/// The recipes that files may be made by, and how many, if that is known.
fn used(choice: &Choice, places: &Places, sources: Sources<'_>) -> HashMap<usize, Option<usize>> {
    let default = choice.rules().len();
    let index = |rule: Option<usize>| rule.unwrap_or(default);
    match sources {
        Sources::Files { inputs, .. } | Sources::Containers(inputs) => {
            let mut used = HashMap::new();
            for input in inputs {
                let rule = places.real(input.label()).and_then(|place| choice.rule_of(&place));
                let count = used.entry(index(rule)).or_insert(Some(0_usize));
                *count = count.map(|count| count + 1);
            }
            used
        }
        Sources::Trees(_) if !choice.looks_at_paths() => HashMap::from([(default, None)]),
        Sources::Trees(_) => {
            let of = |place: &std::path::PathBuf| {
                let parts = choice.rules_within(place).into_iter().map(Some);
                parts.chain([choice.rule_of(place)]).map(|rule| (index(rule), None)).collect::<Vec<_>>()
            };
            places.all().flat_map(of).collect()
        }
    }
}
