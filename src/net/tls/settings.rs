//! The `tls-*` directives as what rustls wants to know.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::sessions::Sessions;
use super::{ciphers, key};
use crate::config::Config;
use crate::log_warning;

/// The directives that a change of makes new settings.
const DIRECTIVES: [&str; 13] = [
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
];

/// `tls-auth-clients`.
const NOBODY: u64 = 0;
const WHO_WANTS: u64 = 2;

/// The settings that new connections begin with.
#[derive(Default)]
pub(in crate::net) struct Keeper {
    current: RwLock<Option<Arc<ServerConfig>>>,
}

impl Keeper {
    /// A keeper that follows the configuration; its first settings are made if `tls-port` asks for TLS.
    ///
    /// # Errors
    /// If TLS is asked for and its settings make no sense; why is in the log.
    pub(in crate::net) fn start(config: &Config) -> Result<Arc<Keeper>, String> {
        let keeper = Arc::new(Keeper::default());
        keeper.renew(config).map_err(|()| "Failed to configure TLS. Check logs for more info.")?;
        for name in DIRECTIVES {
            let keeper = Arc::clone(&keeper);
            let refusal = || "Unable to update TLS configuration. Check server logs.".to_string();
            config.on_change(name, Box::new(move |config| keeper.renew(config).map_err(|()| refusal())));
        }
        Ok(keeper)
    }

    /// Makes the settings anew, if `tls-port` asks for TLS. Connections that there are keep theirs.
    pub(in crate::net) fn renew(&self, config: &Config) -> Result<(), ()> {
        if config.number("tls-port") == 0 {
            return Ok(());
        }
        let made = make(config).map_err(|why| log_warning!("{why}"))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(made));
        Ok(())
    }

    /// The settings for a new connection.
    pub(in crate::net) fn get(&self) -> Option<Arc<ServerConfig>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn text(config: &Config, name: &str) -> Result<String, String> {
    String::from_utf8(config.text(name)).map_err(|_| format!("{name} is no text"))
}

fn path(config: &Config, name: &str) -> Option<PathBuf> {
    let name = config.text(name);
    (!name.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&name)))
}

/// The settings that the configuration describes, or what is wrong with it.
fn make(config: &Config) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider(config)?);
    let versions = ciphers::versions(&text(config, "tls-protocols")?)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&versions).map_err(|error| error.to_string())?;
    let builder = match config.number("tls-auth-clients") {
        NOBODY => builder.with_no_client_auth(),
        who => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(config)?), provider);
            let verifier = if who == WHO_WANTS { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
        }
    };
    let key_file = path(config, "tls-key-file").ok_or("No tls-key-file configured!")?;
    let key = key::read(&key_file, &config.text("tls-key-file-pass"))?;
    let certificates = certificates(&path(config, "tls-cert-file").ok_or("No tls-cert-file configured!")?)?;
    let made = builder.with_single_cert(certificates, key);
    let mut made = made.map_err(|error| format!("Failed to load certificate: {error}"))?;
    made.ignore_client_order = config.number("tls-prefer-server-ciphers") != 0;
    made.session_storage = match config.number("tls-session-caching") {
        0 => Arc::new(NoServerSessionStorage {}),
        _ => Arc::new(Sessions::new(
            config.number("tls-session-cache-size") as usize,
            Duration::from_secs(config.number("tls-session-cache-timeout")),
        )),
    };
    Ok(made)
}

/// The ciphers, the preferred first.
fn provider(config: &Config) -> Result<CryptoProvider, String> {
    let known = ring::ALL_CIPHER_SUITES;
    let chosen = |name, version, read: fn(&str, &[_]) -> Result<Vec<_>, String>| {
        let list = text(config, name)?;
        if !list.is_empty() {
            return read(&list, known);
        }
        Ok(known.iter().filter(|suite| suite.version() == version).copied().collect())
    };
    let mut suites = chosen("tls-ciphersuites", &rustls::version::TLS13, ciphers::tls13)?;
    suites.extend(chosen("tls-ciphers", &rustls::version::TLS12, ciphers::tls12)?);
    Ok(CryptoProvider { cipher_suites: suites, ..ring::default_provider() })
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |why: String| format!("Failed to load certificate: {}: {why}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| failed(error.to_string()))?;
    if read.is_empty() { Err(failed("there is none in it".into())) } else { Ok(read) }
}

/// Those who may vouch for clients.
fn roots(config: &Config) -> Result<RootCertStore, String> {
    let (file, dir) = (path(config, "tls-ca-cert-file"), path(config, "tls-ca-cert-dir"));
    if file.is_none() && dir.is_none() {
        return Err(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is enabled!"
                .into(),
        );
    }
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        roots.add_parsable_certificates(certificates(&file)?);
    }
    if let Some(dir) = dir {
        let listed = std::fs::read_dir(&dir);
        let listed =
            listed.map_err(|error| format!("{}: {}", dir.display(), crate::config::reason(&error)))?;
        // Such a directory holds links and lists of revoked certificates as well.
        let found = listed.flatten().filter_map(|entry| certificates(&entry.path()).ok());
        found.for_each(|found| {
            roots.add_parsable_certificates(found);
        });
    }
    Ok(roots)
}
