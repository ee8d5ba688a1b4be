//! From a request to a task: every rule a request can break, all reported at once.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ExecuteRequest, LimitPolicy, Task, TaskFile, check_relative_path};

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
}

impl Default for RequestRules {
    /// 1 MiB of code, 16 MiB of stdin, 1,024 arguments or variables of 128 KiB together.
    fn default() -> Self {
        Self {
            limits: LimitPolicy::default(),
            code_bytes: 1 << 20,
            stdin_bytes: 16 << 20,
            strings: 1_024,
            strings_bytes: 128 << 10,
        }
    }
}

impl RequestRules {
    /// Checks `request` and turns it into the task an executor receives.
    ///
    /// # Errors
    /// Names every field that breaks a rule.
    pub fn task(&self, request: ExecuteRequest) -> Result<Task, InvalidRequest> {
        let mut errors = Vec::new();
        if request.code.trim().is_empty() {
            errors.push(FieldError::new("code", "must not be empty"));
        }
        self.at_most(
            "code",
            request.code.len(),
            self.code_bytes,
            "bytes",
            &mut errors,
        );
        self.at_most(
            "stdin",
            request.stdin.len(),
            self.stdin_bytes,
            "bytes",
            &mut errors,
        );
        if request.code.contains('\0') {
            errors.push(FieldError::new("code", "must not contain NUL characters"));
        }
        self.strings("args", request.args.iter().map(String::len), &mut errors);
        for (i, arg) in request.args.iter().enumerate() {
            if arg.contains('\0') {
                errors.push(FieldError::new(
                    format!("args[{i}]"),
                    "must not contain NUL characters",
                ));
            }
        }
        self.strings(
            "env",
            request.env.iter().map(|(k, v)| k.len() + v.len() + 1),
            &mut errors,
        );
        for (name, value) in &request.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                errors.push(FieldError::new(
                    format!("env[{name:?}]"),
                    "a variable's name must not be empty or contain `=` or NUL characters",
                ));
            }
            if value.contains('\0') {
                errors.push(FieldError::new(
                    format!("env[{name:?}]"),
                    "must not contain NUL characters",
                ));
            }
        }
        let limits = self.limits.grant(&request.limits, &mut errors);
        self.files(&request, &limits, &mut errors);
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

    fn at_most(
        &self,
        field: &str,
        value: usize,
        maximum: usize,
        unit: &str,
        errors: &mut Vec<FieldError>,
    ) {
        if value > maximum {
            errors.push(FieldError::new(
                field,
                format!("has {value} {unit}, at most {maximum} are allowed"),
            ));
        }
    }

    fn strings(
        &self,
        field: &str,
        lengths: impl ExactSizeIterator<Item = usize>,
        errors: &mut Vec<FieldError>,
    ) {
        self.at_most(field, lengths.len(), self.strings, "entries", errors);
        self.at_most(field, lengths.sum(), self.strings_bytes, "bytes", errors);
    }

    fn files(
        &self,
        request: &ExecuteRequest,
        limits: &crate::Limits,
        errors: &mut Vec<FieldError>,
    ) {
        self.at_most(
            "files",
            request.files.len(),
            limits.files as usize,
            "entries",
            errors,
        );
        let bytes: u64 = request
            .files
            .iter()
            .map(|file| file.content.len() as u64)
            .sum();
        if bytes > limits.file_bytes {
            errors.push(FieldError::new(
                "files",
                format!(
                    "have {bytes} bytes together, at most {} are allowed",
                    limits.file_bytes
                ),
            ));
        }
        let mut seen = BTreeSet::new();
        let mut parents = BTreeSet::new();
        for (i, file) in request.files.iter().enumerate() {
            let field = || format!("files[{i}].path");
            if let Err(error) = check_relative_path(&file.path) {
                errors.push(FieldError::new(field(), error.to_string()));
                continue;
            }
            if !seen.insert(file.path.as_str()) {
                errors.push(FieldError::new(
                    field(),
                    format!("`{}` is there twice", file.path),
                ));
            }
            for (at, _) in file.path.match_indices('/') {
                parents.insert(&file.path[..at]);
            }
        }
        for both in seen.intersection(&parents) {
            errors.push(FieldError::new(
                "files",
                format!("`{both}` cannot be a file and a directory at once"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InputFile;

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
    fn a_good_request_becomes_a_task() {
        let mut request = ExecuteRequest::python("print(1)");
        request.files = vec![file("data/a.csv"), file("data/b.csv")];
        request.limits.memory_mb = Some(64);
        let task = RequestRules::default().task(request).unwrap();
        assert_eq!(task.limits.memory_mb, 64);
        assert_eq!(task.files.len(), 2);
    }
}
