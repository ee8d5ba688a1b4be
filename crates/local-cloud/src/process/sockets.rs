//! Sockets that are opened inside an environment and used outside.
//!
//! An environment has a network namespace of its own, so nothing of this machine is reachable in
//! it. A socket belongs to the namespace it was made in, whoever holds it: the shim listens inside
//! and hands the listening sockets out. No relay, no privileges, and no way in or out but these.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;

/// Most sockets that are handed over: the Runtime API and S3.
pub(crate) const MAX_SOCKETS: usize = 2;

/// Most bytes of a reason that the shim gives.
const MAX_REASON: usize = 4096;

/// What comes with the sockets.
const SOCKETS: &[u8] = b"sockets";

/// The outer end of the channel to a shim.
#[derive(Debug)]
pub(crate) struct Handover {
    channel: tokio::net::UnixStream,
}

impl Handover {
    /// Both ends; the second is the shim's standard input.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (outer, inner) = UnixStream::pair()?;
        outer.set_nonblocking(true)?;
        let channel = tokio::net::UnixStream::from_std(outer)?;
        Ok((Self { channel }, inner.into()))
    }

    /// Takes the sockets, in the order of the ports that the shim was given.
    pub(crate) async fn receive(&self, count: usize) -> Result<Vec<TcpListener>, HandoverError> {
        let (text, sockets) = loop {
            self.channel.readable().await?;
            match self
                .channel
                .try_io(Interest::READABLE, || receive_once(self.channel.as_fd()))
            {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => break other?,
            }
        };
        if text.is_empty() {
            return Err(HandoverError::Nothing);
        }
        if text.as_bytes() != SOCKETS || sockets.len() != count {
            return Err(HandoverError::Reason(text));
        }
        Ok(sockets.into_iter().map(TcpListener::from).collect())
    }

    /// Why the shim, after it handed the sockets out, could not become the entry point. The
    /// channel stays open when it could: the processes around it hold it too.
    pub(crate) fn reason(&self) -> Option<String> {
        let mut text = [0; MAX_REASON];
        match self.channel.try_read(&mut text) {
            Ok(1..) => {
                let end = text
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(MAX_REASON);
                Some(String::from_utf8_lossy(&text[..end]).into_owned())
            }
            Ok(0) | Err(_) => None,
        }
    }
}

/// Why an environment did not get as far as its entry point.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    /// The shim ended, or was never started.
    #[error("it ended before it opened its sockets")]
    Nothing,
    /// The shim says why it could not go on.
    #[error("{0}")]
    Reason(String),
    /// The channel failed.
    #[error("cannot talk to it: {0}")]
    Channel(#[from] io::Error),
}

fn receive_once(channel: BorrowedFd<'_>) -> io::Result<(String, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut text = [0; MAX_REASON];
    let message = recvmsg(
        channel,
        &mut [IoSliceMut::new(&mut text)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            sockets.extend(files);
        }
    }
    let text = String::from_utf8_lossy(&text[..message.bytes]).into_owned();
    Ok((text, sockets))
}

/// The shim's half: hands these sockets out.
pub(crate) fn send(channel: BorrowedFd<'_>, sockets: &[TcpListener]) -> io::Result<()> {
    let files: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("more sockets than expected"));
    }
    sendmsg(
        channel,
        &[IoSlice::new(SOCKETS)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}
