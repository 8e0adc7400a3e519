//! Noticing that the other end is gone, without reading what it sent before that.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Rest between looks whether a client is gone that sent more behind a command that waits.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Sleeps until the other end has closed its side. What it sent before that stays where it is.
pub(super) async fn hung_up(stream: &TcpStream) {
    loop {
        let Ok(ready) = stream.ready(Interest::READABLE).await else { return };
        if ready.is_read_closed() {
            return;
        }
        let peeked = stream.try_io(Interest::READABLE, || {
            Ok(rustix::net::recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT)?.1)
        });
        match peeked {
            Ok(0) => return,
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
    // Behind unread bytes the end is not to be read, and the poller has nothing new to say: it has to be asked for.
    while !has_hung_up(stream) {
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn has_hung_up(stream: &TcpStream) -> bool {
    let mut asked = [PollFd::new(stream, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A poll that fails knows nothing; the next one may.
    rustix::event::poll(&mut asked, Some(&now)).is_ok_and(|ready| ready != 0)
}
