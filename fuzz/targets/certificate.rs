//! Any bytes as a TLS certificate in DER, of which the names and the end are told.

use dnsbld::server::CertificateFacts;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\x30\x80",
    b"\x30\x81",
    b"\x30\x82\x01",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x06\x03\x55\x1d\x11",
    b"\x06\x03\x55\x04\x03",
    b"\x17\x0d491231235959Z",
    b"\x18\x0f20500101000000Z",
    b"\x82\x01a",
    b"\x87\x04",
    b"\x87\x10",
    b"\xa0\x03",
    b"\xa3",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../corpus/certificate/self-signed.der").to_vec()]
}

pub(crate) fn run(bytes: &[u8]) {
    if let Some(CertificateFacts { names, .. }) = CertificateFacts::of(bytes) {
        // Nothing in it may reach a terminal as a command.
        assert!(names.iter().all(|name| name.len() <= 3 * bytes.len()));
        assert!(!names.iter().any(|name| name.chars().any(char::is_control)));
    }
}
