//! The start of the server, its signals, and its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::accept::Acceptor;
use super::worker::Handle;
use super::{bind, files, oom};
use crate::command::room;
use crate::command::state::Server;
use crate::config::{Config, reason};
use crate::{log_notice, log_warning};

/// Rest between looks whether the workers have ended.
const END_PAUSE: Duration = Duration::from_millis(2);

/// Serves until SIGINT, SIGTERM or SHUTDOWN.
///
/// # Errors
/// Why the server could not start or had to end at once, in Redis's words where it has any.
pub fn serve(config: Config) -> Result<(), String> {
    let workers = config.threads();
    log_notice!(
        "sockudo-kv version={}, bits=64, workers={workers}, PID: {}, just started",
        env!("CARGO_PKG_VERSION"),
        std::process::id()
    );
    fit_open_files(&config, workers)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| reason(&error))?;
    let outcome = runtime.block_on(run(Arc::new(Server::new(Arc::new(config), workers))));
    if outcome.is_ok() {
        log_warning!("sockudo-kv is now ready to exit, bye bye...");
    }
    outcome
}

async fn run(server: Arc<Server>) -> Result<(), String> {
    let mut signals = Signals::listen().map_err(|error| reason(&error))?;
    let config = &server.config;
    let port = config.number("port");
    let listening =
        bind::listen_all(config).map_err(|_| format!("Failed listening on port {port} (tcp), aborting."))?;
    if listening.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    obey_limits(&server);
    let workers = start_workers(&server).map_err(|error| reason(&error))?;
    // As in Redis, a score that cannot be set is no reason not to serve: the log has it.
    let _ = oom::obey(config);
    let pid_file = PidFile::write(&config.text("pidfile"));
    log_notice!("Running mode=standalone, port={port}.");
    bind::check_backlog(config);
    log_notice!("Server initialized");
    {
        let acceptor = Acceptor::new(&server, &workers, listening);
        let mut acceptor = acceptor.map_err(|error| reason(&error))?;
        log_notice!("Ready to accept connections tcp");
        tokio::select! {
            () = acceptor.run() => {}
            () = end_wished(&server, &mut signals) => {}
        }
    }
    log_warning!("User requested shutdown...");
    server.shutdown.request();
    drop(pid_file);
    tokio::select! {
        () = ended(&workers) => Ok(()),
        _ = signals.interrupt.recv() => Err("You insist... exiting now.".into()),
    }
}

/// Raises the limit of open files for `maxclients`, or lowers `maxclients`.
fn fit_open_files(config: &Config, workers: usize) -> Result<(), String> {
    let clients = config.live().maxclients();
    let (files, wanted, why) = match files::allow(clients, workers) {
        Ok(files::Outcome::Limited { files, wanted, reason }) => (files, wanted, reason),
        Ok(files::Outcome::Raised(from, to)) => {
            log_notice!("Increased maximum number of open files to {to} (it was originally set to {from}).");
            return Ok(());
        }
        Ok(files::Outcome::Enough) => return Ok(()),
        Err(error) => {
            log_warning!("Unable to obtain the current NOFILE limit ({}).", reason(&error));
            return Ok(());
        }
    };
    let possible = files.saturating_sub(files::reserved(workers));
    if possible == 0 {
        return Err(format!(
            "Your current 'ulimit -n' of {files} is not enough for the server to start. Please increase your open file limit to at least {wanted}. Exiting."
        ));
    }
    log_warning!("You requested maxclients of {clients} requiring at least {wanted} max file descriptors.");
    log_warning!("Server can't set maximum open files to {wanted} because of OS error: {why}.");
    log_warning!(
        "Current maximum open files is {files}. maxclients has been reduced to {possible} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    );
    config.set(&[(b"maxclients", possible.to_string().as_bytes())], true)
}

/// Lets the keys' access clocks follow the eviction policy, and ends clients that take more than is allowed from now on.
fn obey_limits(server: &Arc<Server>) {
    for name in ["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"] {
        on_change(server, name, room::follow_policy);
    }
    // The limit of clients may be a share of the other one.
    for name in ["maxmemory", "maxmemory-clients"] {
        on_change(server, name, |server| server.clients.mind_all(server.config.live()));
    }
}

fn on_change(server: &Arc<Server>, name: &str, act: fn(&Server)) {
    let known = Arc::downgrade(server);
    let hook = move |_: &Config| {
        // It is there, because the configuration belongs to it.
        known.upgrade().as_deref().map(act);
        Ok(())
    };
    server.config.on_change(name, Box::new(hook));
}

fn start_workers(server: &Arc<Server>) -> io::Result<Vec<Handle>> {
    (0..server.workers).map(|lane| Handle::start(Arc::clone(server), lane)).collect()
}

/// The signals that end the server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        // Tokio's handler stays, so that a terminal that hangs up does not end the server.
        drop(signal(SignalKind::hangup())?);
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }
}

async fn end_wished(server: &Server, signals: &mut Signals) {
    tokio::select! {
        _ = signals.interrupt.recv() => log_warning!("Received SIGINT scheduling shutdown..."),
        _ = signals.terminate.recv() => log_warning!("Received SIGTERM scheduling shutdown..."),
        () = server.shutdown.requested() => {}
    }
}

async fn ended(workers: &[Handle]) {
    while !workers.iter().all(Handle::is_finished) {
        tokio::time::sleep(END_PAUSE).await;
    }
}

/// The file that tells the process's number while the server runs.
struct PidFile(std::path::PathBuf);

impl PidFile {
    fn write(path: &[u8]) -> Option<PidFile> {
        use std::os::unix::ffi::OsStrExt;
        if path.is_empty() {
            return None;
        }
        let path = std::path::absolute(std::ffi::OsStr::from_bytes(path)).ok()?;
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(PidFile(path)),
            Err(error) => {
                log_warning!("Failed to write PID file: {}", reason(&error));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        drop(std::fs::remove_file(&self.0));
    }
}
