//! Deterministic data sets and streams of keys, shared by tests and benchmarks.

/// The first key, the last key and the number of the answer, 0 for an exclusion.
pub type Entry = (u128, u128, u32);

/// SplitMix64: small, fast, and the same everywhere.
pub struct Random(u64);

impl Random {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A unicast IPv4 address, 1.0.0.0 to 223.255.255.255.
    pub fn ip4(&mut self) -> u32 {
        (0x0100_0000 + self.below(0xdf00_0000)) as u32
    }
}

/// Distinct single addresses, sorted: 85 % in `networks` random /24s whose fill has a heavy tail,
/// 15 % anywhere.
pub fn addresses(count: usize, networks: usize) -> Vec<u32> {
    let mut random = Random::new(4);
    let mut sum = 0.0;
    let networks: Vec<(f64, u32)> = (0..networks)
        .map(|_| {
            sum += random.unit().powf(2.2);
            (sum, random.ip4() & 0xffff_ff00)
        })
        .collect();
    let mut out = Vec::with_capacity(count + count / 4);
    while out.len() < count {
        for _ in out.len()..count {
            out.push(if random.below(100) < 85 {
                let at = random.unit() * sum;
                let index = networks.partition_point(|&(upto, _)| upto < at);
                networks[index].1 | random.below(256) as u32
            } else {
                random.ip4()
            });
        }
        out.sort_unstable();
        out.dedup();
    }
    out
}

/// IPv4 prefixes, few short, most /24 to /32, 2 % of them exclusions cut out of listed ranges.
pub fn cidrs(count: usize, answers: u64) -> Vec<Entry> {
    let mut random = Random::new(6);
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for index in 0..count {
        let excluded = index % 50 == 49;
        let length = match random.below(1000) {
            _ if excluded => 24 + random.below(9),
            0..2 => 8 + random.below(6),
            2..20 => 14 + random.below(5),
            20..150 => 19 + random.below(5),
            150..500 => 24,
            500..700 => 32,
            _ => 25 + random.below(7),
        };
        let hosts = (1_u128 << (32 - length)) - 1;
        let base = if excluded {
            let (start, end, _) = entries[random.below(index as u64) as usize];
            start + u128::from(random.below((end - start) as u64 + 1))
        } else {
            random.ip4().into()
        };
        let answer = if excluded { 0 } else { 1 + random.below(answers) as u32 };
        entries.push((base & !hosts, base | hosts, answer));
    }
    entries
}

/// IPv6 prefixes /32 to /64 in 2000::/3; `clustered`: 9 of 10, from /40 on, in 2,000 /32s.
pub fn prefixes(count: usize, clustered: bool) -> Vec<Entry> {
    let mut random = Random::new(8);
    let mut anywhere = move || {
        let bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
        (bits >> 3 | 1 << 125, 32 + random.below(33), random.bits())
    };
    let providers: Vec<u128> = (0..2000).map(|_| anywhere().0 >> 96 << 96).collect();
    let entries = (0..count).map(|_| {
        let (mut base, mut length, pick) = anywhere();
        if clustered && pick % 10 > 0 {
            length = 40 + length % 25;
            base = providers[(pick >> 32) as usize % providers.len()] | base << 32 >> 32;
        }
        let hosts = u128::MAX >> length;
        (base & !hosts, base | hosts, 1)
    });
    entries.collect()
}

/// Sorted disjoint ranges of prefixes, the longest prefix deciding; of equal ones the first.
pub fn flatten(mut prefixes: Vec<Entry>) -> Vec<Entry> {
    prefixes.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    prefixes.dedup_by(|later, first| later.0 == first.0 && later.1 == first.1);
    let mut out = Vec::with_capacity(prefixes.len());
    // Prefixes around the one at hand, and the first key that is not in `out` yet.
    let mut open: Vec<Entry> = Vec::new();
    let mut at = 0;
    let close = |out: &mut Vec<Entry>, at: u128, (_, end, answer): Entry| {
        if at <= end {
            out.push((at, end, answer));
        }
        end.saturating_add(1)
    };
    for prefix in prefixes {
        while let Some(ended) = open.pop_if(|outer| outer.1 < prefix.0) {
            at = close(&mut out, at, ended);
        }
        if let Some(&(start, _, answer)) = open.last().filter(|_| at < prefix.0) {
            out.push((at.max(start), prefix.0 - 1, answer));
        }
        open.push(prefix);
        at = prefix.0;
    }
    while let Some(ended) = open.pop() {
        at = close(&mut out, at, ended);
    }
    out.retain(|range| range.2 != 0);
    out
}
