//! A reader of DNS messages that believes nothing and forgives nothing. It is written apart from the
//! library's own, so that a mistake there cannot hide here. All tests read with it.

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
    /// Names in it are not compressed either.
    pub(crate) data: Vec<u8>,
}

// Bits of the second 16 bits of a header (RFC 1035 section 4.1.1, RFC 4035 section 3.1.6).
pub(crate) const QR: u16 = 0x8000;
pub(crate) const OPCODE: u16 = 0x7800;
pub(crate) const AA: u16 = 0x0400;
pub(crate) const TC: u16 = 0x0200;
pub(crate) const RD: u16 = 0x0100;
/// RA, Z, AD, CD.
pub(crate) const OTHERS: u16 = 0x00f0;

const A: u16 = 1;
const NS: u16 = 2;
const SOA: u16 = 6;
const MX: u16 = 15;
const TXT: u16 = 16;
const OPT: u16 = 41;

impl Message {
    /// Reads a message that ends with its last record.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes, at: 0 };
        let id = reader.array()?;
        let flags = reader.short()?;
        let counts = [reader.short()?, reader.short()?, reader.short()?, reader.short()?];
        let question = match counts[0] {
            0 => None,
            1 => Some(Question {
                name: reader.name()?,
                qtype: reader.short()?,
                class: reader.short()?,
            }),
            _ => return Err("several questions".to_owned()),
        };
        let mut sections = [const { Vec::new() }; 3];
        for (section, count) in sections.iter_mut().zip(&counts[1..]) {
            for _ in 0..*count {
                section.push(reader.record()?);
            }
        }
        if reader.at != bytes.len() {
            return Err(format!("{} bytes follow the last record", bytes.len() - reader.at));
        }
        let message = Self { id, flags, question, sections };
        let opts = message.sections.iter().flatten().filter(|record| record.rtype == OPT);
        if opts.clone().count() > 1 || opts.clone().any(|opt| opt.name != [0]) {
            return Err("an OPT record that is not at the root, or two".to_owned());
        }
        Ok(message)
    }

    /// The response code, its upper bits from the OPT record.
    pub(crate) fn rcode(&self) -> u16 {
        let upper = self.opt().map_or(0, |opt| (opt.ttl >> 24) as u16);
        upper << 4 | self.flags & 15
    }

    pub(crate) fn opt(&self) -> Option<&Record> {
        self.sections[2].iter().find(|record| record.rtype == OPT)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let bytes = self.bytes.get(self.at..self.at + length);
        self.at += length;
        bytes.ok_or_else(|| format!("the message ends within its contents, at byte {}", self.at))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("that many were taken"))
    }

    fn short(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn name(&mut self) -> Result<Vec<u8>, String> {
        let mut name = Vec::new();
        let mut after = None;
        loop {
            let start = self.at;
            let [length] = self.array()?;
            match length {
                0..64 => {
                    name.push(length);
                    name.extend(self.take(length.into())?);
                    if name.len() > 255 {
                        return Err(format!("the name at byte {start} is too long"));
                    }
                    if length == 0 {
                        self.at = after.unwrap_or(self.at);
                        return Ok(name);
                    }
                }
                192.. => {
                    let [low] = self.array()?;
                    let target = usize::from(length & 63) << 8 | usize::from(low);
                    if !(12..start).contains(&target) {
                        return Err(format!("the name at byte {start} points to byte {target}"));
                    }
                    after.get_or_insert(self.at);
                    self.at = target;
                }
                _ => return Err(format!("reserved label type at byte {start}")),
            }
        }
    }

    fn record(&mut self) -> Result<Record, String> {
        let name = self.name()?;
        let (rtype, class) = (self.short()?, self.short()?);
        let ttl = u32::from_be_bytes(self.array()?);
        let end = usize::from(self.short()?) + self.at;
        let data = self.data(rtype, end)?;
        if self.at != end {
            return Err(format!("the data of a record of type {rtype} ends amiss"));
        }
        Ok(Record { name, rtype, class, ttl, data })
    }

    fn data(&mut self, rtype: u16, end: usize) -> Result<Vec<u8>, String> {
        Ok(match rtype {
            A => self.take(4)?.to_vec(),
            NS => self.name()?,
            SOA => [&self.name()?, &self.name()?, self.take(20)?].concat(),
            MX => [self.take(2)?, &self.name()?].concat(),
            TXT => {
                let start = self.at;
                while self.at < end {
                    let [length] = self.array()?;
                    self.take(length.into())?;
                }
                if start == self.at {
                    return Err("TXT without a character-string".to_owned());
                }
                self.bytes[start..self.at].to_vec()
            }
            _ => self.take(end.saturating_sub(self.at))?.to_vec(),
        })
    }
}
