//! How bytes are written in JSON: as the text they usually are, or in base64.
//!
//! For fields with `#[serde(with = "blob")]`. Binary formats keep the bytes as they are; a format
//! for people has a string where they are UTF-8, and `{"base64": "…"}` where they are not.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return bytes.serialize(serializer);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry("base64", &STANDARD.encode(bytes))?;
            map.end()
        }
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Readable)
    } else {
        Bytes::deserialize(deserializer)
    }
}

struct Readable;

impl<'de> Visitor<'de> for Readable {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or `{\"base64\": \"…\"}`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Bytes, E> {
        Ok(text.into_bytes().into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Key {
            Base64,
        }
        let Some(Key::Base64) = map.next_key()? else {
            return Err(A::Error::missing_field("base64"));
        };
        let text: String = map.next_value()?;
        if map.next_key::<Key>()?.is_some() {
            return Err(A::Error::duplicate_field("base64"));
        }
        let bytes = STANDARD.decode(text).map_err(A::Error::custom)?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        content: Bytes,
    }

    fn json(content: &'static [u8]) -> String {
        let holder = Holder {
            content: Bytes::from_static(content),
        };
        let json = serde_json::to_string(&holder).unwrap();
        assert_eq!(serde_json::from_str::<Holder>(&json).unwrap(), holder);
        json
    }

    #[test]
    fn text_stays_readable_and_other_bytes_survive() {
        assert_eq!(json("né\n".as_bytes()), r#"{"content":"né\n"}"#);
        assert_eq!(json(b"\xff\x00"), r#"{"content":{"base64":"/wA="}}"#);
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bad in [
            r#"{"content":7}"#,
            r#"{"content":{}}"#,
            r#"{"content":{"base64":"!"}}"#,
            r#"{"content":{"base64":"","base64":""}}"#,
            r#"{"content":{"text":""}}"#,
        ] {
            serde_json::from_str::<Holder>(bad).unwrap_err();
        }
    }
}
