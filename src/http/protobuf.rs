//! Reads the fields of a message in the wire format of Protocol Buffers.
//!
//! [`retry_info`](super::retry_info) needs four fields of three messages. prost is no lighter way to
//! read them: its functions for the wire format are hidden from its documentation and may change,
//! and its derive macro builds a dozen crates. A test compares this reader with prost.
//!
//! The messages come from outside the program. The reader borrows from its input, allocates nothing,
//! does not recurse, and visits each byte once. It rejects groups, which no message of proto3 has.

/// The fields of a message, in their order. Ends after the first malformed field.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    /// A string, bytes, or a message.
    Bytes(&'a [u8]),
    /// A number of fixed size.
    Fixed,
}

/// The message is not valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Malformed;

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        let number = key >> 3;
        (number > 0).then_some((number, value))
    }

    /// Reads at most ten bytes with seven bits each, lowest bits first. The last byte is below 0x80.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field().ok_or(Malformed);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(message).collect()
    }

    #[test]
    fn values_of_all_wire_types_are_read() {
        assert_eq!(fields(b""), Ok(vec![]));
        assert_eq!(
            fields(b"\x08\x96\x01\x12\x03abc\x1d1234\x2112345678\x2a\x00"),
            Ok(vec![
                (1, Value::Varint(150)),
                (2, Value::Bytes(b"abc")),
                (3, Value::Fixed),
                (4, Value::Fixed),
                (5, Value::Bytes(b"")),
            ])
        );
        let greatest = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(greatest), Ok(vec![(1, Value::Varint(u64::MAX))]));
        let greatest_number = b"\xf8\xff\xff\xff\x0f\x00";
        assert_eq!(
            fields(greatest_number),
            Ok(vec![(0x1fff_ffff, Value::Varint(0))])
        );
    }

    #[test]
    fn invalid_fields_are_malformed() {
        for message in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", // more than 64 bits
            b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", // eleven bytes
            b"\x12\x04abc",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01abc",
            b"\x1d123",
            b"\x211234567",
            b"\x0b\x0c",                 // a group
            b"\x0e\x00",                 // wire type 6
            b"\x00\x00",                 // field 0
            b"\x88\x80\x80\x80\x10\x00", // a number of more than 29 bits
        ] {
            assert_eq!(fields(message), Err(Malformed), "{message:x?}");
        }
    }

    #[test]
    fn malformed_field_is_the_last() {
        let mut fields = Fields::of(b"\x08\x01\x0b\x08\x01");
        assert_eq!(fields.next(), Some(Ok((1, Value::Varint(1)))));
        assert_eq!(fields.next(), Some(Err(Malformed)));
        assert_eq!(fields.next(), None);
    }
}
