//! Connections, and the loop that serves those of one thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::replies::reply;
use crate::scenario::Actor;
use crate::{Plan, Progress};

/// How long nothing may come before the run is given up.
const PATIENCE: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };

/// One connection.
pub struct Client {
    stream: TcpStream,
    actor: Actor,
    /// Bytes that were received and not read as replies.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Replies of the present turn that are missing.
    missing: usize,
    sent: Instant,
    is_over: bool,
}

impl Client {
    /// The client with this number.
    pub fn connect(plan: &Plan, number: usize) -> io::Result<Client> {
        let stream = TcpStream::connect(plan.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let actor = Actor::new(plan.scenario, number, plan.depth, plan.keys);
        let (input, output) = (Vec::new(), Vec::new());
        Ok(Client { stream, actor, input, output, missing: 0, sent: Instant::now(), is_over: false })
    }

    /// Sends the next turn, if there is one.
    fn begin(&mut self, progress: &Progress) -> io::Result<()> {
        if !progress.claim(self.actor.units()) {
            self.is_over = true;
            return Ok(());
        }
        self.output.clear();
        self.missing = self.actor.begin(&mut self.output);
        self.sent = Instant::now();
        let mut rest = &self.output[..];
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; begins the next turn when this one is over.
    fn receive(&mut self, progress: &Progress, times: &mut Vec<Duration>) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(got) => self.input.extend_from_slice(&chunk[..got]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        self.take_replies()?;
        if self.missing == 0 {
            times.push(self.sent.elapsed());
            progress.count(self.actor.counted());
            self.begin(progress)?;
        }
        Ok(())
    }

    fn take_replies(&mut self) -> io::Result<()> {
        let mut at = 0;
        while self.missing > 0
            && let Some(reply) = reply(&self.input, at)
        {
            if reply.is_error {
                let text = String::from_utf8_lossy(&self.input[at..reply.end]).into_owned();
                return Err(io::Error::other(text));
            }
            self.actor.take(reply.strings.map(|string| &self.input[string]));
            at = reply.end;
            self.missing -= 1;
        }
        self.input.drain(..at);
        Ok(())
    }
}

/// Runs the clients until no turn is left; how long each turn took. Clients that wait for a partner that is over stay
/// without their last reply.
pub fn run_all(clients: &mut [Client], progress: &Progress) -> io::Result<Vec<Duration>> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    for (number, client) in clients.iter().enumerate() {
        epoll::add(&poll, &client.stream, EventData::new_u64(number as u64), EventFlags::IN)?;
    }
    clients.iter_mut().try_for_each(|client| client.begin(progress))?;
    let (mut times, mut events) = (Vec::new(), Vec::with_capacity(64));
    while clients.iter().any(|client| !client.is_over) && !is_stuck(clients, progress) {
        epoll::wait(&poll, spare_capacity(&mut events), Some(&PATIENCE))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in events.drain(..) {
            let event: epoll::Event = event;
            clients[event.data.u64() as usize].receive(progress, &mut times)?;
        }
    }
    Ok(times)
}

/// Whether all that are not over wait for partners that have no turn left.
fn is_stuck(clients: &[Client], progress: &Progress) -> bool {
    progress.is_used_up() && clients.iter().all(|client| client.is_over || client.actor.waits_for_partner())
}
