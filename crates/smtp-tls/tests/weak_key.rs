//! A server whose RSA key is shorter than rustls checks signatures of: where the libraries differ.
#![cfg(all(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::pin::Pin;

use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    ssl::{Ssl, SslContext, SslMethod, SslVersion},
    x509::{X509, X509NameBuilder},
};
use smtp_tls::{Backend, ClientPolicy, Connector, Fault, HandshakeError};
use tokio_openssl::SslStream;

const HOST: &str = "mx.example.org";

fn server(bits: u32, version: SslVersion) -> SslContext {
    let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", HOST).unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_security_level(0);
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
    context.set_certificate(&certificate.build()).unwrap();
    context.set_private_key(&key).unwrap();
    context.build()
}

#[tokio::test]
async fn a_short_rsa_key_is_refused_by_rustls_alone_and_as_a_broken_protocol() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for (bits, rustls_takes_it) in [(1024, false), (2048, true)] {
            let context = server(bits, version);
            for policy in [ClientPolicy::opportunistic(), ClientPolicy::required()] {
                for backend in [Backend::Rustls, Backend::OpenSsl] {
                    let connector = Connector::new(backend, &policy).unwrap();
                    let (near, far) = tokio::io::duplex(64 * 1024);
                    let mut near = SslStream::new(Ssl::new(&context).unwrap(), near).unwrap();
                    let (_, far) = tokio::join!(
                        async { Pin::new(&mut near).accept().await },
                        connector.connect(HOST, far)
                    );
                    let what = format!("{backend} {bits} {version:?}");
                    match far {
                        Ok(_) => assert!(backend == Backend::OpenSsl || rustls_takes_it, "{what}"),
                        Err(error @ HandshakeError::Protocol(_)) => {
                            assert!(backend == Backend::Rustls && !rustls_takes_it, "{what}");
                            assert_eq!(error.fault(), Fault::Peer);
                        }
                        Err(error) => panic!("{what}: {error:?}"),
                    }
                }
            }
        }
    }
}
