//! From a request to a task: every rule a request can break, all reported at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ExecuteRequest, InputFile, LimitPolicy, Limits, Task, TaskFile, check_relative_path};

/// One bad field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field, as a path: `files[2].path`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl FieldError {
    /// An error of `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// A request that breaks rules. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRequest {
    /// Every broken rule.
    pub errors: Vec<FieldError>,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid request")?;
        for (i, error) in self.errors.iter().enumerate() {
            write!(
                f,
                "{} {}: {}",
                if i == 0 { ":" } else { ";" },
                error.field,
                error.message
            )?;
        }
        Ok(())
    }
}

/// Sizes and limits that requests are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    /// Limits granted by default and at most.
    pub limits: LimitPolicy,
    /// Most bytes of code.
    pub code_bytes: usize,
    /// Most bytes of standard input.
    pub stdin_bytes: usize,
    /// Most arguments and environment variables, each.
    pub strings: usize,
    /// Most bytes of all arguments and of all environment variables, each.
    pub strings_bytes: usize,
    /// Most inputs of a batch.
    pub inputs: usize,
}

impl Default for RequestRules {
    /// 1 MiB of code, 16 MiB of stdin, 1,024 arguments or variables of 128 KiB together, 100
    /// inputs.
    fn default() -> Self {
        Self {
            limits: LimitPolicy::default(),
            code_bytes: 1 << 20,
            stdin_bytes: 16 << 20,
            strings: 1_024,
            strings_bytes: 128 << 10,
            inputs: 100,
        }
    }
}

impl RequestRules {
    /// Checks `request` and turns it into the task an executor receives.
    ///
    /// # Errors
    /// Names every field that breaks a rule. A batch is not one task: see
    /// [`check_batch`](Self::check_batch).
    pub fn task(&self, request: ExecuteRequest) -> Result<Task, InvalidRequest> {
        let mut errors = Vec::new();
        let limits = self.check(&request, &mut errors);
        if request.inputs.is_some() {
            errors.push(FieldError::new(
                "inputs",
                "must not be given here, this takes a single input",
            ));
        }
        if !errors.is_empty() {
            return Err(InvalidRequest { errors });
        }
        Ok(Task {
            language: request.language,
            code: request.code,
            stdin: Bytes::from(request.stdin),
            args: request.args,
            env: request.env,
            files: request
                .files
                .into_iter()
                .map(|file| TaskFile {
                    path: file.path,
                    content: file.content,
                })
                .collect(),
            limits,
            seed: request.seed,
            now: request.now,
        })
    }

    /// Checks a batch with all its inputs.
    ///
    /// # Errors
    /// Names every field that breaks a rule, as in `inputs[3].stdin`.
    pub fn check_batch(&self, request: &ExecuteRequest) -> Result<(), InvalidRequest> {
        let mut errors = Vec::new();
        let limits = self.check(request, &mut errors);
        let inputs = request.inputs.as_deref().unwrap_or_default();
        if inputs.is_empty() {
            errors.push(FieldError::new("inputs", "must have at least one entry"));
        }
        let mut checks = Checks::new(self, &mut errors);
        checks.at_most("inputs", inputs.len(), self.inputs, "entries");
        for (i, input) in inputs.iter().take(self.inputs).enumerate() {
            checks.prefix = format!("inputs[{i}].");
            if let Some(stdin) = &input.stdin {
                checks.stdin(stdin);
            }
            if let Some(args) = &input.args {
                checks.args(args);
            }
            if let Some(env) = &input.env {
                checks.env(env);
            }
            if let Some(files) = &input.files {
                checks.files(files, &limits);
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidRequest { errors })
        }
    }

    /// Checks everything but `inputs`, and grants limits.
    fn check(&self, request: &ExecuteRequest, errors: &mut Vec<FieldError>) -> Limits {
        let mut checks = Checks::new(self, errors);
        checks.code(&request.code);
        checks.stdin(&request.stdin);
        checks.args(&request.args);
        checks.env(&request.env);
        let limits = self.limits.grant(&request.limits, checks.errors);
        checks.files(&request.files, &limits);
        limits
    }
}

/// The rules at work on one request, or on one input of it.
struct Checks<'a> {
    rules: &'a RequestRules,
    errors: &'a mut Vec<FieldError>,
    /// What comes before a field's name: `inputs[3].`.
    prefix: String,
}

impl<'a> Checks<'a> {
    fn new(rules: &'a RequestRules, errors: &'a mut Vec<FieldError>) -> Self {
        Self {
            rules,
            errors,
            prefix: String::new(),
        }
    }

    fn push(&mut self, field: impl fmt::Display, message: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.errors.push(FieldError::new(field, message));
    }

    fn at_most(&mut self, field: &str, value: usize, maximum: usize, unit: &str) {
        if value > maximum {
            self.push(
                field,
                format!("has {value} {unit}, at most {maximum} are allowed"),
            );
        }
    }

    fn no_nul(&mut self, field: impl fmt::Display, text: &str) {
        if text.contains('\0') {
            self.push(field, "must not contain NUL characters");
        }
    }

    fn code(&mut self, code: &str) {
        if code.trim().is_empty() {
            self.push("code", "must not be empty");
        }
        self.at_most("code", code.len(), self.rules.code_bytes, "bytes");
        self.no_nul("code", code);
    }

    fn stdin(&mut self, stdin: &str) {
        self.at_most("stdin", stdin.len(), self.rules.stdin_bytes, "bytes");
    }

    fn args(&mut self, args: &[String]) {
        self.strings("args", args.iter().map(String::len));
        for (i, arg) in args.iter().enumerate() {
            self.no_nul(format_args!("args[{i}]"), arg);
        }
    }

    fn env(&mut self, env: &BTreeMap<String, String>) {
        self.strings("env", env.iter().map(|(k, v)| k.len() + v.len() + 1));
        for (name, value) in env {
            let field = format!("env[{name:?}]");
            if name.is_empty() || name.contains(['=', '\0']) {
                self.push(
                    &field,
                    "a variable's name must not be empty or contain `=` or NUL characters",
                );
            }
            self.no_nul(&field, value);
        }
    }

    fn strings(&mut self, field: &str, lengths: impl ExactSizeIterator<Item = usize>) {
        self.at_most(field, lengths.len(), self.rules.strings, "entries");
        self.at_most(field, lengths.sum(), self.rules.strings_bytes, "bytes");
    }

    fn files(&mut self, files: &[InputFile], limits: &Limits) {
        self.at_most("files", files.len(), limits.files as usize, "entries");
        let bytes: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        if bytes > limits.file_bytes {
            self.push(
                "files",
                format!(
                    "have {bytes} bytes together, at most {} are allowed",
                    limits.file_bytes
                ),
            );
        }
        let mut seen = BTreeSet::new();
        let mut parents = BTreeSet::new();
        for (i, file) in files.iter().enumerate() {
            let field = format!("files[{i}].path");
            if let Err(error) = check_relative_path(&file.path) {
                self.push(field, error.to_string());
                continue;
            }
            if !seen.insert(file.path.as_str()) {
                self.push(field, format!("`{}` is there twice", file.path));
            }
            for (at, _) in file.path.match_indices('/') {
                parents.insert(&file.path[..at]);
            }
        }
        for both in seen.intersection(&parents) {
            self.push(
                "files",
                format!("`{both}` cannot be a file and a directory at once"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;

    fn fields(request: ExecuteRequest) -> Vec<String> {
        match RequestRules::default().task(request) {
            Ok(_) => Vec::new(),
            Err(invalid) => invalid.errors.into_iter().map(|e| e.field).collect(),
        }
    }

    fn file(path: &str) -> InputFile {
        InputFile {
            path: path.into(),
            content: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut request = ExecuteRequest::python(" ");
        request.args = vec!["a\0".into()];
        request.env.insert("A=B".into(), String::new());
        request.limits.timeout_ms = Some(0);
        request.files = vec![file("../x"), file("a"), file("a"), file("a/b")];
        assert_eq!(
            fields(request),
            [
                "code",
                "args[0]",
                "env[\"A=B\"]",
                "limits.timeout_ms",
                "files[0].path",
                "files[2].path",
                "files"
            ]
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let mut request = ExecuteRequest::python("x".repeat((1 << 20) + 1));
        request.stdin = "x".repeat((16 << 20) + 1);
        request.args = vec![String::new(); 1_025];
        assert_eq!(fields(request), ["code", "stdin", "args"]);
    }

    #[test]
    fn every_input_of_a_batch_is_checked() {
        let mut request = ExecuteRequest::python("1");
        request.inputs = Some(vec![
            Input::stdin("fine"),
            Input {
                stdin: Some("x".repeat((16 << 20) + 1)),
                args: Some(vec!["a\0".into()]),
                env: Some([("A".to_owned(), "\0".to_owned())].into()),
                files: Some(vec![file("a"), file("../x")]),
            },
        ]);
        let rules = RequestRules::default();
        let fields = |request: &ExecuteRequest| -> Vec<String> {
            let invalid = rules.check_batch(request).err();
            let errors = invalid.into_iter().flat_map(|invalid| invalid.errors);
            errors.map(|error| error.field).collect()
        };
        assert_eq!(
            fields(&request),
            [
                "inputs[1].stdin",
                "inputs[1].args[0]",
                "inputs[1].env[\"A\"]",
                "inputs[1].files[1].path"
            ]
        );
        request.inputs = Some(vec![Input::default(); 100]);
        assert!(fields(&request).is_empty());
        request.inputs = Some(vec![Input::default(); 101]);
        assert_eq!(fields(&request), ["inputs"]);
        request.inputs = Some(Vec::new());
        assert_eq!(fields(&request), ["inputs"]);
        let single = rules.task(request).unwrap_err();
        assert_eq!(single.errors[0].field, "inputs");
    }

    #[test]
    fn a_good_request_becomes_a_task() {
        let mut request = ExecuteRequest::python("print(1)");
        request.files = vec![file("data/a.csv"), file("data/b.csv")];
        request.limits.memory_mb = Some(64);
        let task = RequestRules::default().task(request).unwrap();
        assert_eq!(task.limits.memory_mb, 64);
        assert_eq!(task.files.len(), 2);
    }
}
