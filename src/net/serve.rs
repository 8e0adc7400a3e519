//! The start of the server, its signals, and its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::oneshot::{Receiver, channel};

use super::accept::Acceptor;
use super::supervise::{self, Supervisor};
use super::tls::Keeper;
use super::worker::Handle;
use super::{bind, files, oom, unix, web};
use crate::command::acl;
use crate::command::persist::{self, Ending};
use crate::command::rename;
use crate::command::room;
use crate::command::state::Server;
use crate::config::{Config, reason};
use crate::{log_notice, log_warning};

/// Redis's name for the file with the number of a process that runs in the background.
const DAEMON_PID_FILE: &[u8] = b"/var/run/redis.pid";
/// How long clients wait for the data set before they are told that it is loaded.
const QUIET_LOADING: Duration = Duration::from_millis(100);
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
    rename::rename(&renames(&config))?;
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
    acl::start(&server)?;
    let tls = Keeper::start(config)?;
    let mut listening =
        bind::listen_all(config).map_err(|_| format!("Failed listening on port {port} (tcp), aborting."))?;
    let socket_file = unix::listen(config)?.map(|(bound, file)| {
        listening.push(bound);
        file
    });
    if listening.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    obey_limits(&server);
    let workers = start_workers(&server).map_err(|error| reason(&error))?;
    let metrics = config.number("metrics-port");
    web::start(&server).map_err(|_| format!("Failed listening on port {metrics} (metrics), aborting."))?;
    // As in Redis, a score that cannot be set is no reason not to serve: the log has it.
    let _ = oom::obey(config);
    let pid_file = PidFile::write(&pid_file_name(config));
    let supervisor = Supervisor::of(config);
    log_notice!("Running mode=standalone, port={port}.");
    bind::check_backlog(config);
    log_notice!("Server initialized");
    {
        let acceptor = Acceptor::new(&server, &workers, listening, tls);
        let mut acceptor = acceptor.map_err(|error| reason(&error))?;
        let mut loaded = load(&server).map_err(|error| reason(&error))?;
        // Clients of a small data set need not know that it is loaded: they wait to be accepted.
        let early = tokio::time::timeout(QUIET_LOADING, &mut loaded).await;
        let loaded = early.map_or(Loaded::Later(loaded), Loaded::Now);
        tokio::select! {
            () = acceptor.run() => {}
            outcome = until_end(&server, &mut signals, loaded, supervisor) => outcome?,
        }
    }
    supervisor.stopping();
    server.shutdown.request();
    drop((pid_file, socket_file));
    tokio::select! {
        () = ended(&workers) => Ok(()),
        _ = signals.interrupt.recv() => Err("You insist... exiting now.".into()),
    }
}

/// What the `rename-command` lines say.
fn renames(config: &Config) -> Vec<rename::Rename> {
    let pair = |line: Vec<Vec<u8>>| Some(line.first_chunk::<2>()?.clone().into());
    config.lines("rename-command").into_iter().filter_map(pair).collect()
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

    /// Waits for one; the directive that says what it means.
    async fn wished(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => {
                log_warning!("Received SIGINT scheduling shutdown...");
                "shutdown-on-sigint"
            }
            _ = self.terminate.recv() => {
                log_warning!("Received SIGTERM scheduling shutdown...");
                "shutdown-on-sigterm"
            }
        }
    }
}

/// Begins to load the data set; clients are told to come again until the outcome is there.
fn load(server: &Arc<Server>) -> io::Result<Receiver<Outcome>> {
    persist::start_loading(server);
    persist::start_saver(server)?;
    let (sender, outcome) = channel();
    let server = Arc::clone(server);
    std::thread::Builder::new().name("loader".into()).spawn(move || {
        // The server may have ended meanwhile.
        drop(sender.send(persist::load_at_start(&server)));
    })?;
    Ok(outcome)
}

/// The outcome of loading, or where it will come from. A loader that panicked sends none.
enum Loaded {
    Now(Result<Outcome, RecvError>),
    Later(Receiver<Outcome>),
}

type Outcome = Result<(), String>;

/// Serves until somebody asks for the end and the server may end; an error is one of loading.
async fn until_end(
    server: &Arc<Server>,
    signals: &mut Signals,
    loaded: Loaded,
    supervisor: Supervisor,
) -> Result<(), String> {
    let failed = |_| Err("Loading the DB failed in an unforeseen way".into());
    match loaded {
        Loaded::Now(outcome) => outcome.unwrap_or_else(failed)?,
        Loaded::Later(outcome) => tokio::select! {
            outcome = outcome => outcome.unwrap_or_else(failed)?,
            _ = signals.wished() => {
                log_warning!("Received shutdown signal during loading, exiting now.");
                return Ok(());
            }
            () = server.shutdown.requested() => return Ok(()),
        },
    }
    log_notice!("Ready to accept connections tcp");
    supervisor.ready();
    loop {
        let directive = tokio::select! {
            directive = signals.wished() => directive,
            () = server.shutdown.requested() => return Ok(()),
        };
        let ending = ending_of(server, directive);
        let asked = Arc::clone(server);
        let prepared = tokio::task::spawn_blocking(move || asked.prepare_end(ending));
        tokio::select! {
            prepared = prepared => if let Ok(Some(true)) = prepared { return Ok(()) },
            _ = signals.interrupt.recv() => {
                server.persist.abandon();
                return Err("You insist... exiting now.".into());
            }
        }
    }
}

/// What the directive of a signal says.
fn ending_of(server: &Server, directive: &str) -> Ending {
    /// Its bits.
    const SAVE: u64 = 1;
    const NOSAVE: u64 = 2;
    const FORCE: u64 = 8;
    let flags = server.config.number(directive);
    Ending { save: flags & SAVE != 0, nosave: flags & NOSAVE != 0, force: flags & FORCE != 0 }
}

async fn ended(workers: &[Handle]) {
    while !workers.iter().all(Handle::is_finished) {
        tokio::time::sleep(END_PAUSE).await;
    }
}

/// The configured name; who leaves its terminal has a file without being told.
fn pid_file_name(config: &Config) -> Vec<u8> {
    let name = config.text("pidfile");
    if name.is_empty() && supervise::detaches(config) { DAEMON_PID_FILE.to_vec() } else { name }
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
