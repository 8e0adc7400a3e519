//! TLS: `tls-port` and its settings, by clients that speak it for real.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Raw, TestServer, encode, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
    SupportedProtocolVersion, version,
};

/// Certificates of the test's own, in a folder of its own.
struct Papers {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    fn new(name: &str) -> Papers {
        let dir = std::env::temp_dir().join(format!("sockudo-kv-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        std::fs::write(dir.join("ca.crt"), issuer.pem()).expect("writable");
        let papers = Papers { dir, issuer };
        papers.issue("server");
        papers.issue("client");
        papers
    }

    /// Writes `name.crt` and `name.key`, a certificate for localhost and its key.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".into()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        std::fs::write(self.dir.join(format!("{name}.crt")), certificate.pem()).expect("writable");
        std::fs::write(self.dir.join(format!("{name}.key")), key.serialize_pem()).expect("writable");
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("text").into()
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.dir.join(format!("{name}.crt"))).expect("written above")
    }

    /// A server with these papers, its port for TLS, and further directives.
    fn server(&self, more: &[&str]) -> (TestServer, u16) {
        let port = free_port();
        let [cert, key, ca] = ["server.crt", "server.key", "ca.crt"].map(|name| self.path(name));
        let number = port.to_string();
        let mut directives = vec!["--threads", "2", "--tls-port", &number, "--tls-cert-file", &cert];
        directives.extend(["--tls-key-file", &key, "--tls-ca-cert-file", &ca]);
        directives.extend(more);
        (TestServer::with(&directives), port)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca")).expect("a certificate");
        roots
    }

    /// A client that knows the authority, with a certificate or without.
    fn client(&self, certified: bool, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).expect("versions that there are");
        let builder = builder.with_root_certificates(self.roots());
        if !certified {
            return builder.with_no_client_auth();
        }
        let key = PrivateKeyDer::from_pem_file(self.dir.join("client.key")).expect("written above");
        builder.with_client_auth_cert(vec![self.certificate("client")], key).expect("a pair")
    }
}

impl Drop for Papers {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A connection that encrypts.
struct Secret(StreamOwned<ClientConnection, TcpStream>);

impl Secret {
    fn open(port: u16, config: ClientConfig) -> Secret {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        stream.set_nodelay(true).expect("nodelay can be set");
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        Secret(StreamOwned::new(session, stream))
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server reads");
        self.0.flush().expect("the server reads");
    }

    #[track_caller]
    fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let mut got = vec![0; expected.as_ref().len()];
        self.0.read_exact(&mut got).expect("a reply");
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected.as_ref()));
    }

    #[track_caller]
    fn check(&mut self, line: &str, reply: &str) {
        self.send(format!("{line}\r\n"));
        self.expect(reply);
    }

    /// Whether a PING comes through.
    fn works(mut self) -> bool {
        let mut reply = [0; 7];
        let asked = self.0.write_all(b"PING\r\n").and_then(|()| self.0.read_exact(&mut reply));
        asked.is_ok() && reply == *b"+PONG\r\n"
    }
}

#[test]
fn commands_run_as_they_do_over_plain_sockets() {
    let papers = Papers::new("commands");
    let (server, port) = papers.server(&[]);
    for version in BOTH {
        let mut secret = Secret::open(port, papers.client(true, &[version]));
        secret.check("PING", "+PONG\r\n");
        // More than a record, in both directions, and a pipeline that is cut at any place.
        let large = "x".repeat(3 << 20);
        secret.send(encode(&["SET", "large", &large]));
        secret.expect("+OK\r\n");
        secret.send("GET large\r\n");
        secret.expect(format!("${}\r\n{large}\r\n", large.len()));
        let pipeline = "INCR n\r\n".repeat(3000);
        pipeline.as_bytes().chunks(1001).for_each(|part| secret.send(part));
        secret.expect((1..=3000).map(|n| format!(":{n}\r\n")).collect::<String>());
        secret.check("DEL n large", ":2\r\n");
    }
    // Plain clients are served beside, and the same keys.
    let mut plain = server.raw();
    let mut secret = Secret::open(port, papers.client(true, BOTH));
    plain.check("SET k v", "+OK\r\n");
    secret.check("GET k", "$1\r\nv\r\n");
    secret.check("QUIT", "+OK\r\n");
    let mut rest = Vec::new();
    // The end is said in TLS, so that nobody can make it up.
    assert!(secret.0.read_to_end(&mut rest).is_ok() && rest.is_empty());
}

#[test]
fn messages_and_data_that_was_waited_for_arrive() {
    let papers = Papers::new("messages");
    let (server, port) = papers.server(&[]);
    let mut plain = server.raw();
    let mut listener = Secret::open(port, papers.client(true, BOTH));
    listener.check("SUBSCRIBE c", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    for _ in 0..3 {
        plain.check("PUBLISH c hello", ":1\r\n");
        listener.expect("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n");
    }
    let mut waiting = Secret::open(port, papers.client(true, BOTH));
    waiting.send("BLPOP q 0\r\n");
    std::thread::sleep(Duration::from_millis(50));
    plain.check("RPUSH q x", ":1\r\n");
    waiting.expect("*2\r\n$1\r\nq\r\n$1\r\nx\r\n");
    waiting.send("BLPOP q 0\r\n");
    std::thread::sleep(Duration::from_millis(50));
    drop(waiting);
    std::thread::sleep(Duration::from_millis(300));
    plain.check("RPUSH q y", ":1\r\n");
    plain.check("LLEN q", ":1\r\n");
}

#[test]
fn clients_need_a_certificate_unless_the_operator_says_otherwise() {
    let papers = Papers::new("certificates");
    let (server, port) = papers.server(&[]);
    let mut admin = server.raw();
    let works = |certified| Secret::open(port, papers.client(certified, BOTH)).works();
    assert!(works(true) && !works(false));
    admin.check("CONFIG SET tls-auth-clients no", "+OK\r\n");
    assert!(works(true) && works(false));
    admin.check("CONFIG SET tls-auth-clients optional", "+OK\r\n");
    assert!(works(true) && works(false));
    let stranger = Papers::new("stranger");
    let mut foreign = stranger.client(true, BOTH);
    foreign.dangerous().set_certificate_verifier(Arc::new(Anybody));
    assert!(!Secret::open(port, foreign).works(), "another authority's certificate");
    admin.check("CONFIG SET tls-auth-clients yes", "+OK\r\n");
    assert!(works(true) && !works(false));
    assert!(server.raw().line("PING") == "+PONG");
}

#[test]
fn settings_change_while_the_server_runs() {
    let papers = Papers::new("reload");
    let (server, port) = papers.server(&["--tls-auth-clients", "no"]);
    let mut admin = server.raw();
    let serial = |papers: &Papers| {
        let mut secret = Secret::open(port, papers.client(false, BOTH));
        secret.check("PING", "+PONG\r\n");
        secret.0.conn.peer_certificates().expect("a server shows one")[0].to_vec()
    };
    let mut early = Secret::open(port, papers.client(false, BOTH));
    early.check("PING", "+PONG\r\n");
    assert_eq!(serial(&papers), papers.certificate("server").to_vec());
    papers.issue("other");
    let [cert, key] = ["other.crt", "other.key"].map(|name| papers.path(name));
    admin.check(&format!("CONFIG SET tls-cert-file {cert} tls-key-file {key}"), "+OK\r\n");
    assert_eq!(serial(&papers), papers.certificate("other").to_vec());
    early.check("PING", "+PONG\r\n");
    let refused = |name| {
        format!(
            "-ERR CONFIG SET failed (possibly related to argument '{name}') - Unable to update TLS configuration. Check server logs.\r\n"
        )
    };
    for (name, value) in [
        ("tls-cert-file", "missing.crt"),
        ("tls-key-file", papers.path("server.key").as_str()),
        ("tls-protocols", "TLSv1.1"),
        ("tls-ciphersuites", "TLS_NOSUCH"),
        ("tls-ciphers", "AES128-SHA256"),
    ] {
        admin.check(&format!("CONFIG SET {name} {value}"), &refused(name));
    }
    assert_eq!(serial(&papers), papers.certificate("other").to_vec());
    let works = |version| Secret::open(port, papers.client(false, &[version])).works();
    admin.check("CONFIG SET tls-protocols TLSv1.2", "+OK\r\n");
    assert!(works(&version::TLS12) && !works(&version::TLS13));
    admin.check("CONFIG SET tls-ciphers ECDHE-ECDSA-CHACHA20-POLY1305", "+OK\r\n");
    let mut secret = Secret::open(port, papers.client(false, BOTH));
    secret.check("PING", "+PONG\r\n");
    let suite = secret.0.conn.negotiated_cipher_suite().expect("it has shaken hands").suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
}

#[test]
fn ports_move_between_tls_and_none() {
    let papers = Papers::new("ports");
    let (server, port) = papers.server(&["--tls-auth-clients", "no"]);
    let mut admin = server.raw();
    let works = |port| Secret::open(port, papers.client(false, BOTH)).works();
    assert!(works(port));
    let other = free_port();
    admin.check(&format!("CONFIG SET tls-port {other}"), "+OK\r\n");
    assert!(works(other) && TcpStream::connect(("127.0.0.1", port)).is_err());
    admin.check("CONFIG SET tls-port 0", "+OK\r\n");
    assert!(TcpStream::connect(("127.0.0.1", other)).is_err());
    let mut plain = server.raw();
    plain.check("PING", "+PONG\r\n");
}

#[test]
fn row_23_who_does_not_shake_hands_is_let_go() {
    let papers = Papers::new("silent");
    let (server, port) = papers.server(&[]);
    let raw = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        Raw { stream }
    };
    let mut plain = raw();
    plain.send("PING\r\n");
    assert!(plain.closed(), "who speaks plainly is no client");
    let (began, mut silent) = (Instant::now(), raw());
    silent.send([0x16, 3, 1]);
    assert!(silent.closed());
    assert!(began.elapsed() > Duration::from_secs(5) && began.elapsed() < Duration::from_secs(19));
    server.raw().check("PING", "+PONG\r\n");
}

/// A client is ended although encrypted bytes of it wait to be read, and of the server to be sent.
#[test]
fn row_33_a_client_with_pending_data_is_ended() {
    let papers = Papers::new("pending");
    let (server, port) = papers.server(&[]);
    let mut admin = server.raw();
    admin.send(encode(&["SET", "large", &"x".repeat(8 << 20)]));
    admin.expect("+OK\r\n");
    for _ in 0..20 {
        let mut secret = Secret::open(port, papers.client(true, BOTH));
        secret.check("CLIENT SETNAME victim", "+OK\r\n");
        secret.send("GET large\r\n".repeat(20));
        std::thread::sleep(Duration::from_millis(20));
        let id = client_id(&mut admin, "victim");
        admin.check(&format!("CLIENT KILL ID {id}"), ":1\r\n");
        let mut rest = Vec::new();
        // What was under way may arrive; the end is that of the socket, and so none that TLS would take for a good-bye.
        assert!(secret.0.read_to_end(&mut rest).is_err());
        assert!(rest.len() < 20 * (8 << 20));
    }
    admin.check("PING", "+PONG\r\n");
}

fn client_id(admin: &mut Raw, name: &str) -> u64 {
    admin.send("CLIENT LIST\r\n");
    let list = String::from_utf8(admin.bulk()).expect("text");
    let line = list.lines().find(|line| line.contains(&format!(" name={name} "))).expect("it is connected");
    let id = line.strip_prefix("id=").and_then(|rest| rest.split(' ').next());
    id.and_then(|id| id.parse().ok()).expect("a number")
}

/// Takes whoever answers for the server.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
