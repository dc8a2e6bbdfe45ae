//! Certificates for servers and clients, made when a test runs.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate authority for `localhost` and for one client, and a second one that signed
/// nothing. All files are in one folder.
pub(crate) struct Certificates {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes the authorities and certificates. `client` is the name in the client's certificate.
    pub(crate) fn make(folder: &Path, client: &str) -> Self {
        let (ca, issuer) = authority("Tidemark tests");
        let made = Self {
            folder: folder.to_owned(),
            issuer,
        };
        made.write("ca.pem", &ca);
        let (other, _) = authority("another authority");
        made.write("other-ca.pem", &other);
        made.write_leaf("server", "localhost", vec!["localhost".to_owned()]);
        made.write_client(client);
        made
    }

    /// Replaces the client's certificate and key.
    pub(crate) fn write_client(&self, name: &str) {
        self.write_leaf("client", name, Vec::new());
    }

    /// Returns the path of a file: `ca.pem`, `other-ca.pem`; `server.crt`, `server.key` and both as
    /// `server.pem`; and the same three for `client`.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn write_leaf(&self, file: &str, name: &str, hosts: Vec<String>) {
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        self.write(&format!("{file}.crt"), &certificate);
        self.write(&format!("{file}.key"), &key);
        self.write(&format!("{file}.pem"), &format!("{key}{certificate}"));
    }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    (certificate, Issuer::new(params, key))
}
