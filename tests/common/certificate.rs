//! Certificates for servers of tests.

use super::run;
use std::path::Path;
use std::process::Command;

/// Writes a self-signed certificate for this name, `tls.crt`, and its key, `tls.key`.
pub(crate) fn make_certificate(folder: &Path, name: &str) {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-keyout", "tls.key", "-out", "tls.crt"])
        .args(["-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .current_dir(folder);
    run(&mut openssl);
}
