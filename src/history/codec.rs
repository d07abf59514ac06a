//! Numbers and bytes in a block.

/// Appends a number: seven bits a byte, the lowest first, all bytes but the last with the highest bit.
pub(super) fn put(out: &mut Vec<u8>, mut number: u128) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends bytes behind their number.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u128);
    out.extend_from_slice(bytes);
}

/// Reads what was put; `None` at the end, and for what cannot have been put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A number that [`put`] has written.
    #[inline]
    pub(super) fn number(&mut self) -> Option<u128> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(u128::from(number));
            }
        }
        self.long_number(u128::from(number))
    }

    /// The rest of a number of which 63 bits are read.
    #[cold]
    fn long_number(&mut self, mut number: u128) -> Option<u128> {
        for shift in (63..128).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if shift + 7 > 128 && bits >> (128 - shift) != 0 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small<N: TryFrom<u128>>(&mut self) -> Option<N> {
        N::try_from(self.number()?).ok()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let count = self.small()?;
        self.take(count)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec((any::<u128>(), 0u32..128), 0..9)) {
            let numbers = numbers.into_iter().map(|(number, shift)| number >> shift);
            let numbers: Vec<u128> = numbers.collect();
            let mut out = Vec::new();
            numbers.iter().for_each(|&number| put(&mut out, number));
            let mut bytes = Bytes(&out);
            let read: Vec<_> = std::iter::from_fn(|| bytes.number()).collect();
            prop_assert_eq!(read, numbers);
            prop_assert!(bytes.0.is_empty());
        }
    }

    #[test]
    fn what_is_too_long_is_no_number() {
        assert_eq!(Bytes(&[0xff; 30]).number(), None);
        let mut most = vec![0xff; 18];
        most.push(3);
        assert_eq!(Bytes(&most).number(), Some(u128::MAX));
        most[18] = 4;
        assert_eq!(Bytes(&most).number(), None);
    }
}
