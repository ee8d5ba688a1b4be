//! `wasm-runtimes/<guest>/recipe.toml`: what a guest is made from and how.

mod fields;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use self::fields::{Fields, is_plain};

/// A parsed and checked recipe.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// The guest's folder.
    pub(crate) folder: PathBuf,
    /// The language's name; the results are `<language>.wasm` and `<language>.json`.
    pub(crate) language: String,
    /// What is fetched.
    pub(crate) sources: Vec<Source>,
    /// What is built, in an order in which every step comes after what it needs.
    pub(crate) steps: Vec<Step>,
    /// The last step.
    pub(crate) snapshot: Snapshot,
}

/// An archive of a public registry.
#[derive(Debug)]
pub(crate) struct Source {
    /// Steps find the unpacked archive in `SRC_<NAME>`.
    pub(crate) name: String,
    /// Where it comes from.
    pub(crate) registry: Registry,
    /// The package's name there.
    pub(crate) package: String,
    /// The exact version; of a Debian source package the upstream part.
    pub(crate) version: String,
    /// Of the archive, in hex.
    pub(crate) sha256: String,
}

/// The registries an archive can come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    /// The upstream tarball of a source package in a suite of Debian's archive.
    Debian {
        /// For example `trixie`.
        suite: String,
    },
    /// A file of a PyPI release.
    Pypi {
        /// Its name, where the release has several files.
        file: Option<String>,
    },
    /// The tarball of an npm package.
    Npm,
    /// A `.crate` file of cargo's registry.
    Crate,
}

/// A script and what it reads.
#[derive(Debug)]
pub(crate) struct Step {
    /// Other steps find the output in `DEP_<NAME>`.
    pub(crate) name: String,
    /// The script, relative to the guest's folder.
    pub(crate) script: PathBuf,
    /// Names of sources.
    pub(crate) sources: Vec<String>,
    /// Names of earlier steps.
    pub(crate) needs: Vec<String>,
    /// Files and folders of the guest's folder, the script among them.
    pub(crate) inputs: Vec<PathBuf>,
    /// Commands that must exist on this machine.
    pub(crate) tools: Vec<String>,
}

/// How the finished module becomes a snapshot.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The step that links the module.
    pub(crate) wasm_step: String,
    /// The module's path in that step's output.
    pub(crate) wasm_file: PathBuf,
    /// The step whose output the guest sees as `/` while it starts.
    pub(crate) root_step: String,
}

impl Recipe {
    /// Reads and checks the recipe in a guest's folder. The error names everything that is wrong.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("recipe.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path:?}"))?;
        let table: Table = text
            .parse()
            .with_context(|| format!("{path:?} is not valid TOML"))?;
        let mut problems = Vec::new();
        let recipe = parse(folder, table, &mut problems);
        if problems.is_empty() {
            return Ok(recipe);
        }
        bail!(
            "{} problem(s) in {path:?}:\n  {}",
            problems.len(),
            problems.join("\n  ")
        )
    }

    /// The source of that name.
    pub(crate) fn source(&self, name: &str) -> Result<&Source> {
        let found = self.sources.iter().find(|source| source.name == name);
        found.with_context(|| format!("no source {name:?}"))
    }
}

/// The suffix of a source's or step's environment variable.
pub(crate) fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

fn parse(folder: &Path, table: Table, problems: &mut Vec<String>) -> Recipe {
    let mut fields = Fields {
        place: "recipe".to_owned(),
        table,
        problems,
    };
    let language = fields.word("language");
    let source_tables = fields.tables("source");
    let step_tables = fields.tables("step");
    let snapshot_table = match fields.table.remove("snapshot") {
        Some(Value::Table(table)) => table,
        Some(_) | None => {
            fields.problem("[snapshot] is missing".to_owned());
            Table::new()
        }
    };
    fields.end();

    let mut taken = BTreeSet::new();
    let mut sources = Vec::new();
    for table in source_tables {
        let fields = Fields {
            place: "source".to_owned(),
            table,
            problems: &mut *problems,
        };
        sources.push(parse_source(fields, &mut taken));
    }

    let mut taken = BTreeSet::new();
    let mut steps: Vec<Step> = Vec::new();
    for table in step_tables {
        let fields = Fields {
            place: "step".to_owned(),
            table,
            problems: &mut *problems,
        };
        let step = parse_step(folder, fields, &sources, &steps, &mut taken);
        steps.push(step);
    }

    let fields = Fields {
        place: "snapshot".to_owned(),
        table: snapshot_table,
        problems,
    };
    let snapshot = parse_snapshot(fields, &steps);
    Recipe {
        folder: folder.to_owned(),
        language,
        sources,
        steps,
        snapshot,
    }
}

fn parse_source(mut fields: Fields<'_>, taken: &mut BTreeSet<String>) -> Source {
    let name = fields.name("name", taken);
    let package = fields.word("package");
    let version = fields.word("version");
    let sha256 = fields.text("sha256");
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if !sha256.is_empty() && (sha256.len() != 64 || !sha256.chars().all(hex)) {
        fields.problem("`sha256` must be 64 lowercase hex digits".to_owned());
    }
    let registry = match fields.text("registry").as_str() {
        "debian" => Registry::Debian {
            suite: fields.word("suite"),
        },
        "pypi" => {
            let file = fields.optional_text("file");
            if let Some(file) = &file {
                fields.check_word("file", file);
            }
            Registry::Pypi { file }
        }
        "npm" => Registry::Npm,
        "crate" => Registry::Crate,
        other => {
            if !other.is_empty() {
                fields.problem(format!(
                    "`registry` must be debian, pypi, npm or crate, not {other:?}"
                ));
            }
            // Which further fields are right depends on the registry: nothing to say about them.
            fields.table.clear();
            Registry::Crate
        }
    };
    fields.end();
    Source {
        name,
        registry,
        package,
        version,
        sha256,
    }
}

fn parse_step(
    folder: &Path,
    mut fields: Fields<'_>,
    sources: &[Source],
    earlier: &[Step],
    taken: &mut BTreeSet<String>,
) -> Step {
    let name = fields.name("name", taken);
    let script = fields.text("script");
    let script = fields.check_path(folder, "script", &script);
    let used = fields.texts("sources");
    for source in &used {
        if !sources.iter().any(|known| known.name == *source) {
            fields.problem(format!("`sources`: there is no source {source:?}"));
        }
    }
    let needs = fields.texts("needs");
    for need in &needs {
        if !earlier.iter().any(|step| step.name == *need) {
            fields.problem(format!("`needs`: there is no earlier step {need:?}"));
        }
    }
    let mut inputs = vec![script.clone()];
    for input in fields.texts("inputs") {
        let input = fields.check_path(folder, "inputs", &input);
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs.sort();
    let tools = fields.texts("tools");
    fields.end();
    Step {
        name,
        script,
        sources: used,
        needs,
        inputs,
        tools,
    }
}

fn parse_snapshot(mut fields: Fields<'_>, steps: &[Step]) -> Snapshot {
    let wasm = fields.text("wasm");
    let (wasm_step, wasm_file) = wasm.split_once('/').unwrap_or((&wasm, ""));
    if !wasm.is_empty() && (wasm_file.is_empty() || !is_plain(Path::new(wasm_file))) {
        fields.problem(format!("`wasm` must be <step>/<file>, not {wasm:?}"));
    }
    let root_step = fields.text("root");
    for (field, step) in [("wasm", wasm_step), ("root", &root_step)] {
        if !step.is_empty() && !steps.iter().any(|known| known.name == step) {
            fields.problem(format!("`{field}`: there is no step {step:?}"));
        }
    }
    fields.end();
    Snapshot {
        wasm_step: wasm_step.to_owned(),
        wasm_file: PathBuf::from(wasm_file),
        root_step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        language = "toy"
        [[source]]
        name = "interpreter"
        registry = "debian"
        package = "toy"
        suite = "trixie"
        version = "1.2"
        sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        [[source]]
        name = "text-tools"
        registry = "pypi"
        package = "TextTools"
        version = "2.0"
        file = "texttools-2.0-py3-none-any.whl"
        sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        [[step]]
        name = "link"
        script = "link.sh"
        sources = ["interpreter", "text-tools"]
        inputs = ["src", "link.sh"]
        tools = ["make"]
        [[step]]
        name = "root"
        script = "link.sh"
        needs = ["link"]
        [snapshot]
        wasm = "link/lib/toy.wasm"
        root = "root"
    "#;

    fn read(text: &str) -> Result<Recipe> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("link.sh"), "").unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("recipe.toml"), text).unwrap();
        Recipe::read(folder.path())
    }

    fn problems(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_good_recipe_is_read_whole() {
        let recipe = read(GOOD).unwrap();
        assert_eq!(recipe.language, "toy");
        assert_eq!(
            recipe.source("interpreter").unwrap().registry,
            Registry::Debian {
                suite: "trixie".to_owned()
            }
        );
        assert_eq!(variable(&recipe.sources[1].name), "TEXT_TOOLS");
        assert_eq!(
            recipe.steps[0].inputs,
            [PathBuf::from("link.sh"), PathBuf::from("src")]
        );
        assert_eq!(recipe.steps[1].needs, ["link"]);
        assert_eq!(recipe.snapshot.wasm_step, "link");
        assert_eq!(recipe.snapshot.wasm_file, Path::new("lib/toy.wasm"));
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let text = problems(
            r#"
            colour = "blue"
            [[source]]
            name = "Bad Name"
            registry = "ftp"
            package = "--option"
            version = 3
            sha256 = "12"
            [[source]]
            name = "plain"
            registry = "crate"
            suite = "trixie"
            package = "plain"
            version = "1.0"
            sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            [[step]]
            name = "one"
            script = "../escape.sh"
            sources = ["nothing"]
            needs = ["two"]
            inputs = ["absent.c"]
            [[step]]
            name = "one"
            script = "absent.sh"
            tools = "make"
            [snapshot]
            wasm = "three"
            root = "four"
            "#,
        );
        for expected in [
            "recipe: `language` is missing",
            "recipe: unknown field `colour`",
            r#"source "Bad Name": `name` must start with a lowercase letter"#,
            r#"`registry` must be debian, pypi, npm or crate, not "ftp""#,
            r#"`package` has characters that no package has: "--option""#,
            "`version` must be a string, not integer",
            "`sha256` must be 64 lowercase hex digits",
            r#"source "plain": unknown field `suite`"#,
            r#"`script`: "../escape.sh" must be a plain path inside the guest's folder"#,
            r#"`sources`: there is no source "nothing""#,
            r#"`needs`: there is no earlier step "two""#,
            r#"`inputs`: "absent.c" does not exist"#,
            r#"step "one": `name` is taken by an earlier one"#,
            r#"`script`: "absent.sh" does not exist"#,
            "`tools` must be an array, not string",
            r#"snapshot: `wasm` must be <step>/<file>, not "three""#,
            r#"snapshot: `root`: there is no step "four""#,
        ] {
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }

    #[test]
    fn a_step_cannot_need_itself_or_a_later_one() {
        let text = problems(&GOOD.replace(r#"needs = ["link"]"#, r#"needs = ["root"]"#));
        assert!(
            text.contains(r#"there is no earlier step "root""#),
            "{text}"
        );
    }

    #[test]
    fn a_file_that_is_not_toml_says_where() {
        let error = format!("{:#}", read("language = ").unwrap_err());
        assert!(
            error.contains("recipe.toml") && error.contains("line 1"),
            "{error}"
        );
    }

    #[test]
    fn a_debian_source_needs_a_suite() {
        let text = problems(&GOOD.replace(r#"suite = "trixie""#, ""));
        assert!(
            text.contains(r#"source "interpreter": `suite` is missing"#),
            "{text}"
        );
    }
}
