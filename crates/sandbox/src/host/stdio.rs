//! The stdio block: where a guest's printed text waits in its own memory (ABI.md).

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
}
