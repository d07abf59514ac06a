//! Short texts in blocks of a fixed size that may overlap, of which the compiler makes a few instructions:
//! what queries, records and texts have is too short for a call and a loop to pay.

/// Copies between slices of one length. What queries, records and texts have is copied without a call,
/// in blocks that overlap.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    let copied = from.len() == to.len()
        && (copy_as::<32>(from, to)
            || copy_as::<8>(from, to)
            || copy_as::<16>(from, to)
            || copy_as::<64>(from, to));
    if !copied {
        to.copy_from_slice(from);
    }
}

/// The same for `N` to `2 * N` bytes; false for others.
#[inline(always)]
fn copy_as<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if from.len() > 2 * N || from.len() != to.len() {
        return false;
    }
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
    true
}

/// True if this is so of any of the bytes.
#[inline(always)]
pub(crate) fn any(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<16>() {
        if any_in(last, &is) {
            return true;
        }
        for block in bytes.as_chunks::<16>().0 {
            if any_in(block, &is) {
                return true;
            }
        }
        return false;
    }
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => any_in(first, &is) | any_in(last, &is),
        _ => bytes.iter().any(|&byte| is(byte)),
    }
}

/// The same of so many bytes that they fit a register.
#[inline(always)]
fn any_in<const N: usize>(bytes: &[u8; N], is: &impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |any, &byte| any | is(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_bytes_is_copied() {
        let from: Vec<u8> = (0..200).collect();
        for len in 0..from.len() {
            let mut to = vec![0xff; len];
            copy(&from[..len], &mut to);
            assert_eq!(to, from[..len]);
        }
    }

    #[test]
    fn any_byte_is_seen() {
        let bytes: Vec<u8> = (0..80).collect();
        for len in 0..bytes.len() {
            for wanted in 0..80 {
                let found = any(&bytes[..len], |byte| byte == wanted);
                assert_eq!(found, usize::from(wanted) < len);
            }
        }
    }
}
