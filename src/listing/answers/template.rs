//! Templates of TXT records.

use std::borrow::Cow;

/// No reader gives a text that is longer, in bytes. Those of a damaged snapshot may be.
pub(super) const LONGEST: usize = 1 << 16;

/// The template of a TXT record as it stands in the file. It may be kept in pieces.
#[derive(Clone, Copy, Debug)]
pub enum Template<'a> {
    /// In one piece; empty for none.
    Whole(&'a [u8]),
    /// One behind the other.
    Pieces([&'a [u8]; 3]),
}

impl<'a> Template<'a> {
    /// The length in bytes.
    pub fn len(self) -> usize {
        self.pieces().map(<[u8]>::len).iter().sum()
    }

    /// True if there is no text.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The pieces, of which some may be empty.
    pub fn pieces(self) -> [&'a [u8]; 3] {
        match self {
            Self::Whole(text) => [text, &[], &[]],
            Self::Pieces(pieces) => pieces,
        }
    }

    /// The text in one piece.
    pub fn whole(self) -> Cow<'a, [u8]> {
        match self {
            Self::Whole(text) => Cow::Borrowed(text),
            Self::Pieces(pieces) => Cow::Owned(pieces.concat()),
        }
    }

    /// Appends the text.
    #[inline]
    pub(super) fn append_to(self, out: &mut Vec<u8>) {
        self.pieces().iter().for_each(|piece| out.extend_from_slice(piece));
    }

    /// Puts the pieces together in `room`, and cuts those that no reader gives: who answers has little room.
    pub(super) fn put_together(self, room: &mut Vec<u8>) {
        room.clear();
        for piece in self.pieces() {
            room.extend_from_slice(&piece[..piece.len().min(LONGEST)]);
        }
    }

    /// The text in one piece, which is put together in `room` where it is not.
    #[inline]
    pub fn join<'r>(self, room: &'r mut Vec<u8>) -> &'r [u8]
    where
        'a: 'r,
    {
        match self {
            Self::Whole(text) => text,
            Self::Pieces(_) => {
                self.put_together(room);
                room
            }
        }
    }
}

/// Whatever the pieces are.
impl PartialEq for Template<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (own, others) = (self.pieces(), other.pieces());
        own == others
            || self.len() == other.len()
                && own.into_iter().flatten().eq(others.into_iter().flatten())
    }
}

impl Eq for Template<'_> {}

impl<'a> From<&'a [u8]> for Template<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self::Whole(text)
    }
}
