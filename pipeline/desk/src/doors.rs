//! How many may stand in the door, and for how long without a word.
//!
//! In: a listener. Out: the same, with at most so many connections at once; who comes when it is full is turned away
//! (policy: reject), and a connection on which nothing moves either way is closed. Never: a wait for a place, since
//! who holds them all may never give one back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// A listener that keeps count.
#[derive(Debug)]
pub struct Doors<L> {
    listener: L,
    places: Arc<Semaphore>,
    silent_max: Duration,
}

impl<L> Doors<L> {
    /// At most `most` connections, each closed after `silent_max` in which nothing was read or written.
    pub fn new(listener: L, most: usize, silent_max: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)), silent_max }
    }
}

impl<L: Listener> Listener for Doors<L> {
    type Io = Visit<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (io, address) = self.listener.accept().await;
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (Visit::new(io, place, self.silent_max), address),
                Err(_) => tracing::debug!("a connection is turned away: there are as many as may be"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that holds its place.
#[derive(Debug)]
pub struct Visit<I> {
    io: I,
    silent_max: Duration,
    until: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl<I> Visit<I> {
    fn new(io: I, place: OwnedSemaphorePermit, silent_max: Duration) -> Self {
        Self { io, silent_max, until: Box::pin(sleep(silent_max)), _place: place }
    }

    /// What a read or write came to: something moved, or time is up.
    fn heard<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            let next = Instant::now() + self.silent_max;
            self.until.as_mut().reset(next);
            return moved;
        }
        match self.until.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Visit<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(context, into);
        self.heard(context, read)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Visit<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.heard(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.heard(context, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn who_comes_when_it_is_full_is_turned_away_and_silence_gives_a_place_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent_max = Duration::from_millis(300);
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "here\n" }));
        tokio::spawn(axum::serve(Doors::new(listener, 2, silent_max), router).into_future());
        let ask = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        // Two that say nothing take both places.
        let mut silent =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        let mut answer = [0; 12];
        let mut third = TcpStream::connect(address).await.unwrap();
        let _ = third.write_all(ask).await;
        assert!(third.read_exact(&mut answer).await.is_err(), "{answer:?}");
        for stream in &mut silent {
            // Closed, since it was silent for too long.
            assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0);
        }
        let mut fourth = TcpStream::connect(address).await.unwrap();
        fourth.write_all(ask).await.unwrap();
        fourth.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
