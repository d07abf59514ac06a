//! The table `[http]`.

use super::super::error::Problem;
use super::super::settings::{Http, Server};
use super::super::spec::HttpSpec;
use super::super::value::{self, collide};
use super::Resolver;
use toml::Spanned;

impl Resolver<'_> {
    /// Metrics and health over HTTP, beside what the server listens on.
    pub(super) fn http(&mut self, typed: &Spanned<HttpSpec>, server: &Server) -> Option<Http> {
        let (key, spec) = ("http.listen", typed.get_ref());
        let list = self.required(key, &spec.listen, typed.span())?;
        let listen = self.addresses(key, list);
        if list.get_ref().is_empty() {
            let help = "name at least one address, or leave out http";
            self.error(key, list.span(), Problem::new("there is nothing to listen on", help));
        }
        let of_tls = server.tls.as_ref().map_or(&[][..], |tls| &tls.listen);
        let others = || server.listen.iter().chain(of_tls);
        let pairs = || listen.iter().flat_map(|&own| others().map(move |&other| (own, other)));
        if let Some((own, other)) = pairs().find(|&(own, other)| collide(own, other)) {
            let message = format!("{own} collides with {other}, where queries are answered");
            let help = "give HTTP a port of its own, such as 9153";
            self.error(key, list.span(), Problem::new(message, help));
        }
        let allow = spec.allow.iter().flat_map(|list| list.get_ref());
        let allow = allow.filter_map(|typed| self.value("http.allow", typed, value::prefix));
        let allow: Vec<_> = allow.collect();
        if let Some(open) = listen.iter().find(|address| !address.ip().is_loopback())
            && allow.is_empty()
        {
            let message = format!("{open} is open to everybody who can reach it");
            let help =
                "add allow with the prefixes of those who may ask, such as [\"192.0.2.0/24\"]";
            self.error(key, list.span(), Problem::new(message, help));
        }
        Some(Http { listen, allow })
    }
}
