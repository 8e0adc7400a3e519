//! The accept loop. It ends only with the server: neither a lack of descriptors nor peers that are gone already stop
//! it or make it spin.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::bind::Bound;
use super::listen::{Incoming, Listener};
use super::tls::Keeper;
use super::worker::{Arrival, Handle};
use super::{bind, files};
use crate::command::state::Server;
use crate::config::{Config, reason};
use crate::sync::Ordering;
use crate::{log_verbose, log_warning};

/// How long accepting rests after an error such as too many open files, so that it does not spin.
const PAUSE: Duration = Duration::from_millis(10);
/// How often such an error is worth a line of the log.
const COMPLAINT: Duration = Duration::from_secs(1);
/// Unanswered keepalive probes that end a connection.
const PROBES: u32 = 3;

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode: the default user has no password, and so only \
    clients of the same machine are served. Set a password (requirepass), or, if nobody who must not gets here anyway, \
    set protected-mode to no.\r\n";

/// CONFIG SET of `port` or `bind` waits here for the listeners to change.
struct Rebind {
    done: Sender<io::Result<()>>,
}

/// The listening sockets and what accepting needs.
pub(super) struct Acceptor<'a> {
    server: Arc<Server>,
    workers: &'a [Handle],
    listeners: Vec<Listener>,
    /// How clients of `tls-port` are met.
    tls: Arc<Keeper>,
    /// The listener whose turn is next.
    next: usize,
    rebinds: UnboundedReceiver<Rebind>,
    complained: Option<Instant>,
}

impl<'a> Acceptor<'a> {
    /// Takes the listening sockets over; from now on CONFIG SET changes `port`, `tls-port`, `bind` and `maxclients`.
    pub(super) fn new(
        server: &Arc<Server>,
        workers: &'a [Handle],
        listening: Vec<Bound>,
        tls: Arc<Keeper>,
    ) -> io::Result<Self> {
        let (sender, rebinds) = unbounded_channel();
        hook(&server.config, &sender, "port", "Unable to listen on this port. Check server logs.");
        hook(&server.config, &sender, "tls-port", "Unable to listen on this port. Check server logs.");
        hook(&server.config, &sender, "bind", "Failed to bind to specified addresses.");
        hook_maxclients(server);
        Ok(Self {
            server: Arc::clone(server),
            workers,
            listeners: watched(listening)?,
            tls,
            next: 0,
            rebinds,
            complained: None,
        })
    }

    /// Accepts for ever.
    pub(super) async fn run(&mut self) {
        loop {
            let accepted = tokio::select! {
                Some(rebind) = self.rebinds.recv() => {
                    self.rebind(&rebind);
                    continue;
                }
                accepted = poll_fn(|cx| poll_accept(&self.listeners, &mut self.next, cx)) => accepted,
            };
            match accepted {
                Ok(incoming) => self.welcome(incoming),
                // The peer has given up already; every such error takes one connection off the queue.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.complain(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT) {
            self.complained = Some(Instant::now());
            log_warning!("Accepting client connection: accept: {}", reason(error));
        }
    }

    /// Closes all listeners before it opens the new ones: they may share addresses.
    fn rebind(&mut self, rebind: &Rebind) {
        self.listeners.retain(|listener| !listener.is_movable());
        let outcome = bind::listen_all(&self.server.config).and_then(watched);
        let outcome = outcome.map(|listeners| self.listeners.extend(listeners));
        // Nobody waits any more when the worker that asked is gone.
        drop(rebind.done.send(outcome));
    }

    fn welcome(&self, incoming: Incoming) {
        if self.server.clients.len() >= self.server.config.live().maxclients() {
            return self.refuse(&incoming, TOO_MANY);
        }
        if !incoming.is_local && is_protected(&self.server) {
            return self.refuse(&incoming, PROTECTED);
        }
        let Incoming { stream, addr, laddr, is_local, is_tcp, is_tls } = incoming;
        if let Err(error) = self.prepare(&stream, is_local, is_tcp) {
            return log_verbose!("Error setting a client's socket up: {}", reason(&error));
        }
        let tls = is_tls.then(|| self.tls.get()).flatten();
        if is_tls && tls.is_none() {
            return log_verbose!("Nobody has said how to speak TLS with {addr}");
        }
        log_verbose!("Accepted {addr}");
        self.server.total_connections_received.fetch_add(1, Ordering::Relaxed);
        let client = self.server.clients.join(addr, laddr, self.server.users.default_account());
        let worker = self.workers.iter().min_by_key(|worker| worker.load()).expect("a worker");
        worker.hand_over(Arrival { stream, client, tls });
    }

    fn prepare(&self, stream: &StdStream, is_local: bool, is_tcp: bool) -> io::Result<()> {
        if !is_tcp {
            return Ok(());
        }
        stream.set_nodelay(true)?;
        if is_local {
            // Nothing on the way can be congested: the simplest algorithm saves what a pacing one (BBR, where it is
            // the default) spends on timers and models. A kernel without it keeps its default.
            drop(SockRef::from(stream).set_tcp_congestion(b"reno"));
        }
        let idle = self.server.config.live().tcp_keepalive();
        if idle == 0 {
            return Ok(());
        }
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs((idle / 3).max(1)))
            .with_retries(PROBES);
        SockRef::from(stream).set_tcp_keepalive(&keepalive)
    }

    fn refuse(&self, incoming: &Incoming, text: &[u8]) {
        self.server.rejected_connections.fetch_add(1, Ordering::Relaxed);
        if !incoming.is_tls {
            // A fresh socket has room for the line; whoever is gone already does not miss it.
            drop(SockRef::from(&incoming.stream).send(text));
        }
    }
}

/// Whether only this machine's own clients are served: nobody has set a password, and nobody has said that all is well.
fn is_protected(server: &Server) -> bool {
    server.config.number("protected-mode") != 0 && server.users.default_account().current().nopass
}

fn watched(listening: Vec<Bound>) -> io::Result<Vec<Listener>> {
    listening.into_iter().map(Listener::watch).collect()
}

/// One connection from any listener; `next` moves on, so that a flood at one address does not shut out the others.
fn poll_accept(listeners: &[Listener], next: &mut usize, cx: &mut Context<'_>) -> Poll<io::Result<Incoming>> {
    for _ in 0..listeners.len() {
        *next = (*next + 1) % listeners.len();
        if let Poll::Ready(accepted) = listeners[*next].poll_accept(cx) {
            return Poll::Ready(accepted);
        }
    }
    Poll::Pending
}

/// Lets a change of `name` rebind; the worker that runs CONFIG SET waits for the outcome.
fn hook(config: &Config, rebinds: &UnboundedSender<Rebind>, name: &str, refusal: &'static str) {
    let rebinds = rebinds.clone();
    config.on_change(
        name,
        Box::new(move |_| {
            let (done, outcome) = channel();
            let asked = rebinds.send(Rebind { done }).is_ok();
            // The accept loop, on a thread of its own, never waits for a worker. When it ends it drops the request.
            match asked.then(|| outcome.recv()) {
                Some(Ok(Ok(()))) => Ok(()),
                _ => Err(refusal.into()),
            }
        }),
    );
}

fn hook_maxclients(server: &Server) {
    let workers = server.workers;
    server.config.on_change(
        "maxclients",
        Box::new(move |config| match files::allow(config.live().maxclients(), workers) {
            Ok(files::Outcome::Limited { files, .. }) => Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {}",
                files.saturating_sub(files::reserved(workers))
            )),
            _ => Ok(()),
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener as StdListener;

    fn free_port() -> u16 {
        StdListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port is free").port()
    }

    fn set(server: &Server, name: &str, value: &str) -> Result<(), String> {
        server.config.set(&[(name.as_bytes(), value.as_bytes())], true)
    }

    /// Runs an accept loop on a thread of its own, as a server does, while `test` changes the configuration.
    fn while_accepting(test: impl FnOnce(&Server, u16)) {
        let port = free_port();
        let overrides = [("port".into(), vec![port.to_string().into()])];
        let config = Config::load(None, false, &overrides).expect("valid");
        let server = Arc::new(Server::new(Arc::new(config), 1));
        std::thread::scope(|scope| {
            let (ready, wait) = channel();
            let accepting = Arc::clone(&server);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(async {
                    let worker = [Handle::start(Arc::clone(&accepting), 0).expect("a worker")];
                    let listening = bind::listen_all(&accepting.config).expect("a free port");
                    let tls = Keeper::start(&accepting.config).expect("no TLS is asked for");
                    let mut acceptor = Acceptor::new(&accepting, &worker, listening, tls).expect("a poller");
                    ready.send(()).expect("the test waits");
                    tokio::select! {
                        () = acceptor.run() => {}
                        () = accepting.shutdown.requested() => {}
                    }
                });
            });
            wait.recv().expect("it accepts");
            test(&server, port);
            server.shutdown.request();
        });
        assert!(set(&server, "port", &free_port().to_string()).is_err(), "nobody rebinds after the end");
    }

    #[test]
    fn the_port_moves() {
        while_accepting(|server, port| {
            let other = free_port();
            assert_eq!(set(server, "port", &other.to_string()), Ok(()));
            assert!(StdStream::connect(("127.0.0.1", other)).is_ok());
            assert!(StdStream::connect(("127.0.0.1", port)).is_err());
            assert_eq!(set(server, "port", "0"), Ok(()));
            assert!(StdStream::connect(("127.0.0.1", other)).is_err());
        });
    }

    #[test]
    fn a_port_in_use_changes_nothing() {
        while_accepting(|server, port| {
            let taken = StdListener::bind(("127.0.0.1", 0)).expect("a port is free");
            let taken_port = taken.local_addr().expect("bound").port().to_string();
            let refusal = "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.";
            assert_eq!(set(server, "port", &taken_port), Err(refusal.into()));
            assert!(StdStream::connect(("127.0.0.1", port)).is_ok());
        });
    }

    #[test]
    fn addresses_change() {
        while_accepting(|server, port| {
            assert_eq!(set(server, "bind", "127.0.0.2 127.0.0.1"), Ok(()));
            assert!(StdStream::connect(("127.0.0.2", port)).is_ok());
            let refusal = "CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.";
            assert_eq!(set(server, "bind", "192.0.2.1"), Err(refusal.into()));
            assert!(StdStream::connect(("127.0.0.1", port)).is_ok());
        });
    }

    #[test]
    fn only_strangers_without_a_password_are_kept_out() {
        let server = Arc::new(Server::new(Arc::new(Config::default()), 1));
        crate::command::acl::start(&server).expect("valid users");
        assert!(is_protected(&server));
        set(&server, "requirepass", "secret").expect("valid");
        assert!(!is_protected(&server));
        set(&server, "requirepass", "").expect("valid");
        set(&server, "protected-mode", "no").expect("valid");
        assert!(!is_protected(&server));
    }

    #[test]
    fn more_clients_than_files_are_refused() {
        while_accepting(|server, _| {
            assert_eq!(set(server, "maxclients", "100"), Ok(()));
            let refusal = set(server, "maxclients", "4000000000").expect_err("no system has so many files");
            assert!(
                refusal.contains("not able to handle the specified number of clients, try with "),
                "{refusal}"
            );
            assert_eq!(server.config.live().maxclients(), 100);
        });
    }
}
