//! Lines that only a notebook understands: never run, and blanked so that no other line moves.

use ruff_text_size::TextRange;

use super::{Lines, Magic, requirements};

/// Most characters of a magic line that are shown.
pub(super) const MAX_TEXT: usize = 200;

/// Cell magics whose cell is ordinary Python.
const PYTHON_CELLS: [&str; 7] = [
    "time", "timeit", "capture", "prun", "memit", "mprun", "python3",
];

/// The code without its cells in other languages.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// None if it has none.
    pub(super) code: Option<String>,
    pub(super) found: Vec<Cell>,
}

/// A line that begins with `%%`.
#[derive(Debug)]
pub(super) struct Cell {
    /// Where its line begins.
    pub(super) at: usize,
    /// What a shell cell would install.
    pub(super) packages: Vec<String>,
}

/// Blanks every line that begins with `%%` and a name, and what is in its cell unless that is
/// Python. A cell ends where the next one begins, as notebooks saved as scripts mark it.
pub(super) fn blank_cells(code: &str) -> Cells {
    let begins = |at: usize| at == 0 || matches!(code.as_bytes()[at - 1], b'\n' | b'\r');
    let marks_cell = |line: &str| {
        let name = line.strip_prefix("%%").unwrap_or_default();
        name.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    if !code
        .match_indices("%%")
        .any(|(at, _)| begins(at) && marks_cell(&code[at..]))
    {
        return Cells::default();
    }
    let mut out = String::with_capacity(code.len());
    let mut found: Vec<Cell> = Vec::new();
    let mut other_language = false;
    let mut at = 0;
    let mut fresh = true;
    for line in code.split_inclusive('\n') {
        let next_cell = line.starts_with("# %%") || line.starts_with("# In[");
        other_language &= !next_cell;
        // Within a string, say, a line may begin like that and mean nothing.
        if marks_cell(line) && fresh {
            let words: Vec<&str> = line[2..].split_whitespace().collect();
            other_language = !words
                .first()
                .is_some_and(|name| PYTHON_CELLS.contains(name));
            found.push(Cell {
                at,
                packages: Vec::new(),
            });
            blank(&mut out, line);
        } else if other_language {
            if let Some(cell) = found.last_mut() {
                cell.packages.extend(requirements::of_command(line));
            }
            blank(&mut out, line);
        } else {
            out.push_str(line);
        }
        let trimmed = line.trim();
        fresh = next_cell || (fresh && (trimmed.is_empty() || trimmed.starts_with('#')));
        at += line.len();
    }
    if found.is_empty() {
        return Cells::default();
    }
    Cells {
        code: Some(out),
        found,
    }
}

/// Spaces for everything but line ends.
fn blank(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| match c {
        '\n' | '\r' => c,
        _ => ' ',
    }));
}

/// `code` with each of `ranges`, which are in order and reach to the end of their line, replaced.
pub(super) fn blank_lines(code: &str, ranges: &[(TextRange, &str)]) -> String {
    let mut out = String::with_capacity(code.len());
    let mut done = 0;
    for (range, instead) in ranges {
        let (start, end) = (range.start().to_usize(), range.end().to_usize());
        if start < done {
            continue;
        }
        out.push_str(&code[done..start]);
        out.push_str(instead);
        let width = instead.chars().count();
        let rest = code[start..end].chars().enumerate();
        out.extend(rest.filter_map(|(at, c)| match c {
            '\n' | '\r' => Some(c),
            _ => (at >= width).then_some(' '),
        }));
        done = end;
    }
    out.push_str(&code[done..]);
    out
}

/// The line that begins at `at`, as it is shown.
pub(super) fn magic(lines: &Lines, code: &str, at: usize) -> Magic {
    let text = code[at..].lines().next().unwrap_or_default();
    Magic {
        line: lines.line(at),
        text: text.chars().take(MAX_TEXT).collect(),
    }
}
