//! WASI's functions on everything that is not a file: clocks, randomness, waiting.

use super::clock::{Clock, Sleep};
use super::errno::Errno;
use super::memory::{
    OutOfBounds, bytes, bytes_mut, offset, read_u32, read_u64, write, write_u32, write_u64,
};
use super::sandgate::no_entropy;
use super::{Fail, Host};

type Done = Result<(), Fail>;

/// The most events that can be waited for at once.
const MAX_EVENTS: u32 = 1_024;

const SUBSCRIPTION_SIZE: u32 = 48;
const EVENT_SIZE: u32 = 32;

/// Arguments and environment come in the request block, not by WASI: there are none.
pub(super) fn nothing(_: &mut Host, memory: &mut [u8], count: u32, size: u32) -> Done {
    write_u32(memory, count, 0)?;
    Ok(write_u32(memory, size, 0)?)
}

pub(super) fn clock_res_get(_: &mut Host, memory: &mut [u8], id: u32, result: u32) -> Done {
    Ok(write_u64(memory, result, Clock::resolution(id)?)?)
}

pub(super) fn clock_time_get(
    host: &mut Host,
    memory: &mut [u8],
    id: u32,
    _precision: u64,
    result: u32,
) -> Done {
    let now = host.clock.read(id)?;
    Ok(write_u64(memory, result, now)?)
}

/// How much [`random_get`] fills before it looks up.
pub(super) const RANDOM_STEP: u32 = 1 << 20;

pub(super) fn random_get(host: &mut Host, memory: &mut [u8], ptr: u32, len: u32) -> Done {
    let buffer = bytes_mut(memory, ptr, len)?;
    // Makes about a byte a nanosecond.
    host.charge(u64::from(len).saturating_mul(4));
    host.entropy.fill(buffer).map_err(no_entropy)
}

/// One thing to wait for.
#[derive(Clone, Copy, Debug)]
enum Subscription {
    /// That many nanoseconds from now.
    Clock(Result<u64, Errno>),
    /// A descriptor, which is ready or wrong at once: nothing here ever blocks.
    Descriptor {
        event: u8,
        bytes: Result<u64, Errno>,
    },
}

/// What a guest waits for: the userdata of each subscription, and what it is.
#[derive(Debug)]
pub(super) struct Poll {
    subscriptions: Vec<(u64, Subscription)>,
    /// How long to wait; 0 where something is ready.
    wait: u64,
}

/// Reads the subscriptions at `input`, and checks that `output` has room for their events.
pub(super) fn subscribe(
    host: &mut Host,
    memory: &mut [u8],
    input: u32,
    output: u32,
    count: u32,
) -> Result<Poll, Fail> {
    if count == 0 || count > MAX_EVENTS {
        return Err(Errno::Inval.into());
    }
    bytes(memory, output, count * EVENT_SIZE)?;
    host.charge(u64::from(count) * 100);
    let mut poll = Poll {
        subscriptions: Vec::with_capacity(count as usize),
        wait: u64::MAX,
    };
    for index in 0..count {
        let at = offset(input, index * SUBSCRIPTION_SIZE)?;
        let userdata = read_u64(memory, at)?;
        let subscription = read_subscription(host, memory, at)?;
        poll.wait = match subscription {
            Subscription::Clock(Ok(left)) => poll.wait.min(left),
            Subscription::Clock(Err(_)) | Subscription::Descriptor { .. } => 0,
        };
        poll.subscriptions.push((userdata, subscription));
    }
    Ok(poll)
}

fn read_subscription(host: &Host, memory: &[u8], at: u32) -> Result<Subscription, Fail> {
    let field = |by| offset(at, by);
    let [tag] = *bytes(memory, field(8)?, 1)?
        .first_chunk()
        .ok_or(OutOfBounds)?;
    match tag {
        0 => {
            let id = read_u32(memory, field(16)?)?;
            let timeout = read_u64(memory, field(24)?)?;
            let absolute = read_u32(memory, field(40)?)? & 1 != 0;
            Ok(Subscription::Clock(host.clock.left(id, timeout, absolute)))
        }
        1 | 2 => {
            let fd = read_u32(memory, field(16)?)?;
            let ready = host.files.get(fd).map(|descriptor| {
                let length = host.files.stdin.len() as u64;
                length.saturating_sub(descriptor.position)
            });
            Ok(Subscription::Descriptor {
                event: tag,
                bytes: ready,
            })
        }
        _ => Err(Errno::Inval.into()),
    }
}

impl Poll {
    /// Starts the wait.
    pub(super) fn start(&self, host: &mut Host) -> Sleep {
        host.clock.sleep(self.wait)
    }

    /// Writes the events of what came to pass.
    pub(super) fn finish(&self, memory: &mut [u8], output: u32, result: u32) -> Done {
        let mut written = 0_u32;
        for (userdata, subscription) in &self.subscriptions {
            let (event, outcome) = match *subscription {
                Subscription::Clock(Ok(left)) if left > self.wait => continue,
                Subscription::Clock(left) => (0, left.map(|_| 0)),
                Subscription::Descriptor { event, bytes } => (event, bytes),
            };
            let mut record = [0_u8; EVENT_SIZE as usize];
            record[..8].copy_from_slice(&userdata.to_le_bytes());
            record[10] = event;
            match outcome {
                Ok(bytes) => record[16..24].copy_from_slice(&bytes.to_le_bytes()),
                Err(errno) => record[8..10].copy_from_slice(&(errno as u16).to_le_bytes()),
            }
            write(memory, offset(output, written * EVENT_SIZE)?, &record)?;
            written += 1;
        }
        Ok(write_u32(memory, result, written)?)
    }
}
