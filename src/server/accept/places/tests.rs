use super::*;
use proptest::prelude::*;

fn places(connections: usize, per_client: usize, idle: Duration) -> Arc<Places> {
    Places::new(Caps { connections, per_client, prefixes: ClientPrefixes::default(), idle })
}

fn client(number: u8) -> IpAddr {
    [192, 0, 2, number].into()
}

/// Times of the tests lie after those of the clock.
const LATER: u64 = 1 << 40;

impl Place {
    fn is_to_give_way(&mut self) -> bool {
        self.ends.try_recv().is_ok()
    }

    fn active_at(&self, time: u64) {
        self.activity.last.store(LATER + time, Ordering::Relaxed);
    }
}

proptest! {
    /// Beside a list that is searched from end to end.
    #[test]
    fn the_idlest_gives_way(
        steps in prop::collection::vec((0..4_u8, 0..5_u8, any::<prop::sample::Index>()), 1..120),
    ) {
        let (connections, per_client) = (6, 2);
        let places = places(connections, per_client, Duration::from_secs(10));
        let tally = Arc::default();
        let mut held: Vec<(u8, u64, Place)> = Vec::new();
        for (time, (what, number, index)) in (0..).zip(steps) {
            match what {
                0 if !held.is_empty() => drop(held.remove(index.index(held.len()))),
                1 if !held.is_empty() => {
                    let at = index.index(held.len());
                    held[at].1 = time;
                    held[at].2.active_at(time);
                }
                _ => {
                    let address = client(number);
                    let of_client = held.iter().filter(|(of, ..)| *of == number).count();
                    let rivals: Box<dyn Fn(u8) -> bool> = match () {
                        () if of_client == per_client => Box::new(|of| of == number),
                        () if held.len() == connections => Box::new(|_| true),
                        () => Box::new(|_| false),
                    };
                    let idlest = (0..held.len())
                        .filter(|&at| rivals(held[at].0))
                        .min_by_key(|&at| held[at].1);
                    let place = places.try_admit(address, &tally);
                    prop_assert_eq!(place.is_none(), idlest.is_some());
                    let place = match idlest {
                        None => place,
                        Some(at) => {
                            // One is enough, however often it is tried until it is gone.
                            prop_assert!(places.try_admit(address, &tally).is_none());
                            for (other, (.., place)) in held.iter_mut().enumerate() {
                                prop_assert_eq!(place.is_to_give_way(), other == at);
                            }
                            held.remove(at);
                            places.try_admit(address, &tally)
                        }
                    };
                    let place = place.expect("a place is free");
                    place.active_at(time);
                    held.push((number, time, place));
                }
            }
            prop_assert_eq!(tally.counts(connections).open, held.len());
        }
        drop(held);
        let table = places.table();
        prop_assert!(table.open.is_empty() && table.order.is_empty() && table.clients.is_empty());
    }
}

#[test]
fn who_is_idle_gives_way_earlier_when_many_places_are_taken() {
    let idle = Duration::from_millis(800);
    // Of eight: half of the time from four on, a quarter from six, an eighth from eight, which are all.
    for (held, waits) in [(3, None), (4, Some(400)), (5, Some(400)), (6, Some(200)), (7, Some(200))]
    {
        let (places, tally) = (places(8, 8, idle), Arc::default());
        let mut all: Vec<_> =
            (0..held).map(|of| places.try_admit(client(of), &tally).unwrap()).collect();
        std::thread::sleep(Duration::from_millis(waits.unwrap_or(400) - 100));
        all[0].activity().mark();
        std::thread::sleep(Duration::from_millis(110));
        assert!(places.try_admit(client(9), &tally).is_some(), "there is room");
        let gave_way: Vec<_> = all.iter_mut().map(Place::is_to_give_way).collect();
        let expected: Vec<_> = (0..held).map(|of| waits.is_some() && of > 0).collect();
        assert_eq!(gave_way, expected, "{held} of 8");
        let pressure = tally.counts(8).closed(Closed::Pressure);
        assert_eq!(pressure, expected.iter().filter(|&&ends| ends).count() as u64);
    }
}

#[test]
fn a_connection_that_ends_by_itself_makes_room_as_well() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (places, tally) = (places(1, 1, Duration::from_secs(10)), Arc::default());
        assert!(!places.make_room(Closed::Descriptors).await, "nobody is there");
        let mut first = places.admit(client(1), &tally).await;
        let second = places.admit(client(2), &tally);
        let ended = async move {
            first.gives_way().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, ended);
        let counts = tally.counts(1);
        assert_eq!((counts.open, counts.accepted, counts.gave_way()), (1, 2, 1));
        drop(second);
    });
}
