//! Values as they cross the wire: the component model's own binary value encoding.
//!
//! Integers of more than one byte are LEB128, signed ones with sign; strings and lists begin with their length;
//! options, results and variants with their case. Types are not written: both sides know them. Lengths that were
//! read are checked against what is there before anything is allocated.

pub(crate) mod dynamic;
pub(crate) mod plain;

use bytes::{BufMut as _, Bytes, BytesMut};

/// What was read is no such value; the text says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed value: {0}")]
pub struct Malformed(pub &'static str);

/// Writes values one after the other.
#[derive(Debug, Default)]
pub struct Writer(BytesMut);

impl Writer {
    /// A `bool`.
    pub fn bool(&mut self, value: bool) {
        self.0.put_u8(u8::from(value));
    }

    /// A `u8`, and the case of anything with up to 128 cases.
    pub fn u8(&mut self, value: u8) {
        self.0.put_u8(value);
    }

    /// An `s8`.
    pub fn s8(&mut self, value: i8) {
        self.0.put_i8(value);
    }

    /// A `u16`, `u32` or `u64`, a length, or a case.
    pub fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.put_u8(value as u8);
    }

    /// An `s16`, `s32` or `s64`.
    pub fn s64(&mut self, mut value: i64) {
        loop {
            let byte = value as u8 & 0x7f;
            value >>= 7;
            let sign = byte & 0x40 != 0;
            if (value == 0 && !sign) || (value == -1 && sign) {
                return self.0.put_u8(byte);
            }
            self.0.put_u8(byte | 0x80);
        }
    }

    /// An `f32`.
    pub fn f32(&mut self, value: f32) {
        self.0.put_f32_le(value);
    }

    /// An `f64`.
    pub fn f64(&mut self, value: f64) {
        self.0.put_f64_le(value);
    }

    /// A `char`.
    pub fn char(&mut self, value: char) {
        self.0.put_slice(value.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// A `string`.
    pub fn string(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A `list<u8>`.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u64(value.len() as u64);
        self.0.put_slice(value);
    }

    /// An `option`, whose value `write` writes.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A `list`, whose elements `write` writes.
    pub fn list<T>(
        &mut self,
        values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        let values = values.into_iter();
        self.u64(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.put_slice(bytes);
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

/// Reads values one after the other.
#[derive(Debug)]
pub struct Reader(Bytes);

impl Reader {
    /// Reads from the beginning of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.0.len() {
            return Err(Malformed("it ends too early"));
        }
        Ok(self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.as_ref().try_into().map_err(|_| Malformed("it ends too early"))
    }

    /// A `bool`.
    ///
    /// # Errors
    /// There is none here. So with all of these.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("neither true nor false")),
        }
    }

    /// A `u8`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// An `s8`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn s8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_le_bytes(self.array()?))
    }

    /// A `u64`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is too large"))
    }

    /// An `s64`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn s64(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_i128;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            value |= i128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte & 0x40 != 0 {
                    value -= 1_i128 << (shift + 7);
                }
                return i64::try_from(value).map_err(|_| Malformed("a number is too large"));
            }
        }
        Err(Malformed("a number is too large"))
    }

    /// A `u16` or `u32`, by the type that is asked for.
    pub(crate) fn unsigned<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.u64()?).map_err(|_| Malformed("a number is too large"))
    }

    /// An `s16` or `s32`, by the type that is asked for.
    pub(crate) fn signed<T: TryFrom<i64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.s64()?).map_err(|_| Malformed("a number is too large"))
    }

    /// An `f32`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn f32(&mut self) -> Result<f32, Malformed> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    /// An `f64`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn f64(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A `char`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn char(&mut self) -> Result<char, Malformed> {
        let length = match self.0.first() {
            Some(first) => first.leading_ones().max(1) as usize,
            None => 1,
        };
        let bytes = self.take(length.min(4))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Malformed("no character"))?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => Err(Malformed("no character")),
        }
    }

    /// A `string`.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn string(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| Malformed("a string is not UTF-8"))
    }

    /// A `list<u8>`; shares what it was read from.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// An `option`, whose value `read` reads.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A `list`, whose elements `read` reads.
    ///
    /// # Errors
    /// See [`Reader::bool`].
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let length = self.length()?;
        // No room is made ahead: an element may be larger in memory than on the wire.
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    /// A number of things of at least one byte each, all of which must be here.
    pub(crate) fn length(&mut self) -> Result<usize, Malformed> {
        let length = self.unsigned()?;
        if length > self.0.len() { Err(Malformed("a length exceeds what is there")) } else { Ok(length) }
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<Bytes, Malformed> {
        self.take(length)
    }

    /// Nothing more follows.
    ///
    /// # Errors
    /// Something does.
    pub fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("something follows the last value")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.finish().to_vec()
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        assert_eq!(written(|w| w.u64(624_485)), [0xe5, 0x8e, 0x26]);
        assert_eq!(written(|w| w.s64(-123_456)), [0xc0, 0xbb, 0x78]);
        assert_eq!(written(|w| w.string("hé")), [3, b'h', 0xc3, 0xa9]);
        assert_eq!(written(|w| w.char('é')), [0xc3, 0xa9]);
        assert_eq!(written(|w| w.f32(1.0)), [0, 0, 0x80, 0x3f]);
        assert_eq!(written(|w| w.option(Some(7), Writer::u8)), [1, 7]);
        assert_eq!(written(|w| w.list([1, 2], Writer::u8)), [2, 1, 2]);
    }

    #[test]
    fn lengths_are_not_trusted() {
        let huge = written(|w| w.u64(u64::MAX));
        let reader = || Reader::new(Bytes::from(huge.clone()));
        assert!(reader().bytes().is_err());
        assert!(reader().list(Reader::u8).is_err());
        assert!(Reader::new(Bytes::from(vec![0x80; 20])).u64().is_err());
        assert!(Reader::new(Bytes::from(vec![0x80; 20])).s64().is_err());
        assert!(Reader::new(Bytes::from_static(b"\xf0\x9f")).char().is_err());
        assert!(Reader::new(Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff")).char().is_err());
        assert!(Reader::new(Bytes::from_static(b"x")).end().is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            unsigned: u64, signed: i64, small: i8, real: f64, character: char, text: String, list: Vec<Option<String>>
        ) {
            let bytes = written(|w| {
                w.u64(unsigned);
                w.s64(signed);
                w.s8(small);
                w.f64(real);
                w.char(character);
                w.string(&text);
                w.list(&list, |w, item| w.option(item.as_ref(), |w, text| w.string(text)));
            });
            let mut reader = Reader::new(Bytes::from(bytes));
            prop_assert_eq!(reader.u64()?, unsigned);
            prop_assert_eq!(reader.s64()?, signed);
            prop_assert_eq!(reader.s8()?, small);
            prop_assert_eq!(reader.f64()?.to_bits(), real.to_bits());
            prop_assert_eq!(reader.char()?, character);
            prop_assert_eq!(reader.string()?, text);
            prop_assert_eq!(reader.list(|r| r.option(Reader::string))?, list);
            reader.end()?;
        }

        #[test]
        fn anything_at_all_is_read_without_harm(bytes: Vec<u8>) {
            let reader = || Reader::new(Bytes::from(bytes.clone()));
            let _ = reader().u64();
            let _ = reader().s64();
            let _ = reader().char();
            let _ = reader().list(|r| r.option(Reader::string));
        }
    }
}
