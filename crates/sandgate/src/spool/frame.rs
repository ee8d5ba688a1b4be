//! Records on the disk: how they are framed, and how they are found again in a damaged file.
//!
//! A frame is a 32-byte header and a payload:
//!
//! | bytes | content |
//! |---|---|
//! | 4 | [`MAGIC`] |
//! | 4 | length of the payload, little-endian |
//! | 16 | tag of the payload |
//! | 8 | tag of the 24 bytes before |
//!
//! Tags are BLAKE3 keyed with the segment's random key. Payloads hold what guests printed; without
//! the key, no guest can print something that would be taken for a frame when the reader has to
//! search for the next one. The header's own tag keeps that search cheap.

use std::ops::Range;

use bytes::{Buf as _, BufMut as _, Bytes};
use sandgate_core::Uuid;

use crate::outputs::form::Part;

const MAGIC: [u8; 4] = *b"\xf5sgr";
pub(crate) const HEADER: usize = 32;

/// The secret that a segment's tags are keyed with.
pub(crate) type Key = [u8; 32];

fn payload_tag(key: &Key, payload: &[u8]) -> [u8; 16] {
    tag(key, b'p', payload)
}

fn header_tag(key: &Key, header: &[u8]) -> [u8; 8] {
    tag(key, b'h', header)
}

fn tag<const N: usize>(key: &Key, domain: u8, bytes: &[u8]) -> [u8; N] {
    let mut hash = blake3::Hasher::new_keyed(key);
    hash.update(&[domain]).update(bytes);
    let mut tag = [0; N];
    hash.finalize_xof().fill(&mut tag);
    tag
}

/// The frame of an execution's objects; none if they are too large for one.
pub(crate) fn encode(key: &Key, id: Uuid, parts: &[Part<'_>]) -> Option<Vec<u8>> {
    let size: usize = parts
        .iter()
        .map(|part| part.name.len() + part.media_type.len() + part.content.bytes().len() + 12)
        .sum();
    let mut frame = Vec::with_capacity(HEADER + 20 + size);
    frame.resize(HEADER, 0);
    frame.put_slice(id.as_bytes());
    frame.put_u32_le(u32::try_from(parts.len()).ok()?);
    for part in parts {
        for bytes in [
            part.name.as_bytes(),
            part.media_type.as_bytes(),
            part.content.bytes(),
        ] {
            frame.put_u32_le(u32::try_from(bytes.len()).ok()?);
            frame.put_slice(bytes);
        }
    }
    let (header, payload) = frame.split_at_mut(HEADER);
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&u32::try_from(payload.len()).ok()?.to_le_bytes());
    header[8..24].copy_from_slice(&payload_tag(key, payload));
    let tag = header_tag(key, &header[..24]);
    header[24..].copy_from_slice(&tag);
    Some(frame)
}

/// A record read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: Uuid,
    pub(crate) objects: Vec<RecordObject>,
}

/// One object of a record, named within the execution's folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RecordObject {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) content: Bytes,
}

/// Reads a frame's payload; none if it is not what [`encode`] writes.
pub(crate) fn decode(mut payload: Bytes) -> Option<Record> {
    let mut id = [0; 16];
    payload.try_copy_to_slice(&mut id).ok()?;
    let count = payload.try_get_u32_le().ok()?;
    let mut objects = Vec::new();
    for _ in 0..count {
        objects.push(RecordObject {
            name: String::from_utf8(field(&mut payload)?.into()).ok()?,
            media_type: String::from_utf8(field(&mut payload)?.into()).ok()?,
            content: field(&mut payload)?,
        });
    }
    payload.is_empty().then_some(Record {
        id: Uuid::from_bytes(id),
        objects,
    })
}

fn field(payload: &mut Bytes) -> Option<Bytes> {
    let len = payload.try_get_u32_le().ok()? as usize;
    (len <= payload.len()).then(|| payload.split_to(len))
}

/// What [`scan`] meets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame, with its record.
    Record(Range<usize>, Record),
    /// Bytes that are no frame, or a frame that was changed.
    Damaged(Range<usize>),
    /// The beginning of a frame whose rest was never written.
    Torn(usize),
}

/// Goes through the frames in `bytes`.
pub(crate) fn scan<'a>(key: &'a Key, bytes: &'a Bytes) -> impl Iterator<Item = Found> + use<'a> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let (found, next) = next(key, bytes, at);
        at = next;
        Some(found)
    })
}

fn next(key: &Key, bytes: &Bytes, at: usize) -> (Found, usize) {
    match header(key, &bytes[at..]) {
        Header::Good { len } => {
            let start = at + HEADER;
            let Some(end) = start.checked_add(len).filter(|end| *end <= bytes.len()) else {
                return (Found::Torn(at), bytes.len());
            };
            let payload = bytes.slice(start..end);
            let intact = payload_tag(key, &payload) == bytes[at + 8..at + 24];
            match intact.then(|| decode(payload)).flatten() {
                Some(record) => (Found::Record(at..end, record), end),
                None => (Found::Damaged(at..end), end),
            }
        }
        Header::Short => (Found::Torn(at), bytes.len()),
        Header::Bad => {
            let next = (at + 1..bytes.len())
                .find(|&next| {
                    bytes[next] == MAGIC[0]
                        && matches!(header(key, &bytes[next..]), Header::Good { .. })
                })
                .unwrap_or(bytes.len());
            (Found::Damaged(at..next), next)
        }
    }
}

enum Header {
    Good { len: usize },
    Short,
    Bad,
}

fn header(key: &Key, bytes: &[u8]) -> Header {
    let magic = bytes.len().min(MAGIC.len());
    if bytes[..magic] != MAGIC[..magic] {
        return Header::Bad;
    }
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Header::Short;
    };
    if header_tag(key, &header[..24]) != header[24..] {
        return Header::Bad;
    }
    let len = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    Header::Good { len: len as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::form::PartContent;

    const KEY: Key = [7; 32];

    fn frame(text: &[u8]) -> Vec<u8> {
        let part = Part {
            name: "result.json".into(),
            media_type: "application/json",
            content: PartContent::Made(text.to_vec()),
        };
        encode(&KEY, Uuid::now_v7(), &[part]).unwrap()
    }

    fn scan_all(bytes: &[u8]) -> Vec<Found> {
        scan(&KEY, &Bytes::copy_from_slice(bytes)).collect()
    }

    fn texts(found: &[Found]) -> Vec<&[u8]> {
        found
            .iter()
            .filter_map(|found| match found {
                Found::Record(_, record) => Some(&record.objects[0].content[..]),
                Found::Damaged(_) | Found::Torn(_) => None,
            })
            .collect()
    }

    #[test]
    fn frames_are_found_again() {
        let bytes = [frame(b"one"), frame(b""), frame(&[0xff; 9_000])].concat();
        let found = scan_all(&bytes);
        assert_eq!(texts(&found), [&b"one"[..], b"", &[0xff; 9_000]]);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_torn_tail_is_told_from_damage_at_every_length() {
        let (first, second) = (frame(b"first"), frame(b"second"));
        for cut in 1..second.len() {
            let bytes = [&first[..], &second[..cut]].concat();
            let found = scan_all(&bytes);
            assert_eq!(texts(&found), [b"first"], "{cut}");
            assert_eq!(found[1], Found::Torn(first.len()), "{cut}");
        }
    }

    #[test]
    fn a_changed_byte_costs_its_own_record_only() {
        let (a, b, c) = (frame(b"a"), frame(b"bb"), frame(b"c"));
        for at in 0..b.len() {
            let mut bytes = [&a[..], &b, &c].concat();
            bytes[a.len() + at] ^= 0x40;
            let found = scan_all(&bytes);
            assert_eq!(texts(&found), [b"a", b"c"], "{at}");
            assert!(matches!(found[1], Found::Damaged(_)), "{at}");
        }
    }

    #[test]
    fn a_guest_cannot_print_a_frame() {
        // The payload holds what looks like a frame, tagged with a key the guest made up, and
        // the frame round it is broken, so that the reader searches inside.
        let fake = {
            let part = Part {
                name: "result.json".into(),
                media_type: "application/json",
                content: PartContent::Made(b"forged".to_vec()),
            };
            encode(&[0; 32], Uuid::now_v7(), &[part]).unwrap()
        };
        let mut bytes = frame(&[&fake[..], &fake, &MAGIC, &MAGIC].concat());
        bytes[0] = 0;
        bytes.extend(frame(b"next"));
        let found = scan_all(&bytes);
        assert_eq!(texts(&found), [b"next"]);
    }

    #[test]
    fn decode_survives_anything() {
        let good = Bytes::from(frame(b"text")).slice(HEADER..);
        for cut in 0..good.len() {
            assert_eq!(decode(good.slice(..cut)), None, "{cut}");
        }
        for at in 16..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] = 0xff;
            decode(bytes.into());
        }
    }
}
