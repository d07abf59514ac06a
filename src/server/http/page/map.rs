//! `/map/ZONE`: the IPv4 addresses that a zone lists as a picture, from which one comes to a /8, and from there to the
//! entries of a /16.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::words::{count, percent};
use super::{Document, Mood, lookup};
use crate::explain::check::Effort;
use crate::export::entries::ip4_ranges;
use crate::export::map::{Map, Square};
use crate::util::time::unix_time;
use crate::zone::Zone;
use crate::zone::sweep::{SweepOptions, sections};
use hyper::StatusCode;
use ipnet::Ipv4Net;
use maud::{Markup, html};

/// The narrowest network that is drawn.
const NARROWEST: u8 = 24;

/// `/map/ZONE`, with `net=` of a part of it.
pub(in super::super) fn map(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let name = name(asked);
    let squares = |map: Map, ranges: &mut dyn Iterator<Item = (u32, u32)>| map.squares(ranges);
    let (status, title, content) = match drawn(observation, asked, effort, squares) {
        Ok(squares) => {
            let title = format!("Map of {name}");
            (StatusCode::OK, title, whole(&name, asked_net(asked), &squares))
        }
        Err(StatusCode::SERVICE_UNAVAILABLE) => {
            let content = html! { h1 { "Look again" } (lookup::busy()) };
            (StatusCode::SERVICE_UNAVAILABLE, "Look again".to_owned(), content)
        }
        Err(status) => {
            let title = "There is no such map".to_owned();
            let content = html! {
                h1 { (title) }
                p { "A map is of a zone that lists IPv4 addresses and has its data, and of a network from /0 to /24." }
            };
            (status, title, content)
        }
    };
    let page = Document {
        title: &title,
        mood: Mood::of(&observation.status),
        is_live: false,
        is_public: false,
        key: "",
        content,
    };
    Answer::page(status, page.markup())
}

/// `/picture/ZONE`, with `net=` of a part of it: the map as PNG.
pub(in super::super) fn picture(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let png = |mut map: Map, ranges: &mut dyn Iterator<Item = (u32, u32)>| {
        let mut bytes = Vec::new();
        map.add(ranges);
        // To write into memory does not fail.
        let _ = map.picture(&name(asked)).write_png(&mut bytes);
        bytes
    };
    match drawn(observation, asked, effort, png) {
        Ok(bytes) => Answer::new(StatusCode::OK, "image/png", bytes),
        Err(status) => Answer::text(status, "there is no such picture, or not now\n"),
    }
}

/// True if there is a map of a zone.
pub(super) fn is_there(zone: &Zone) -> bool {
    zone.datasets.iter().any(|set| set.ip4.is_some())
}

fn name(asked: &Asked) -> String {
    asked.rest.strip_suffix('.').unwrap_or(&asked.rest).to_lowercase()
}

/// What is drawn; `None` for what cannot be.
fn asked_net(asked: &Asked) -> Option<Ipv4Net> {
    match asked.field("net") {
        None => Some(Ipv4Net::default()),
        Some(net) => net.parse().ok().filter(|net: &Ipv4Net| net.prefix_len() <= NARROWEST),
    }
}

/// What `draw` makes of an empty map and the ranges that the zone lists.
fn drawn<T>(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
    draw: impl FnOnce(Map, &mut dyn Iterator<Item = (u32, u32)>) -> T,
) -> Result<T, StatusCode> {
    let missing = StatusCode::NOT_FOUND;
    let net = asked_net(asked).ok_or(missing)?;
    let catalog = observation.catalog.as_ref().ok_or(missing)?.load();
    let name = name(asked);
    let zone = catalog.zones().iter().find(|zone| zone.apex.to_string() == name).ok_or(missing)?;
    let now = unix_time();
    if !is_there(zone) || !zone.is_served(now) {
        return Err(missing);
    }
    effort.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let options = SweepOptions { now, ip4_in_ip6: false };
    let section = sections(zone, options).map_err(|_| missing)?.find(|it| *it.apex() == zone.apex);
    let section = section.ok_or(missing)?;
    Ok(draw(Map::new(net, false), &mut ip4_ranges(&section)))
}

/// The address of the picture.
fn source(zone: &str, net: Ipv4Net) -> String {
    format!("/picture/{}?net={}", form::encoded(zone), form::encoded(&net.to_string()))
}

/// Where a click on a network leads: to its map, or to its entries if it is narrow.
fn target(zone: &str, net: Ipv4Net) -> String {
    let encoded = form::encoded(&net.to_string());
    match net.prefix_len() {
        ..16 => format!("/map/{}?net={encoded}", form::encoded(zone)),
        _ => format!("/lookup?key={encoded}"),
    }
}

fn whole(zone: &str, net: Option<Ipv4Net>, squares: &[Square]) -> Markup {
    let net = net.unwrap_or_default();
    let (width, height) = Map::SIZE;
    let mut most: Vec<_> = squares.iter().collect();
    most.sort_by_key(|square| std::cmp::Reverse(square.listed));
    html! {
        h1 { "Map of " a href={ "/zone/" (form::encoded(zone)) } { (zone) } }
        p {
            "Neighbours on the Hilbert curve are neighbours in the picture. A click on a square leads "
            @if net.prefix_len() < 8 { "to the map of the network; from there to its entries." } @else { "to its entries. " a href={ "/map/" (form::encoded(zone)) } { "All of IPv4" } }
        }
        // The places of the squares do not shrink with the picture.
        div.map tabindex="0" role="region" aria-label="Map" {
            img src=(source(zone, net)) width=(width) height=(height) usemap="#squares"
                alt={ "The addresses of " (net) " that " (zone) " lists; the table tells the same" };
        }
        map name="squares" {
            @for square in squares {
                area shape="rect" href=(target(zone, square.net)) tabindex="-1"
                    alt={ (square.net) ": " (count(square.listed.into())) " listed" }
                    coords={ (square.left) "," (square.top) "," (square.left + square.side) "," (square.top + square.side) };
            }
        }
        table.top {
            caption { "Networks by what is listed in them" }
            thead { tr {
                th scope="col" { "Network" } th.figure scope="col" { "Listed" } th.figure scope="col" { "Of it" }
            } }
            tbody { @for square in most {
                tr {
                    th scope="row" { a href=(target(zone, square.net)) { (square.net) } }
                    td.figure { (count(square.listed.into())) }
                    td.figure { (percent(square.listed as f64 / (1_u64 << (32 - square.net.prefix_len())) as f64)) }
                }
            } }
        }
    }
}
