//! The clients that follow the events: each has a task, which sends what is new from the events that are kept. There
//! is no queue for anybody.

use super::send;
use crate::event::{Event, News, RecentEvents};
use crate::status::EventStatus;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The most followers at one time.
const MAX_FOLLOWERS: usize = 8;

/// How long the server waits at its end for those who have not read all.
const GRACE: Duration = Duration::from_secs(1);

/// A line that a follower is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FollowLine {
    /// An event.
    Event(Box<EventStatus>),
    /// The follower was too slow.
    Lost {
        /// How many events it cannot have any more.
        lost: u64,
    },
}

/// There are as many followers as there may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{MAX_FOLLOWERS} clients follow the events already; end one of them")]
pub(super) struct Full;

/// All followers.
#[derive(Clone)]
pub(super) struct Followers {
    recent: Arc<RecentEvents>,
    room: Arc<Semaphore>,
}

impl Followers {
    /// Nobody follows these events yet.
    pub(super) fn of(recent: Arc<RecentEvents>) -> Self {
        Self { recent, room: Arc::new(Semaphore::new(MAX_FOLLOWERS)) }
    }

    /// Sends the newest events, that many at most, and each that happens from then on, until the client closes
    /// the connection or the server stops.
    pub(super) async fn serve(
        &self,
        stream: &mut UnixStream,
        last: Option<usize>,
    ) -> Result<(), Full> {
        let _place = self.room.try_acquire().map_err(|_| Full)?;
        let mut newest = self.recent.watch();
        let last = self.recent.last(last.unwrap_or(usize::MAX));
        let mut seen = last.first().map_or(*newest.borrow(), |event| event.number - 1);
        loop {
            newest.mark_unchanged();
            let News { lost, events } = self.recent.since(seen);
            let lost = (lost > 0).then_some(FollowLine::Lost { lost });
            let told = events.iter().map(|event| FollowLine::Event(Box::new((&**event).into())));
            for line in lost.into_iter().chain(told) {
                if send(stream, &line).await.is_err() {
                    return Ok(());
                }
            }
            if let Some(event) = events.last() {
                if event.name == Event::Stopping.name() {
                    return Ok(());
                }
                seen = event.number;
            }
            let mut byte = [0];
            tokio::select! {
                _ = newest.changed() => {}
                // It has nothing to say: it has gone.
                _ = stream.read(&mut byte) => return Ok(()),
            }
        }
    }

    /// Waits until all have had the last event, for a moment at most.
    pub(super) async fn end(&self) {
        let all = self.room.acquire_many(MAX_FOLLOWERS as u32);
        let _ = timeout(GRACE, all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventSink as _;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    fn expired(zone: &str) -> Event {
        Event::ZoneExpired { zone: zone.parse().unwrap() }
    }

    async fn line(from: &mut BufReader<UnixStream>) -> Option<FollowLine> {
        let mut text = String::new();
        from.read_line(&mut text).await.unwrap();
        (!text.is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    fn follow(followers: &Followers, last: Option<usize>) -> BufReader<UnixStream> {
        let (client, mut server) = UnixStream::pair().unwrap();
        let followers = followers.clone();
        tokio::spawn(async move { followers.serve(&mut server, last).await.unwrap() });
        BufReader::new(client)
    }

    #[tokio::test]
    async fn a_follower_has_the_last_events_and_each_that_comes_until_the_server_stops() {
        let recent = Arc::new(RecentEvents::default());
        let followers = Followers::of(Arc::clone(&recent));
        for zone in ["one.example", "two.example"] {
            recent.emit(&expired(zone));
        }
        let (mut one, mut none) = (follow(&followers, Some(1)), follow(&followers, Some(0)));
        let Some(FollowLine::Event(event)) = line(&mut one).await else { panic!("no event") };
        assert_eq!((event.number, event.zone.as_deref()), (2, Some("two.example")));
        assert_eq!(event.event, "zone-expired");
        // Both have begun: the other one has had the time for it, too.
        while followers.room.available_permits() > MAX_FOLLOWERS - 2 {
            tokio::task::yield_now().await;
        }
        recent.emit(&expired("three.example"));
        recent.emit(&Event::Stopping);
        for client in [&mut one, &mut none] {
            let Some(FollowLine::Event(event)) = line(client).await else { panic!("no event") };
            assert_eq!(event.number, 3);
            let Some(FollowLine::Event(event)) = line(client).await else { panic!("no event") };
            assert_eq!(event.event, "stopping");
            assert!(line(client).await.is_none(), "nothing comes after it");
        }
        followers.end().await;
        assert_eq!(followers.room.available_permits(), MAX_FOLLOWERS);
    }

    #[tokio::test]
    async fn who_does_not_read_loses_events_and_is_told() {
        let recent = Arc::new(RecentEvents::default());
        let followers = Followers::of(Arc::clone(&recent));
        recent.emit(&expired("first.example"));
        let mut deaf = follow(&followers, None);
        let Some(FollowLine::Event(event)) = line(&mut deaf).await else { panic!("no event") };
        assert_eq!(event.number, 1);
        const EVENTS: u64 = 20_000;
        for number in 2..=EVENTS {
            recent.emit(&expired("some.example"));
            if number % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        recent.emit(&Event::Stopping);
        let (mut told, mut missing) = (1, 0);
        while let Some(line) = line(&mut deaf).await {
            match line {
                FollowLine::Event(event) => {
                    told += 1;
                    assert_eq!(event.number, told + missing);
                }
                FollowLine::Lost { lost } => missing += lost,
            }
        }
        assert_eq!(told + missing, EVENTS + 1);
        assert!(missing > 0, "{told}");
    }

    #[tokio::test]
    async fn there_are_a_few_at_most_and_who_has_gone_leaves_its_place() {
        let followers = Followers::of(Arc::default());
        let many: Vec<_> = (0..MAX_FOLLOWERS).map(|_| follow(&followers, None)).collect();
        while followers.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let (_client, mut server) = UnixStream::pair().unwrap();
        assert!(followers.serve(&mut server, None).await.is_err());
        drop(many);
        while followers.room.available_permits() < MAX_FOLLOWERS {
            tokio::task::yield_now().await;
        }
    }
}
