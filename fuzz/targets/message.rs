//! A reader of DNS messages that believes nothing and forgives nothing.

/// A message, all of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: [u8; 2],
    /// The 16 bits behind the id.
    pub(crate) flags: u16,
    pub(crate) question: Option<Question>,
    /// Answer, authority, additional.
    pub(crate) sections: [Vec<Record>; 3],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Uncompressed, in the letter case of the message.
    pub(crate) name: Vec<u8>,
    pub(crate) qtype: u16,
    pub(crate) class: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Uncompressed, in the letter case of the message.
    pub(crate) name: Vec<u8>,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

pub(crate) const QR: u16 = 0x8000;
pub(crate) const OPCODE: u16 = 0x7800;
pub(crate) const AA: u16 = 0x0400;
pub(crate) const TC: u16 = 0x0200;
pub(crate) const RD: u16 = 0x0100;
/// RA, Z, AD, CD.
pub(crate) const OTHERS: u16 = 0x00f0;

impl Message {
    /// Reads a message that ends with its last record.
    ///
    /// # Panics
    ///
    /// If anything is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader { bytes, at: 0 };
        let id = [reader.byte(), reader.byte()];
        let flags = reader.short();
        let counts: [u16; 4] = std::array::from_fn(|_| reader.short());
        assert!(counts[0] <= 1, "several questions");
        let question = (counts[0] == 1).then(|| Question {
            name: reader.name(),
            qtype: reader.short(),
            class: reader.short(),
        });
        let sections = [1, 2, 3].map(|n| (0..counts[n]).map(|_| reader.record()).collect());
        assert_eq!(reader.at, bytes.len(), "the message ends with its last record");
        Self { id, flags, question, sections }
    }

    /// The response code, its upper bits from the OPT record.
    pub(crate) fn rcode(&self) -> u16 {
        let upper = self.opt().map_or(0, |opt| (opt.ttl >> 24) as u16);
        upper << 4 | self.flags & 15
    }

    pub(crate) fn opt(&self) -> Option<&Record> {
        self.sections[2].iter().find(|record| record.rtype == 41)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        let mut at = self.at;
        let mut end = None;
        loop {
            let len = usize::from(self.bytes[at]);
            if len >= 0xc0 {
                let target = (len & 0x3f) << 8 | usize::from(self.bytes[at + 1]);
                assert!((12..at).contains(&target), "a pointer to {target} at {at}");
                end.get_or_insert(at + 2);
                at = target;
                continue;
            }
            assert!(len <= 63, "a label of {len} bytes");
            name.extend_from_slice(&self.bytes[at..=at + len]);
            assert!(name.len() <= 255, "a name of {} bytes", name.len());
            at += len + 1;
            if len == 0 {
                self.at = end.unwrap_or(at);
                return name;
            }
        }
    }

    fn record(&mut self) -> Record {
        let name = self.name();
        let (rtype, class) = (self.short(), self.short());
        let ttl = u32::from(self.short()) << 16 | u32::from(self.short());
        let end = usize::from(self.short()) + self.at;
        let data = match rtype {
            2 => self.name(),
            6 => {
                let mut data = self.name();
                data.extend(self.name());
                data.extend_from_slice(&self.bytes[self.at..end]);
                self.at += 20;
                data
            }
            16 => {
                let start = self.at;
                while self.at < end {
                    self.at += usize::from(self.bytes[self.at]) + 1;
                }
                assert!(start < end, "TXT without a character-string");
                self.bytes[start..end].to_vec()
            }
            1 => [self.byte(), self.byte(), self.byte(), self.byte()].to_vec(),
            _ => {
                let start = std::mem::replace(&mut self.at, end);
                self.bytes[start..end].to_vec()
            }
        };
        assert_eq!(self.at, end, "the length of the data of type {rtype}");
        Record { name, rtype, class, ttl, data }
    }
}
