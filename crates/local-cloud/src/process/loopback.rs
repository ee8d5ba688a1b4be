//! Switching the loopback interface of a fresh network namespace on.

use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

// From linux/netlink.h, linux/rtnetlink.h and linux/if.h.
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const IFF_UP: u32 = 1;

/// The first interface of every network namespace is its loopback.
const LOOPBACK_INDEX: i32 = 1;

/// `struct nlmsghdr` followed by `struct ifinfomsg`.
const MESSAGE_BYTES: usize = 32;

/// Switches the loopback interface on. Needs the namespace's own network administration right.
pub(crate) fn bring_up() -> io::Result<()> {
    let mut message = Vec::with_capacity(MESSAGE_BYTES);
    message.extend_from_slice(&(MESSAGE_BYTES as u32).to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend_from_slice(&1_u32.to_ne_bytes());
    message.extend_from_slice(&0_u32.to_ne_bytes());
    // Any family, any type.
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&LOOPBACK_INDEX.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());

    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is protocol 0, the default.
        None,
    )?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &message, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 256];
    let (_, length) = recv(&socket, &mut answer, RecvFlags::empty())?;
    error_of(&answer[..length])
}

/// What a `struct nlmsgerr` says.
fn error_of(answer: &[u8]) -> io::Result<()> {
    let odd = || io::Error::other("the kernel's answer about the loopback interface is cut short");
    let kind = answer.get(4..6).ok_or_else(odd)?;
    let code = answer.get(16..20).ok_or_else(odd)?;
    if kind != NLMSG_ERROR.to_ne_bytes() {
        return Err(odd());
    }
    let mut bytes = [0; 4];
    bytes.copy_from_slice(code);
    match i32::from_ne_bytes(bytes) {
        0 => Ok(()),
        negative => Err(io::Error::from_raw_os_error(-negative)),
    }
}
