//! File contents, and the quota they live under.

use bytes::Bytes;

use super::errno::Errno;

/// What the files of an execution may hold. Contents are on the host's heap, so this is what
/// bounds it.
#[derive(Debug)]
pub(crate) struct Quota {
    bytes: u64,
    entries: u32,
}

impl Quota {
    pub(crate) fn new(bytes: u64, entries: u32) -> Self {
        Self { bytes, entries }
    }

    /// Bytes left.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn take_bytes(&mut self, count: u64) -> Result<(), Errno> {
        self.bytes = self.bytes.checked_sub(count).ok_or(Errno::Nospc)?;
        Ok(())
    }

    pub(crate) fn give_bytes(&mut self, count: u64) {
        self.bytes = self.bytes.saturating_add(count);
    }

    pub(crate) fn take_entry(&mut self) -> Result<(), Errno> {
        self.entries = self.entries.checked_sub(1).ok_or(Errno::Nospc)?;
        Ok(())
    }

    pub(crate) fn give_entry(&mut self) {
        self.entries = self.entries.saturating_add(1);
    }
}

/// The bytes of one file. The request's own are shared with it until the guest changes them.
#[derive(Debug)]
pub(crate) enum Content {
    /// As it came with the request.
    Shared(Bytes),
    /// The guest's.
    Owned(Vec<u8>),
}

impl Content {
    pub(crate) fn empty() -> Self {
        Self::Owned(Vec::new())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes.into(),
        }
    }

    /// What there is from `offset` on.
    pub(crate) fn from(&self, offset: u64) -> &[u8] {
        usize::try_from(offset)
            .ok()
            .and_then(|start| self.as_slice().get(start..))
            .unwrap_or_default()
    }

    /// The guest's own copy, taken from the request's when it is first needed.
    fn owned(&mut self) -> &mut Vec<u8> {
        loop {
            match self {
                Self::Shared(bytes) => *self = Self::Owned(bytes.to_vec()),
                Self::Owned(bytes) => return bytes,
            }
        }
    }

    /// Makes the file `len` bytes long, with zeros where there was nothing. A hole is charged like
    /// any other byte.
    pub(crate) fn resize(&mut self, len: u64, quota: &mut Quota) -> Result<(), Errno> {
        let old = self.len();
        let target = usize::try_from(len).map_err(|_| Errno::Fbig)?;
        let more = len.saturating_sub(old);
        quota.take_bytes(more)?;
        let left = quota.bytes_left();
        let bytes = self.owned();
        if target > bytes.capacity() {
            // Doubles like any vector, but never beyond what the quota could fill.
            let spare = u64::min(len, left);
            let room = usize::try_from(more.saturating_add(spare)).map_err(|_| Errno::Fbig)?;
            if bytes.try_reserve_exact(room).is_err() {
                quota.give_bytes(more);
                return Err(Errno::Nospc);
            }
        }
        bytes.resize(target, 0);
        if target < bytes.capacity() / 4 {
            bytes.shrink_to(target * 2);
        }
        quota.give_bytes(old.saturating_sub(len));
        Ok(())
    }

    /// Writes `data` at `offset`, all of it or nothing.
    pub(crate) fn write(
        &mut self,
        offset: u64,
        data: &[u8],
        quota: &mut Quota,
    ) -> Result<(), Errno> {
        if data.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::Fbig)?;
        if end > self.len() {
            self.resize(end, quota)?;
        }
        let start = usize::try_from(offset).map_err(|_| Errno::Fbig)?;
        self.owned()
            .get_mut(start..start + data.len())
            .ok_or(Errno::Fbig)?
            .copy_from_slice(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_charged() {
        let mut quota = Quota::new(1_000, 1);
        let mut content = Content::empty();
        assert_eq!(content.write(1 << 40, b"x", &mut quota), Err(Errno::Nospc));
        assert_eq!(content.write(u64::MAX, b"xx", &mut quota), Err(Errno::Fbig));
        assert_eq!(content.resize(1 << 50, &mut quota), Err(Errno::Nospc));
        assert_eq!((content.len(), quota.bytes_left()), (0, 1_000));
        content.write(899, b"x", &mut quota).unwrap();
        assert_eq!((content.len(), quota.bytes_left()), (900, 100));
        assert_eq!(
            content.write(990, b"too long for it", &mut quota),
            Err(Errno::Nospc)
        );
        content.resize(10, &mut quota).unwrap();
        assert_eq!(quota.bytes_left(), 990);
    }

    #[test]
    fn the_requests_bytes_stay_as_they_were() {
        let mut quota = Quota::new(100, 1);
        let input = Bytes::from_static(b"hello");
        let mut content = Content::Shared(input.clone());
        content.write(0, b"J", &mut quota).unwrap();
        assert_eq!(content.as_slice(), b"Jello");
        assert_eq!(&input[..], b"hello");
        assert_eq!(quota.bytes_left(), 100);
    }

    #[test]
    fn room_kept_for_growth_stays_within_the_quota() {
        let mut quota = Quota::new(1_000, 1);
        let mut content = Content::empty();
        for at in 0..1_000 {
            content.write(at, b"x", &mut quota).unwrap();
        }
        let Content::Owned(bytes) = content else {
            panic!("not owned");
        };
        assert!(bytes.capacity() <= 1_000, "{}", bytes.capacity());
    }
}
