//! Packages named in commands and metadata, by their registry's syntax.

use ruff_python_ast::script::ScriptTag;
use serde::Deserialize;

/// Options of pip and its like that take a value.
const WITH_VALUE: [&str; 16] = [
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "-e",
    "--editable",
    "-n",
    "--channel",
    "--python",
];

/// The packages that the shell command `command` would install, if it is one of pip or its like.
pub(super) fn of_command(command: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in command.split(['\n', ';', '|', '&']) {
        // Quotes only keep the shell from the `>` and `[` of a requirement.
        let words: Vec<&str> = part
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']))
            .collect();
        found.extend(of_words(&words));
    }
    found
}

/// The same of a command that is already split.
pub(super) fn of_words(words: &[&str]) -> Vec<String> {
    let Some(installer) = words.iter().position(|word| is_installer(word)) else {
        return Vec::new();
    };
    let mut rest = words[installer + 1..].iter();
    if !rest.by_ref().any(|word| matches!(*word, "install" | "add")) {
        return Vec::new();
    }
    let mut found = Vec::new();
    while let Some(word) = rest.next() {
        if word.starts_with('-') {
            if WITH_VALUE.contains(word) {
                rest.next();
            }
        } else if word.starts_with(['>', '<', '#']) {
            break;
        } else {
            found.extend(name(word).map(str::to_owned));
        }
    }
    found
}

fn is_installer(word: &str) -> bool {
    let program = word.rsplit('/').next().unwrap_or(word);
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    matches!(
        program,
        "pip" | "uv" | "conda" | "mamba" | "micromamba" | "poetry"
    )
}

/// The name in a requirement, as in `pandas[excel]>=2; python_version > "3.9"`. None for what is
/// a path or an address without a name.
pub(super) fn name(requirement: &str) -> Option<&str> {
    let requirement = requirement.trim();
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(end);
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.bytes().all(|byte| byte.is_ascii_digit())
        && !rest.starts_with(['/', ':', '\\', '+'])
        && !name.ends_with(".whl")
        && !name.ends_with(".txt");
    named.then_some(name)
}

/// The dependencies that inline script metadata (PEP 723) names, and their line.
pub(super) fn of_metadata(code: &str) -> Option<(Vec<String>, usize)> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        dependencies: Vec<String>,
    }
    if !code.contains("# /// script") {
        return None;
    }
    let tag = ScriptTag::parse(code.as_bytes())?;
    let metadata: Metadata = toml::from_str(tag.metadata()).ok()?;
    let names = metadata.dependencies.iter();
    let names = names.filter_map(|requirement| name(requirement).map(str::to_owned));
    Some((names.collect(), code.find("# /// script")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_what_they_install() {
        for (command, packages) in [
            ("pip install numpy", &["numpy"][..]),
            (
                "pip3 install -q -U 'pandas[excel]>=2,<3' \"scipy\"",
                &["pandas", "scipy"],
            ),
            ("python -m pip install --upgrade pip", &["pip"]),
            ("/usr/bin/python3.11 -m pip install x==1.0", &["x"]),
            ("uv pip install polars && echo done", &["polars"]),
            ("conda install -y -c conda-forge xarray", &["xarray"]),
            ("conda install -n base xarray", &["xarray"]),
            ("pip install -r requirements.txt", &[]),
            (
                "pip install git+https://host/x.git ./local https://host/y.whl",
                &[],
            ),
            ("pip install x > /dev/null 2>&1", &["x"]),
            ("pip list", &[]),
            ("apt-get install r-base", &[]),
            ("echo pip", &[]),
            ("", &[]),
        ] {
            assert_eq!(of_command(command), packages, "{command}");
        }
    }

    #[test]
    fn metadata_is_read_as_toml() {
        let code = "#!/usr/bin/env python\n# /// script\n# requires-python = \">=3.11\"\n\
            # dependencies = [\n#   'requests<3',\n#   \"rich[jupyter] ; os_name=='nt'\",\n# ]\n\
            # ///\nimport requests\n";
        let (names, at) = of_metadata(code).unwrap();
        assert_eq!(names, ["requests", "rich"]);
        assert_eq!(&code[at..at + 6], "# /// ");
        assert_eq!(of_metadata("x = '# /// script'"), None);
        assert_eq!(
            of_metadata("# /// script\n# dependencies = 3\n# ///\n"),
            None
        );
    }
}
