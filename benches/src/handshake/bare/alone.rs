//! tokio-rustls and tokio-openssl over a socket, with the octets of the script to carry.
//!
//! Fails: by panicking.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::case::{Case, Library, Path};
use super::super::material::Material;
use super::super::script::{
    BYE, EHLO, GREETING, HOST, OFFER, OFFER_INSIDE, QUIT, READY, ROOM, STARTTLS,
};
use super::rustls;
#[cfg(feature = "openssl")]
use {super::openssl, ::openssl::ssl::Ssl, std::pin::Pin, tokio_openssl::SslStream};

pub(in super::super) enum Server {
    Clear,
    Rustls(TlsAcceptor, Path),
    #[cfg(feature = "openssl")]
    OpenSsl(openssl::Server),
}

impl Server {
    pub(in super::super) fn subject(case: Option<Case>, material: &Material) -> Self {
        let Some(case) = case else { return Self::Clear };
        match case.library {
            Library::Rustls => Self::rustls(&rustls::Server::subject(&case, material)),
            #[cfg(feature = "openssl")]
            Library::OpenSsl => Self::OpenSsl(openssl::Server::subject(&case, material)),
            #[cfg(not(feature = "openssl"))]
            Library::OpenSsl => panic!("built without OpenSSL"),
        }
    }

    pub(in super::super) fn peer(case: Option<Case>, material: &Material) -> Self {
        let Some(case) = case else { return Self::Clear };
        Self::rustls(&rustls::Server::peer(&case, material))
    }

    fn rustls(server: &rustls::Server) -> Self {
        Self::Rustls(Arc::clone(&server.config).into(), server.path)
    }

    pub(in super::super) async fn serve(&self, mut socket: TcpStream) {
        match self {
            Self::Clear => {
                say(&mut socket, GREETING).await;
                serve(socket, OFFER_INSIDE).await;
            }
            Self::Rustls(acceptor, path) => {
                offer(&mut socket, *path).await;
                let mut stream = acceptor.accept(socket).await.expect("accepted");
                if *path == Path::Smtps {
                    say(&mut stream, GREETING).await;
                }
                serve(stream, OFFER_INSIDE).await;
            }
            #[cfg(feature = "openssl")]
            Self::OpenSsl(openssl::Server { context, path, .. }) => {
                offer(&mut socket, *path).await;
                let tls = Ssl::new(context).expect("a server");
                let mut stream = SslStream::new(tls, socket).expect("a stream");
                Pin::new(&mut stream).accept().await.expect("accepted");
                if *path == Path::Smtps {
                    say(&mut stream, GREETING).await;
                }
                serve(stream, OFFER_INSIDE).await;
            }
        }
    }
}

pub(in super::super) enum Client {
    Clear,
    Rustls(TlsConnector, Path),
    #[cfg(feature = "openssl")]
    OpenSsl(openssl::Client),
}

impl Client {
    pub(in super::super) fn subject(case: Option<Case>, material: &Material) -> Self {
        let Some(case) = case else { return Self::Clear };
        match case.library {
            Library::Rustls => Self::rustls(&rustls::Client::subject(&case, material)),
            #[cfg(feature = "openssl")]
            Library::OpenSsl => Self::OpenSsl(openssl::Client::subject(&case, material)),
            #[cfg(not(feature = "openssl"))]
            Library::OpenSsl => panic!("built without OpenSSL"),
        }
    }

    pub(in super::super) fn peer(case: Option<Case>, material: &Material) -> Self {
        let Some(case) = case else { return Self::Clear };
        Self::rustls(&rustls::Client::peer(&case, material))
    }

    fn rustls(client: &rustls::Client) -> Self {
        Self::Rustls(Arc::clone(&client.config).into(), client.path)
    }

    pub(in super::super) async fn send(&self, mut socket: TcpStream) {
        match self {
            Self::Clear => {
                hear(&mut socket).await;
                send(socket).await;
            }
            Self::Rustls(connector, path) => {
                ask(&mut socket, *path).await;
                let name = HOST.try_into().expect("a name");
                let mut stream = connector.connect(name, socket).await.expect("connected");
                if *path == Path::Smtps {
                    hear(&mut stream).await;
                }
                send(stream).await;
            }
            #[cfg(feature = "openssl")]
            Self::OpenSsl(client) => {
                ask(&mut socket, client.path).await;
                let mut stream = SslStream::new(client.session(), socket).expect("a stream");
                Pin::new(&mut stream).connect().await.expect("connected");
                if client.path == Path::Smtps {
                    hear(&mut stream).await;
                }
                send(stream).await;
            }
        }
    }
}

async fn offer(socket: &mut TcpStream, path: Path) {
    if path == Path::StartTls {
        say(socket, GREETING).await;
        hear(socket).await;
        say(socket, OFFER).await;
        hear(socket).await;
        say(socket, READY).await;
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, offer: &[u8]) {
    hear(&mut stream).await;
    say(&mut stream, offer).await;
    hear(&mut stream).await;
    say(&mut stream, BYE).await;
    stream.shutdown().await.expect("shut down");
    while stream.read(&mut [0; ROOM]).await.expect("read") > 0 {}
}

async fn ask(socket: &mut TcpStream, path: Path) {
    if path == Path::StartTls {
        hear(socket).await;
        say(socket, EHLO).await;
        hear(socket).await;
        say(socket, STARTTLS).await;
        hear(socket).await;
    }
}

async fn send(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    say(&mut stream, EHLO).await;
    hear(&mut stream).await;
    say(&mut stream, QUIT).await;
    hear(&mut stream).await;
    stream.shutdown().await.expect("shut down");
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) {
    stream.write_all(octets).await.expect("written");
    stream.flush().await.expect("flushed");
}

async fn hear(stream: &mut (impl AsyncRead + Unpin)) {
    let mut room = [0; ROOM];
    let octets = stream.read(&mut room).await.expect("read");
    assert!(room[..octets].ends_with(b"\r\n"), "not a whole line");
}
