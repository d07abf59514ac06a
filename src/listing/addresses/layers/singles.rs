//! Single addresses while files are read. In most lists all of them have the same value.

/// Addresses, each with the code of its value.
#[derive(Clone, Debug)]
pub(super) enum Singles {
    /// All have the same code.
    Alike { addresses: Vec<u32>, code: u32 },
    /// The address in the upper half, the code in the lower.
    Mixed(Vec<u64>),
}

impl Default for Singles {
    fn default() -> Self {
        Self::Alike { addresses: Vec::new(), code: 0 }
    }
}

impl Singles {
    #[inline]
    pub(super) fn push(&mut self, address: u32, code: u32) {
        match self {
            Self::Mixed(mixed) => mixed.push(pair(address, code)),
            Self::Alike { .. } => self.extend(&[address], code),
        }
    }

    /// Adds addresses that all have this code.
    #[inline]
    pub(super) fn extend(&mut self, new: &[u32], code: u32) {
        match self {
            Self::Alike { addresses, code: first } if *first == code || addresses.is_empty() => {
                addresses.extend_from_slice(new);
                *first = code;
            }
            Self::Mixed(mixed) => mixed.extend(new.iter().map(|&address| pair(address, code))),
            Self::Alike { .. } => {
                *self = Self::Mixed(std::mem::take(self).into_mixed());
                self.extend(new, code);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Alike { addresses, .. } => addresses.len(),
            Self::Mixed(mixed) => mixed.len(),
        }
    }

    /// Puts other codes in the place of those there are.
    pub(super) fn change_codes(&mut self, change: impl Fn(u32) -> u32) {
        match self {
            Self::Alike { code, .. } => *code = change(*code),
            Self::Mixed(mixed) => {
                for single in mixed {
                    *single = *single >> 32 << 32 | u64::from(change(*single as u32));
                }
            }
        }
    }

    /// Each address with its code.
    pub(super) fn into_mixed(self) -> Vec<u64> {
        match self {
            Self::Alike { addresses, code } => {
                addresses.into_iter().map(|address| pair(address, code)).collect()
            }
            Self::Mixed(mixed) => mixed,
        }
    }
}

fn pair(address: u32, code: u32) -> u64 {
    u64::from(address) << 32 | u64::from(code)
}
