//! A registry behind TLS, with a certificate that only the configured file vouches for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::NamedTempFile;
use tidemark_schemas::registry::{RegistryClient, RegistryConfig, RegistryError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A self-signed certificate as a server's configuration and as a PEM file.
fn certificate() -> (ServerConfig, NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (server, file)
}

/// Answers every request with the schema `"string"`, until the test's runtime ends.
async fn serve(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[allow(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // A client that does not trust the certificate hangs up: on to the next one.
            answer(&acceptor, connection).await.ok();
        }
    });
    address
}

async fn answer(acceptor: &TlsAcceptor, connection: TcpStream) -> std::io::Result<()> {
    const BODY: &str = r#"{"schema": "\"string\""}"#;
    let mut stream = acceptor.accept(connection).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let length = BODY.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(BODY.as_bytes()).await?;
    stream.shutdown().await
}

#[tokio::test]
async fn only_the_certificates_of_ca_file_are_trusted() {
    let (server, ca_file) = certificate();
    let (_, other_ca_file) = certificate();
    let url = format!("https://localhost:{}", serve(server).await.port());
    let client = |ca_file: &NamedTempFile| {
        let ca_file = Some(ca_file.path().to_owned());
        let config = RegistryConfig {
            url: url.clone(),
            ca_file,
            ..RegistryConfig::default()
        };
        RegistryClient::new(&config).unwrap()
    };
    assert_eq!(
        client(&ca_file).schema_by_id(1).await.as_deref(),
        Ok("\"string\"")
    );
    let error = client(&other_ca_file).schema_by_id(1).await.unwrap_err();
    let RegistryError::Unavailable(text) = &error else {
        panic!("{error:?}")
    };
    assert!(text.contains("certificate"), "{text}");
}
