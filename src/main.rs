//! Arguments to server.

use std::process::ExitCode;

use sockudo_kv::config::cli::{self, Action};
use sockudo_kv::memory::Counted;
use sockudo_kv::net;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() -> ExitCode {
    let start = match cli::parse(std::env::args_os().skip(1)) {
        Action::Print(text) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Action::Refuse(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
        Action::Serve(start) => start,
    };
    let config = match start.load() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match net::serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
