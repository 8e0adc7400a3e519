//! The listener: accepts, refuses beyond `maxclients`, and deals connections to the worker with the fewest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use super::worker::{Arrival, Handle};
use crate::command::state::Server;
use crate::config::Config;

/// How long accepting rests after an error such as too many open files, so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until SIGINT, SIGTERM or SHUTDOWN.
pub fn serve(config: Config) -> Result<(), String> {
    run(config).map_err(|error| error.to_string())
}

fn run(config: Config) -> std::io::Result<()> {
    let workers = config.threads();
    let server = Arc::new(Server::new(Arc::new(config), workers));
    let handles: Vec<Handle> =
        (0..workers).map(|lane| Handle::start(Arc::clone(&server), lane)).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(accept_all(&server, &handles))?;
    handles.into_iter().for_each(Handle::stop);
    Ok(())
}

async fn accept_all(server: &Arc<Server>, handles: &[Handle]) -> std::io::Result<()> {
    let port = server.config.number("port") as u16;
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], port)), 511)?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shutdown.requested() => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                let sock = SockRef::from(&stream);
                sock.set_tcp_nodelay(true)?;
                sock.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(300)))?;
                let client = server.clients.join(peer.to_string(), stream.local_addr()?.to_string());
                let stream = stream.into_std()?;
                let handle = handles.iter().min_by_key(|h| h.load()).expect("a worker");
                handle.hand_over(Arrival { stream, client });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn bind(addr: SocketAddr, backlog: i32) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}
