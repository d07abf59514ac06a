pub mod names;
use crate::listing::{AnswerId, Range};
#[derive(Debug, Default)]
pub struct Trie4(pub Vec<Range<u32>>);
#[derive(Debug, Default)]
pub struct Trie6(pub Vec<Range<u128>>);
macro_rules! t {
    ($t:ident,$k:ty) => {
        impl $t {
            pub fn build(r: impl IntoIterator<Item = Range<$k>>) -> Self {
                Self(r.into_iter().collect())
            }
            pub fn lookup(&self, k: $k) -> AnswerId {
                self.0
                    .iter()
                    .find(|r| r.start <= k && k <= r.end)
                    .map_or(AnswerId::NONE, |r| r.answer)
            }
            pub fn any_in(&self, a: $k, b: $k) -> bool {
                self.0.iter().any(|r| r.start <= b && a <= r.end)
            }
            pub fn memory(&self) -> usize {
                0
            }
        }
    };
}
t!(Trie4, u32);
t!(Trie6, u128);
