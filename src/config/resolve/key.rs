//! The tables `[[key]]`.

use super::super::error::Problem;
use super::super::secondary::Key;
use super::super::spec::KeySpec;
use super::super::value;
use super::Resolver;
use crate::tsig::Algorithm;
use std::collections::HashMap;
use toml::Spanned;

impl Resolver<'_> {
    pub(super) fn keys(&mut self, specs: &[Spanned<KeySpec>]) -> Vec<Key> {
        let (mut keys, mut places) = (Vec::new(), HashMap::new());
        for typed in specs {
            let spec = typed.get_ref();
            let name = self.required("key.name", &spec.name, typed.span());
            let file = self.required("key.secret-file", &spec.secret_file, typed.span());
            let algorithm = match &spec.algorithm {
                Some(typed) => self.value("key.algorithm", typed, algorithm),
                None => Some(Algorithm::Sha256),
            };
            let (Some(typed), Some(file)) = (name, file) else { continue };
            let name = self.value("key.name", typed, value::domain);
            let secret_file = self.file("key.secret-file", file);
            if let (Some(name), Some(algorithm), Some(secret_file)) = (name, algorithm, secret_file)
            {
                self.first_use("key.name", "key", name.to_string(), typed.span(), &mut places);
                keys.push(Key { name, algorithm, secret_file });
            }
        }
        keys
    }
}

fn algorithm(text: &str) -> Result<Algorithm, Problem> {
    let names = Algorithm::ALL.map(|algorithm| format!("{:?}", algorithm.name()));
    let problem = || {
        let message = format!("{text:?} is not an algorithm for signatures");
        Problem::new(message, format!("write one of {}", names.join(", ")))
    };
    text.parse().map_err(|()| problem())
}
