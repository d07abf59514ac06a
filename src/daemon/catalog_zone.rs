//! The zone that tells secondaries which zones there are (a catalog zone, RFC 9432).

use crate::config::Settings;
use crate::listing::records::RecordsBuilder;
use crate::state::serials::Serials;
use crate::stats::Statistics;
use crate::wire::Type;
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Ns, Soa, Zone, ZoneState};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// The TTL of its records, in seconds: nobody looks at it (RFC 9432 section 4.1).
const TTL: u32 = 3600;

/// The catalog zone of these settings, if they have one: its members are the zones that somebody may have.
pub(super) fn build(
    settings: &Settings,
    now: u64,
    serials: &mut Serials,
    statistics: &mut Statistics,
) -> Option<Zone> {
    let catalog = settings.catalog_zone.as_ref()?;
    let members = settings.zones.iter().filter(|zone| !zone.transfer.is_off());
    let mut records = RecordsBuilder::default();
    let mut content = Vec::new();
    let mut add = |owner: &[u8], rtype, data: &[u8]| {
        content.extend_from_slice(data);
        // There are never so many zones that their names have 4 GiB.
        let _ = records.add(owner, rtype, TTL, data);
    };
    add(b"\x07version\0", Type::TXT, b"\x012");
    for member in members {
        let id = format!("{:016x}", xxh3_64(member.name.as_wire()));
        let owner = [&[id.len() as u8], id.as_bytes(), b"\x05zones\0"].concat();
        add(&owner, Type::PTR, member.name.as_wire());
    }
    let content_id = xxh3_64(&content);
    // RFC 9432 section 4.1: the name of a server that does not exist.
    let invalid = NameBuf::from_text(b"invalid").unwrap_or(NameBuf::ROOT);
    let records = Some(records.finish());
    let dataset =
        Dataset { name: catalog.name.to_string(), records, ttl: TTL, ..Dataset::default() };
    Some(Zone {
        apex: catalog.name.clone(),
        soa: Soa {
            mname: invalid.clone(),
            rname: invalid.clone(),
            // The time of the last change.
            serial: serials.next(&catalog.name, u64::MAX, now, content_id),
            refresh: 3600,
            retry: 600,
            expire: 2_147_483_646,
            minimum: TTL,
            ttl: TTL,
        },
        ns: Ns { names: vec![invalid], ttl: TTL, explicit: true },
        datasets: vec![Arc::new(dataset)],
        allow: Vec::new(),
        scoring: None,
        acl: Vec::new(),
        quotas: Vec::new(),
        transfer: catalog.transfer.clone(),
        state: ZoneState::Live,
        says_stale: false,
        expires: None,
        test_points: false,
        minimal_answers: true,
        health: None,
        content_id,
        counters: statistics.zone(&catalog.name),
    })
}
