//! `cargo xtask guests`: from recipes to `target/guests/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache, Kind};
use crate::console::{Console, elapsed};
use crate::fetch;
use crate::recipe::Recipe;
use crate::schedule::{Graph, TaskId};
use crate::snapshot;
use crate::step;
use crate::system;
use crate::toolchain::Toolchain;
use crate::workspace::{Profile, Workspace};

/// Tasks at a time. A step uses all cores while it compiles; while one runs its configure script
/// or links, the other fills the gap.
const TASKS_AT_A_TIME: usize = 2;

/// What to build.
#[derive(Debug)]
pub(crate) struct Request {
    /// Guests by the names of their folders; none means all.
    pub(crate) guests: Vec<String>,
    /// Build steps that are in the cache again.
    pub(crate) force: bool,
    /// How the snapshot tool is compiled: as the rest of what the caller builds.
    pub(crate) profile: Profile,
    /// Also the steps that no guest needs, such as the native builds that benches compare with.
    pub(crate) all_steps: bool,
}

impl Request {
    /// Whatever is missing of all guests.
    pub(crate) fn all(profile: Profile) -> Self {
        Self {
            guests: Vec::new(),
            force: false,
            profile,
            all_steps: false,
        }
    }
}

/// What was built.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The output folder of every step, by guest and step.
    pub(crate) steps: BTreeMap<(String, String), PathBuf>,
}

/// A guest with the names of its outputs in the cache.
struct Guest {
    recipe: Recipe,
    entries: BTreeMap<String, String>,
    snapshot: String,
}

/// Builds guests and puts them into `target/guests/`.
pub(crate) fn build(
    request: &Request,
    workspace: &Workspace,
    cache: &Cache,
    console: &Console,
) -> Result<Built> {
    let started = Instant::now();
    let tool_key = snapshot::tool_key(workspace)?;
    let guests = read_guests(request, workspace, &tool_key)?;
    if request.force {
        for guest in &guests {
            for entry in guest.entries.values().chain([&guest.snapshot]) {
                cache.remove(Kind::Steps, entry, console)?;
            }
        }
    }
    build_missing(&guests, request, workspace, cache, console)?;
    let mut built = Built::default();
    for guest in &guests {
        publish(guest, workspace, cache, console)?;
        for (step, entry) in &guest.entries {
            let name = (guest.recipe.language.clone(), step.clone());
            built.steps.insert(name, cache.path(Kind::Steps, entry));
        }
    }
    console.line(&format!("guests are up to date ({})", elapsed(started)));
    Ok(built)
}

fn read_guests(request: &Request, workspace: &Workspace, tool_key: &str) -> Result<Vec<Guest>> {
    let available = available(&workspace.recipes())?;
    for name in &request.guests {
        if !available.contains(name) {
            bail!(
                "there is no guest {name:?}; there are {}",
                available.join(", ")
            );
        }
    }
    let chosen = if request.guests.is_empty() {
        &available
    } else {
        &request.guests
    };
    let chosen: BTreeSet<&String> = chosen.iter().collect();
    let mut guests = Vec::new();
    let mut problems = Vec::new();
    for name in chosen {
        match read_guest(&workspace.recipes().join(name), tool_key) {
            Ok(guest) => guests.push(guest),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if problems.is_empty() {
        Ok(guests)
    } else {
        bail!("{}", problems.join("\n"))
    }
}

fn read_guest(folder: &Path, tool_key: &str) -> Result<Guest> {
    let recipe = Recipe::read(folder)?;
    let entries = step::entries(&recipe)?;
    let wasm = &entries[&recipe.snapshot.wasm_step];
    let root = &entries[&recipe.snapshot.root_step];
    let snapshot = snapshot::entry(&recipe, wasm, root, tool_key);
    Ok(Guest {
        recipe,
        entries,
        snapshot,
    })
}

/// The folders that have a recipe.
fn available(recipes: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(recipes).with_context(|| format!("reading {recipes:?}"))? {
        let entry = entry?;
        if entry.path().join("recipe.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Guest {
    /// The steps to run, in order: those whose output is missing and wanted by the snapshot, by a
    /// step to run, or by the caller.
    fn missing_steps(&self, all_steps: bool, cache: &Cache) -> Vec<usize> {
        let present = |name: &str| cache.path(Kind::Steps, &self.entries[name]).exists();
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        if all_steps {
            wanted.extend(self.recipe.steps.iter().map(|step| step.name.as_str()));
        }
        if !self.snapshot_present(cache) {
            wanted.insert(&self.recipe.snapshot.wasm_step);
            wanted.insert(&self.recipe.snapshot.root_step);
        }
        let mut missing = Vec::new();
        for (index, step) in self.recipe.steps.iter().enumerate().rev() {
            if wanted.contains(step.name.as_str()) && !present(&step.name) {
                missing.push(index);
                wanted.extend(step.needs.iter().map(String::as_str));
            }
        }
        missing.reverse();
        missing
    }

    fn snapshot_present(&self, cache: &Cache) -> bool {
        cache.path(Kind::Steps, &self.snapshot).exists()
    }
}

/// Runs whatever is missing in the cache, in parallel where nothing depends on each other.
fn build_missing(
    guests: &[Guest],
    request: &Request,
    workspace: &Workspace,
    cache: &Cache,
    console: &Console,
) -> Result<()> {
    let plans: Vec<(&Guest, Vec<usize>)> = guests
        .iter()
        .map(|guest| (guest, guest.missing_steps(request.all_steps, cache)))
        .collect();
    let tools = plans.iter().flat_map(|(guest, steps)| {
        steps
            .iter()
            .flat_map(|&index| guest.recipe.steps[index].tools.iter())
    });
    let tools: Vec<&str> = tools
        .map(String::as_str)
        .filter(|tool| !step::is_node(tool))
        .collect();
    system::require_tools(tools, console)?;

    let tool = OnceLock::new();
    let mut graph = Graph::default();
    let any = plans.iter().any(|(_, missing)| !missing.is_empty());
    let toolchain = graph.add(Vec::new(), move || {
        if any {
            Toolchain::prepare(cache, console).map(drop)
        } else {
            Ok(())
        }
    });
    let mut tool_task = None;
    for (guest, missing) in &plans {
        let steps = add_steps(&mut graph, guest, missing, toolchain, cache, console);
        if guest.snapshot_present(cache) {
            continue;
        }
        let tool = &tool;
        let tool_task = *tool_task.get_or_insert_with(|| {
            graph.add(Vec::new(), move || {
                let log = cache.log(Kind::Steps, "snapshot-tool");
                let built = console.task("tools: sandgate-snapshot", || {
                    snapshot::build_tool(workspace, request.profile, &log)
                })?;
                tool.set(built)
                    .map_err(|_| anyhow::anyhow!("the snapshot tool was built twice"))
            })
        });
        let mut needs: Vec<TaskId> = steps.values().copied().collect();
        needs.push(tool_task);
        graph.add(needs, move || {
            console.task(&format!("{}: snapshot", guest.recipe.language), || {
                let recipe = &guest.recipe;
                let output = |step: &str| cache.path(Kind::Steps, &guest.entries[step]);
                let wasm = output(&recipe.snapshot.wasm_step).join(&recipe.snapshot.wasm_file);
                let root = output(&recipe.snapshot.root_step);
                let tool = tool.get().context("the snapshot tool was not built")?;
                snapshot::take(recipe, &guest.snapshot, &wasm, &root, tool, cache, console)
            })
        });
    }
    let result = console.with_progress(|| graph.run(TASKS_AT_A_TIME));
    result.map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(|error| format!("{error:#}")).collect();
        anyhow::anyhow!("{}", texts.join("\n\n"))
    })
}

/// Adds a guest's missing steps, and the sources they use, to the graph.
fn add_steps<'a>(
    graph: &mut Graph<'a>,
    guest: &'a Guest,
    missing: &[usize],
    toolchain: TaskId,
    cache: &'a Cache,
    console: &'a Console,
) -> BTreeMap<&'a str, TaskId> {
    let recipe = &guest.recipe;
    let mut sources: BTreeMap<&str, TaskId> = BTreeMap::new();
    let mut steps: BTreeMap<&str, TaskId> = BTreeMap::new();
    for &index in missing {
        let step = &recipe.steps[index];
        let mut needs = vec![toolchain];
        needs.extend(
            step.needs
                .iter()
                .filter_map(|need| steps.get(need.as_str())),
        );
        for source in recipe
            .sources
            .iter()
            .filter(|source| step.sources.contains(&source.name))
        {
            if fetch::unpacked(cache, source).exists() {
                continue;
            }
            needs.push(*sources.entry(&source.name).or_insert_with(|| {
                graph.add(Vec::new(), move || {
                    console.task(
                        &format!("{}: source {}", recipe.language, source.name),
                        || fetch::provide(source, cache, console),
                    )
                })
            }));
        }
        let task = graph.add(needs, move || {
            console.task(&format!("{}: {}", recipe.language, step.name), || {
                step::run(recipe, step, &guest.entries, cache, console)
            })
        });
        steps.insert(&step.name, task);
    }
    steps
}

/// Copies the finished guest out of the cache, unless it is there already.
fn publish(guest: &Guest, workspace: &Workspace, cache: &Cache, console: &Console) -> Result<()> {
    let from = cache.path(Kind::Steps, &guest.snapshot);
    let folder = workspace.guests();
    fs::create_dir_all(&folder).with_context(|| format!("creating {folder:?}"))?;
    let _lock = cache.lock("guests", console)?;
    let mut size = 0;
    for file in snapshot::result_files(&guest.recipe.language) {
        let from = from.join(&file);
        let content = fs::read(&from).with_context(|| format!("reading {from:?}"))?;
        size += content.len();
        let to = folder.join(&file);
        if fs::read(&to).is_ok_and(|present| present == content) {
            continue;
        }
        // Whoever has the old file mapped keeps it whole.
        let new = folder.join(format!(".{file}.new"));
        cache::remove_all(&new)?;
        fs::write(&new, content).with_context(|| format!("writing {new:?}"))?;
        fs::rename(&new, &to).with_context(|| format!("replacing {to:?}"))?;
    }
    let language = &guest.recipe.language;
    let shown = folder.strip_prefix(workspace.root()).unwrap_or(&folder);
    console.line(&format!(
        "{language}: {}/{language}.wasm ({:.1} MB)",
        shown.display(),
        size as f64 / 1e6
    ));
    Ok(())
}
