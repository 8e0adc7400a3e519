//! The port for people and their monitoring: metrics, a live page, and a flame graph, over plain HTTP/1.1.
//!
//! | path | answers |
//! |---|---|
//! | `/metrics` | numbers in the format of Prometheus |
//! | `/` | a page that shows them live; it needs nothing from elsewhere |
//! | `/live.json` | what the page shows; with the password if there is one |
//! | `/flamegraph?seconds=N` | where the processor's time goes, as SVG; only with the password |
//!
//! It has a thread of its own, so that no client waits for it. A request has a bounded size and time, and there are only
//! so many at once.

mod auth;
mod flame;
mod request;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};

use self::auth::Access;
use self::request::{Refused, Request};
use super::bind;
use crate::command::metrics;
use crate::command::state::Server;
use crate::{log_notice, log_warning};

/// Requests that are answered at once.
const AT_ONCE: usize = 32;
/// Bytes of a request at most.
const REQUEST_BYTES: usize = 8 << 10;
/// How long a client has to say what it wants, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rest after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

const PAGE: &str = include_str!("page.html");

/// Serves `metrics-port` until the process ends, if there is one.
///
/// # Errors
/// When the port cannot be listened on.
pub(super) fn start(server: &Arc<Server>) -> io::Result<()> {
    let port = server.config.number("metrics-port") as u16;
    if port == 0 {
        return Ok(());
    }
    let listening = bind::listen_on(&server.config, port)?;
    let server = Arc::clone(server);
    std::thread::Builder::new().name("metrics".into()).spawn(move || {
        match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime.block_on(serve(server, listening)),
            Err(error) => log_warning!("The metrics port is not served: {error}"),
        }
    })?;
    log_notice!("Metrics and the live page are at port {port}");
    Ok(())
}

async fn serve(server: Arc<Server>, listening: Vec<std::net::TcpListener>) {
    let running = Rc::new(Cell::new(0));
    for listener in listening {
        let Ok(listener) = TcpListener::from_std(listener) else { continue };
        tokio::task::spawn_local(accept(Arc::clone(&server), listener, Rc::clone(&running)));
    }
    server.shutdown.requested().await;
}

async fn accept(server: Arc<Server>, listener: TcpListener, running: Rc<Cell<usize>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if running.get() >= AT_ONCE {
            // Whoever comes too many is cut off: it is to ask less often.
            continue;
        }
        running.set(running.get() + 1);
        let (server, running) = (Arc::clone(&server), Rc::clone(&running));
        tokio::task::spawn_local(async move {
            // A client that is gone has nobody to tell.
            drop(answer(&server, stream).await);
            running.set(running.get() - 1);
        });
    }
}

/// Reads one request and answers it.
async fn answer(server: &Server, mut stream: TcpStream) -> io::Result<()> {
    let read = tokio::time::timeout(PATIENCE, read(&mut stream)).await??;
    let reply = match Request::parse(&read) {
        Ok(request) => reply_to(server, &request).await,
        Err(refused) => Reply::text(refused.status(), refused.status()),
    };
    let with_body = !read.starts_with(b"HEAD ");
    let sent = tokio::time::timeout(PATIENCE, stream.write_all(&reply.bytes(with_body))).await?;
    sent?;
    stream.shutdown().await
}

/// The head of a request, or as much of it as is let in.
async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    while bytes.len() < REQUEST_BYTES && !request::is_whole(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes)
}

/// An answer.
struct Reply {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Reply {
    fn of(kind: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status: "200 OK", kind, body: body.into() }
    }

    fn text(status: &'static str, text: &str) -> Reply {
        Reply { status, kind: "text/plain; charset=utf-8", body: format!("{text}\n").into() }
    }

    fn bytes(&self, with_body: bool) -> Vec<u8> {
        let asks = if self.status.starts_with("401") {
            "WWW-Authenticate: Basic realm=\"sockudo-kv\", charset=\"UTF-8\"\r\n"
        } else {
            ""
        };
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{asks}Cache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; \
             style-src 'unsafe-inline'\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Connection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        )
        .into_bytes();
        if with_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

async fn reply_to(server: &Server, request: &Request<'_>) -> Reply {
    let access = Access::of(server, request);
    match request.path {
        "/" => Reply::of("text/html; charset=utf-8", PAGE),
        "/metrics" => Reply::of("text/plain; version=0.0.4; charset=utf-8", metrics::prometheus(server)),
        "/live.json" if access == Access::Denied => unauthorized(),
        "/live.json" => Reply::of("application/json", metrics::live(server)),
        "/flamegraph" => match access {
            Access::Granted => flame_graph(request).await,
            Access::Denied => unauthorized(),
            Access::Open => Reply::text("403 Forbidden", "Flame graphs need a password: set requirepass."),
        },
        _ => Reply::text(Refused::NotFound.status(), "There is nothing here."),
    }
}

fn unauthorized() -> Reply {
    Reply::text("401 Unauthorized", "The password of the default user, please.")
}

async fn flame_graph(request: &Request<'_>) -> Reply {
    let Some(seconds) = request.number("seconds", 5).filter(|seconds| flame::SECONDS.contains(seconds))
    else {
        return Reply::text("400 Bad Request", "seconds must be between 1 and 60.");
    };
    match flame::record(Duration::from_secs(seconds)).await {
        Ok(svg) => Reply::of("image/svg+xml", svg),
        Err(text) => Reply::text("503 Service Unavailable", &text),
    }
}
