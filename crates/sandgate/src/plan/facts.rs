//! What a plan is made of: everything about a request and the backends that the rules may look at.

use std::sync::Arc;

use sandgate_core::{
    BackendChoice, BackendKind, ExecuteRequest, Language, Limits, RequestedLimits,
};

use super::backends::{Backends, IndexedRuntime};
use super::history::Past;
use super::words;
use crate::analysis::{Analysis, Hints, Import, Place, Skipped};
use crate::names::{self, Provider};

/// What of a request, beside its code, decides where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) language: Language,
    pub(crate) backend: BackendChoice,
    pub(crate) packages: Vec<String>,
    /// What the request itself says about limits.
    pub(crate) limits: RequestedLimits,
}

impl Wanted {
    /// Takes it out of `request`, which keeps what a task needs.
    pub(crate) fn take(request: &mut ExecuteRequest) -> Self {
        Self {
            language: request.language,
            backend: request.backend,
            packages: std::mem::take(&mut request.packages),
            limits: request.limits,
        }
    }
}

/// The backends that have something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct On {
    wasm: bool,
    lambda: bool,
}

impl On {
    pub(crate) fn has(self, kind: BackendKind) -> bool {
        match kind {
            BackendKind::Wasm => self.wasm,
            BackendKind::Lambda => self.lambda,
        }
    }

    pub(crate) fn is_only(self, kind: BackendKind) -> bool {
        self.has(kind) && self.wasm != self.lambda
    }

    pub(crate) fn kinds(self) -> Vec<BackendKind> {
        let mut kinds = super::PREFERENCE.to_vec();
        kinds.retain(|kind| self.has(*kind));
        kinds
    }
}

/// How much the snippet depends on an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It fails without.
    Always,
    /// It may get there: in a function, or under a condition.
    Likely,
    /// It goes on without, or never gets there.
    No,
}

impl From<Place> for Need {
    fn from(place: Place) -> Self {
        match place {
            Place::Unconditional => Self::Always,
            Place::Function | Place::Conditional => Self::Likely,
            // A guarded import has no other way where its fallback is missing too; that is seen
            // when it runs.
            Place::Guarded | Place::Fallback | Place::TypeChecking => Self::No,
        }
    }
}

/// An import, and who has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) import: &'a Import,
    pub(crate) need: Need,
    pub(crate) on: On,
}

/// Packages, and who has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages<'a>(Vec<(&'a str, On)>);

impl<'a> Packages<'a> {
    pub(crate) fn missing_on(&self, kind: BackendKind) -> Vec<&'a str> {
        let missing = self.0.iter().filter(|(_, on)| !on.has(kind));
        missing.map(|(name, _)| *name).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A backend that has the language.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) runtime: Arc<IndexedRuntime>,
    /// The most it grants of each limit.
    pub(crate) maximum: Limits,
}

/// A backend: not configured, not yet known what it has, without the language, or with it.
#[derive(Clone, Debug)]
enum Configured {
    No,
    /// With the most it grants of each limit.
    Unknown(Limits),
    WithoutLanguage,
    Yes(Side),
}

/// All that a plan depends on.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) language: Language,
    pub(crate) choice: BackendChoice,
    wasm: Configured,
    lambda: Configured,
    /// Packages that the request names.
    pub(crate) named: Packages<'a>,
    /// Packages that the code would install.
    pub(crate) installed: Packages<'a>,
    pub(crate) imports: Vec<Found<'a>>,
    pub(crate) hints: Hints,
    /// The code was not analysed, and so nothing is known of what it needs.
    pub(crate) skipped: Option<Skipped>,
    pub(crate) limits: RequestedLimits,
    pub(crate) past: Option<Arc<Past>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        wanted: &'a Wanted,
        analysis: &'a Analysis,
        backends: &Backends,
        past: Option<Arc<Past>>,
    ) -> Self {
        let look = |kind: BackendKind| match backends.get(kind) {
            None => Configured::No,
            Some(backend) => match backend.runtime(wanted.language.runs_as()) {
                None if backend.is_unknown() => Configured::Unknown(backend.maximum),
                None => Configured::WithoutLanguage,
                Some(runtime) => Configured::Yes(Side {
                    runtime,
                    maximum: backend.maximum,
                }),
            },
        };
        let mut facts = Self {
            language: wanted.language,
            choice: wanted.backend,
            wasm: look(BackendKind::Wasm),
            lambda: look(BackendKind::Lambda),
            named: Packages::default(),
            installed: Packages::default(),
            imports: Vec::new(),
            hints: analysis.hints,
            skipped: analysis.skipped,
            limits: wanted.limits,
            past,
        };
        let named = wanted.packages.iter().map(String::as_str);
        facts.named = facts.packages(named);
        let installed = analysis.declared.iter().map(|declared| &*declared.package);
        facts.installed = facts.packages(installed);
        facts.imports = analysis
            .imports
            .iter()
            .map(|import| Found {
                import,
                need: Need::from(import.place),
                on: facts.on(|runtime| runtime.index.has_module(&import.module)),
            })
            .collect();
        facts
    }

    fn packages(&self, names: impl Iterator<Item = &'a str>) -> Packages<'a> {
        let found = names.map(|name| (name, self.on(|runtime| runtime.index.has_package(name))));
        Packages(found.collect())
    }

    fn on(&self, has: impl Fn(&IndexedRuntime) -> bool) -> On {
        let on = |kind| self.side(kind).is_some_and(|side| has(&side.runtime));
        On {
            wasm: on(BackendKind::Wasm),
            lambda: on(BackendKind::Lambda),
        }
    }

    fn look(&self, kind: BackendKind) -> &Configured {
        match kind {
            BackendKind::Wasm => &self.wasm,
            BackendKind::Lambda => &self.lambda,
        }
    }

    /// The backend, if it has the language.
    pub(crate) fn side(&self, kind: BackendKind) -> Option<&Side> {
        match self.look(kind) {
            Configured::Yes(side) => Some(side),
            Configured::No | Configured::Unknown(_) | Configured::WithoutLanguage => None,
        }
    }

    /// Why the backend has not the language, if so.
    pub(crate) fn lacks_language(&self, kind: BackendKind) -> Option<String> {
        let name = words::name(kind);
        match self.look(kind) {
            Configured::Yes(_) => None,
            Configured::WithoutLanguage => Some(format!("{name} has no {} runtime", self.language)),
            Configured::Unknown(_) => Some(words::unknown(kind)),
            Configured::No => Some(format!("{name} is not configured")),
        }
    }

    /// Whether there is such a backend, and what it has will be known later.
    pub(crate) fn is_unknown(&self, kind: BackendKind) -> bool {
        self.unknown(kind).is_some()
    }

    /// What a backend grants of which is not known yet what it has.
    pub(crate) fn unknown(&self, kind: BackendKind) -> Option<&Limits> {
        match self.look(kind) {
            Configured::Unknown(maximum) => Some(maximum),
            Configured::No | Configured::WithoutLanguage | Configured::Yes(_) => None,
        }
    }

    pub(crate) fn sandbox(&self) -> Option<&Side> {
        self.side(BackendKind::Wasm)
    }

    pub(crate) fn lambda(&self) -> Option<&Side> {
        self.side(BackendKind::Lambda)
    }

    /// The package that an import comes from: as a backend that has it says, else the one that is
    /// known for it under another name.
    pub(crate) fn package_of(&self, found: &Found<'_>) -> Option<String> {
        let sides = super::PREFERENCE.into_iter();
        let provider = sides
            .filter_map(|kind| self.side(kind))
            .find_map(|side| side.runtime.index.provider(&found.import.module));
        match provider {
            Some(Provider::Language) => None,
            Some(Provider::Package(package)) => Some(package.name.clone()),
            None => {
                let usual = names::package_of(self.language, &found.import.module);
                (usual != found.import.root).then(|| usual.to_owned())
            }
        }
    }

    /// Sandbox and Lambda, where both have the language: only then there is something to choose.
    pub(crate) fn both(&self) -> Option<(&Side, &Side)> {
        self.sandbox().zip(self.lambda())
    }

    /// The limits of which the request itself asks for more than `maximum`: name, asked, granted.
    pub(crate) fn asked_beyond(&self, maximum: &Limits) -> Vec<(&'static str, u64, u64)> {
        let RequestedLimits {
            timeout_ms,
            fuel,
            memory_mb,
            output_bytes,
            result_bytes,
            file_bytes,
            files,
        } = self.limits;
        let all = [
            ("timeout_ms", timeout_ms, maximum.timeout_ms),
            ("fuel", fuel, maximum.fuel),
            (
                "memory_mb",
                memory_mb.map(u64::from),
                maximum.memory_mb.into(),
            ),
            ("output_bytes", output_bytes, maximum.output_bytes),
            ("result_bytes", result_bytes, maximum.result_bytes),
            ("file_bytes", file_bytes, maximum.file_bytes),
            ("files", files.map(u64::from), maximum.files.into()),
        ];
        let beyond = all.into_iter().filter_map(|(name, asked, most)| {
            let asked = asked?;
            (asked > most).then_some((name, asked, most))
        });
        beyond.collect()
    }
}
