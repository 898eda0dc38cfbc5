//! Canonical encodings: fields with their lengths to authenticate, and the strict reading of fixed layouts.

use zeroize::Zeroizing;

/// Associated data of an AEAD, as a list of fields.
///
/// Every field is its length as a big-endian u32 and then its bytes, so that no two lists of fields encode alike. The
/// first field names the purpose.
pub(crate) struct Fields(Vec<u8>);

impl Fields {
    pub(crate) fn new(purpose: &str) -> Self {
        // Room for the usual purpose, key ARN and a small context, without growing.
        Self(Vec::with_capacity(384)).with(purpose.as_bytes())
    }

    pub(crate) fn with(mut self, field: &[u8]) -> Self {
        self.push(field);
        self
    }

    pub(crate) fn push(&mut self, field: &[u8]) {
        self.push_count(field.len());
        self.0.extend_from_slice(field);
    }

    /// Appends how many fields of a list follow.
    pub(crate) fn push_count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("fields are bounded far below 4 GiB where they come in");
        self.0.extend_from_slice(&count.to_be_bytes());
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A growing buffer of secret bytes: what it outgrows is wiped.
pub(crate) struct SecretWriter(Zeroizing<Vec<u8>>);

impl SecretWriter {
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(512)))
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.0.len() + bytes.len()) * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn push_u32(&mut self, value: u32) {
        self.push(&value.to_be_bytes());
    }

    pub(crate) fn push_u64(&mut self, value: u64) {
        self.push(&value.to_be_bytes());
    }

    /// Appends a text with its length in front.
    pub(crate) fn push_text(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends bytes with their length in front.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.push_u32(u32::try_from(bytes.len()).expect("fields are bounded far below 4 GiB where they come in"));
        self.push(bytes);
    }

    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Reads a fixed layout from its start. `None` means that the bytes are not of the layout.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a text with its length in front, of at most `max` bytes.
    pub(crate) fn text(&mut self, max: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(max)?).ok()
    }

    /// Reads bytes with their length in front, at most `max` of them.
    pub(crate) fn bytes(&mut self, max: usize) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        if len > max {
            return None;
        }
        self.take(len)
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_join_alike_encode_apart() {
        let encode = |a: &str, b: &str| Fields::new("p").with(a.as_bytes()).with(b.as_bytes()).0;
        assert_ne!(encode("a", "bc"), encode("ab", "c"));
        assert_ne!(encode("", "abc"), encode("abc", ""));
        assert_eq!(&encode("a", "bc")[5..], b"\0\0\0\x01a\0\0\0\x02bc");
    }

    #[test]
    fn a_reader_refuses_what_is_short_and_what_is_left() {
        let mut reader = Reader::new(&[0, 0, 0, 2, b'h', b'i', 9]);
        assert_eq!(reader.text(2), Some("hi"));
        assert_eq!(reader.u32(), None);
        assert_eq!(reader.finish(), None);
        assert_eq!(Reader::new(&[0, 0, 0, 3, b'a', b'b', b'c']).text(2), None);
        assert_eq!(Reader::new(&[0, 0, 0, 1, 0xFF]).text(2), None);
        assert_eq!(Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF]).text(usize::MAX), None);
    }

    #[test]
    fn a_secret_writer_keeps_what_it_outgrows() {
        let mut writer = SecretWriter::new();
        for value in 0..3000 {
            writer.push_u32(value);
        }
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert!((0..3000).all(|value| reader.u32() == Some(value)));
        assert_eq!(reader.finish(), Some(()));
    }
}
