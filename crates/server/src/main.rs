//! The `sandgate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The local cloud starts this program inside a function's environment: nothing may come first.
    sandgate_local_cloud::run_shim_if_asked();
    // What is not UTF-8 cannot be a setting or an argument of ours; paths that are not are named
    // by relative ones.
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let args = std::env::args_os().map(text).collect();
    let environment = std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    sandgate_server::run::main(args, &environment)
}
