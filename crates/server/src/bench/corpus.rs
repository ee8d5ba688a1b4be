//! The snippets that are measured.

use std::path::{Path, PathBuf};

use sandgate::{ExecuteRequest, Language};

/// A snippet with its input.
#[derive(Clone, Debug)]
pub(crate) struct Snippet {
    /// The file's name.
    pub(crate) name: String,
    /// What is executed. Backend and cache are set for each path.
    pub(crate) request: ExecuteRequest,
}

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CorpusError {
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error(
        "no snippets in {}: files that end in .py, .js, .ts or .R are taken, with standard input \
         from a file of the same name that ends in .stdin",
        .0.display()
    )]
    Empty(PathBuf),
    #[error("no snippet's name contains `{0}`")]
    NoneNamed(String),
}

macro_rules! shipped {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../../../../benches/corpus/", $file)))),*]
    };
}

/// What is measured when no folder is given.
pub(crate) fn shipped() -> Vec<Snippet> {
    let files = shipped![
        "hello.py",
        "hello.js",
        "arithmetic.py",
        "words.py",
        "orders_json.py",
        "orders_json.js",
        "log_regex.py",
        "sorting.py",
        "sorting.js",
        "recursion.py",
        "recursion.js",
        "prime_sieve.py",
        "prime_sieve.js",
        "matrix.py",
        "csv_report.py",
        "sqlite_report.py",
        "template.py",
        "dates.py",
        "text_diff.js",
        "large_output.py",
        "large_input.py",
        "numpy_solve.py",
        "pandas_groupby.py",
        "matplotlib_chart.py",
        "summary.R",
        "ggplot_chart.R",
    ];
    files
        .into_iter()
        .filter_map(|(file, code)| {
            let language = language_of(Path::new(file))?;
            let mut request = ExecuteRequest::new(language, code);
            if file == "large_input.py" {
                request.stdin = "a line that is as long as many others\n".repeat(26_000);
            }
            Some(Snippet {
                name: file.to_owned(),
                request,
            })
        })
        .collect()
}

/// The snippets of `folder`, by name, and what else is there.
pub(crate) fn read(folder: &Path) -> Result<(Vec<Snippet>, Vec<String>), CorpusError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CorpusError::Read(path, error)
    };
    let mut snippets = Vec::new();
    let mut others = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(language) = language_of(&path).filter(|_| path.is_file()) else {
            if path.extension().is_none_or(|ending| ending != "stdin") {
                others.push(name.into_owned());
            }
            continue;
        };
        let code = std::fs::read_to_string(&path).map_err(failed(&path))?;
        let mut request = ExecuteRequest::new(language, code);
        let stdin = path.with_extension("stdin");
        if stdin.exists() {
            request.stdin = std::fs::read_to_string(&stdin).map_err(failed(&stdin))?;
        }
        snippets.push(Snippet {
            name: name.into_owned(),
            request,
        });
    }
    snippets.sort_by(|a, b| a.name.cmp(&b.name));
    others.sort();
    if snippets.is_empty() {
        return Err(CorpusError::Empty(folder.to_owned()));
    }
    Ok((snippets, others))
}

/// Keeps those whose name contains `part`.
pub(crate) fn only(snippets: &mut Vec<Snippet>, part: &str) -> Result<(), CorpusError> {
    snippets.retain(|snippet| snippet.name.contains(part));
    if snippets.is_empty() {
        return Err(CorpusError::NoneNamed(part.to_owned()));
    }
    Ok(())
}

fn language_of(path: &Path) -> Option<Language> {
    Language::from_extension(path.extension()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_measured() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/corpus");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let mut measured: Vec<_> = shipped().into_iter().map(|s| s.name).collect();
        measured.sort();
        assert_eq!(measured, there);
    }

    #[test]
    fn a_folder_is_read_with_its_inputs() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.py", "1"),
            ("a.js", "2"),
            ("b.stdin", "in"),
            ("notes.txt", ""),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (mut snippets, others) = read(folder.path()).unwrap();
        assert_eq!(others, ["notes.txt"]);
        let names: Vec<_> = snippets.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["a.js", "b.py"]);
        assert_eq!(snippets[1].request.stdin, "in");
        only(&mut snippets, "b.").unwrap();
        assert_eq!(snippets.len(), 1);
        let error = only(&mut snippets, "zzz").unwrap_err().to_string();
        assert!(error.contains("zzz"), "{error}");
    }

    #[test]
    fn a_folder_without_snippets_says_what_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains(".py"), "{error}");
    }
}
