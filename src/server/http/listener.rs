//! Who may connect, for how long, and what is read of a request.

use super::answer::{Answer, Asked};
use super::readers::{ReadLimits, Readers};
use super::routes::{self, Teller};
use super::{Observation, Observe, form};
use crate::config::ClientPrefixes;
use crate::event::{Event, EventSink};
use crate::server::accept::{Accepted, Activity, Caps, ConnectionCounts, Front, StreamServer};
use crate::server::client_address;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long an observation is told to others, too.
const FRESH: Duration = Duration::from_millis(100);

/// How long the control loop may take to tell how the server is.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;

/// The most header fields of a request.
const MAX_FIELDS: usize = 64;

/// What a browser may do with an answer: nothing but to show it, with the style, the script and the pictures of this
/// server, and to ask this server again. It tells no other site where it comes from, and no other site can embed
/// it.
const SAFETY: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The limits of what clients may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// How many connections there may be; idle ones have not asked.
    pub caps: Caps,
    /// Time to send the head of a request, from the start or the answer before it.
    pub head: Duration,
    /// Time that a connection lives; then only the request that is being answered is, for no longer than `head`.
    pub life: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        let [head, life] = [10, 60].map(Duration::from_secs);
        let prefixes = ClientPrefixes::default();
        let caps = Caps { connections: 64, per_client: 16, prefixes, idle: life };
        Self { caps, head, life }
    }
}

/// What all HTTP listeners share.
#[derive(Clone)]
pub struct HttpService(Arc<Shared>);

struct Shared {
    observe: Observe,
    /// The last observation and its time. Who waits for the next one waits here.
    last: Mutex<Option<(Instant, Arc<Observation>)>>,
    limits: HttpLimits,
    front: Front,
    readers: Readers,
}

impl HttpService {
    /// For clients in one of these prefixes, or for all if there are none.
    pub fn new(
        observe: Observe,
        allow: Vec<IpNet>,
        limits: HttpLimits,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        let told = Arc::clone(&sink);
        let panicked = move |address: SocketAddr, panic: &str, is_told: Option<u64>| {
            if is_told.is_some() {
                Event::thread_panicked(&told, &format!("http {address}"))(panic);
            }
        };
        let front = Front::new(limits.caps, allow, sink, panicked);
        let (last, readers) = (Mutex::default(), Readers::new(ReadLimits::default()));
        Self(Arc::new(Shared { observe, last, limits, front, readers }))
    }

    /// The connections of all listeners together.
    pub fn connections(&self) -> ConnectionCounts {
        self.0.front.counts()
    }

    /// Accepts connections from a listener of [`crate::server::listen::tcp`]. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub fn serve(&self, listener: std::net::TcpListener) -> io::Result<StreamServer> {
        let is_local = listener.local_addr()?.ip().is_loopback();
        let service = self.clone();
        self.0.front.serve(listener, "http", move |accepted| {
            let service = service.clone();
            async move { service.attend(accepted, is_local).await }
        })
    }
}

impl HttpService {
    /// Answers the requests of a connection until its life is over, or the server stops.
    async fn attend(&self, accepted: Accepted, is_local: bool) {
        let Accepted { stream, client, activity, mut stopped, .. } = accepted;
        let client = client_address(client.ip());
        tokio::select! {
            biased;
            _ = stopped.changed() => {}
            () = self.answer_all(stream, client, &activity, is_local) => {}
        }
    }

    async fn answer_all(
        &self,
        stream: TcpStream,
        client: IpAddr,
        activity: &Activity,
        is_local: bool,
    ) {
        let HttpLimits { head, life, .. } = self.0.limits;
        let answer = service_fn(|request| async move {
            activity.mark();
            let answer = self.answer(&request, client, is_local).await;
            activity.mark();
            Ok::<_, Infallible>(response(answer))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Scripts close their side behind the request, and wait for the answer.
            .half_close(true)
            .header_read_timeout(head)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_FIELDS)
            .serve_connection(TokioIo::new(stream), answer);
        let mut connection = pin!(connection);
        // How a connection ends is the client's affair.
        if timeout(life, connection.as_mut()).await.is_err() {
            // A scrape that comes at that moment is answered yet.
            connection.as_mut().graceful_shutdown();
            let _ = timeout(head, connection).await;
        }
    }

    async fn answer(&self, request: &Request<Incoming>, client: IpAddr, is_local: bool) -> Answer {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let text = "this server only tells; use GET or HEAD\n";
            return Answer::text(StatusCode::METHOD_NOT_ALLOWED, text);
        }
        if is_local && !is_of_this_machine(request) {
            let text = "this address is asked by its number, or as localhost\n";
            return Answer::text(StatusCode::MISDIRECTED_REQUEST, text);
        }
        let path = form::path(request.uri().path());
        let Some((route, rest)) = path.as_deref().and_then(routes::find) else {
            return Answer::text(StatusCode::NOT_FOUND, "there is nothing at this path\n");
        };
        let query = request.uri().query().unwrap_or_default().to_owned();
        let asked = Asked { rest: rest.to_owned(), query, client };
        let Some(observation) = self.observation().await else {
            let text = "the control loop of the server does not answer\n";
            return Answer::text(StatusCode::SERVICE_UNAVAILABLE, text);
        };
        match route.teller {
            Teller::AtOnce(tell) => tell(&observation, &asked),
            Teller::Reader(read) => {
                let made =
                    self.0.readers.run(move |effort| read(&observation, &asked, effort)).await;
                made.unwrap_or_else(|| {
                    let text = "the files of the lists or of the history are not read in time\n";
                    Answer::text(StatusCode::SERVICE_UNAVAILABLE, text)
                })
            }
        }
    }

    /// How the server is. Many who ask at once get what is made once.
    async fn observation(&self) -> Option<Arc<Observation>> {
        let mut last = self.0.last.lock().await;
        if let Some((time, observation)) = &*last
            && time.elapsed() < FRESH
        {
            return Some(Arc::clone(observation));
        }
        let observation = Arc::new(timeout(PATIENCE, (self.0.observe)()).await.ok()?.ok()?);
        *last = Some((Instant::now(), Arc::clone(&observation)));
        Some(observation)
    }
}

/// True unless a name leads here that need not be of this machine: the page of a foreign site, whose name now has
/// the address 127.0.0.1, must not read what is for this machine alone.
fn is_of_this_machine(request: &Request<Incoming>) -> bool {
    let fields = request.headers().get_all(header::HOST).iter().map(HeaderValue::to_str);
    let mut hosts = fields.chain(request.uri().host().map(Ok));
    hosts.all(|host| host.is_ok_and(is_local_name))
}

/// True for an address, or `localhost`, with a port or without.
fn is_local_name(host: &str) -> bool {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let bare = |text: &str| {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        is_address(inner.unwrap_or(text)) || text.eq_ignore_ascii_case("localhost")
    };
    host.parse::<SocketAddr>().is_ok()
        || bare(host)
        || host.rsplit_once(':').is_some_and(|(name, port)| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && bare(name)
        })
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let Answer { status, content_type, body } = answer;
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in SAFETY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Log;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// What the server sends until it closes the connection after these bytes, and how long that takes. An
    /// observation takes so long, and fails.
    fn exchange(limits: HttpLimits, busy: Duration, sent: &[u8]) -> (String, Duration) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let observe: Observe = Arc::new(move || {
                let (sender, observation) = tokio::sync::oneshot::channel();
                tokio::spawn(async move {
                    tokio::time::sleep(busy).await;
                    drop(sender);
                });
                observation
            });
            let service = HttpService::new(observe, Vec::new(), limits, Arc::new(Log));
            let listener = crate::server::listen::tcp((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let server = service.serve(listener).unwrap();
            let start = Instant::now();
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let mut text = String::new();
            let end = stream.read_to_string(&mut text);
            timeout(Duration::from_secs(10), end).await.unwrap().unwrap();
            assert_eq!(service.connections().accepted, 1);
            (text, start.elapsed())
        })
    }

    fn limits(head: u64, life: u64) -> HttpLimits {
        let [head, life] = [head, life].map(Duration::from_millis);
        HttpLimits { head, life, ..HttpLimits::default() }
    }

    #[test]
    fn a_head_that_does_not_end_is_waited_for_no_longer_than_set() {
        let (text, took) = exchange(limits(200, 60_000), Duration::ZERO, &REQUEST[..30]);
        assert!(!text.contains(" 200 "), "{text}");
        assert!(took >= Duration::from_millis(200), "{took:?}");
    }

    #[test]
    fn a_connection_that_is_idle_is_closed_at_the_end_of_its_life() {
        let (text, took) = exchange(limits(60_000, 300), Duration::ZERO, REQUEST);
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(took >= Duration::from_millis(300), "{took:?}");
    }

    /// A scrape every 15 seconds over one connection comes when its life of 60 seconds ends.
    #[test]
    fn regression_what_is_asked_before_the_end_of_its_life_is_answered() {
        let (text, _) = exchange(limits(10_000, 1000), Duration::from_secs(2), REQUEST);
        assert!(text.ends_with("the control loop of the server does not answer\n"), "{text}");
        // But not for ever.
        let (text, took) = exchange(limits(200, 100), Duration::from_secs(4), REQUEST);
        assert!(text.is_empty() && took < Duration::from_secs(3), "{took:?}: {text}");
    }

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in
            ["127.0.0.1", "127.0.0.1:9153", "[::1]:9153", "[::1]", "localhost", "LOCALHOST:80"]
        {
            assert!(is_local_name(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "example.org:9153",
            "localhost.example.org",
            "127.0.0.1.example.org:80",
            "localhost:x",
        ] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
