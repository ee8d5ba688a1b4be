//! The request block that a guest is handed (ABI.md).

use sandgate_core::{Language, Task};

const VERSION: u32 = 1;
/// Report the last expression's value.
const REPORT_RESULT: u32 = 1;

/// What the snippet is called in tracebacks.
fn file_name(language: Language) -> &'static str {
    match language {
        Language::Python => "main.py",
        Language::JavaScript => "main.js",
        Language::TypeScript => "main.ts",
        Language::R => "main.R",
    }
}

/// A block under construction; none once something did not fit in 32 bits.
struct Block(Option<Vec<u8>>);

impl Block {
    fn number(&mut self, value: usize) {
        match (&mut self.0, u32::try_from(value)) {
            (Some(bytes), Ok(value)) => bytes.extend_from_slice(&value.to_le_bytes()),
            (Some(_), Err(_)) => self.0 = None,
            (None, _) => {}
        }
    }

    fn string(&mut self, parts: &[&str]) {
        self.number(parts.iter().map(|part| part.len()).sum());
        if let Some(bytes) = &mut self.0 {
            for part in parts {
                bytes.extend_from_slice(part.as_bytes());
            }
            bytes.push(0);
        }
    }
}

/// The request block for `task`; none if it would not fit in a guest's address space.
pub(crate) fn encode(task: &Task) -> Option<Vec<u8>> {
    let mut block = Block(Some(Vec::with_capacity(task.code.len() + 256)));
    block.number(VERSION as usize);
    block.number(REPORT_RESULT as usize);
    block.string(&[file_name(task.language)]);
    block.string(&[&task.code]);
    block.number(task.args.len());
    for argument in &task.args {
        block.string(&[argument]);
    }
    block.number(task.env.len());
    for (name, value) in &task.env {
        block.string(&[name, "=", value]);
    }
    block.0.filter(|bytes| u32::try_from(bytes.len()).is_ok())
}
