//! The system calls a worker may make.
//!
//! An allow-list, so that what a future kernel adds is denied. Any other call kills the process;
//! its parent sees a worker that died by SIGSYS.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::SandboxError;
use crate::runner::PAGEMAP_SCAN;

/// Applies the filter to this process.
pub(super) fn apply() -> Result<(), SandboxError> {
    let broken = |error: &dyn std::error::Error| {
        SandboxError::Worker(format!("cannot filter its system calls: {error}"))
    };
    let program = program().map_err(|error| broken(&error))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| broken(&error))
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(
        rules()?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    // Waiting, memory, time, signals of its own, and the end.
    let whole = [
        libc::SYS_ppoll,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_getrandom,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_exit,
        libc::SYS_exit_group,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
        // Not in the kernel's virtual object on every clock source.
        #[cfg(target_arch = "x86_64")]
        libc::SYS_gettimeofday,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        whole.into_iter().map(|call| (call, Vec::new())).collect();
    let mut when = |call, conditions: &[SeccompCondition]| {
        let rule = SeccompRule::new(conditions.to_vec())?;
        rules.entry(call).or_default().push(rule);
        Ok::<_, seccompiler::BackendError>(())
    };

    // The socket; and the pipe, for the message of a panic.
    when(libc::SYS_recvfrom, &[equals(0, 0)?])?;
    when(libc::SYS_sendto, &[equals(0, 0)?])?;
    when(libc::SYS_write, &[equals(0, 2)?])?;
    // Memory, but none that can be executed: all the code there will ever be is mapped.
    when(libc::SYS_mmap, &[lacks(2, libc::PROT_EXEC)?])?;
    when(libc::SYS_mprotect, &[lacks(2, libc::PROT_EXEC)?])?;
    // To learn which pages a guest has touched. Nothing else may be controlled.
    when(libc::SYS_ioctl, &[equals(1, u64::from(PAGEMAP_SCAN))?])?;
    // How many page faults the thread itself had.
    let this_thread = u64::from(libc::RUSAGE_THREAD.unsigned_abs());
    when(libc::SYS_getrusage, &[equals(0, this_thread)?])?;
    // Aborting: a signal to itself. Numbers of processes are positive.
    let this = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let abort = u64::from(libc::SIGABRT.unsigned_abs());
    when(libc::SYS_tgkill, &[equals(0, this)?, equals(2, abort)?])?;
    Ok(rules)
}

/// The lower half of argument `index` is `value`: what the kernel looks at in a C `int`.
fn equals(index: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// Argument `index` has none of the bits of `flag`.
fn lacks(index: u8, flag: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    let flag = u64::from(flag.unsigned_abs());
    SeccompCondition::new(
        index,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(flag),
        0,
    )
}
