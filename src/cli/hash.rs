//! `dnsbld hash`

use super::print;
use crate::explain::{AskedKey, HashScheme};
use crate::wire::name::NameBuf;
use clap::Args;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Print the hash by which a list knows a mail address, and the name that mail filters ask for.
///
/// The address is first written as the list has it: in lower case, without a +tag, at Gmail without dots. Behind the
/// hash and the name stands what was hashed.
#[derive(Args, Debug)]
pub struct Hash {
    /// Whose list it is.
    #[arg(long = "as", value_name = "SCHEME")]
    scheme: HashScheme,
    /// The zone, if it is not that of the scheme.
    #[arg(long)]
    zone: Option<NameBuf>,
    /// The addresses.
    #[arg(required = true, value_name = "USER@DOMAIN")]
    addresses: Vec<String>,
}

impl Hash {
    /// Prints a line for each address.
    ///
    /// # Errors
    ///
    /// If one is no mail address, or the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let zone =
            self.zone.as_ref().map_or_else(|| self.scheme.zone().to_owned(), NameBuf::to_string);
        let mut out = String::new();
        for address in &self.addresses {
            let Ok((AskedKey::Mail(user, domain), _)) = AskedKey::read(address, []) else {
                anyhow::bail!("{address:?} is no mail address; write it as user@example.com");
            };
            let label = self.scheme.label(&user, &domain);
            let _ = writeln!(out, "{label} {label}.{zone} {}", self.scheme.hashed(&user, &domain));
        }
        print(&out)?;
        Ok(ExitCode::SUCCESS)
    }
}
