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

    /// The bytes waiting in `stream` from the `from`th on.
    ///
    /// The block is the guest's to overwrite: one that names memory the guest does not have, or
    /// more bytes than its buffer holds, is an error.
    pub(crate) fn waiting(
        self,
        memory: &[u8],
        stream: OutputStream,
        from: u32,
    ) -> Result<&[u8], OutOfBounds> {
        let at = self.stream(stream)?;
        let len = memory::read_u32(memory, memory::offset(at, LEN)?)?;
        let Some(new @ 1..) = len.checked_sub(from) else {
            return Ok(&[]);
        };
        let data = memory::read_u32(memory, at)?;
        let capacity = memory::read_u32(memory, memory::offset(at, CAPACITY)?)?;
        if len > capacity {
            return Err(OutOfBounds);
        }
        memory::bytes(memory, memory::offset(data, from)?, new)
    }

    /// Tells the guest that its buffer of `stream` is empty. Only while the guest calls for just
    /// that: between any other two of its instructions it may be about to append.
    pub(crate) fn empty(self, memory: &mut [u8], stream: OutputStream) -> Result<(), OutOfBounds> {
        memory::write_u32(memory, memory::offset(self.stream(stream)?, LEN)?, 0)
    }
}

/// One stream's printed bytes.
#[derive(Debug, Default)]
struct Printed {
    kept: Vec<u8>,
    /// How many bytes of the guest's buffer are among them.
    taken: u32,
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
        let printed = self.printed(stream);
        let room = limit.saturating_sub(printed.kept.len());
        match bytes.get(..room) {
            Some(fits) if bytes.len() > room => {
                printed.kept.extend_from_slice(fits);
                printed.truncated = true;
            }
            Some(_) | None => printed.kept.extend_from_slice(bytes),
        }
    }

    /// Takes what is new in the stdio block, and leaves the block as it is: the guest may be in the
    /// middle of an append.
    pub(crate) fn drain(&mut self, block: StdioBlock, memory: &[u8]) -> Result<(), OutOfBounds> {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            self.take(block, memory, stream)?;
        }
        Ok(())
    }

    /// Takes what is new in the guest's buffer of `stream` and empties the buffer. For the guest's
    /// own writes past it.
    pub(crate) fn empty(
        &mut self,
        block: StdioBlock,
        memory: &mut [u8],
        stream: OutputStream,
    ) -> Result<(), OutOfBounds> {
        self.take(block, memory, stream)?;
        self.printed(stream).taken = 0;
        block.empty(memory, stream)
    }

    fn take(
        &mut self,
        block: StdioBlock,
        memory: &[u8],
        stream: OutputStream,
    ) -> Result<(), OutOfBounds> {
        let new = block.waiting(memory, stream, self.printed(stream).taken)?;
        self.push(stream, new);
        let taken = &mut self.printed(stream).taken;
        *taken = taken.saturating_add(u32::try_from(new.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    fn printed(&mut self, stream: OutputStream) -> &mut Printed {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
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

    fn printed(output: Output) -> Vec<u8> {
        let [(stdout, _), _] = output.into_parts();
        stdout.into()
    }

    #[test]
    fn takes_what_waits_once() {
        let mut memory = block([100, 50, 5]);
        memory[100..105].copy_from_slice(b"hello");
        let mut output = Output::new(100);
        for _ in 0..2 {
            output.drain(StdioBlock(16), &memory).unwrap();
        }
        assert_eq!(printed(output), b"hello");
    }

    #[test]
    fn a_look_in_the_middle_of_an_append_tears_nothing() {
        let mut memory = block([100, 50, 5]);
        memory[100..105].copy_from_slice(b"hello");
        let mut output = Output::new(100);
        // The guest has read the length, and is looked at before it writes behind it.
        output.drain(StdioBlock(16), &memory).unwrap();
        memory[105..111].copy_from_slice(b" world");
        memory::write_u32(&mut memory, 16 + LEN, 11).unwrap();
        output
            .empty(StdioBlock(16), &mut memory, OutputStream::Stdout)
            .unwrap();
        assert_eq!(memory::read_u32(&memory, 16 + LEN), Ok(0));
        // Emptied by its own call, it starts again at the front.
        memory[100] = b'!';
        memory::write_u32(&mut memory, 16 + LEN, 1).unwrap();
        output.drain(StdioBlock(16), &memory).unwrap();
        assert_eq!(printed(output), b"hello world!");
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
            let lie = Output::new(9).drain(StdioBlock(16), &block(fields));
            assert_eq!(lie, Err(OutOfBounds), "{fields:?}");
        }
        for address in [245, 256, u32::MAX, u32::MAX - 8] {
            let lost = Output::new(9).drain(StdioBlock(address), &[0; 256]);
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
