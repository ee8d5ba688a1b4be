//! Worker processes: the walls round them, the pool that keeps them, and what it does with hostile
//! ones.
//!
//! This binary is its own worker: started with a role as its first argument, it plays that role
//! instead of running tests. That is why it has a harness of its own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy does not take a harness of one's own for a test"
)]

#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod life;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod support;
#[cfg(target_os = "linux")]
mod walls;

#[cfg(target_os = "linux")]
use libtest_mimic::Arguments;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["role=worker"] => return sandgate_sandbox::worker_main(),
        ["role=hostile", act] => return hostile::play(act),
        ["role=attack", attack, walls, secret, port] => {
            return walls::attack(attack, walls, secret, port);
        }
        ["role=forsake", walls] => return walls::forsake(walls),
        ["role=linger", walls] => return walls::linger(walls),
        _ => {}
    }
    let mut trials = walls::trials();
    trials.extend(pool::trials());
    trials.extend(life::trials());
    trials.extend(hostile::trials());

    // The standard harness takes any number of filters, this one only one.
    let filters = args.iter().take_while(|arg| !arg.starts_with('-')).count();
    let (filters, flags) = args.split_at(filters);
    let mut arguments = Arguments::from_iter(std::iter::once(&"workers").chain(flags));
    if !filters.is_empty() {
        trials.retain(|trial| {
            filters.iter().any(|filter| {
                arguments.filter = Some((*filter).to_owned());
                !arguments.is_filtered_out(trial)
            })
        });
        arguments.filter = None;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
