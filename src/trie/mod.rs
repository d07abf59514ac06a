//! The compressed radix trie.
