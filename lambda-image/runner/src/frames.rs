//! Reading a child's report. Whatever is in it may be the guest's own invention.

use sandgate_core::GuestReport;
use sandgate_zygote::lowered::{Wall, stands};
use sandgate_zygote::protocol::{Frame, Started};

/// The byte that says what a frame is, and its length.
const HEADER: usize = 5;

/// A frame of JSON may be larger than what it holds, and the error comes on top.
const SLACK: u64 = 8 << 20;

/// Reads frames as they come in.
#[derive(Debug)]
pub(crate) struct Frames {
    /// What was reported.
    pub(crate) report: GuestReport,
    /// Whether the child raised its walls.
    pub(crate) started: Option<Started>,
    /// Why it did not.
    pub(crate) refused: Option<String>,
    buffer: Vec<u8>,
    /// Bytes to pass over: the rest of a frame that is too large.
    skip: u64,
    /// The largest frame that is read.
    largest: u64,
    /// What came is no frame: nothing after it has a meaning.
    garbled: bool,
}

impl Frames {
    /// Keeps results of at most `result_bytes` together.
    pub(crate) fn new(result_bytes: u64) -> Self {
        Self {
            report: GuestReport::new(result_bytes),
            started: None,
            refused: None,
            buffer: Vec::new(),
            skip: 0,
            largest: result_bytes.saturating_mul(2).saturating_add(SLACK),
            garbled: false,
        }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.garbled {
            if self.skip > 0 {
                let skipped = bytes
                    .len()
                    .min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= skipped as u64;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let missing = self.wanted().saturating_sub(self.buffer.len());
            let (now, rest) = bytes.split_at(bytes.len().min(missing));
            self.buffer.extend_from_slice(now);
            bytes = rest;
            self.advance();
        }
    }

    /// The child has ended: a frame that is not whole will not be.
    pub(crate) fn finish(&mut self) {
        if !self.buffer.is_empty() || self.skip > 0 {
            self.report.truncated = true;
        }
    }

    /// How many bytes the frame has, as far as is known.
    fn wanted(&self) -> usize {
        match self.buffer.first_chunk::<HEADER>() {
            Some([_, length @ ..]) => {
                let length = u32::from_le_bytes(*length);
                HEADER.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
            }
            None => HEADER,
        }
    }

    fn advance(&mut self) {
        let wanted = self.wanted();
        let [kind, length @ ..] = match self.buffer.first_chunk::<HEADER>() {
            Some(header) => *header,
            None => return,
        };
        let Some(frame) = Frame::of(kind) else {
            self.garbled = true;
            self.buffer = Vec::new();
            self.report.truncated = true;
            return;
        };
        let length = u64::from(u32::from_le_bytes(length));
        if length > self.largest && stands(Wall::Report) {
            self.report.truncated = true;
            self.skip = length;
            self.buffer.clear();
        } else if self.buffer.len() == wanted {
            let whole = std::mem::take(&mut self.buffer);
            self.frame(frame, whole.get(HEADER..).unwrap_or_default());
        }
    }

    fn frame(&mut self, frame: Frame, bytes: &[u8]) {
        match frame {
            // Nothing of the guest's has run yet.
            Frame::Started if self.started.is_none() => {
                self.started = Some(serde_json::from_slice(bytes).unwrap_or_default());
            }
            Frame::Refused if self.started.is_none() || !stands(Wall::Report) => {
                self.refused = Some(String::from_utf8_lossy(bytes).into_owned());
            }
            // From the guest.
            Frame::Started | Frame::Refused => self.report.truncated = true,
            Frame::Result => self.report.result(bytes),
            Frame::Error => self.report.error(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: Frame, bytes: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind.byte()];
        frame.extend((bytes.len() as u32).to_le_bytes());
        frame.extend(bytes);
        frame
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let started = br#"{"resident_bytes":7,"missing":[]}"#;
        let mut bytes = frame(Frame::Started, started);
        bytes.extend(frame(Frame::Result, br#"{"text/plain":"1"}"#));
        bytes.extend(frame(Frame::Error, br#"{"type":"E","message":"m"}"#));
        for size in [1, 2, 3, 7, bytes.len()] {
            let mut frames = Frames::new(100);
            bytes.chunks(size).for_each(|chunk| frames.take(chunk));
            frames.finish();
            assert_eq!(frames.started.as_ref().unwrap().resident_bytes, 7);
            assert_eq!(frames.report.results.len(), 1);
            assert_eq!(frames.report.error.as_ref().unwrap().kind, "E");
            assert!(!frames.report.truncated);
        }
    }

    #[test]
    fn garbage_ends_the_reading_and_keeps_what_came_before() {
        let mut frames = Frames::new(100);
        frames.take(&frame(Frame::Result, br#"{"text/plain":"1"}"#));
        frames.take(b"garbage");
        frames.take(&frame(Frame::Result, br#"{"text/plain":"2"}"#));
        frames.finish();
        assert_eq!(frames.report.results.len(), 1);
        assert!(frames.report.truncated);
    }

    #[test]
    fn a_frame_that_is_too_large_is_passed_over_without_being_held() {
        let mut frames = Frames::new(1);
        let mut header = vec![Frame::Result.byte()];
        header.extend(u32::MAX.to_le_bytes());
        frames.take(&header);
        for _ in 0..64 {
            frames.take(&[b'x'; 1 << 20]);
            assert!(frames.buffer.capacity() < 1 << 20);
        }
        frames.finish();
        assert!(frames.report.truncated && frames.report.results.is_empty());
    }

    #[test]
    fn a_frame_that_is_not_whole_counts_as_cut_off() {
        let mut frames = Frames::new(100);
        frames.take(&frame(Frame::Result, b"{}")[..6]);
        frames.finish();
        assert!(frames.report.truncated);
    }

    #[test]
    fn only_the_walls_say_that_the_child_has_started() {
        let mut frames = Frames::new(100);
        frames.take(&frame(Frame::Started, b"{}"));
        frames.take(&frame(Frame::Refused, b"from the guest"));
        assert_eq!(frames.refused, None);
        assert!(frames.started.is_some());
    }
}
