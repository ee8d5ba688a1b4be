//! Random bytes for guests.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// Separates this use of a caller's seed from any other.
const SEED_CONTEXT: &str = "sandgate 2026-01 guest entropy from a caller's seed";

enum State {
    /// Not asked yet: most executions never ask.
    Host,
    Seed(u64),
    Started(Box<ChaCha20Rng>),
}

/// An execution's source of random bytes: a ChaCha20 stream, keyed by the host's entropy, or by
/// the caller's seed (`BLAKE3.derive_key` of its 8 bytes, little-endian). The stream of a seed does
/// not change from version to version.
pub(crate) struct Entropy {
    state: State,
    /// Drawn from the host, so different in every run.
    real: bool,
    observed: bool,
}

impl Entropy {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            state: seed.map_or(State::Host, State::Seed),
            real: seed.is_none(),
            observed: false,
        }
    }

    /// Whether the guest has drawn real entropy.
    pub(crate) fn observed(&self) -> bool {
        self.observed
    }

    fn stream(&mut self) -> std::io::Result<&mut ChaCha20Rng> {
        self.observed = self.real;
        let key = match self.state {
            State::Started(_) => None,
            State::Seed(seed) => Some(blake3::derive_key(SEED_CONTEXT, &seed.to_le_bytes())),
            State::Host => Some(host_key()?),
        };
        if let Some(key) = key {
            self.state = State::Started(Box::new(ChaCha20Rng::from_seed(key)));
        }
        match &mut self.state {
            State::Started(stream) => Ok(stream),
            State::Host | State::Seed(_) => Err(std::io::Error::other("no stream")),
        }
    }

    /// Fills `buffer`.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.stream()?.fill_bytes(buffer);
        Ok(())
    }

    /// 64 bits.
    pub(crate) fn word(&mut self) -> std::io::Result<u64> {
        Ok(self.stream()?.next_u64())
    }
}

fn host_key() -> std::io::Result<[u8; 32]> {
    let mut key = [0; 32];
    let mut filled = 0;
    while let Some(rest) = key.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: Option<u64>) -> ([u8; 16], bool) {
        let mut entropy = Entropy::new(seed);
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes).unwrap();
        (bytes, entropy.observed())
    }

    #[test]
    fn a_seed_fixes_the_stream() {
        assert_eq!(draw(Some(7)), draw(Some(7)));
        assert_ne!(draw(Some(7)).0, draw(Some(8)).0);
        assert!(!draw(Some(7)).1);
        assert_ne!(draw(None).0, draw(None).0);
        assert!(draw(None).1);
    }

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut entropy = Entropy::new(Some(42));
        assert_eq!(entropy.word().unwrap(), 6_193_133_496_480_568_856);
    }
}
