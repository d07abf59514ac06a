//! The DNS cookies of the server: what its settings say, and the secrets that were read last.

use crate::config::{self, CookieMode};
use crate::event::{Event, EventSink};
use crate::state::cookie_secrets::{self, CookieSecretsError};
use crate::state::lock::StateLock;
use crate::wire::cookie::CookieSecrets;
use crate::zone::Cookies;
use anyhow::Context;

/// The secrets in use, if cookies are on.
#[derive(Default)]
pub(super) struct CookieKeeper {
    secrets: Option<CookieSecrets>,
}

impl CookieKeeper {
    /// Reads the secrets for the first time.
    pub(super) fn open(
        server: &config::Server,
        lock: Option<&StateLock>,
        sink: &dyn EventSink,
    ) -> anyhow::Result<Self> {
        let secrets = Self::default().read(server, lock, sink);
        let secrets = secrets.with_context(|| match &server.cookie_secrets {
            Some(file) => format!("cookie secrets {}", file.display()),
            None => "cookie secrets".to_owned(),
        })?;
        Ok(Self { secrets })
    }

    /// Reads them again; what cannot be used leaves those of before.
    pub(super) fn reload(
        &mut self,
        server: &config::Server,
        lock: Option<&StateLock>,
        sink: &dyn EventSink,
    ) {
        match self.read(server, lock, sink) {
            Ok(secrets) => self.secrets = secrets,
            Err(error) => sink.emit(&Event::CookieSecretsRefused {
                file: server.cookie_secrets.clone().unwrap_or_default(),
                reason: error.to_string(),
            }),
        }
    }

    /// What queries need of them.
    pub(super) fn cookies(&self, server: &config::Server) -> Option<Cookies> {
        let is_demanded = match server.cookies {
            CookieMode::Off => return None,
            CookieMode::On => false,
            CookieMode::Demand => true,
        };
        Some(Cookies { secrets: self.secrets?, is_demanded })
    }

    fn read(
        &self,
        server: &config::Server,
        lock: Option<&StateLock>,
        sink: &dyn EventSink,
    ) -> Result<Option<CookieSecrets>, CookieSecretsError> {
        if server.cookies == CookieMode::Off {
            return Ok(None);
        }
        if let Some(file) = &server.cookie_secrets {
            let secrets = cookie_secrets::read(file)?;
            if cookie_secrets::is_exposed(file) {
                sink.emit(&Event::CookieSecretsExposed { file: file.clone() });
            }
            return Ok(Some(secrets));
        }
        if let (Some(folder), None) = (&server.state_dir, lock)
            && let Ok(secrets) = cookie_secrets::read(&cookie_secrets::file_in(folder))
        {
            // Those of the server that has the folder, whose place this one may take.
            return Ok(Some(secrets));
        }
        if let (Some(folder), Some(lock)) = (&server.state_dir, lock) {
            match cookie_secrets::own(folder, lock) {
                Ok(secrets) => return Ok(Some(secrets)),
                Err(error) => sink.emit(&Event::CookieSecretsNotKept {
                    file: cookie_secrets::file_in(folder),
                    reason: error.to_string(),
                }),
            }
        }
        Ok(Some(match self.secrets {
            Some(secrets) => secrets,
            None => cookie_secrets::random()?,
        }))
    }
}
