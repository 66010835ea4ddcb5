//! A listening socket that can be taken away and given back on the same port.
//!
//! While it refuses, the port stays bound by a socket that does not listen: the kernel then refuses connections exactly as
//! for a dead provider, and nobody else can take the port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};

const BACKLOG: u32 = 4_096;

/// Opens and closes a listener from outside its accept loop.
#[derive(Debug)]
pub(crate) struct Gate {
    commands: mpsc::Sender<Order>,
}

/// Open or not, and whom to tell when it is so.
type Order = (bool, oneshot::Sender<io::Result<()>>);
/// What an accept loop is told.
pub(crate) type Orders = mpsc::Receiver<Order>;

enum Door {
    Open(TcpListener),
    Closed(TcpSocket),
}

/// Listens. The gate controls it; `accept` serves it.
pub(crate) fn listen(address: SocketAddr) -> io::Result<(TcpListener, Gate, Orders)> {
    let (commands, orders) = mpsc::channel(8);
    Ok((bind(address)?.listen(BACKLOG)?, Gate { commands }, orders))
}

/// Hands every connection to `accepted`, until the gate is dropped.
pub(crate) fn accept(listener: TcpListener, mut orders: Orders, accepted: impl Fn(TcpStream) + Send + 'static) {
    tokio::spawn(async move {
        let Ok(address) = listener.local_addr() else { return };
        let mut door = Some(Door::Open(listener));
        loop {
            let command = match &door {
                Some(Door::Open(listener)) => tokio::select! {
                    connection = listener.accept() => {
                        match connection {
                            Ok((stream, _)) => accepted(stream),
                            // Out of descriptors or the like: not worth ending, nor spinning on.
                            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                        }
                        continue;
                    }
                    command = orders.recv() => command,
                },
                _ => orders.recv().await,
            };
            let Some((open, reply)) = command else { return };
            let outcome = turn(&mut door, address, open);
            // Nobody waits any more when the control client hung up.
            let _ = reply.send(outcome);
        }
    });
}

impl Gate {
    /// Listens (`true`) or refuses (`false`); returns when it is so.
    pub(crate) async fn set(&self, open: bool) -> io::Result<()> {
        let (reply, done) = oneshot::channel();
        let gone = || io::Error::other("the accept loop has ended");
        self.commands.send((open, reply)).await.map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }
}

fn turn(door: &mut Option<Door>, address: SocketAddr, open: bool) -> io::Result<()> {
    match (door.take(), open) {
        (Some(Door::Open(listener)), false) => {
            // The port cannot be bound again while something listens on it.
            drop(listener);
            *door = Some(Door::Closed(bind(address)?));
        }
        (Some(Door::Closed(socket)), true) => *door = Some(Door::Open(socket.listen(BACKLOG)?)),
        // A bind that failed left no socket at all: try again.
        (None, true) => *door = Some(Door::Open(bind(address)?.listen(BACKLOG)?)),
        (None, false) => *door = Some(Door::Closed(bind(address)?)),
        (same, _) => *door = same,
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
