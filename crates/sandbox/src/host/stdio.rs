//! What a guest prints: taken from the stdio block in its own memory (ABI.md), kept up to the limit,
//! and passed on while it runs.

use bytes::Bytes;
use sandgate_core::OutputStream;

use super::memory::{self, OutOfBounds};

/// Bytes from one stream's part of the block to the next.
const STREAM_SIZE: u32 = 16;
const CAPACITY: u32 = 4;
const LEN: u32 = 8;

/// The address of the stdio block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StdioBlock(pub(crate) u32);

impl StdioBlock {
    fn stream(self, stream: OutputStream) -> Result<u32, OutOfBounds> {
        match stream {
            OutputStream::Stdout => Ok(self.0),
            OutputStream::Stderr => memory::offset(self.0, STREAM_SIZE),
        }
    }

    /// Hands the bytes waiting in `stream` to `take` and marks them as taken. Nothing is called
    /// when none wait.
    ///
    /// The block is the guest's to overwrite: one that names memory the guest does not have, or
    /// more bytes than its buffer holds, is an error.
    pub(crate) fn drain(
        self,
        memory: &mut [u8],
        stream: OutputStream,
        take: impl FnOnce(&[u8]),
    ) -> Result<(), OutOfBounds> {
        let at = self.stream(stream)?;
        let len_at = memory::offset(at, LEN)?;
        let len = memory::read_u32(memory, len_at)?;
        if len == 0 {
            return Ok(());
        }
        let data = memory::read_u32(memory, at)?;
        let capacity = memory::read_u32(memory, memory::offset(at, CAPACITY)?)?;
        if len > capacity {
            return Err(OutOfBounds);
        }
        take(memory::bytes(memory, data, len)?);
        memory::write_u32(memory, len_at, 0)
    }
}

/// One stream's printed bytes.
#[derive(Debug, Default)]
struct Printed {
    kept: Vec<u8>,
    /// How many of them were passed on.
    passed_on: usize,
    truncated: bool,
}

/// What a guest has printed.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: Printed,
    stderr: Printed,
    limit: usize,
}

impl Output {
    /// Keeps `limit` bytes of each stream.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            stdout: Printed::default(),
            stderr: Printed::default(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    /// Takes the next bytes of `stream`.
    pub(crate) fn push(&mut self, stream: OutputStream, bytes: &[u8]) {
        let limit = self.limit;
        let printed = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        let room = limit.saturating_sub(printed.kept.len());
        match bytes.get(..room) {
            Some(fits) if bytes.len() > room => {
                printed.kept.extend_from_slice(fits);
                printed.truncated = true;
            }
            Some(_) | None => printed.kept.extend_from_slice(bytes),
        }
    }

    /// Takes everything that waits in the stdio block.
    pub(crate) fn drain(
        &mut self,
        block: StdioBlock,
        memory: &mut [u8],
    ) -> Result<(), OutOfBounds> {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            block.drain(memory, stream, |bytes| self.push(stream, bytes))?;
        }
        Ok(())
    }

    /// Whether more was printed than is kept.
    pub(crate) fn over_limit(&self) -> bool {
        self.stdout.truncated || self.stderr.truncated
    }

    /// Passes on what is new.
    pub(crate) fn pass_on(&mut self, sink: &mut dyn FnMut(OutputStream, &[u8])) {
        for (stream, printed) in [
            (OutputStream::Stdout, &mut self.stdout),
            (OutputStream::Stderr, &mut self.stderr),
        ] {
            match printed.kept.get(printed.passed_on..) {
                Some(new) if !new.is_empty() => {
                    sink(stream, new);
                    printed.passed_on = printed.kept.len();
                }
                Some(_) | None => {}
            }
        }
    }

    /// The kept bytes of stdout and stderr, each with whether there was more.
    pub(crate) fn into_parts(self) -> [(Bytes, bool); 2] {
        [self.stdout, self.stderr].map(|printed| (printed.kept.into(), printed.truncated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: [u32; 3]) -> Vec<u8> {
        let mut memory = vec![0; 256];
        for (index, value) in (0u32..).zip(fields) {
            memory::write_u32(&mut memory, 16 + 4 * index, value).unwrap();
        }
        memory
    }

    fn drain(memory: &mut [u8]) -> Result<Vec<u8>, OutOfBounds> {
        let mut taken = Vec::new();
        StdioBlock(16)
            .drain(memory, OutputStream::Stdout, |bytes| {
                taken.extend_from_slice(bytes)
            })
            .map(|()| taken)
    }

    #[test]
    fn takes_what_waits_once() {
        let mut memory = block([100, 50, 5]);
        memory[100..105].copy_from_slice(b"hello");
        assert_eq!(drain(&mut memory), Ok(b"hello".to_vec()));
        assert_eq!(drain(&mut memory), Ok(Vec::new()));
    }

    #[test]
    fn a_lying_block_is_refused() {
        for fields in [
            [100, 4, 5],
            [250, 50, 10],
            [u32::MAX, u32::MAX, u32::MAX],
            [u32::MAX - 2, 50, 5],
            [0, u32::MAX, 257],
        ] {
            assert_eq!(drain(&mut block(fields)), Err(OutOfBounds), "{fields:?}");
        }
        for address in [245, 256, u32::MAX, u32::MAX - 8] {
            let lost = StdioBlock(address).drain(&mut [0; 256], OutputStream::Stderr, |_| {});
            assert_eq!(lost, Err(OutOfBounds), "{address}");
        }
    }

    #[test]
    fn exactly_the_limit_is_kept() {
        let mut output = Output::new(5);
        output.push(OutputStream::Stdout, b"hello");
        assert!(!output.over_limit());
        output.push(OutputStream::Stderr, b"hello, world");
        assert!(output.over_limit());
        let mut seen = Vec::new();
        output.pass_on(&mut |stream, bytes| seen.push((stream, bytes.to_vec())));
        output.pass_on(&mut |_, _| panic!("passed on twice"));
        assert_eq!(seen.len(), 2);
        let [stdout, stderr] = output.into_parts();
        assert_eq!(stdout, (Bytes::from_static(b"hello"), false));
        assert_eq!(stderr, (Bytes::from_static(b"hello"), true));
    }
}
