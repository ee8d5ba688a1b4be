//! The system calls a child may make.
//!
//! Two filters. The first is an allow-list, so that what a future kernel adds does not exist here:
//! any other call fails as on a kernel that lacks it (`ENOSYS`), which libraries are made to deal
//! with. The second refuses what exists but reaches beyond the child (`EPERM`).

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Applies both filters to this process, which is `pid`. Processes in `spared` cannot be signalled.
pub(super) fn apply(pid: u32, spared: &[u32]) -> io::Result<()> {
    let broken = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("cannot filter system calls: {error}"))
    };
    let known = compile(
        known_calls().map_err(|error| broken(&error))?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
    )
    .map_err(|error| broken(&error))?;
    let refused = compile(
        refused_calls(pid, spared).map_err(|error| broken(&error))?,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
    )
    .map_err(|error| broken(&error))?;
    // The second first: installing one is itself a call that the first does not know.
    for program in [&refused, &known] {
        seccompiler::apply_filter(program).map_err(|error| broken(&error))?;
    }
    Ok(())
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

/// Calls that exist. What they may be used for is for [`refused_calls`] and the kernel to say.
fn known_calls() -> Result<Rules, BackendError> {
    let mut rules: Rules = CALLS
        .iter()
        .chain(OLD_CALLS)
        .map(|call| (*call, Vec::new()))
        .collect();
    // Pairs that are connected from birth: event loops wake themselves through them. Datagram
    // sockets could be connected elsewhere later.
    rules.insert(
        libc::SYS_socketpair,
        vec![SeccompRule::new(vec![
            is(0, SeccompCmpOp::Eq, libc::AF_UNIX as u32)?,
            is(1, SeccompCmpOp::MaskedEq(0xf), libc::SOCK_STREAM as u32)?,
        ])?],
    );
    // Processes and threads, but no namespaces, and no siblings.
    let elsewhere = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PARENT
        | libc::CLONE_PTRACE;
    rules.insert(
        libc::SYS_clone,
        vec![SeccompRule::new(vec![is(
            0,
            SeccompCmpOp::MaskedEq(u64::from(elsewhere as u32)),
            0,
        )?])?],
    );
    Ok(rules)
}

fn refused_calls(pid: u32, spared: &[u32]) -> Result<Rules, BackendError> {
    use SeccompCmpOp::{Eq, Gt, Lt, Ne};
    let mut rules = Rules::new();
    let mut refuse = |call: i64, conditions: Vec<SeccompCondition>| {
        let rules = rules.entry(call).or_default();
        // A call without conditions is one without rules.
        if !conditions.is_empty() {
            rules.push(SeccompRule::new(conditions)?);
        }
        Ok::<_, BackendError>(())
    };
    refuse(libc::SYS_socket, Vec::new())?;
    // Processes older than this one: the runner, its threads and the zygotes among them. A group
    // is addressed by its negative number. Numbers that came round are in `spared`.
    for call in [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
    ] {
        refuse(call, vec![is(0, Gt, 0)?, is(0, Lt, pid)?])?;
        refuse(call, vec![is(0, Gt, pid.wrapping_neg())?])?;
        for other in spared {
            refuse(call, vec![is(0, Eq, *other)?])?;
            refuse(call, vec![is(0, Eq, other.wrapping_neg())?])?;
        }
    }
    // The second argument names the thread, which need not be of the process that the first names.
    refuse(libc::SYS_tgkill, vec![is(1, Gt, 0)?, is(1, Lt, pid)?])?;
    refuse(
        libc::SYS_rt_tgsigqueueinfo,
        vec![is(1, Gt, 0)?, is(1, Lt, pid)?],
    )?;
    // Limits, priority and processors of others of the same user.
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        refuse(call, vec![is(0, Ne, 0)?, is(0, Ne, pid)?])?;
    }
    refuse(libc::SYS_setpriority, vec![is(0, Ne, 0)?])?;
    refuse(libc::SYS_setpriority, vec![is(1, Ne, 0)?, is(1, Ne, pid)?])?;
    // A descriptor's signals could be sent to anybody of the same user.
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
        refuse(libc::SYS_fcntl, vec![is(1, Eq, command as u32)?])?;
    }
    for command in [FIOSETOWN, SIOCSPGRP, libc::TIOCSTI as u32] {
        refuse(libc::SYS_ioctl, vec![is(1, Eq, command)?])?;
    }
    Ok(rules)
}

const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: u32 = 0x8901;
const SIOCSPGRP: u32 = 0x8902;

/// The lower half of an argument: what the kernel looks at in a C `int`.
fn is(index: u8, operator: SeccompCmpOp, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value.into())
}

/// Calls of every architecture.
#[rustfmt::skip]
const CALLS: &[i64] = &[
    // Files and folders.
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_close, libc::SYS_close_range, libc::SYS_read,
    libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_lseek,
    libc::SYS_sendfile, libc::SYS_copy_file_range, libc::SYS_splice, libc::SYS_tee,
    libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2,
    libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_fchmod, libc::SYS_fchmodat,
    libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat, libc::SYS_truncate,
    libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fadvise64, libc::SYS_fsync,
    libc::SYS_fdatasync, libc::SYS_flock, libc::SYS_umask,
    libc::SYS_getcwd, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_getxattr, libc::SYS_lgetxattr,
    libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr,
    libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr,
    libc::SYS_lremovexattr, libc::SYS_fremovexattr, libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch,
    // Descriptors, pipes, and pairs of sockets.
    libc::SYS_dup, libc::SYS_dup3, libc::SYS_fcntl, libc::SYS_ioctl, libc::SYS_pipe2,
    libc::SYS_vmsplice, libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2,
    libc::SYS_signalfd4, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime, libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg,
    libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt, libc::SYS_setsockopt,
    libc::SYS_socket,
    // Memory.
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise,
    libc::SYS_brk, libc::SYS_msync, libc::SYS_mincore, libc::SYS_mlock, libc::SYS_mlock2,
    libc::SYS_munlock, libc::SYS_membarrier, libc::SYS_get_mempolicy, libc::SYS_getcpu,
    // Processes and threads.
    libc::SYS_execve, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_wait4, libc::SYS_waitid,
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getpgid, libc::SYS_setpgid,
    libc::SYS_getsid, libc::SYS_setsid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups,
    libc::SYS_capget, libc::SYS_futex, libc::SYS_set_tid_address, libc::SYS_set_robust_list,
    libc::SYS_get_robust_list, libc::SYS_rseq, libc::SYS_prctl, libc::SYS_prlimit64,
    libc::SYS_getrusage, libc::SYS_times, libc::SYS_getpriority, libc::SYS_setpriority,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_sched_getscheduler, libc::SYS_sched_setscheduler, libc::SYS_sched_getparam,
    libc::SYS_sched_setparam, libc::SYS_sched_getattr, libc::SYS_sched_setattr,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min,
    // Signals.
    libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending, libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait, libc::SYS_sigaltstack, libc::SYS_restart_syscall,
    // Time, and what the system is.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep, libc::SYS_gettimeofday, libc::SYS_getitimer, libc::SYS_setitimer,
    libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete, libc::SYS_getrandom, libc::SYS_uname,
    libc::SYS_sysinfo,
];

/// Calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLD_CALLS: &[i64] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access,
    libc::SYS_readlink, libc::SYS_getdents, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink,
    libc::SYS_rename, libc::SYS_renameat, libc::SYS_sync_file_range, libc::SYS_link, libc::SYS_symlink, libc::SYS_chmod, libc::SYS_chown,
    libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_dup2,
    libc::SYS_pipe, libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_create,
    libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_inotify_init,
    libc::SYS_fork, libc::SYS_vfork, libc::SYS_getpgrp, libc::SYS_getrlimit, libc::SYS_setrlimit,
    libc::SYS_alarm, libc::SYS_pause, libc::SYS_time, libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[i64] = &[];
