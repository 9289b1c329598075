//! A listener with a limit: so many connections at once, and none that keeps silent for long.
//!
//! In: any listener. Out: its connections, each with a place of its own; where all are taken, who comes next waits in
//! the system's queue. Never: a connection that nobody uses and that holds a place for ever (an idle client, one that
//! sends its request a byte at a time or reads no answer).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 512;
/// A connection over which nothing went for so long is closed. Longer than a browser keeps one for its next request.
pub const SILENT_MAX: Duration = Duration::from_secs(120);

/// A listener whose connections are limited.
#[derive(Debug)]
pub struct Capped<L> {
    inner: L,
    places: Arc<Semaphore>,
    silent_max: Duration,
}

impl<L: Listener> Capped<L> {
    /// At most [`CONNECTIONS_MAX`], none silent for [`SILENT_MAX`].
    pub fn new(inner: L) -> Self {
        Self::with(inner, CONNECTIONS_MAX, SILENT_MAX)
    }

    fn with(inner: L, connections_max: usize, silent_max: Duration) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(connections_max)), silent_max }
    }
}

impl<L: Listener> Listener for Capped<L> {
    type Io = Held<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // The semaphore is never closed.
            Err(_) => return std::future::pending().await,
        };
        let (io, address) = self.inner.accept().await;
        let silence = Box::pin(tokio::time::sleep(self.silent_max));
        (Held { io, silence, silent_max: self.silent_max, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection that holds a place and ends when it keeps silent.
#[derive(Debug)]
pub struct Held<Io> {
    io: Io,
    silence: Pin<Box<Sleep>>,
    silent_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl<Io> Held<Io> {
    /// What the connection said, unless it has kept silent for too long; anything that went over it is no silence.
    fn heed<T>(&mut self, context: &mut Context<'_>, said: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if said.is_ready() {
            self.silence.as_mut().reset(Instant::now() + self.silent_max);
            return said;
        }
        match self.silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Held<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.io).poll_read(context, buffer);
        self.heed(context, said)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Held<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.io).poll_write(context, bytes);
        self.heed(context, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.heed(context, said)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const SILENT: Duration = Duration::from_millis(300);

    async fn serve(connections_max: usize) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" }));
        let listener = Capped::with(listener, connections_max, SILENT);
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// What a connection that asks once is answered, until the server closes it.
    async fn asks(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn who_keeps_silent_is_let_go_and_whoever_waited_is_served() {
        let address = serve(2).await;
        let mut idle = Vec::new();
        for request in [&b""[..], b"GET / HTTP/1.1\r\nhos"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request).await.unwrap();
            idle.push(stream);
        }
        let started = Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(20), asks(address)).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        assert!(started.elapsed() >= SILENT / 2, "both places were taken");
        for mut stream in idle {
            let mut rest = Vec::new();
            // Closed in order or reset: either is an end.
            let _ =
                tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_goes_on_asking_is_kept() {
        let address = serve(1).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..6 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut answer = [0; 512];
            let read = stream.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{read}");
            tokio::time::sleep(SILENT / 3).await;
        }
    }
}
