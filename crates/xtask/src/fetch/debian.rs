//! Debian's archive, through apt with a configuration of its own: the machine's package sources
//! and lists are read for the mirror's address and not touched.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Workplace;
use crate::command;
use crate::console::Console;
use crate::recipe::Source;
use crate::system;

/// The keys that Debian's archive is signed with; the package of the same name has them.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Downloads the upstream tarball of a source package.
pub(super) fn download(
    source: &Source,
    suite: &str,
    into: &Path,
    console: &Console,
    place: &Workplace<'_>,
) -> Result<()> {
    if system::find("apt-get").is_none() {
        bail!(
            "{} comes from Debian's archive, and this machine has no apt-get",
            source.package
        );
    }
    let mirror = mirror(Path::new("/etc/apt"))?;
    let keyring = keyring(console)?;
    let state = place.scratch.join("apt");
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("cache/archives/partial"))?;
    let list = format!(
        "deb-src [signed-by={}] {mirror} {suite} main\n",
        keyring.display()
    );
    fs::write(state.join("sources.list"), list)?;
    let configuration = state.join("apt.conf");
    fs::write(&configuration, private_configuration(&state))?;

    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .arg("-c")
            .arg(&configuration)
            .arg("-q")
            .args(arguments)
            .current_dir(into);
        command.stdin(place.lock.try_clone()?);
        command::run_logged(&mut command, place.log)
    };
    apt(&["update"])?;
    apt(&["source", "--download-only", "--tar-only", &source.package])?;

    // Beside the upstream tarball there may be its signature.
    let wanted = format!("_{}.orig.tar.", source.version);
    let mut others = Vec::new();
    let mut found = false;
    for entry in fs::read_dir(into)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains(&wanted) && !name.ends_with(".asc") {
            found = true;
        } else {
            fs::remove_file(entry.path())?;
            others.push(name);
        }
    }
    if !found {
        bail!(
            "{suite} has another version of {} than {}: {}",
            source.package,
            source.version,
            others.join(", ")
        );
    }
    Ok(())
}

/// apt keeps everything below `state` and runs nobody's hooks.
fn private_configuration(state: &Path) -> String {
    let state = state.display();
    format!(
        r#"#clear APT::Update;
#clear DPkg;
#clear Acquire::IndexTargets::deb;
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "{state}/lists";
Dir::Cache "{state}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
"#
    )
}

fn keyring(console: &Console) -> Result<PathBuf> {
    let find = || {
        KEYRINGS
            .iter()
            .map(PathBuf::from)
            .find(|keyring| keyring.exists())
    };
    if let Some(keyring) = find() {
        return Ok(keyring);
    }
    system::install(
        &["debian-archive-keyring"],
        "the keys of Debian's archive are missing",
        console,
    )?;
    find().context("the package debian-archive-keyring has no keyring where it used to be")
}

/// The address of a Debian mirror: `SANDGATE_DEBIAN_MIRROR`, or the one this machine's apt uses.
fn mirror(etc: &Path) -> Result<String> {
    if let Some(mirror) = env::var("SANDGATE_DEBIAN_MIRROR")
        .ok()
        .filter(|text| !text.is_empty())
    {
        if mirror.contains(char::is_whitespace) {
            bail!("SANDGATE_DEBIAN_MIRROR must be one address");
        }
        return Ok(mirror);
    }
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let addresses = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => one_line_addresses(&text),
            Some("sources") => deb822_addresses(&text),
            Some(_) | None => continue,
        };
        if let Some(address) = addresses
            .into_iter()
            .find(|address| is_main_archive(address))
        {
            return Ok(address);
        }
    }
    bail!(
        "this machine's apt uses no mirror of Debian's main archive: name one in \
         SANDGATE_DEBIAN_MIRROR, an address that ends with /debian"
    )
}

/// Mirrors keep the archive's name; security updates and other archives have other names.
fn is_main_archive(address: &str) -> bool {
    let address = address.trim_end_matches('/');
    // Cloud images list their mirrors in a file of that name.
    address.ends_with("/debian") || address.ends_with("/debian.list")
}

/// Addresses in the style `deb [options] address suite component`.
fn one_line_addresses(text: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else {
            continue;
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, after)| after),
            None => rest,
        };
        addresses.extend(rest.split_whitespace().next().map(str::to_owned));
    }
    addresses
}

/// Addresses in paragraphs of `Field: value` lines.
fn deb822_addresses(text: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for paragraph in text.split("\n\n") {
        let field = |wanted: &str| {
            paragraph.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        if field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
            continue;
        }
        let uris = field("URIs").unwrap_or_default();
        addresses.extend(uris.split_whitespace().map(str::to_owned));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_mirror_is_read_from_a_one_line_list() {
        let etc = etc(&[(
            "sources.list",
            "# deb http://comment.invalid/debian bookworm main\n\
             deb http://mirror.invalid/debian-security bookworm-security main\n\
             deb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/debian/ bookworm main\n",
        )]);
        assert_eq!(mirror(etc.path()).unwrap(), "http://mirror.invalid/debian/");
    }

    #[test]
    fn the_mirror_is_read_from_deb822_paragraphs() {
        let etc = etc(&[
            (
                "sources.list.d/a.sources",
                "Types: deb\nURIs: https://other.invalid/node\nSuites: x\n",
            ),
            (
                "sources.list.d/debian.sources",
                "Enabled: no\nTypes: deb\nURIs: http://off.invalid/debian\n\n\
                 Types: deb\n# URIs: http://comment.invalid/debian\n\
                 URIs: http://mirror.invalid/debian\nSuites: bookworm\n",
            ),
            (
                "sources.list.d/z.list.disabled",
                "deb http://disabled.invalid/debian x main\n",
            ),
        ]);
        assert_eq!(mirror(etc.path()).unwrap(), "http://mirror.invalid/debian");
    }

    #[test]
    fn without_a_debian_mirror_the_error_says_how_to_name_one() {
        let etc = etc(&[(
            "sources.list",
            "deb http://mirror.invalid/ubuntu noble main\n",
        )]);
        let error = mirror(etc.path()).unwrap_err();
        assert!(
            error.to_string().contains("SANDGATE_DEBIAN_MIRROR"),
            "{error}"
        );
    }

    #[test]
    fn apts_own_folders_are_not_used() {
        let text = private_configuration(Path::new("/scratch/apt"));
        for folder in ["Dir::Etc::sourcelist", "Dir::State::lists", "Dir::Cache"] {
            assert!(
                text.contains(&format!("{folder} \"/scratch/apt")),
                "{folder}"
            );
        }
    }
}
