//! Arguments to server.

use std::process::ExitCode;

use sockudo_kv::command::persist::check::check_rdb;
use sockudo_kv::config::{
    Config,
    cli::{self, Action, Start},
};
use sockudo_kv::memory::Counted;
use sockudo_kv::{log_warning, logging, memory, net};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() -> ExitCode {
    memory::forbid_huge_pages();
    let started = match cli::parse(std::env::args_os().skip(1)) {
        Action::Print(text) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Action::CheckRdb(path) => {
            return if check_rdb(&path) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Action::Serve(start) => configured(&start),
    };
    let config = match started {
        Ok(config) => config,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(reason) = net::detach_if_asked(&config) {
        eprintln!("{reason}");
        return ExitCode::FAILURE;
    }
    match net::serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            log_warning!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration with the log running, or what to tell the user.
fn configured(start: &Start) -> Result<Config, String> {
    let config = start.load().map_err(|error| error.to_string())?;
    logging::init(&config)?;
    for warning in config.warnings() {
        log_warning!("{warning}");
    }
    Ok(config)
}
