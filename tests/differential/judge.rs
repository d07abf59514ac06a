//! What dnsbld must answer, given what rbldnsd answered: the same, rewritten by every wanted
//! difference that is due. A difference that is due and does not show is as wrong as one that
//! shows and is not due.

use super::facts::{Below, Facts, SERVFAIL, TestPoint, Zone};
use super::known_differences;
use super::scenario::FIRST_MTIME;
use crate::common::message::{AA, RD, TC};
use crate::common::name::{self, Name};
use crate::common::query::{
    CLASS_ANY, CLASS_CH, CLASS_IN, Edns, HEADER, Health, Query, TYPE_A, TYPE_ANY, TYPE_NS,
    TYPE_SOA, TYPE_TXT,
};
use crate::common::reply::{Data, Opt, Record, Reply};

const FORMERR: u16 = 1;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const BADVERS: u16 = 16;

/// RA, Z, AD and CD.
const SECOND_BYTE: u16 = 0xf0;

/// The most bytes that compression saves in the name of a server among the questions.
const LONGEST_NS: usize = 40;

/// The bytes of a UDP payload without EDNS, and the most that dnsbld sends.
const PLAIN_SIZE: usize = 512;
const EDNS_SIZE: u16 = 1232;
/// The bytes of an OPT record without options.
const OPT_LENGTH: usize = 11;
/// The bytes of a record before its data, if its owner's name is compressed.
const RECORD_HEAD: usize = 12;
/// How long texts are that rbldnsd cut: at 254 bytes, in `generic` datasets at 255. It cuts templates
/// at 255 when it loads them, and what they are written out to may be some bytes shorter.
const CUTS: std::ops::RangeInclusive<usize> = 240..=255;
/// The most bytes of a text that dnsbld serves.
const LONGEST: usize = 1020;
/// The longest TTL that dnsbld sends, in seconds.
const LONGEST_TTL: u32 = 0x7fff_ffff;

/// One question and what was answered.
pub(crate) struct Asked<'a> {
    pub(crate) query: &'a Query,
    /// rbldnsd's reply.
    pub(crate) left: Option<&'a Reply>,
    /// rbldnsd's reply to the same question `in_full`, from the files as dnsbld wants to read
    /// them, and its length.
    pub(crate) full: Option<(&'a Reply, usize)>,
    /// The same for a client that no access list is about.
    pub(crate) public: Option<(&'a Reply, usize)>,
    /// The wanted differences in reading the files that changed the reply in full.
    pub(crate) edits: &'a [&'static str],
    /// dnsbld's reply, and its length.
    pub(crate) right: Option<(&'a Reply, usize)>,
}

/// What comes of one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Equal,
    /// Different by these wanted differences.
    Wanted(Vec<&'static str>),
    /// Different, and why that is not wanted.
    Unwanted(String),
}

impl Verdict {
    /// True if dnsbld's reply is as it should be.
    pub(crate) fn is_good(&self) -> bool {
        !matches!(self, Self::Unwanted(_))
    }
}

/// One thing that dnsbld may answer.
enum Want {
    Silence,
    /// This return code and no records, in a reply with the query's opcode and RD bit.
    Code(u16),
    /// This, but for serials and the length of texts.
    Reply(Reply),
    /// The TC bit, and as many of these records as fit, A records first.
    Truncated(Reply),
    /// All of this, or the same: what names take when they are compressed decides.
    Tight(Reply),
    /// This with the zone's default value added.
    TestPoint(Reply),
    /// A text about the server.
    VersionText,
}

/// Compares the replies.
pub(crate) fn judge(asked: &Asked<'_>, facts: &Facts) -> Verdict {
    let mut complaints = Vec::new();
    for (mut ids, want) in asked.wanted(facts) {
        match want.fits(asked.query, asked.right) {
            Ok(more) => {
                if asked.left == asked.right.map(|(right, _)| right) {
                    return Verdict::Equal;
                }
                ids.extend(more);
                if ids.is_empty() {
                    complaints.push("the replies differ, and no wanted difference says why".into());
                } else {
                    ids.sort_unstable();
                    ids.dedup();
                    return Verdict::Wanted(ids);
                }
            }
            Err(complaint) if ids.is_empty() => complaints.push(complaint),
            Err(complaint) => complaints.push(format!("by {}: {complaint}", ids.join(", "))),
        }
    }
    Verdict::Unwanted(complaints.join("; or "))
}

type Wants = Vec<(Vec<&'static str>, Want)>;

impl Asked<'_> {
    /// What dnsbld may answer, each with the wanted differences that lead to it; where there is
    /// more than one, dnsbld has the choice.
    fn wanted(&self, facts: &Facts) -> Wants {
        let query = self.query;
        let silent = self.left.is_none();
        match query.health() {
            _ if facts.ignores(query) => vec![(vec![], Want::Silence)],
            Health::Unanswerable => vec![(vec![], Want::Silence)],
            _ if query.opcode != 0 => {
                let id = if silent {
                    known_differences::FORMERR
                } else {
                    known_differences::NOTIMP_HEADER
                };
                vec![(vec![id], Want::Code(NOTIMP))]
            }
            Health::BadQuestion => vec![(vec![known_differences::FORMERR], Want::Code(FORMERR))],
            Health::BadTail => {
                let mut wants = self.regular(None, facts);
                wants.extend(self.regular(query.edns.as_ref(), facts));
                wants.push((vec![known_differences::BAD_TAIL], Want::Code(FORMERR)));
                wants
            }
            Health::Whole => {
                let mut wants = self.regular(query.edns.as_ref(), facts);
                let zone = facts.zone_of(&query.name);
                if query.from.is_some() && zone.is_some_and(|zone| zone.is_generic) {
                    let public = Self { full: self.public, ..*self };
                    let public = public.regular(query.edns.as_ref(), facts).into_iter();
                    wants.extend(public.map(|(ids, want)| {
                        ([&ids[..], &[known_differences::ACL_GENERIC]].concat(), want)
                    }));
                }
                wants
            }
        }
    }

    fn regular(&self, edns: Option<&Edns>, facts: &Facts) -> Wants {
        let query = self.query;
        if edns.is_some_and(|edns| edns.version > 0) {
            return vec![(vec![known_differences::EDNS_VERSION], Want::Code(BADVERS))];
        }
        if query.class == CLASS_CH && query.qtype == TYPE_TXT {
            match name::to_text(&name::lowercase(&query.name)).as_str() {
                // By -v and -vv.
                "version.bind" | "version.server"
                    if self.full.is_none_or(|(full, _)| hides_version(full)) => {}
                "version.bind" | "version.server" => {
                    return vec![(vec![known_differences::VERSION_TEXT], Want::VersionText)];
                }
                _ => {}
            }
        }
        let mut ids = self.edits.to_vec();
        let is_unimplemented = self.left.is_some_and(|left| left.rcode == NOTIMP);
        let Some((full, length)) = self.full else {
            if is_unimplemented {
                ids.push(not_implemented(query));
            }
            return vec![(ids, Want::Silence)];
        };
        if full.rcode == NOTIMP && query.bits & (AA | TC) != 0 {
            return vec![(vec![known_differences::NOTIMP_HEADER], Want::Code(NOTIMP))];
        }
        if is_unimplemented && full.rcode != NOTIMP {
            ids.push(not_implemented(query));
        }
        let mut reply = Reply { question: query.question(), opt: None, ..full.clone() };
        if query.class == CLASS_CH && reply.bits & SECOND_BYTE != 0 {
            reply.bits &= !SECOND_BYTE;
            ids.push(known_differences::HEADER_BITS);
        }
        let partial = query.class != CLASS_CH && reply.rcode == 0 && full.bits & AA == 0;
        if query.class == CLASS_ANY {
            reply.bits &= !AA;
        } else if partial {
            reply.bits |= AA;
        }
        for record in reply.answers.iter_mut().chain(&mut reply.authority) {
            if record.ttl > LONGEST_TTL {
                record.ttl = LONGEST_TTL;
                ids.push(known_differences::TTL_LIMIT);
            }
        }
        if unify(&mut reply.answers) {
            ids.push(known_differences::TXT_255);
        }
        if reply.answers.iter().any(|record| record.rtype == TYPE_NS) && !reply.authority.is_empty()
        {
            reply.authority.clear();
            ids.push(known_differences::NS_TWICE);
        }
        let length = length - full.opt.as_ref().map_or(0, |_| OPT_LENGTH);
        let zone = facts.zone_of(&query.name).filter(|zone| zone.live);
        let class = matches!(query.class, CLASS_IN | CLASS_ANY);
        let mut wants = match zone.filter(|_| class && full.rcode != NOTIMP) {
            Some(zone) => {
                let mut wants = in_zone(query, zone, ids, reply, facts);
                if zone.is_partial {
                    in_partial_zone(query, zone, &mut wants);
                }
                wants
            }
            None => vec![(ids, Want::Reply(reply))],
        };
        for (ids, want) in &mut wants {
            self.limit(edns, partial, length, ids, want);
        }
        wants
    }

    /// The OPT record, and the TC bit where the reply does not fit.
    fn limit(
        &self,
        edns: Option<&Edns>,
        partial: bool,
        length: usize,
        ids: &mut Vec<&'static str>,
        want: &mut Want,
    ) {
        let (Want::Reply(reply) | Want::TestPoint(reply)) = want else { return };
        reply.opt = edns.map(|edns| Opt {
            size: EDNS_SIZE,
            version: 0,
            dnssec_ok: edns.dnssec_ok,
            options: Vec::new(),
        });
        if self.left.is_some_and(|left| left.opt != reply.opt) {
            ids.push(known_differences::EDNS_OPT);
        }
        let limit = edns.map_or(PLAIN_SIZE, |edns| {
            usize::from(edns.size.min(EDNS_SIZE)).max(PLAIN_SIZE) - OPT_LENGTH
        });
        // NS records that do not fit are left out, without a word: nobody asked for them.
        // rbldnsd compresses their names more, so a little less than the limit is enough for that.
        let is_asked = |record: &Record| record.rtype != TYPE_NS;
        let spare = if self.right.is_some_and(|(right, _)| right.authority.is_empty()) {
            reply.authority.len() * LONGEST_NS
        } else {
            0
        };
        if length + spare > limit
            && !reply.answers.is_empty()
            && !reply.authority.iter().any(is_asked)
        {
            reply.authority.clear();
            let had_them = self.left.is_some_and(|left| !left.authority.is_empty());
            ids.extend(had_them.then_some(known_differences::EDNS_OPT));
        }
        // What dnsbld never lists, where rbldnsd has too many records, is short.
        let is_long = partial || exact_length(reply).unwrap_or(length) > limit;
        if is_long && !ids.contains(&known_differences::TEST_POINT_UNLISTED) {
            ids.push(known_differences::TRUNCATION);
            if partial && let Some((right, _)) = self.right {
                // Even the full answer of rbldnsd is cut: nobody knows what else there is.
                let more = right.answers.iter().filter(|record| !reply.answers.contains(record));
                let more: Vec<_> = more.cloned().collect();
                reply.answers.extend(more);
                reply.answers.sort_unstable();
            }
            *want = Want::Truncated(reply.clone());
        } else if exact_length(reply).is_none() && greatest_length(reply) > limit {
            *want = Want::Tight(reply.clone());
        }
    }
}

/// True if the reply to `version.bind` does not tell rbldnsd's version.
fn hides_version(reply: &Reply) -> bool {
    !reply.answers.iter().filter_map(text).any(|text| text.starts_with(b"rbldnsd "))
}

/// Why rbldnsd says NOTIMP where dnsbld does not.
fn not_implemented(query: &Query) -> &'static str {
    if query.bits & (AA | TC) != 0 {
        known_differences::HEADER_BITS
    } else {
        known_differences::TYPES_256_UP
    }
}

/// The differences that depend on the zone's data.
fn in_zone(
    query: &Query,
    zone: &Zone,
    mut ids: Vec<&'static str>,
    mut reply: Reply,
    facts: &Facts,
) -> Wants {
    let labels = &query.name[..query.name.len() - zone.apex.len()];
    if labels.is_empty() && reply.rcode == REFUSED && !facts.refuses(query, zone) {
        ids.push(known_differences::APEX_SYNTHESISED);
        reply.rcode = 0;
        reply.bits |= if query.class == CLASS_IN { AA } else { 0 };
        reply.answers = apex_records(query, zone);
        ids.extend(unify(&mut reply.answers).then_some(known_differences::TXT_255));
        let mut wants = vec![(ids.clone(), Want::Reply(reply.clone()))];
        if !facts.is_minimal && query.qtype == TYPE_SOA {
            reply.authority.clone_from(&zone.ns);
            wants.push((ids, Want::Reply(reply)));
        }
        return wants;
    }
    let mut wants = Wants::new();
    // What they are to a client that an access list is about, the facts do not tell.
    let is_public = query.from.is_none();
    match zone.test_point(labels) {
        Some(TestPoint { listed: true, due }) if reply.rcode == NXDOMAIN && !zone.is_partial => {
            let mut ids = ids.clone();
            ids.push(known_differences::TEST_POINT_LISTED);
            let mut reply = Reply { rcode: 0, ..reply.clone() };
            negative(zone, &mut ids, &mut reply);
            wants.push((ids, Want::TestPoint(reply)));
            if due && is_public {
                return wants;
            }
        }
        Some(TestPoint { listed: false, due }) if reply.rcode == 0 => {
            let mut ids = ids.clone();
            ids.push(known_differences::TEST_POINT_UNLISTED);
            let mut reply = Reply { rcode: NXDOMAIN, answers: Vec::new(), ..reply.clone() };
            negative(zone, &mut ids, &mut reply);
            if zone.has_soa {
                reply.authority = zone.negative_soa();
            }
            wants.extend(non_terminal(query, ids, reply, facts));
            if due && is_public {
                return wants;
            }
        }
        _ => {}
    }
    negative(zone, &mut ids, &mut reply);
    wants.extend(non_terminal(query, ids, reply, facts));
    wants
}

/// SERVFAIL in a zone that lacks a dataset: for what the others do not list, because that one may, and
/// for the test points, whatever the files list, because the zone must not look healthy.
fn in_partial_zone(query: &Query, zone: &Zone, wants: &mut Wants) {
    let labels = &query.name[..query.name.len() - zone.apex.len()];
    let is_test_point = matches!(
        zone.test_point(labels),
        Some(TestPoint { listed: true, due: true }) if query.from.is_none()
    );
    for (ids, want) in wants {
        let Want::Reply(reply) = want else { continue };
        // A name above others exists, whatever the missing dataset lists.
        let is_above = ids.contains(&known_differences::EMPTY_NON_TERMINAL);
        if reply.rcode == NXDOMAIN || is_test_point && !is_above && reply.rcode == 0 {
            let (answers, authority) = Default::default();
            let bits = reply.bits & !AA;
            *want =
                Want::Reply(Reply { rcode: SERVFAIL, bits, answers, authority, ..reply.clone() });
            *ids = vec![known_differences::PARTLY_LOADED];
        }
    }
}

/// NODATA instead of NXDOMAIN where something is listed below.
fn non_terminal(query: &Query, ids: Vec<&'static str>, reply: Reply, facts: &Facts) -> Wants {
    let below = match reply.rcode {
        // What is listed for a client of an access list, the facts do not tell.
        NXDOMAIN if query.from.is_some() => Below::Possibly,
        NXDOMAIN => facts.below(&query.name),
        _ => Below::Nothing,
    };
    let mut wants = Wants::new();
    if below != Below::Nothing {
        let mut ids = ids.clone();
        ids.push(known_differences::EMPTY_NON_TERMINAL);
        wants.push((ids, Want::Reply(Reply { rcode: 0, ..reply.clone() })));
    }
    if below != Below::Listed {
        wants.push((ids, Want::Reply(reply)));
    }
    wants
}

/// Leaves out duplicates, and gives records of a type one TTL, where a text of 255 bytes has kept
/// rbldnsd from it. True if that changes anything.
fn unify(records: &mut Vec<Record>) -> bool {
    if !records.iter().any(|record| text(record).is_some_and(|text| text.len() == 255)) {
        return false;
    }
    let before = records.clone();
    for record in &mut *records {
        let rrset = before.iter().filter(|other| other.rtype == record.rtype);
        record.ttl = rrset.map(|other| other.ttl).min().unwrap_or(record.ttl);
    }
    records.sort_unstable();
    records.dedup();
    *records != before
}

/// The SOA record of negative answers.
fn negative(zone: &Zone, ids: &mut Vec<&'static str>, reply: &mut Reply) {
    if !zone.has_soa && reply.answers.is_empty() && matches!(reply.rcode, 0 | NXDOMAIN) {
        ids.push(known_differences::SOA_SYNTHESISED);
        reply.authority = zone.negative_soa();
    }
}

/// What dnsbld has at the apex for a query that rbldnsd refuses.
fn apex_records(query: &Query, zone: &Zone) -> Vec<Record> {
    let mut records = match query.qtype {
        TYPE_SOA => zone.soa.clone(),
        TYPE_NS => zone.ns.clone(),
        _ => [&zone.soa[..], &zone.ns, &zone.others].concat(),
    };
    for record in &mut records {
        record.owner.clone_from(&query.name);
        record.ttl = record.ttl.min(LONGEST_TTL);
    }
    records.sort_unstable();
    records
}

/// The reply's length without OPT, if it has no names but the question's.
fn exact_length(reply: &Reply) -> Option<usize> {
    let mut length = HEADER + reply.question.len();
    for record in reply.answers.iter().chain(&reply.authority) {
        length += exact_size(record)?;
    }
    Some(length)
}

/// The size of a record at the name asked, if it has no other name.
fn exact_size(record: &Record) -> Option<usize> {
    let data: usize = match &record.data {
        Data::A(octets) => octets.len(),
        Data::Txt(strings) => strings.iter().map(|string| 1 + string.len()).sum(),
        _ => return None,
    };
    Some(RECORD_HEAD + data)
}

/// The reply's length without OPT, if names were compressed only where they are the question's.
fn greatest_length(reply: &Reply) -> usize {
    let name = |name: &Name| name.iter().map(|label| 1 + label.len()).sum::<usize>() + 1;
    let data = |data: &Data| match data {
        Data::A(octets) => octets.len(),
        Data::Ns(target) => name(target),
        Data::Mx(_, target) => size_of::<u16>() + name(target),
        Data::Soa { primary, person, .. } => name(primary) + name(person) + 5 * size_of::<u32>(),
        Data::Txt(strings) => strings.iter().map(|string| 1 + string.len()).sum(),
        Data::Aaaa(octets) => octets.len(),
        Data::Other(bytes) => bytes.len(),
    };
    let records = reply.answers.iter().chain(&reply.authority);
    let records: usize = records.map(|record| RECORD_HEAD + data(&record.data)).sum();
    HEADER + reply.question.len() + records
}

impl Want {
    /// Whether `reply` is what is wanted; the differences that only the comparison shows, or
    /// what is amiss.
    fn fits(
        &self,
        query: &Query,
        reply: Option<(&Reply, usize)>,
    ) -> Result<Vec<&'static str>, String> {
        let Some((reply, length)) = reply else {
            let silence = matches!(self, Self::Silence);
            return if silence { Ok(Vec::new()) } else { Err("a reply is due".to_owned()) };
        };
        let bare = reply.answers.is_empty() && reply.authority.is_empty();
        let header = reply.opcode == query.opcode && reply.bits & RD == query.bits & RD;
        let limit = if reply.opt.is_some() { query.udp_limit() } else { PLAIN_SIZE };
        let truncated = |whole| truncated(whole, reply, limit.saturating_sub(length));
        match self {
            Self::Silence => Err("silence is due".to_owned()),
            Self::Code(code) if reply.rcode != *code => Err(format!("return code {code} is due")),
            Self::Code(_) if !bare || !header => {
                Err("no records and the query's opcode and RD bit are due".to_owned())
            }
            Self::Code(_) => Ok(Vec::new()),
            Self::VersionText => {
                let text =
                    matches!(&reply.answers[..], [Record { rtype: TYPE_TXT, class: CLASS_CH, .. }]);
                let fits = text && reply.rcode == 0 && header;
                if fits { Ok(Vec::new()) } else { Err("one CH TXT record is due".to_owned()) }
            }
            Self::Reply(wanted) => same(wanted, reply).or_else(|complaint| {
                // A text that rbldnsd cut may no longer fit when it is whole, nor NS records beside
                // it for which nobody asked.
                if !wanted.answers.iter().any(is_cut) {
                    return Err(complaint);
                }
                if truncated(wanted) {
                    return Ok(vec![known_differences::LONG_TXT, known_differences::TRUNCATION]);
                }
                let mut authority = wanted.authority.iter().chain(&reply.authority);
                if !authority.all(|record| record.rtype == TYPE_NS) {
                    return Err(complaint);
                }
                let [wanted, reply] =
                    [wanted, reply].map(|one| Reply { authority: Vec::new(), ..one.clone() });
                same(&wanted, &reply).map_err(|_| complaint)
            }),
            Self::Truncated(whole) => {
                let fits = truncated(whole) || has_room_for_more(whole, reply);
                let due = || format!("the TC bit and what fits are due for {whole}");
                if fits { Ok(Vec::new()) } else { Err(due()) }
            }
            Self::Tight(whole) => same(whole, reply).or_else(|complaint| {
                let fits = truncated(whole);
                if fits { Ok(vec![known_differences::TRUNCATION]) } else { Err(complaint) }
            }),
            Self::TestPoint(frame) => {
                let (mut ids, mut reply) = (Vec::new(), reply.clone());
                forget_serial(&frame.authority, &mut reply.authority, &mut ids);
                test_point(frame, &reply, query.qtype).map(|()| ids)
            }
        }
    }
}

fn same(wanted: &Reply, reply: &Reply) -> Result<Vec<&'static str>, String> {
    let mut ids = Vec::new();
    let mut reply = reply.clone();
    shorten(&wanted.answers, &mut reply.answers, &mut ids);
    forget_serial(&wanted.answers, &mut reply.answers, &mut ids);
    forget_serial(&wanted.authority, &mut reply.authority, &mut ids);
    if reply == *wanted {
        return Ok(ids);
    }
    Err(format!("this is due: {wanted}"))
}

/// Takes texts that go on where rbldnsd cut them for those of rbldnsd.
fn shorten(wanted: &[Record], records: &mut Vec<Record>, ids: &mut Vec<&'static str>) {
    for record in records.iter_mut().filter(|record| !wanted.contains(record)) {
        let cut = wanted.iter().filter(|wanted| is_cut(wanted) && goes_on(wanted, record));
        // Another text can be long, and how this one begins.
        let Some(short) = cut.max_by_key(|wanted| text(wanted).map(|text| text.len())) else {
            continue;
        };
        record.clone_from(short);
        ids.push(known_differences::LONG_TXT);
    }
    records.sort_unstable();
    records.dedup();
}

/// Takes any serial for the modification time that rbldnsd puts where `$SOA` says 0.
fn forget_serial(wanted: &[Record], records: &mut [Record], ids: &mut Vec<&'static str>) {
    for (wanted, record) in wanted.iter().zip(records) {
        if let (Data::Soa { serial: due, .. }, Data::Soa { serial, .. }) =
            (&wanted.data, &mut record.data)
            && (FIRST_MTIME..FIRST_MTIME + 1000).contains(due)
            && serial != due
        {
            *serial = *due;
            ids.push(known_differences::SERIAL);
        }
    }
}

fn text(record: &Record) -> Option<Vec<u8>> {
    if let Data::Txt(strings) = &record.data { Some(strings.concat()) } else { None }
}

/// True if all that rbldnsd found room for is there, and what it did not: names that are compressed
/// more, and duplicates that are none, leave room.
fn has_room_for_more(partial: &Reply, reply: &Reply) -> bool {
    let more = reply.answers.len() > partial.answers.len() || partial.answers.iter().any(is_cut);
    let has = |record: &Record| {
        reply.answers.iter().any(|other| other == record || goes_on(record, other))
    };
    let all = partial.answers.iter().all(has);
    more && all && reply.bits & TC == 0
}

fn is_cut(record: &Record) -> bool {
    text(record).is_some_and(|text| CUTS.contains(&text.len()))
}

/// True if `long` is the record `short` with a longer text.
fn goes_on(short: &Record, long: &Record) -> bool {
    let (Some(text), Some(whole)) = (text(short), text(long)) else { return false };
    let same = Record { data: short.data.clone(), ..long.clone() } == *short;
    same && whole.len() > text.len() && whole.len() <= LONGEST && whole.starts_with(&text)
}

/// True if `reply` says that records of `whole` are missing, has no others, and had no room for
/// more than the `room` that is left.
fn truncated(whole: &Reply, reply: &Reply, room: usize) -> bool {
    let is = |due: &Record, record: &Record| due == record || goes_on(due, record);
    let known = |record: &Record| whole.answers.iter().any(|due| is(due, record));
    let missing = |due: &&Record| !reply.answers.iter().any(|record| is(due, record));
    let texts = reply.answers.iter().filter(|record| record.rtype == TYPE_TXT);
    let texts: usize = texts.filter_map(exact_size).sum();
    // A records come before texts. How long a text is that rbldnsd cut, nobody knows.
    let fits = |due: &Record| match exact_size(due) {
        Some(size) if due.rtype == TYPE_A => size <= room + texts,
        Some(size) => size <= room && !is_cut(due),
        None => false,
    };
    let frame = Reply { bits: whole.bits | TC, ..whole.clone() };
    reply.answers.iter().all(known)
        && !whole.answers.iter().filter(missing).any(fits)
        && *reply
            == Reply {
                answers: reply.answers.clone(),
                authority: if reply.authority.is_empty() {
                    Vec::new()
                } else {
                    whole.authority.clone()
                },
                ..frame
            }
}

/// A listed reply: what `frame` is without records, with one A value in 127/8 and at most one
/// text, as far as they are asked for.
fn test_point(frame: &Reply, reply: &Reply, qtype: u16) -> Result<(), String> {
    // A default text of full length need not fit.
    if qtype != TYPE_A && reply.bits & TC != 0 && reply.answers.is_empty() {
        return Ok(());
    }
    let loopback = |record: &Record| matches!(record.data, Data::A([127, ..]));
    let texts = reply.answers.iter().filter(|record| record.rtype == TYPE_TXT).count();
    let values = reply.answers.iter().filter(|record| loopback(record)).count();
    let all = values + texts == reply.answers.len();
    let fits = match qtype {
        TYPE_A => (values, texts) == (1, 0),
        TYPE_TXT => values == 0 && texts <= 1,
        TYPE_ANY => values == 1 && texts <= 1,
        _ => reply.answers.is_empty(),
    };
    let authority = if reply.answers.is_empty() { frame.authority.clone() } else { Vec::new() };
    let rest = Reply { answers: reply.answers.clone(), authority, ..frame.clone() };
    if all && fits && rest == *reply {
        Ok(())
    } else {
        Err("the zone's default value is due".to_owned())
    }
}
