//! Checked access to a guest's linear memory.
//!
//! Every pointer and length comes from the guest, so nothing here trusts one: arithmetic is
//! checked, and what does not lie within the memory is [`OutOfBounds`].

/// A guest named memory it does not have. Ends the execution as crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pointer or length is outside the guest's memory")]
pub(crate) struct OutOfBounds;

fn range(memory: &[u8], ptr: u32, len: u32) -> Result<std::ops::Range<usize>, OutOfBounds> {
    let start = usize::try_from(ptr).map_err(|_| OutOfBounds)?;
    let len = usize::try_from(len).map_err(|_| OutOfBounds)?;
    let end = start.checked_add(len).ok_or(OutOfBounds)?;
    if end > memory.len() {
        return Err(OutOfBounds);
    }
    Ok(start..end)
}

/// The `len` bytes at `ptr`.
pub(crate) fn bytes(memory: &[u8], ptr: u32, len: u32) -> Result<&[u8], OutOfBounds> {
    let range = range(memory, ptr, len)?;
    memory.get(range).ok_or(OutOfBounds)
}

/// The `len` bytes at `ptr`, for writing.
pub(crate) fn bytes_mut(memory: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8], OutOfBounds> {
    let range = range(memory, ptr, len)?;
    memory.get_mut(range).ok_or(OutOfBounds)
}

fn array<const N: usize>(memory: &[u8], ptr: u32) -> Result<[u8; N], OutOfBounds> {
    let start = usize::try_from(ptr).map_err(|_| OutOfBounds)?;
    memory
        .get(start..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .ok_or(OutOfBounds)
}

/// The little-endian `u32` at `ptr`.
pub(crate) fn read_u32(memory: &[u8], ptr: u32) -> Result<u32, OutOfBounds> {
    array(memory, ptr).map(u32::from_le_bytes)
}

/// The little-endian `u64` at `ptr`.
pub(crate) fn read_u64(memory: &[u8], ptr: u32) -> Result<u64, OutOfBounds> {
    array(memory, ptr).map(u64::from_le_bytes)
}

/// Writes `data` at `ptr`.
pub(crate) fn write(memory: &mut [u8], ptr: u32, data: &[u8]) -> Result<(), OutOfBounds> {
    let len = u32::try_from(data.len()).map_err(|_| OutOfBounds)?;
    bytes_mut(memory, ptr, len)?.copy_from_slice(data);
    Ok(())
}

/// Writes a `u32` at `ptr`.
pub(crate) fn write_u32(memory: &mut [u8], ptr: u32, value: u32) -> Result<(), OutOfBounds> {
    write(memory, ptr, &value.to_le_bytes())
}

/// Writes a `u64` at `ptr`.
pub(crate) fn write_u64(memory: &mut [u8], ptr: u32, value: u64) -> Result<(), OutOfBounds> {
    write(memory, ptr, &value.to_le_bytes())
}

/// `ptr + offset`, where that is still an address.
pub(crate) fn offset(ptr: u32, offset: u32) -> Result<u32, OutOfBounds> {
    ptr.checked_add(offset).ok_or(OutOfBounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_ends_at_the_end_of_memory() {
        let mut memory = vec![0; 64];
        assert_eq!(bytes(&memory, 60, 4).map(<[u8]>::len), Ok(4));
        assert_eq!(bytes(&memory, 64, 0).map(<[u8]>::len), Ok(0));
        for (ptr, len) in [
            (61, 4),
            (65, 0),
            (0, 65),
            (u32::MAX, u32::MAX),
            (1, u32::MAX),
        ] {
            assert_eq!(bytes(&memory, ptr, len), Err(OutOfBounds), "{ptr} {len}");
            assert_eq!(bytes_mut(&mut memory, ptr, len), Err(OutOfBounds));
        }
        assert_eq!(read_u32(&memory, 60), Ok(0));
        assert_eq!(read_u32(&memory, 61), Err(OutOfBounds));
        assert_eq!(read_u64(&memory, u32::MAX), Err(OutOfBounds));
        assert_eq!(write_u64(&mut memory, 57, 1), Err(OutOfBounds));
        assert_eq!(offset(u32::MAX, 1), Err(OutOfBounds));
    }
}
